"""The tables of a comparison, each of the first so many settings; what is not shown is said.

leaderboard(comparison, 20)
"""

from __future__ import annotations

from collections.abc import Sequence

from openmed.analysis.compare.breakdown import Part, Spread, mistakes_of
from openmed.analysis.compare.comparison import Comparison, Interval
from openmed.analysis.report.blocks import Cell, Table
from openmed.metrics.mistakes import Kind

PAGE_ROWS = 1_000
MAX_REASON = 200
KIND_NAMES = {
    Kind.TYPE: "wrong type",
    Kind.BOUNDARY: "wrong boundary",
    Kind.BOTH: "type and boundary",
    Kind.MISSED: "missed",
    Kind.SPURIOUS: "spurious",
}


def leaderboard(comparison: Comparison, number: int) -> Table:
    """The first settings, the best on top."""
    rows: list[list[Cell]] = [
        [
            f"{standing.rank}=" if standing.tied else str(standing.rank),
            standing.setting.label,
            len(standing.f1s),
            100 * standing.f1,
            None if standing.sd is None else f"± {100 * standing.sd:.2f}",
            _interval(standing.interval),
            100 * standing.precision,
            100 * standing.recall,
        ]
        for standing in comparison.standings[:number]
    ]
    note = (
        "F1, precision and recall in per cent, means over runs; ± is the standard deviation of seeds; the interval is "
        f"of these models on other {comparison.groups_name} ({comparison.num_resamples:,} bootstrap resamples)."
    )
    if any(standing.tied for standing in comparison.standings[:number]):
        note += " Places with = are shared."
    columns = ("place", "setting", "runs", "F1", "seeds", "95% interval", "precision", "recall")
    return Table(columns, rows, note=note + shown_of(len(comparison.standings), number))


def difference_table(comparison: Comparison, number: int) -> Table:
    """The first of the differences to the base, with their tests."""
    rows: list[list[Cell]] = [
        [
            difference.standing.setting.label,
            f"{100 * difference.f1:+.2f}",
            _interval(difference.interval, sign=True),
            _interval(difference.seeds_interval, sign=True) or "2 seeds needed",
            _p(difference.p),
            _p(difference.p_holm),
            None if difference.effect is None else f"{difference.effect:+.1f}",
            difference.verdict,
        ]
        for difference in comparison.differences[:number]
    ]
    columns = (
        "setting",
        "points",
        "new abstracts",
        "and new seeds",
        "p",
        "Holm",
        "seed sd",
        "verdict",
    )
    note = (
        f"Points of F1 more or less, with two 95% intervals. p: paired approximate randomisation over "
        f"{len(comparison.gold.groups):,} {comparison.groups_name}, corrected for {len(comparison.differences)} "
        f"comparison{'s' if len(comparison.differences) > 1 else ''} by Holm's method. Seed sd: the difference in "
        "pooled standard deviations of seeds."
    )
    return Table(columns, rows, note=note + shown_of(len(comparison.differences), number))


def mistake_table(comparison: Comparison, number: int) -> Table:
    """How many mentions of each kind the first settings have."""
    kinds = kinds_of(comparison)
    rows: list[list[Cell]] = []
    for standing in comparison.standings[:number]:
        mistakes = mistakes_of(standing.setting)
        correct = Spread.of([float(tally.tp_G.sum()) for tally in standing.setting.tallies])
        rows.append([standing.setting.label, _count(correct), *(_count(mistakes[kind]) for kind in kinds)])
    columns = ("setting", "correct", *(KIND_NAMES[kind] for kind in kinds))
    note = "Mentions, mean over runs, rounded; each gold and each predicted mention is counted in one column."
    return Table(columns, rows, "Mistakes by kind", note + shown_of(len(comparison.standings), number))


def kinds_of(comparison: Comparison) -> list[Kind]:
    """The kinds that there can be: with one type alone, no type is wrong."""
    labels = {cell.label for cell in comparison.gold.cells}
    for standing in comparison.standings:
        for tally in standing.setting.tallies:
            labels |= {cell.label for cell in tally.predicted}
    return [kind for kind in KIND_NAMES if len(labels) > 1 or kind not in (Kind.TYPE, Kind.BOTH)]


def part_table(comparison: Comparison, parts: Sequence[Part]) -> Table:
    """F1 of each setting on each part."""
    rows: list[list[Cell]] = [["gold mentions", *(part.num_gold for part in parts)]]
    for place, standing in enumerate(comparison.standings[:PAGE_ROWS]):
        rows.append([standing.setting.label, *(_f1(part.scores[place]) for part in parts)])
    note = "F1 in per cent, mean ± standard deviation over runs." + shown_of(len(comparison.standings), PAGE_ROWS)
    return Table(("setting", *(part.name for part in parts)), rows, note=note)


def left_out_table(comparison: Comparison, number: int) -> Table:
    """Runs that are not compared, and why."""
    rows = [(str(out.folder), _cut(out.reason)) for out in comparison.left_out[:number]]
    title = "Runs that are not compared"
    return Table(("run", "why"), rows, title, shown_of(len(comparison.left_out), number).strip())


def shown_of(there_are: int, shown: int) -> str:
    """What to say where not all is shown; empty where it is."""
    return f" Shown are {shown:,} of {there_are:,}; all are in --json." if there_are > shown else ""


def _count(spread: Spread) -> int:
    return round(spread.mean)


def _f1(spread: Spread) -> str:
    return f"{100 * spread.mean:.1f}" + (f" ± {100 * spread.sd:.1f}" if spread.sd is not None else "")


def _p(value: float) -> str:
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def _cut(text: str) -> str:
    return text if len(text) <= MAX_REASON else f"{text[: MAX_REASON - 1]}…"


def _interval(interval: Interval | None, *, sign: bool = False) -> str:
    if interval is None:
        return ""
    low, high = (100 * bound for bound in interval)
    return f"{low:+.2f} to {high:+.2f}" if sign else f"{low:.1f} to {high:.1f}"
