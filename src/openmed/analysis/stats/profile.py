"""A corpus in numbers: the profile of each of its splits, and which of them could not be had.

profile_corpus("ncbi").splits["train"].counts
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from operator import add

from openmed.analysis.stats.split import SplitProfile, profile_documents
from openmed.analysis.stats.unseen import Unseen, unseen_per_type
from openmed.corpora import CorpusSpec, load_spec, load_split
from openmed.encoding.words import choose_splitter
from openmed.errors import DataError


@dataclass(frozen=True)
class Profile:
    """What a corpus holds.

    Attributes:
        spec: the corpus, as its YAML states it.
        splits: the profile of each split that could be read, in the order train, dev, test.
        missing: split -> why it could not.
    """

    spec: CorpusSpec
    splits: Mapping[str, SplitProfile]
    missing: Mapping[str, str]

    @property
    def unseen(self) -> dict[str, dict[str, Unseen]]:
        """Split (all but train) -> type -> what train has not; empty when train is missing."""
        train = self.splits.get("train")
        if train is None:
            return {}
        return {name: unseen_per_type(train, split) for name, split in self.splits.items() if name != "train"}

    @property
    def total(self) -> SplitProfile | None:
        """All splits together; None where there are none."""
        return reduce(add, self.splits.values()) if self.splits else None

    def check(self) -> None:
        """Refuse a profile of only a part of the corpus.

        Raises:
            DataError: a split is missing; names each, and why.
        """
        if self.missing:
            reasons = " ".join(f"{name}: {reason}" for name, reason in self.missing.items())
            number = f"{len(self.missing)} of {len(self.missing) + len(self.splits)} splits"
            raise DataError(f"{number} of {self.spec.name!r} could not be read. {reasons}")


def profile_corpus(corpus: str | CorpusSpec) -> Profile:
    """Read each split once and count. A split that cannot be read goes to `missing`; the others are still counted.

    Args:
        corpus: a name as in `dataset=<name>`, or a spec.

    Raises:
        ConfigError: no such corpus, or a spec with settings that do not fit.
    """
    spec = load_spec(corpus) if isinstance(corpus, str) else corpus
    splits: dict[str, SplitProfile] = {}
    missing: dict[str, str] = {}
    splitter = ""
    for name in spec.splits:
        try:
            split = load_split(spec, name)
        except DataError as error:
            missing[name] = str(error)
            continue
        # As in training: the first split decides, that is train where it is here.
        splitter = splitter or choose_splitter(split.documents)
        splits[name] = profile_documents(
            name, split.documents, splitter=splitter, counts=split.counts, losses=split.losses
        )
    return Profile(spec, splits, missing)
