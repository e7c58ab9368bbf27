"""Score predicted annotations against gold ones, from any two files that can be read: exact spans, typed, micro.

gold, pred = Source.of(Path("test.tsv")), Source.of(Path("predicted.tsv"), scheme="iob2")
pairs = pair_up(gold.read(), pred.read())
score_pairs(pairs).micro.f1, interval(pairs), drawn(pairs).unit
kept = without_seen(pairs, Subset.read("jnlpba_clean.json"))
score_pairs(lenient_pairs(gold, pred)).micro.f1         # seqeval's default mode
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from openmed.analysis.leakage import Subset
from openmed.encoding.words import split_sentences
from openmed.errors import DataError
from openmed.metrics import ScoreTable, score_spans
from openmed.readers import detect_format, read
from openmed.spans import Document
from openmed.tagging import ILLEGAL_TAG

NUM_RESAMPLES = 2_000
CONFIDENCE = 0.95
TOKENS = "conll"
STRAY_SHARE = 0.1
"""Fewer mentions than this share open with B-: it is no tagger that errs so, but IOB1."""
SETTINGS: Mapping[str, tuple[str, ...]] = {TOKENS: ("scheme", "default_type"), "jsonl": ("mentions",)}
"""Format -> the settings of its reader that matter to scores."""


@dataclass
class Source:
    """A file, folder or archive to be scored.

    Args:
        settings: of its format's reader.

    Attributes:
        documents: what was read.
        losses: what could not be kept of it.
    """

    path: Path
    format: str
    settings: Mapping[str, Any]
    documents: list[Document] = field(default_factory=list)
    losses: Counter[str] = field(default_factory=Counter)
    _lenient: list[Document] | None = None

    @classmethod
    def of(cls, path: Path, format: str | None = None, **settings: Any) -> Source:
        """With those of the settings that are told and that its format has; a format that is not told is detected."""
        format = format or detect_format(path)
        return cls(path, format, {key: settings[key] for key in SETTINGS.get(format, ()) if settings.get(key)})

    def read(self) -> list[Document]:
        """All documents."""
        self.losses.clear()
        self._lenient = None
        self.documents = list(read(self.path, format=self.format, losses=self.losses, **self.settings))
        return self.documents

    def read_leniently(self) -> list[Document]:
        """All documents of a token file as by conlleval, where a stray I- opens an entity. After `read`.

        Read anew, once, only where some tag broke the scheme: without such tags the conventions agree.

        Raises:
            DataError: tags that break a scheme with E- or S-, for which the convention is not defined here.
        """
        if not self.losses[ILLEGAL_TAG]:
            return self.documents
        try:
            if self._lenient is None:
                settings = {**self.settings, "scheme": "iob2-lenient"}
                self._lenient = list(read(self.path, format=self.format, **settings))
            return self._lenient
        except DataError as error:
            told = "its E- and S- tags break their scheme, and the lenient convention is defined for B- and I- alone"
            raise DataError(told, path=self.path) from error


def looks_iob1(strict: Iterable[Document], lenient: Iterable[Document]) -> bool:
    """Whether a token file opens nearly all its mentions with a stray I-, as IOB1 does.

    Args:
        strict, lenient: its documents by both conventions (`Source.read`, `Source.read_leniently`).
    """
    opened, there_are = (sum(len(document.spans) for document in documents) for documents in (strict, lenient))
    return opened < STRAY_SHARE * there_are


class Pair(NamedTuple):
    """The same text, annotated twice."""

    gold: Document
    predicted: Document


class Drawn(NamedTuple):
    """What the bootstrap draws: "groups", or "texts" where each is a group of its own, and how many there are."""

    unit: str
    number: int


class Kept(NamedTuple):
    """The pairs that a clean subset keeps.

    Attributes:
        unit: "sentences" or "documents", whichever the texts are: the view of the subset that fits them.
        removed: how many pairs it takes away.
        listed: how many units that view lists as seen; more than `removed` where only a part of the split is scored.
    """

    pairs: list[Pair]
    unit: str
    removed: int
    listed: int


def pair_up(gold: Sequence[Document], predicted: Sequence[Document]) -> list[Pair]:
    """Bring together what annotates the same text: by id where all ids agree, else in the order of the files.

    Raises:
        DataError: another number of documents, an id on one side only, or texts that differ.
    """
    by_id = {document.id: document for document in predicted}
    ids = {document.id for document in gold}
    if ids == set(by_id) and len(ids) == len(gold) == len(predicted):
        pairs = [Pair(document, by_id[document.id]) for document in gold]
    elif len(gold) == len(predicted):
        pairs = [Pair(*both) for both in zip(gold, predicted, strict=True)]
    else:
        lacking = next((document.id for document in gold if document.id not in by_id), None)
        told = f"; the first without a prediction is {lacking!r}" if lacking else ""
        raise DataError(
            f"{len(gold)} gold documents, {len(predicted)} predicted ones{told}",
            mend="score files that hold the same documents",
        )
    for one, other in pairs:
        if one.text != other.text:
            at = next(
                (place for place, (a, b) in enumerate(zip(one.text, other.text, strict=False)) if a != b),
                min(len(one.text), len(other.text)),
            )
            raise DataError(
                f"gold document {one.id!r} and predicted {other.id!r} differ in their text from character {at}",
                text=f"{one.text[at : at + 20]} / {other.text[at : at + 20]}",
                mend="offsets compare only on the same text: score the text that was tagged, words and spaces included",
            )
    return pairs


def lenient_pairs(gold: Source, predicted: Source) -> list[Pair]:
    """The pairs by the convention of seqeval's default mode and conlleval: a stray I- opens an entity. After `read`.

    Raises:
        DataError: not both are token files, or they break a scheme with E- or S-.
    """
    for source in (gold, predicted):
        if source.format != TOKENS:
            raise DataError("tags are needed, and this is no token file", path=source.path)
    return pair_up(gold.read_leniently(), predicted.read_leniently())


def score_pairs(pairs: Iterable[Pair]) -> ScoreTable:
    """Counts per type, over all pairs."""
    both = list(pairs)
    return score_spans([pair.gold.spans for pair in both], [pair.predicted.spans for pair in both])


def interval(pairs: Iterable[Pair], *, num_resamples: int = NUM_RESAMPLES, seed: int = 1) -> tuple[float, float] | None:
    """The 95% percentile bootstrap interval of F1, groups (abstracts) drawn with replacement; None for one group.

    Sentences of one abstract depend on each other, so it is groups that are drawn (Koehn 2004 draws sentences).
    """
    import numpy as np

    counts_G3 = np.array(list(_counts_of_groups(pairs)), dtype=np.int64).reshape(-1, 3)
    if len(counts_G3) < 2:
        return None
    generator = np.random.default_rng(seed)
    f1s = []
    for _ in range(num_resamples):
        times_G = np.bincount(generator.integers(len(counts_G3), size=len(counts_G3)), minlength=len(counts_G3))
        tp, fp, fn = (times_G @ counts_G3).tolist()
        f1s.append(2 * tp / (2 * tp + fp + fn) if tp else 0.0)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(f1s, [tail, 1 - tail]).tolist()
    return low, high


def drawn(pairs: Sequence[Pair]) -> Drawn:
    """What `interval` takes for independent. Sentences without document marks are texts of their own group."""
    number = len({pair.gold.group for pair in pairs})
    return Drawn("texts" if number == len(pairs) else "groups", number)


def without_seen(pairs: Sequence[Pair], subset: Subset) -> Kept:
    """The pairs whose gold text is in the clean part."""
    kept = [pair for pair in pairs if subset.keeps(pair.gold)]
    unit = "sentences" if 2 * sum(_is_sentence(pair.gold) for pair in pairs) > len(pairs) else "documents"
    part = subset.sentences if unit == "sentences" else subset.documents
    return Kept(kept, unit, len(pairs) - len(kept), len(part.removed))


def _is_sentence(document: Document) -> bool:
    return len(split_sentences(document.text) if document.sentences is None else document.sentences) <= 1


def _counts_of_groups(pairs: Iterable[Pair]) -> Iterator[tuple[int, int, int]]:
    groups: dict[str, list[Pair]] = {}
    for pair in pairs:
        groups.setdefault(pair.gold.group, []).append(pair)
    for members in groups.values():
        micro = score_pairs(members).micro
        yield micro.tp, micro.fp, micro.fn
