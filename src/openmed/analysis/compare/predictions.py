"""What is counted of a run's predictions, against gold that is read once and must be the same in all runs.

    reader = Reader(split="test", unit="sentences", train_forms=None)
    tally = reader.tally(run)       # arrays of counts; no text is kept but the first run's
    reader.gold.mentions_G

Shapes: G groups (abstracts), in the order of the split.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from openmed.analysis.compare.runs import Run
from openmed.analysis.compare.seen import surface
from openmed.errors import DataError
from openmed.metrics.mistakes import Kind, Mention, read_mention, wrong_pairs
from openmed.readers.lines import numbered_lines

MAX_WORDS = 4
"""Mentions of so many words and more are counted together."""
_COMMA_ENTITIES = ', "entities": '
_MEND = "the file was cut off or altered: copy it from the run again, or leave the run out"


class Cell(NamedTuple):
    """Mentions that are alike: their type, their length in words (`MAX_WORDS` and more are one), whether train has
    them (None: not known)."""

    label: str
    num_words: int
    seen: bool | None


@dataclass(frozen=True)
class Tally:
    """Counts of one run's predictions.

    Attributes:
        tp_G, predicted_G: (G,) int64, mentions found exactly, and all predicted ones.
        tp, predicted: the same by cell, a gold mention in the cell that it has by its own type and text.
        kinds: mistakes by kind and type (the gold one; of spurious mentions the predicted one).
        confusion: (gold type, predicted type) of all pairs, the correct ones too.
    """

    tp_G: np.ndarray
    predicted_G: np.ndarray
    tp: Counter[Cell] = field(default_factory=Counter)
    predicted: Counter[Cell] = field(default_factory=Counter)
    kinds: Counter[tuple[Kind, str]] = field(default_factory=Counter)
    confusion: Counter[tuple[str, str]] = field(default_factory=Counter)


@dataclass(slots=True)
class _Text:
    """A unit of the split, as the first run's file has it. `head` is its line up to the predictions, where it is as
    our writer writes it: a line that begins so needs no second look at its text and gold."""

    id: str
    group: int
    text: str
    gold: frozenset[Mention]
    head: str
    cells: dict[Mention, Cell] = field(default_factory=dict)


@dataclass
class Gold:
    """What all runs share.

    Attributes:
        groups: names of the groups, by their number.
        mentions_G: (G,) int64, gold mentions.
        cells: gold mentions by cell.
        num_texts: units of the split.
    """

    groups: list[str]
    mentions_G: np.ndarray
    cells: Counter[Cell]
    num_texts: int


class Reader:
    """Reads the predictions of run after run.

    Args:
        split: "dev" or "test".
        unit: "sentences" or "documents", what a line holds.
        train_forms: surface forms of train (`seen.train_forms`), None where they are not known.
    """

    def __init__(self, split: str, unit: str, train_forms: frozenset[str] | None) -> None:
        self._split = split
        self._unit = unit
        self._forms = train_forms
        self._first: Path | None = None
        self._texts: list[_Text] = []
        self._groups: dict[str, int] = {}

    @property
    def gold(self) -> Gold:
        mentions_G = np.zeros(len(self._groups), dtype=np.int64)
        cells: Counter[Cell] = Counter()
        for text in self._texts:
            mentions_G[text.group] += len(text.gold)
            cells.update(text.cells[mention] for mention in text.gold)
        return Gold(list(self._groups), mentions_G, cells, len(self._texts))

    def tally(self, run: Run) -> Tally:
        """Count a run's predictions.

        Raises:
            DataError: no file; a line that is not such a prediction; other texts or gold than in the first run;
                fewer texts than the corpus has, or other counts than result.json.
        """
        path = run.predictions(self._split)
        if not path.is_file():
            raise DataError("the predictions are missing", path=path, mend="copy them from the run, or leave it out")
        tally = self._count(path)
        self._check_counts(run, path, tally)
        self._first = self._first or path
        return tally

    def _count(self, path: Path) -> Tally:
        tp: Counter[int] = Counter()
        predicted: Counter[int] = Counter()
        tally = Tally(np.empty(0), np.empty(0))
        number = 0
        for number, line in numbered_lines(path):
            try:
                text, items = self._read_line(path, number, line)
                found = _mentions(items, text)
                self._know_cells(text, found)
            except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
                if isinstance(error, DataError):
                    raise
                what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
                raise DataError(f"not a prediction: {what}", path=path, line=number, text=line, mend=_MEND) from error
            hits = found & text.gold
            if found:
                tp[text.group] += len(hits)
                predicted[text.group] += len(found)
                tally.predicted.update(map(text.cells.__getitem__, found))
                tally.tp.update(map(text.cells.__getitem__, hits))
                tally.confusion.update((hit[2], hit[2]) for hit in hits)
            if len(hits) < max(len(found), len(text.gold)):
                _count_mistakes(tally, text.gold, found)
        if self._first is not None and number < len(self._texts):
            raise DataError(f"{number} lines, and {len(self._texts)} in {self._first}", path=path, mend=_MEND)
        shape = range(len(self._groups))
        tp_G, predicted_G = (np.array([of[group] for group in shape], dtype=np.int64) for of in (tp, predicted))
        return replace(tally, tp_G=tp_G, predicted_G=predicted_G)

    def _read_line(self, path: Path, number: int, line: str) -> tuple[_Text, list[Any]]:
        """The text that a line is about, and its predictions."""
        if self._first is None:
            entry = json.loads(line)
            self._texts.append(self._new_text(line, entry))
            return self._texts[-1], entry["entities"]
        if number > len(self._texts):
            raise DataError(f"more than the {len(self._texts)} lines of {self._first}", path=path, mend=_MEND)
        text = self._texts[number - 1]
        if text.head and line.startswith(text.head):
            rest = json.loads(f"{{{line[len(text.head) :]}")
            if rest.keys() == {"entities"}:
                return text, rest["entities"]
        entry = json.loads(line)
        same = (str(entry["id"]), entry["text"], _gold(entry)) == (text.id, text.text, text.gold)
        if not same or self._groups.get(_group(entry)) != text.group:
            raise DataError(
                f"its text or gold mentions are not those of {self._first} in line {number}",
                path=path,
                line=number,
                text=str(entry["id"]),
                mend="compare runs of one corpus, one version of it, and one dataset.unit",
            )
        return text, entry["entities"]

    def _new_text(self, line: str, entry: Mapping[str, Any]) -> _Text:
        before, comma, _ = line.partition(_COMMA_ENTITIES)
        as_written = comma and json.loads(f"{before}}}") == {key: entry[key] for key in entry if key != "entities"}
        group = self._groups.setdefault(_group(entry), len(self._groups))
        head = f"{before}, " if as_written else ""
        text = _Text(str(entry["id"]), group, _string(entry["text"]), _gold(entry), head)
        self._know_cells(text, text.gold)
        return text

    def _know_cells(self, text: _Text, mentions: frozenset[Mention]) -> None:
        """Note the cells of mentions met for the first time; their offsets are checked then, too."""
        for mention in mentions:
            if mention not in text.cells:
                start, end, label, *_ = mention
                if not (type(start) is int and type(end) is int and 0 <= start < end <= len(text.text)):
                    raise ValueError(f"{start!r} to {end!r} is no place in a text of {len(text.text)} characters")
                form = surface(text.text[start:end])
                seen = None if self._forms is None else form in self._forms
                text.cells[mention] = Cell(_string(label), min(len(form.split()), MAX_WORDS), seen)

    def _check_counts(self, run: Run, path: Path, tally: Tally) -> None:
        told, counts = run.scores[self._split], run.counts[self._split]
        wanted = max(counts["documents"], counts["sentences"] if self._unit == "sentences" else 0)
        if len(self._texts) < wanted:
            problem = f"{len(self._texts)} lines, but {self._split} has {wanted} {self._unit}"
            raise DataError(problem, path=path, mend=_MEND)
        num_gold = sum(len(text.gold) for text in self._texts)
        tp, predicted = int(tally.tp_G.sum()), int(tally.predicted_G.sum())
        here = {"tp": tp, "fp": predicted - tp, "fn": num_gold - tp}
        for name, number in here.items():
            if number != told[name]:
                raise DataError(
                    f"its {name} are {number}, but result.json says {told[name]} for {self._split}",
                    path=path,
                    mend=_MEND,
                )


def _count_mistakes(tally: Tally, gold: frozenset[Mention], found: frozenset[Mention]) -> None:
    for kind, one, other in wrong_pairs(gold, found):
        label = one[2] if one is not None else other[2] if other is not None else ""
        tally.kinds[kind, label] += 1
        if one is not None and other is not None:
            tally.confusion[one[2], other[2]] += 1


def _mentions(items: list[Any], text: _Text) -> frozenset[Mention]:
    """As a set: the same mention twice is one mention."""
    for item in items:
        if item.get("text") not in (None, text.text[item["start"] : item["end"]]):
            raise ValueError(f"{item['text']!r} does not stand at {item['start']} to {item['end']}")
    return frozenset(map(read_mention, items))


def _gold(entry: Mapping[str, Any]) -> frozenset[Mention]:
    return frozenset(map(read_mention, entry["gold"]))


def _group(entry: Mapping[str, Any]) -> str:
    return str(entry.get("group") or entry["id"])


def _string(value: Any) -> str:
    if type(value) is not str:
        raise ValueError(f"{value!r} is to be a string")
    return value
