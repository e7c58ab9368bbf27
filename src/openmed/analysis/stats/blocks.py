"""The tables and figures of a profile. Rows are what is counted, columns the splits; shares are in percent.

counts_table(profile_corpus("ncbi"))
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from openmed.analysis.histogram import STATISTICS, summary
from openmed.analysis.report.blocks import Cell, Figure, Table
from openmed.analysis.report.plots import bars, histogram
from openmed.analysis.stats.profile import Profile
from openmed.analysis.stats.split import (
    DOCUMENT_WORDS,
    LENGTHS,
    MENTION_CHARACTERS,
    MENTION_WORDS,
    SENTENCE_ENTITIES,
    SENTENCE_WORDS,
    SplitProfile,
)
from openmed.analysis.stats.unseen import Unseen
from openmed.analysis.stats.variants import NUM_FREQUENT, case_variants, most_frequent

ALL = "all"
TITLES = {
    SENTENCE_WORDS: ("Words per sentence", "words", "sentences"),
    DOCUMENT_WORDS: ("Words per document", "words", "documents"),
    SENTENCE_ENTITIES: ("Entities per sentence", "entities", "sentences"),
    MENTION_WORDS: ("Words per mention", "words", "mentions"),
    MENTION_CHARACTERS: ("Characters per mention", "characters", "mentions"),
}
"""For each distribution: its title, the unit of its values, and what has them."""
_MAX_VARIANTS = 3

Row = tuple[Cell, ...]


def counts_table(profile: Profile) -> Table:
    """Documents, sentences, words, entities and types of each split; shares that tell how hard it is; losses."""
    splits = _columns(profile)
    parts = list(splits.values())
    rows: list[Row] = [("documents", *(part.counts["documents"] for part in parts))]
    rows += _marked_or_made("sentences", parts, lambda part: part.num_sentences)
    rows += _marked_or_made("words", parts, lambda part: part.num_words)
    rows.append(("entities", *(part.counts["entities"] for part in parts)))
    rows += [(f"· {label}", *(part.counts.get(label, 0) for part in parts)) for label in _types(parts)]
    rows.append(("sentences without entities, %", *(_percent(p.num_bare_sentences, p.num_sentences) for p in parts)))
    rows.append(("different mentions, % of entities", *(_percent(p.num_forms, p.counts["entities"]) for p in parts)))
    if unseen := {name: sum(types.values(), Unseen()) for name, types in profile.unseen.items()}:
        rows.append(("mentions unseen in train, %", *(_unseen_percent(unseen.get(name)) for name in splits)))
    rows += _counter_rows("lost in tags: ", [part.untagged for part in parts])
    rows += _counter_rows("lost: ", [part.losses for part in parts])
    return Table(("", *splits), rows, title=f"{profile.spec.title} ({profile.spec.name})", note=_runs_note(profile))


def types_table(profile: Profile) -> Table:
    """Of each type its mentions, their different forms, and the share that train has not."""
    rows: list[Row] = []
    for label in _types(profile.splits.values()):
        for name, split in profile.splits.items():
            number, forms = split.counts.get(label, 0), len(split.mentions.get(label, ()))
            unseen = profile.unseen.get(name, {}).get(label)
            share = _percent(number, split.counts["entities"])
            rows.append(
                (label, name, number, share, forms, _unseen_percent(unseen), _unseen_percent(unseen, forms=True))
            )
    return Table(
        ("type", "split", "mentions", "% of entities", "different", "unseen in train, %", "of the different, %"),
        rows,
        note="Unseen: train has no mention of this type that is written so, case included. A list of "
        "the training mentions could find the others.",
    )


def lengths_table(profile: Profile) -> Table:
    """Each distribution of each split by its `STATISTICS`."""
    rows: list[Row] = [
        (TITLES[key][0].lower(), name, *summary(split.lengths[key]).values())
        for key in LENGTHS
        for name, split in profile.splits.items()
    ]
    return Table(("", "split", *STATISTICS), rows)


def losses_table(profile: Profile) -> Table:
    """What reading left out, and which mentions word tags cannot say."""
    splits = _columns(profile)
    parts = list(splits.values())
    rows = _counter_rows("reading: ", [part.losses for part in parts])
    rows += _counter_rows("tagging: ", [part.untagged for part in parts])
    note = (
        "Tagging: a tagger learns and scores these mentions in another form (cut_by_word) or not at all; by tags of "
        "whole words, the longest of nested mentions kept."
    )
    return Table(("", *splits), rows or [("nothing", *(0 for _ in parts))], note=note if rows else "")


def types_figure(profile: Profile) -> Figure:
    """Each type's share of the entities, split by split; the most frequent type on top."""
    mentions = profile.total.per_type if profile.total else {}
    types = sorted(mentions, key=lambda label: (-mentions[label], label))
    series = {
        name: [_percent(split.counts.get(label, 0), split.counts["entities"]) or 0.0 for label in types]
        for name, split in profile.splits.items()
    }
    return bars(types, series, "Balance of types", "% of the split's entities", "Each split adds up to 100 %.")


def length_figures(profile: Profile) -> list[Figure]:
    """A histogram of each distribution."""
    return [
        histogram({name: split.lengths[key] for name, split in profile.splits.items()}, *TITLES[key]) for key in LENGTHS
    ]


def frequent_figure(profile: Profile) -> Figure:
    """The most frequent mentions of all types and splits."""
    total = profile.total
    mentions = {} if total is None else total.mentions
    counted = Counter({(form, label): number for label, forms in mentions.items() for form, number in forms.items()})
    top = sorted(counted.items(), key=lambda item: (-item[1], item[0]))[:NUM_FREQUENT]
    labels = [form if len(mentions) == 1 else f"{form} ({label})" for (form, label), _ in top]
    return bars(labels, {ALL: [number for _, number in top]}, "The most frequent mentions", "mentions in all splits")


def frequent_tables(profile: Profile) -> list[Table]:
    """For each type its most frequent mentions, and in what other case they are written."""
    total = profile.total
    return [_frequent_table(profile, label, forms) for label, forms in (total.mentions if total else {}).items()]


def _frequent_table(profile: Profile, label: str, forms: Counter[str]) -> Table:
    variants = case_variants(forms)
    rows: list[Row] = [
        (
            form,
            *(split.mentions.get(label, Counter())[form] for split in profile.splits.values()),
            *([number] if len(profile.splits) > 1 else []),
            ", ".join(f"{other} ({count:,})" for other, count in variants(form)[:_MAX_VARIANTS]),
        )
        for form, number in most_frequent(forms)
    ]
    columns = _columns(profile)
    shown = sum(number for _, number in most_frequent(forms))
    note = f"{len(rows)} of {len(forms):,} different; they are {100 * shown / forms.total():.1f} % of the mentions."
    return Table(("mention", *columns, "also written"), rows, title=label, note=note)


def _columns(profile: Profile) -> dict[str, SplitProfile]:
    """The splits and, where there are several, all of them together."""
    total = profile.total
    return {**profile.splits, **({ALL: total} if total and len(profile.splits) > 1 else {})}


def _types(parts: Iterable[SplitProfile]) -> list[str]:
    return sorted({label for part in parts for label in part.per_type})


def _marked_or_made(key: str, parts: Sequence[SplitProfile], found: Callable[[SplitProfile], int]) -> list[Row]:
    """What the corpus marks and, where that is not all there is, what is there with the rule's."""
    marked, made = [part.counts[key] for part in parts], [found(part) for part in parts]
    if marked == made:
        return [(key, *marked)]
    return [(key, *marked), (f"{key}, with those made by rule", *made)] if any(marked) else [(f"{key}, by rule", *made)]


def _counter_rows(prefix: str, counters: Sequence[Counter[str]]) -> list[Row]:
    keys = sorted({key for counter in counters for key in counter})
    return [(f"{prefix}{key}", *(counter[key] for counter in counters)) for key in keys]


def _percent(part: int, whole: int) -> float | None:
    return 100 * part / whole if whole else None


def _unseen_percent(unseen: Unseen | None, *, forms: bool = False) -> float | None:
    share = None if unseen is None else unseen.forms_share if forms else unseen.share
    return None if share is None else 100 * share


def _runs_note(profile: Profile) -> str:
    """Token files of bare sentences have no documents of their own, and their lengths would mislead."""
    spec = profile.spec
    if (spec.groups is None and spec.format == "conll") or (spec.groups is not None and spec.groups.format is None):
        return "Where the files do not mark documents, runs of neighbouring sentences are taken as such."
    return ""
