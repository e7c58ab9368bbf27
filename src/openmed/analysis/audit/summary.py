"""All corpora in one table: where each stands, before each is told by itself.

summary_section([summary_row(audit_corpus(name)) for name in names], Rule())
"""

from __future__ import annotations

from collections.abc import Sequence

from openmed.analysis.audit.core import Audit
from openmed.analysis.leakage import Rule
from openmed.analysis.report.blocks import Block, Cell, Prose, Section, Table
from openmed.tagging import DISCONTINUOUS, NESTED

_NOTE = (
    "Exact: test sentences that stand in train word for word, of the lengths given; respaced: with the same letters "
    "cut into other words; near: near copies. Other tags: distinct ones of these (exact and respaced) that are tagged "
    "otherwise in train. Seen in dev: the same, all kinds together. Contradictions: distinct sentences of train that "
    "return there with other tags. In doubt: places where a text that is a mention elsewhere stands untagged, or the "
    "other way round, whichever are fewer, in per cent of the mentions made of whole words, with two characters or "
    "more (an upper bound). Lost: mentions that word tags cannot hold. An empty cell: a split that it needs is not at "
    "hand."
)


def summary_row(audit: Audit) -> list[Cell]:
    """One corpus, in the columns of `summary_section`."""
    rule = audit.seen.rule
    pairs = {(pair.of, pair.into): pair for pair in audit.pairs}
    train, dev = pairs.get(("test", "train")), pairs.get(("test", "dev"))
    doubt = audit.finding("untagged_mentions").counts
    offsets = audit.finding("offsets").counts
    return [
        audit.corpus,
        next((pair.sentences for pair in (train, dev) if pair), None),
        train.exact[rule.min_words] if train else None,
        train.exact[rule.near_min_words] if train else None,
        train.respaced[rule.min_words] if train else None,
        train.near if train else None,
        sum(train.other_tags.values()) if train else None,
        dev.seen if dev else None,
        audit.finding("repeats").counts.get("train", {}).get("other_tags"),
        round(100 * doubt["in_doubt"] / doubt["mentions"], 1) if doubt["mentions"] else None,
        sum(part.get(kind, 0) for part in offsets.values() for kind in (NESTED, DISCONTINUOUS)),
    ]


def summary_section(rows: Sequence[Sequence[Cell]], rule: Rule, absent: Sequence[str] = ()) -> Section:
    """The table of all corpora: one row each, as `summary_row` makes them; and which of them were not at hand."""
    columns = (
        "corpus",
        "test sentences",
        f"exact, {rule.min_words}+ words",
        f"exact, {rule.near_min_words}+ words",
        "respaced",
        "near",
        "other tags",
        "seen in dev",
        "contradictions",
        "in doubt, %",
        "lost",
    )
    opening = Prose("What of each test split stands in train, and what else bears on its scores.")
    blocks: list[Block] = [opening, Table(columns, rows, note=_NOTE)]
    if absent:
        blocks.append(Prose(f"Not at hand, so not audited: {', '.join(absent)}."))
    return Section("All corpora", blocks)
