"""The pictures of a comparison, each of the first so many settings.

leaderboard_plot(comparison)
"""

from __future__ import annotations

from collections.abc import Sequence

from openmed.analysis.compare.breakdown import Part, mistakes_of
from openmed.analysis.compare.comparison import VERDICTS, Comparison, Interval
from openmed.analysis.compare.plots import Row, curves, forest, heat, stacked
from openmed.analysis.compare.tables import KIND_NAMES, kinds_of, shown_of
from openmed.analysis.report.blocks import Block

DRAWN = 30
"""So many settings fit a picture."""
DRAWN_CURVES = 8


def leaderboard_plot(comparison: Comparison) -> Block:
    """F1 of each setting with its interval and its runs."""
    best = comparison.standings[0].rank
    rows = [
        Row(
            standing.setting.label,
            100 * standing.f1,
            _percent(standing.interval),
            dots=[100 * f1 for f1 in standing.f1s] if len(standing.f1s) > 1 else (),
            colour=0 if standing.rank == best else None,
        )
        for standing in comparison.standings[:DRAWN]
    ]
    note = "Dot: mean over runs. Bar: 95% interval over abstracts. Strokes: single runs."
    return forest(rows, f"F1 on {comparison.split}", "F1 (%)", note + shown_of(len(comparison.standings), DRAWN))


def difference_plot(comparison: Comparison) -> Block:
    """Each setting's difference to the base, with both intervals."""
    colours = dict(zip(VERDICTS, (2, 0, 1, 0, None), strict=True))
    rows = [
        Row(
            difference.standing.setting.label,
            100 * difference.f1,
            _percent(difference.interval),
            wide=_percent(difference.seeds_interval),
            colour=colours[difference.verdict],
        )
        for difference in comparison.differences[:DRAWN]
    ]
    note = (
        "Thick: 95% interval over abstracts. Thin: abstracts and seeds, where both have two runs or more. Green is "
        "better, orange worse, blue one of the two as trained, grey not told apart."
    )
    title = f"Points of F1 against {comparison.base.setting.label}"
    return forest(rows, title, "points of F1", note + shown_of(len(comparison.differences), DRAWN), zero=True)


def part_plot(comparison: Comparison, parts: Sequence[Part], title: str) -> Block:
    """F1 of each setting on each part, as a heat table."""
    shown = comparison.standings[:DRAWN]
    cells = [[100 * part.scores[place].mean for part in parts] for place in range(len(shown))]
    columns = [part.name for part in parts]
    note = "F1 (%), mean over runs; the darker, the better within its column." + shown_of(
        len(comparison.standings), DRAWN
    )
    return heat([standing.setting.label for standing in shown], columns, cells, title, note)


def mistake_plot(comparison: Comparison) -> Block:
    """Mistakes by kind, stacked; kinds that none of the settings has are left out."""
    shown = comparison.standings[:DRAWN]
    counts = [mistakes_of(standing.setting) for standing in shown]
    kinds = [kind for kind in kinds_of(comparison) if any(of[kind].mean for of in counts)]
    series = {KIND_NAMES[kind]: [of[kind].mean for of in counts] for kind in kinds}
    note = "Mean over runs." + shown_of(len(comparison.standings), DRAWN)
    labels = [standing.setting.label for standing in shown]
    return stacked(labels, series, "What goes wrong", "mentions", note)


def curve_plot(comparison: Comparison) -> Block | None:
    """F1 on dev over the tokens trained on, a line for each run; None where no run kept its course."""
    with_curves = [standing for standing in comparison.standings if any(standing.setting.histories)]
    if not with_curves:
        return None
    series = {
        standing.setting.label: [
            [(point.tokens / 1e6, 100 * point.f1) for point in history]
            for history in standing.setting.histories
            if history
        ]
        for standing in with_curves[:DRAWN_CURVES]
    }
    note = "A line for each run."
    if len(with_curves) > DRAWN_CURVES:
        note += f" Drawn are the first {DRAWN_CURVES} of {len(with_curves):,} settings."
    lacking = sum(not history for standing in comparison.standings for history in standing.setting.histories)
    if lacking:
        note += f" {lacking:,} of {comparison.num_runs:,} runs kept no history.jsonl and are not drawn."
    return curves(series, "F1 on dev while training", "million tokens trained on", "dev F1 (%)", note)


def _percent(interval: Interval | None) -> Interval | None:
    return None if interval is None else (100 * interval[0], 100 * interval[1])
