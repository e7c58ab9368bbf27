"""The texts of a NER corpus's training split, annotations left out: pre-training on what a tagger is then trained on
(task-adaptive pre-training; Gururangan et al. 2020, arXiv 2004.10964).

    for text in read_corpus("ncbi_documents", losses=losses): ...

Dev and test splits cannot be asked for.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from os import PathLike

from openmed.corpora import CorpusSpec, load_spec, load_split
from openmed.corpora.load import ID_NOT_FOUND
from openmed.errors import ConfigError
from openmed.pretraining_text.sources.losses import NO_TEXT
from openmed.pretraining_text.sources.raw_text import RawText
from openmed.readers.losses import FILE_PASSED_OVER, TEXT_NOT_IN_FILE

CORPUS = "corpus"
"""The format of a source whose path is the name of a corpus."""
CUSTOM = "custom"
"""The corpus whose files are named on the command line of `train.py` alone."""
SPLIT = "train"
# fmt: off
BY_PUBMED_ID = frozenset((
    "bc5cdr", "bc5cdr_documents", "bc5cdr_chem", "bc5cdr_chem_documents", "bc5cdr_disease", "bc5cdr_disease_documents",
    "ncbi", "ncbi_documents", "s800", "s800_documents", "s800_560_documents",
))
# fmt: on
"""Corpora in which a number alone is a document's PubMed id. Elsewhere it is another: MEDLINE's older one in JNLPBA,
PubMed Central's in Linnaeus. It stands here, for results are known by all that a corpus's YAML says."""
_PUBMED_ID = re.compile(r"(PMID-)?([0-9]+)")
_LOSSES_OF_TEXT = (FILE_PASSED_OVER, ID_NOT_FOUND, TEXT_NOT_IN_FILE)
"""What else a corpus's reader counts is of annotations."""


def corpus_spec(name: str) -> CorpusSpec:
    """The corpus of that name.

    Raises:
        ConfigError: there is none, or it is `custom`.
    """
    if name == CUSTOM:
        raise ConfigError(
            "dataset 'custom' has no files of its own",
            mend="give your file of texts as a source, with format: text or jsonl",
        )
    return load_spec(name)


def pubmed_id(corpus: str, group: str) -> str | None:
    """The PubMed id that a document of a corpus bears, in digits: "123" of "PMID-123", of "123" in `BY_PUBMED_ID`."""
    found = _PUBMED_ID.fullmatch(group)
    return found[2] if found and (found[1] or corpus in BY_PUBMED_ID) else None


def read_corpus(path: str | PathLike[str], *, losses: Counter[str]) -> Iterator[RawText]:
    """Stream the texts of a corpus's training split, as the corpus has them; it is read whole first.

    Args:
        path: the name of a corpus of `conf/dataset`.
        losses: counts documents without text, and what the corpus's reader could not read of texts.

    Raises:
        ConfigError: as `corpus_spec`.
        DataError: as `openmed.corpora.load_split`.
    """
    spec = corpus_spec(str(path))
    split = load_split(spec, SPLIT)
    losses.update({reason: split.losses[reason] for reason in _LOSSES_OF_TEXT if reason in split.losses})
    for document in split.documents:
        if document.text.strip():
            yield RawText(f"{spec.name}:{document.id}", document.text, pubmed_id(spec.name, document.group))
        else:
            losses[NO_TEXT] += 1
