"""The texts of a NER corpus's training split, annotations left out: pre-training on what a tagger is then trained on
(task-adaptive pre-training; Gururangan et al. 2020, arXiv 2004.10964).

    for text in read_corpus("ncbi_documents", losses=losses): ...

Dev and test splits cannot be asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from os import PathLike

from openmed.corpora import CorpusSpec, load_spec, load_split
from openmed.corpora.load import ID_NOT_FOUND
from openmed.errors import ConfigError
from openmed.pretraining_text.sources.losses import NO_TEXT
from openmed.pretraining_text.sources.raw_text import RawText, pubmed_id
from openmed.readers.losses import FILE_PASSED_OVER, TEXT_NOT_IN_FILE

CORPUS = "corpus"
"""The format of a source whose path is the name of a corpus."""
CUSTOM = "custom"
"""The corpus whose files are named on the command line of `train.py` alone."""
SPLIT = "train"
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
            yield RawText(f"{spec.name}:{document.id}", document.text, pubmed_id(document.group))
        else:
            losses[NO_TEXT] += 1
