"""Sentences that return within a split, and those that return with other tags.

finding = repeats(splits, Rule())
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from openmed.analysis.audit.finding import KEPT_EXAMPLES, Finding, Splits, Weight, by_split, joined, number, quote
from openmed.analysis.leakage import Passage, Rule, sentences_of
from openmed.analysis.report.blocks import Cell, Table
from openmed.spans import Document


def repeats(splits: Splits, rule: Rule) -> Finding:
    """Repeated sentences per split: sentences less distinct ones, by their words.

    counts: split -> {repeated, repeated_long (of `rule.min_words` or more words), other_tags (distinct sentences whose
    copies bear more than one tagging)}.
    """
    counts: dict[str, dict[str, int]] = {}
    rows: list[list[Cell]] = []
    for split, documents in splits.items():
        copies = _copies(documents)
        conflicting = [group for group in copies if len({sentence.labels for sentence in group}) > 1]
        counts[split] = {
            "repeated": sum(len(group) - 1 for group in copies),
            "repeated_long": sum(len(group) - 1 for group in copies if group[0].num_words >= rule.min_words),
            "other_tags": len(conflicting),
        }
        rows += [_example(split, group) for group in sorted(conflicting, key=_length_first)]
    words = {
        "repeated": "sentences that repeat another",
        "repeated_long": f"of these, of {rule.min_words} or more words",
        "other_tags": "distinct sentences that return with other tags",
    }
    return Finding(
        name="repeats",
        title="Sentences that return within a split",
        weight=_weight(counts),
        verdict=_verdict(counts, rule),
        counts=counts,
        tables=[by_split(counts, words)] if any(part["repeated"] for part in counts.values()) else [],
        examples=[Table(("split", "copies", "tagged", "text"), rows[:KEPT_EXAMPLES], "Tagged otherwise elsewhere")]
        if rows
        else [],
    )


def _copies(documents: Sequence[Document]) -> list[list[Passage]]:
    """The sentences that stand more than once, each with all its copies."""
    groups: defaultdict[str, list[Passage]] = defaultdict(list)
    for document in documents:
        for sentence in sentences_of(document):
            groups[sentence.text].append(sentence)
    return [group for group in groups.values() if len(group) > 1]


def _length_first(group: Sequence[Passage]) -> tuple[int, str]:
    return -group[0].num_words, group[0].text


def _example(split: str, group: Sequence[Passage]) -> list[Cell]:
    """Of two taggings what each has and the other has not."""
    one, other, *_ = sorted({sentence.labels for sentence in group}, key=lambda labels: (len(labels), labels))
    shown = [
        ", ".join(f"{quote(group[0].words_at(start, end))} ({label})" for start, end, label in sorted(only)[:2])
        for only in ({*one} - {*other}, {*other} - {*one})
    ]
    return [split, len(group), " / ".join(part or "nothing" for part in shown), quote(group[0].text)]


def _weight(counts: dict[str, dict[str, int]]) -> Weight:
    if any(part["other_tags"] for part in counts.values()):
        return Weight.TRAINING
    return Weight.NOTE if any(part["repeated"] for part in counts.values()) else Weight.NOTHING


def _verdict(counts: dict[str, dict[str, int]], rule: Rule) -> str:
    found = {split: part for split, part in counts.items() if part["repeated"]}
    if not found:
        return "No sentence returns within its split."
    told = joined(f"{part['repeated']:,} in {split} ({part['repeated_long']:,})" for split, part in found.items())
    total = sum(part["repeated"] for part in found.values())
    verdict = (
        f"{number(total, 'sentence')} {'repeats' if total == 1 else 'repeat'} another: {told}; in brackets those of "
        f"{rule.min_words} or more words."
    )
    conflicts = {split: part["other_tags"] for split, part in found.items() if part["other_tags"]}
    if not conflicts:
        return f"{verdict} All bear the same tags as their copies."
    places = joined(f"{count:,} in {split}" for split, count in conflicts.items())
    return f"{verdict} Of the distinct ones {places} return with other tags: no tagger can be right on every copy."
