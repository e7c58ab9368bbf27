"""A comparison as sections of a report: short for a terminal, whole with pictures for a page or Markdown.

print_sections(overview(comparison))
write_page("compare.html", *full_report(comparison))
"""

from __future__ import annotations

from openmed.analysis.compare.breakdown import confusion_of, f1_by
from openmed.analysis.compare.comparison import ALPHA, VERDICTS, Comparison, Standing
from openmed.analysis.compare.pictures import curve_plot, difference_plot, leaderboard_plot, mistake_plot, part_plot
from openmed.analysis.compare.tables import (
    PAGE_ROWS,
    difference_table,
    leaderboard,
    left_out_table,
    mistake_table,
    part_table,
    shown_of,
)
from openmed.analysis.report.blocks import Block, Prose, Section, Table

TERMINAL_ROWS = 20
CONFUSIONS = 15


def overview(comparison: Comparison) -> list[Section]:
    """What a terminal has room for: the verdict, the leaderboard, the differences, the mistakes."""
    number = TERMINAL_ROWS
    sections = [Section("Leaderboard", [*_opening(comparison), leaderboard(comparison, number)])]
    if comparison.differences:
        sections.append(Section(f"Against {comparison.base.setting.label}", [difference_table(comparison, number)]))
    sections.append(Section("", [mistake_table(comparison, number)]))
    if comparison.left_out:
        sections.append(Section("Left out", [left_out_table(comparison, number)]))
    return sections


def full_report(comparison: Comparison) -> tuple[str, str, list[Section]]:
    """Title, subtitle and sections of the whole report."""
    runs = f"{comparison.num_runs} runs" if comparison.num_runs > 1 else "One run"
    settings = len(comparison.standings)
    subtitle = (
        f"{runs} of {settings} setting{'s' if settings > 1 else ''} on {comparison.dataset}, {comparison.split}: "
        f"{comparison.gold.mentions_G.sum():,} mentions in {len(comparison.gold.groups):,} {comparison.groups_name}"
    )
    sections = [
        Section(
            "Leaderboard", [*_opening(comparison), leaderboard_plot(comparison), leaderboard(comparison, PAGE_ROWS)]
        )
    ]
    if comparison.differences:
        title = "Is it more than chance?"
        told = Prose(_HOW_TO_READ + (_BEST_IS_FLATTERED if comparison.base_is_best else ""))
        sections.append(Section(title, [difference_plot(comparison), difference_table(comparison, PAGE_ROWS), told]))
    sections += [_mistakes_section(comparison), _breakdown_section(comparison), _curves_section(comparison)]
    return f"Comparison on {comparison.dataset}", subtitle, [*sections, _runs_section(comparison)]


_HOW_TO_READ = (
    "The test and the first interval take these trained models as they are and ask what other abstracts of the same "
    "kind would have shown. The second interval draws the seeds, too: it asks what the two recipes would give if they "
    "were trained again. What only the test and the first interval keep from zero is better or worse 'as trained': it "
    "may be the luck of these seeds. "
)
_BEST_IS_FLATTERED = (
    "The best of several was picked by the same scores that it is tested on, so its lead is a little flattered: name "
    "a --baseline in advance to be free of that."
)
_BREAKDOWNS = (("label", "F1 by type"), ("num_words", "F1 by length"), ("seen", "F1 by what train holds"))


def _opening(comparison: Comparison) -> list[Block]:
    return [Prose(_verdict(comparison)), *(Prose(f"Note: {note}") for note in comparison.notes)]


def _verdict(comparison: Comparison) -> str:
    first, base = comparison.standings[0], comparison.base
    scored = f"F1 on {comparison.split}, {comparison.unit} one by one"
    if len(comparison.standings) == 1:
        return f"{first.setting.label}: {_mean(first)} ({scored})."
    shared = sum(standing.rank == base.rank for standing in comparison.standings) - 1
    best = f"level with {shared} other{'s' if shared > 1 else ''} in the first place" if shared else "the best"
    place = best if comparison.base_is_best else f"the baseline, in place {base.rank}"
    told = f"{base.setting.label} is {place} with {_mean(base)} ({scored})."
    verdicts = [difference.verdict for difference in comparison.differences]
    counted = ", ".join(f"{verdicts.count(verdict)} {verdict}" for verdict in VERDICTS if verdict in verdicts)
    return f"{told} The others: {counted} (at p < {ALPHA} after Holm's correction)." if counted else told


def _mean(standing: Standing) -> str:
    spread = f" ± {100 * standing.sd:.2f}" if standing.sd is not None else ""
    runs = len(standing.f1s)
    return f"{100 * standing.f1:.2f}{spread} ({runs} run{'s' if runs > 1 else ''})"


def _mistakes_section(comparison: Comparison) -> Section:
    blocks: list[Block] = [mistake_plot(comparison), mistake_table(comparison, PAGE_ROWS)]
    first = comparison.standings[0]
    confused = confusion_of(first.setting).most_common(CONFUSIONS)
    if confused:
        rows = [(gold, predicted, number / len(first.f1s)) for (gold, predicted), number in confused]
        blocks.append(
            Table(
                ("gold type", "predicted type", "mentions"),
                rows,
                f"Types taken for each other by {first.setting.label}",
                f"Mean over runs, the same or overlapping bounds; at most {CONFUSIONS} pairs.",
            )
        )
    return Section("Where they err", blocks)


def _breakdown_section(comparison: Comparison) -> Section:
    blocks: list[Block] = []
    for by, title in _BREAKDOWNS:
        parts = f1_by(comparison, by)
        if len(parts) < 2:  # all there is: the leaderboard says it
            continue
        blocks.append(part_plot(comparison, parts, title))
        blocks.append(part_table(comparison, parts))
    if comparison.seen:
        blocks.append(Prose(f"Which mentions train holds is not known here: {comparison.seen}"))
    return Section("By type, length and memory", blocks or [Prose("The mentions are all of one kind.")])


def _curves_section(comparison: Comparison) -> Section:
    plot = curve_plot(comparison) or Prose("None of the runs kept the course of its training (history.jsonl).")
    return Section("Learning curves", [plot])


def _runs_section(comparison: Comparison) -> Section:
    blocks: list[Block] = []
    if comparison.varied:
        rows = [(standing.setting.label, *standing.setting.values) for standing in comparison.standings[:PAGE_ROWS]]
        note = "A label names no more keys than tell the settings apart." + shown_of(
            len(comparison.standings), PAGE_ROWS
        )
        blocks.append(Table(("setting", *comparison.varied), rows, "What the settings differ in", note))
    runs = [
        (standing.setting.label, run.seed, 100 * f1, str(run.folder))
        for standing in comparison.standings
        for run, f1 in zip(standing.setting.runs, standing.f1s, strict=True)
    ]
    note = shown_of(len(runs), PAGE_ROWS).strip()
    blocks.append(Table(("setting", "seed", "F1", "folder"), runs[:PAGE_ROWS], "Runs", note))
    if comparison.left_out:
        blocks.append(left_out_table(comparison, PAGE_ROWS))
    return Section("Settings and runs", blocks)
