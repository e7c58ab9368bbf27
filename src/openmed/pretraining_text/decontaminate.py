"""No passage that stands in the dev or test split of a NER corpus may be pre-trained on.

An index holds a hash of every run of `ngram` words of those splits, of each shorter document as a whole, and the PubMed
ids of their documents. A passage that shares one of these is contaminated.

    index = ContaminationIndex.build(split_texts([("ncbi", "test"), ("s800", "dev")]), ngram=13)
    index.save(path); index = ContaminationIndex.load(path)
    index.find("...", pmid="29768149")      # Contamination(split="ncbi/test", words="...") or None
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import NamedTuple

import numpy as np

from openmed.corpora import SPLITS, CorpusSpec, corpus_names, is_here, load_spec, load_split
from openmed.errors import ConfigError
from openmed.pretraining_text.done import is_as_recorded, write_record
from openmed.pretraining_text.normalise import normalise
from openmed.pretraining_text.sources.corpus import CUSTOM, pubmed_id
from openmed.pretraining_text.words import ngram_hashes, words
from openmed.spans import Document
from openmed.writers.atomic import atomic_path

EVALUATED = ("dev", "test")
_RECORD = "record.json"
SHORTEST = 7
"""Words of the shortest document that is looked for: fewer come together by chance."""


class Contamination(NamedTuple):
    """What a passage shares with a split: `<corpus>/<split>`, and the words, or "document <id>"."""

    split: str
    shared: str


@dataclass(frozen=True)
class ContaminationIndex:
    """Attributes:
    ngram: words of a run.
    shorter: numbers of words of the documents that are shorter than a run.
    hashes: (num_runs,) uint64, sorted, distinct.
    owners: (num_runs,) int16, index into `splits` of the first split with the run.
    documents: PubMed id of a document, where it has one -> index of its split.
    splits: "<corpus>/<split>".
    missing: corpora with a split that was not at hand.
    """

    ngram: int
    shorter: list[int]
    hashes: np.ndarray
    owners: np.ndarray
    documents: dict[str, int]
    splits: list[str]
    missing: list[str]

    @classmethod
    def build(
        cls, texts: Iterable[tuple[str, Document]], *, ngram: int, missing: Sequence[str] = ()
    ) -> ContaminationIndex:
        """Args:
            texts: (`<corpus>/<split>`, document) of all that must not be met.
            missing: names of corpora of which not all is in `texts`.

        Raises:
            ConfigError: runs so short that chance would find them.
        """
        if ngram < 5:
            raise ConfigError(f"decontaminate_ngram={ngram} finds common phrases", mend="8 to 13 words are usual")
        splits: dict[str, int] = {}
        documents: dict[str, int] = {}
        shorter: set[int] = set()
        hashes = [np.empty(0, np.uint64)]
        owners = [np.empty(0, np.int16)]
        for split, document in texts:
            owner = splits.setdefault(split, len(splits))
            if pmid := pubmed_id(split.rpartition("/")[0], document.group):
                documents.setdefault(pmid, owner)
            found = words(" ".join(normalise(document.text)))
            size = min(ngram, len(found))
            if size < SHORTEST:
                continue
            if size < ngram:
                shorter.add(size)
            runs = ngram_hashes(found, size)
            hashes.append(runs)
            owners.append(np.full(len(runs), owner, dtype=np.int16))
        distinct, first = np.unique(np.concatenate(hashes), return_index=True)
        all_owners = np.concatenate(owners)
        return cls(ngram, sorted(shorter), distinct, all_owners[first], documents, list(splits), list(missing))

    def find(self, text: str, *, pmid: str | None = None) -> Contamination | None:
        """The first thing that the text shares with a split, None where it shares nothing."""
        if pmid is not None and pmid in self.documents:
            return Contamination(self.splits[self.documents[pmid]], f"document {pmid}")
        found = words(text)
        for size in (self.ngram, *self.shorter):
            runs = ngram_hashes(found, size)
            if not len(runs) or not len(self.hashes):
                continue
            places = np.minimum(np.searchsorted(self.hashes, runs), len(self.hashes) - 1)
            shared = np.flatnonzero(self.hashes[places] == runs)
            if len(shared):
                first = int(shared[0])
                split = self.splits[self.owners[places[first]]]
                return Contamination(split, " ".join(found[first : first + size]))
        return None

    def save(self, path: str | PathLike[str]) -> None:
        with atomic_path(Path(path)) as temporary:
            temporary.mkdir()
            np.save(temporary / "hashes.npy", self.hashes)
            np.save(temporary / "owners.npy", self.owners)
            names = ("ngram", "shorter", "documents", "splits", "missing")
            content = {name: getattr(self, name) for name in names}
            (temporary / "index.json").write_text(json.dumps(content), encoding="utf-8")
            write_record(temporary / _RECORD, temporary, sorted(temporary.iterdir()))

    @staticmethod
    def is_whole(path: str | PathLike[str]) -> bool:
        """Whether an index is there, every file as it was written; one of an earlier version has no record of that."""
        folder, record = Path(path), Path(path) / _RECORD
        return (folder / "index.json").is_file() and (not record.exists() or is_as_recorded(record, folder))

    @classmethod
    def load(cls, path: str | PathLike[str]) -> ContaminationIndex:
        """Map an index from disk: workers share its pages."""
        folder = Path(path)
        content = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("hashes", "owners")}
        return cls(**content, **arrays)


def evaluated_splits() -> tuple[list[tuple[str, str]], list[str]]:
    """(corpus, split) of every dev and test split on this machine, and the names of corpora with one that is not."""
    here: list[tuple[str, str]] = []
    missing: list[str] = []
    for name in corpus_names():
        if name == CUSTOM:
            continue
        spec = load_spec(name)
        splits = [split for split in EVALUATED if spec.split_file(split) is not None]
        at_hand = [(name, split) for split in splits if _is_here(spec, split)]
        here += at_hand
        if len(at_hand) < len(splits):
            missing.append(name)
    return here, missing


def split_texts(splits: Iterable[tuple[str, str]]) -> Iterator[tuple[str, Document]]:
    """(`<corpus>/<split>`, document) of these splits."""
    for name, split in splits:
        for document in load_split(load_spec(name), split).documents:
            yield f"{name}/{split}", document


def _is_here(spec: CorpusSpec, split: str) -> bool:
    needed = [spec.split_file(split)]
    if spec.groups is not None:
        needed.append(getattr(spec.groups, "train" if split == "dev" and spec.makes_dev else split))
    if spec.ids is not None:
        needed += [getattr(spec.ids, name) for name in SPLITS]
    return all(is_here(spec, name) for name in needed if name)
