"""A plan's outcomes on test beside the scores that somebody else reports: the paper's table, and ours.

    checked = check(plan, read_results(place))
    rows = paper_rows(plan, checked)
    sections = paper_sections(plan, rows, "paper")      # blocks for a terminal or Markdown

A place in the table is filled by the plan's own runs alone, known by digests of settings and data, or it says why not.
"""

from __future__ import annotations

import shlex
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from openmed.analysis.report.blocks import Block, Cell, Prose, Section, Table
from openmed.corpora import load_spec
from openmed.corpora.places import spec_is_here
from openmed.reproduce.cells import Cell as Run
from openmed.reproduce.cells import list_cells
from openmed.reproduce.intervals import OfCorpus, estimate
from openmed.reproduce.keys import NO_DATA, cell_keys, is_done
from openmed.reproduce.outcome import group_counts
from openmed.reproduce.plan import Plan
from openmed.reproduce.results import Results

TEST = "test"
NOT_RUN = "not run"
ABSENT = f"{NOT_RUN}: {NO_DATA}"
OTHER = "not run so: the results are of other settings or data"
UNKNOWN = "cannot be checked: the data are not at hand"


@dataclass(frozen=True)
class Checked:
    """What a results file holds of a plan's taggers.

    Attributes:
        results: name of a run -> outcome, of those that are this plan's for sure.
        reasons: name of a run that is in the file and yet is none of them -> why not.
    """

    results: Results
    reasons: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """One corpus on one backbone.

    Attributes:
        runs: seed -> the command that makes it, of all seeds of the plan.
        seeds: of the runs that are done and scored on test.
        f1, sd: mean over these seeds of test F1 (0..1) in the corpus's own unit, and the standard deviation.
        interval: 95%, over groups (abstracts) and, of several seeds, over seeds.
        clean_f1: mean of test F1 without the units that train or dev have seen; None where not all runs have it.
        removed: how many units these are.
        state: what stands in the place of scores that are not there; empty where they are.
    """

    corpus: str
    backbone: str
    encoder: str
    reported: float | None
    runs: Mapping[int, str]
    seeds: tuple[int, ...] = ()
    f1: float | None = None
    sd: float | None = None
    interval: tuple[float, float] | None = None
    clean_f1: float | None = None
    removed: int | None = None
    state: str = ""


def check(plan: Plan, found: Results) -> Checked:
    """Sort the outcomes of a file into this plan's and others: the cells that are in it, without fetching data.

    Raises:
        ConfigError: as `cell_keys`.
    """
    runs = {run.name: run.corpus for run in list_cells(plan) if run.corpus and run.name in found}
    keys = cell_keys(plan, {name for name, corpus in runs.items() if _is_here(corpus)}, lacking={})
    results = {name: found[name] for name in runs if is_done(found, name, keys)}
    # A run that was not looked at has no key, nor has one whose encoder's text is not packed.
    reasons = {name: OTHER if name in keys else UNKNOWN for name in runs if name not in results}
    return Checked(results, reasons)


def paper_rows(plan: Plan, checked: Checked) -> list[Row]:
    """A row for each backbone, encoder and corpus of the plan, in this order."""
    cells: dict[tuple[str, str, str], list[Run]] = {}
    for run in list_cells(plan):
        if run.corpus:
            cells.setdefault((run.backbone, run.encoder, run.corpus), []).append(run)
    places = [
        (backbone, encoder, corpus)
        for backbone in plan.backbones
        for encoder, settings in plan.encoders.items()
        for corpus in plan.corpora
        if settings.taggers
    ]
    return [_row(plan, cells[place], checked) for place in places]


def paper_sections(plan: Plan, rows: Sequence[Row], name: str) -> list[Section]:
    """The corpora with what is reported of them, then a section for each backbone and encoder.

    Args:
        name: how the plan is called on the command line.
    """
    sections = [_corpora(plan)]
    for backbone, encoder in dict.fromkeys((row.backbone, row.encoder) for row in rows):
        title = backbone if encoder == plan.baseline else f"{backbone}, {encoder}"
        these = [row for row in rows if (row.backbone, row.encoder) == (backbone, encoder)]
        sections.append(Section(title, _scores(plan, these, name)))
    return sections


def _row(plan: Plan, runs: Sequence[Run], checked: Checked) -> Row:
    first = runs[0]
    assert first.corpus is not None
    scored = [run for run in runs if TEST in checked.results.get(run.name, {})]
    known = {
        "corpus": first.corpus,
        "backbone": first.backbone,
        "encoder": first.encoder,
        "reported": plan.reported.get(first.corpus),
        "runs": {run.seed: _command(run) for run in runs},
    }
    if not scored:
        reasons = [checked.reasons[run.name] for run in runs if run.name in checked.reasons]
        untested = any(run.name in checked.results for run in runs)
        open_state = NOT_RUN if _is_here(first.corpus) else ABSENT
        return Row(**known, state="not scored on test" if untested else reasons[0] if reasons else open_state)
    records = [checked.results[run.name] for run in scored]
    f1s = [record[TEST]["f1"] for record in records]
    return Row(
        **known,
        seeds=tuple(run.seed for run in scored),
        f1=statistics.fmean(f1s),
        sd=statistics.stdev(f1s) if len(f1s) > 1 else None,
        interval=_interval(records),
        **_clean(records),
    )


def _is_here(corpus: str) -> bool:
    return spec_is_here(load_spec(corpus))


def _command(run: Run) -> str:
    """What makes the run; the weights of a pre-trained encoder are put in by `openmed reproduce`."""
    weights = ["backbone.weights=<encoder>"] if run.parent else []
    return shlex.join(["python", "train.py", *run.overrides, *weights])


def _interval(records: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    counts = np.stack([group_counts(record, TEST) for record in records])
    found = estimate([OfCorpus(tuple(range(len(records))), (counts,))], lambda f1s: f1s[0])
    return max(0.0, found.low), min(1.0, found.high)


def _clean(records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The same corpus has the same units removed in each run."""
    clean = [record[TEST]["clean"] for record in records if record[TEST].get("clean")]
    if len(clean) < len(records):
        return {}
    f1s = [entry["f1"] for entry in clean]
    return {"clean_f1": None if None in f1s else statistics.fmean(f1s), "removed": clean[0]["removed"]}


def _corpora(plan: Plan) -> Section:
    columns = ("corpus", "name", f"F1 in {plan.source}", "unit")
    columns += tuple(f"{split} {of}" for of in ("sentences", "mentions") for split in ("train", "dev", "test"))
    rows: list[tuple[Cell, ...]] = []
    for corpus in plan.corpora:
        spec = load_spec(corpus)
        sizes = (
            spec.counts.get(split, {}).get(of) for of in ("sentences", "entities") for split in ("train", "dev", "test")
        )
        reported = plan.reported.get(corpus)
        rows.append((corpus, spec.title, "" if reported is None else f"{reported:.2f}", spec.unit, *sizes))
    note = (
        "F1 of test in %, as reported there; empty: not reported. Sizes are of the files that are used here "
        "(conf/dataset); empty: no copy was at hand to be counted. Split sizes of that source contradict each other, "
        "so none stand here."
    )
    meaning = (
        "Below, F1 of test in %, exact and typed, in each corpus's own unit: mean ± standard deviation over seeds. The "
        "interval is over abstracts and, of several seeds, over seeds. Without seen: F1 without the units of test that "
        "stand, whole or nearly so, in train or dev. A cell is never filled from elsewhere."
    )
    return Section("Corpora", [Table(columns, rows, note=note), Prose(meaning)])


def _scores(plan: Plan, rows: Sequence[Row], name: str) -> list[Block]:
    columns = ("corpus", plan.source, "ours", "seeds", "95% interval", "without seen")
    table = Table(columns, [_cells(row) for row in rows])
    first = next((row for row in rows if _is_here(row.corpus)), rows[0])  # an example that can be followed
    command = shlex.join(["openmed", "reproduce", name, "--backbones", first.backbone, "--corpora", first.corpus])
    note = f"A row is made by: {command} (or another corpus), each of its runs by: {next(iter(first.runs.values()))}"
    missing = sum(len(row.runs) - len(row.seeds) for row in rows)
    whole = sum(len(row.runs) for row in rows)
    return [
        table,
        Prose(note),
        Prose(f"{missing} of {whole} runs are not there." if missing else "All runs are there."),
    ]


def _cells(row: Row) -> tuple[Cell, ...]:
    reported = "" if row.reported is None else f"{row.reported:.2f}"
    if row.f1 is None:
        return row.corpus, reported, row.state, f"0 of {len(row.runs)}", "", ""
    assert row.interval is not None
    low, high = (100 * edge for edge in row.interval)
    spread = "" if row.sd is None else f" ± {100 * row.sd:.1f}"
    seeds = f"{len(row.seeds)} of {len(row.runs)}"
    return (
        row.corpus,
        reported,
        f"{100 * row.f1:.1f}{spread}",
        seeds,
        f"{low:.1f} to {high:.1f}",
        _clean_cell(row),
    )


def _clean_cell(row: Row) -> str:
    if row.removed is None:
        return "not scored"
    if row.clean_f1 is None:
        return f"nothing is left ({row.removed:,} removed)"
    return f"{100 * row.clean_f1:.1f} ({row.removed:,} removed)"
