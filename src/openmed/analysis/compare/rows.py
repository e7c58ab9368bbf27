"""A comparison as data: rows of the leaderboard for a spreadsheet, everything for machines.

write_csv(comparison, "leaderboard.csv")
as_json(comparison)["standings"][0]["f1"]
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import asdict
from os import PathLike
from typing import Any

from openmed.analysis.compare.breakdown import f1_by, mistakes_of
from openmed.analysis.compare.comparison import Comparison, Difference, Standing
from openmed.writers.atomic import atomic_path


def leaderboard_rows(comparison: Comparison) -> tuple[list[str], list[list[Any]]]:
    """Column names, and a row for each setting: its varied keys, scores (0..1), mistakes, difference to the base."""
    differences = {id(difference.standing): difference for difference in comparison.differences}
    names = ["rank", "setting", *comparison.varied, "runs", "seeds", "f1", "f1_sd", "f1_low", "f1_high"]
    names += ["precision", "recall", *_mistake_names(comparison.base)]
    names += ["base", "difference", "difference_low", "difference_high", "p", "p_holm"]
    rows = []
    for standing in comparison.standings:
        runs = standing.setting.runs
        row = [standing.rank, standing.setting.label, *standing.setting.values, len(runs)]
        row += [" ".join(str(run.seed) for run in runs), standing.f1, standing.sd, *(standing.interval or (None, None))]
        row += [
            standing.precision,
            standing.recall,
            *(spread.mean for spread in mistakes_of(standing.setting).values()),
        ]
        rows.append([*row, comparison.base.setting.label, *_difference_cells(differences.get(id(standing)))])
    return names, rows


def write_csv(comparison: Comparison, path: str | PathLike[str]) -> None:
    """The rows under a header, UTF-8; cells that are not known stay empty. What is at `path` is replaced."""
    names, rows = leaderboard_rows(comparison)
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        writer.writerows(rows)


def as_json(comparison: Comparison) -> dict[str, Any]:
    """JSON-like: all that the reports show, of all settings; scores 0..1, mistakes as means over runs."""
    return {
        "dataset": comparison.dataset,
        "split": comparison.split,
        "unit": comparison.unit,
        "groups": len(comparison.gold.groups),
        "mentions": int(comparison.gold.mentions_G.sum()),
        "varied": list(comparison.varied),
        "base": comparison.base.setting.label,
        "base_is_best": comparison.base_is_best,
        "resamples": comparison.num_resamples,
        "standings": [_standing(standing) for standing in comparison.standings],
        "differences": [_difference(difference) for difference in comparison.differences],
        "breakdown": {by: [asdict(part) for part in f1_by(comparison, by)] for by in ("label", "num_words", "seen")},
        "seen_not_known": comparison.seen or None,
        "left_out": [{"run": str(out.folder), "reason": out.reason} for out in comparison.left_out],
        "notes": list(comparison.notes),
    }


def _standing(standing: Standing) -> dict[str, Any]:
    setting = standing.setting
    runs = [
        {"folder": str(run.folder), "seed": run.seed, "f1": f1}
        for run, f1 in zip(setting.runs, standing.f1s, strict=True)
    ]
    return {
        "rank": standing.rank,
        "tied": standing.tied,
        "label": setting.label,
        "values": list(setting.values),
        "runs": runs,
        **{name: getattr(standing, name) for name in ("f1", "sd", "interval", "precision", "recall")},
        "mistakes": {str(kind): asdict(spread) for kind, spread in mistakes_of(setting).items()},
    }


def _difference(difference: Difference) -> dict[str, Any]:
    names = ("f1", "interval", "seeds_interval", "p", "p_holm", "effect", "verdict")
    return {"label": difference.standing.setting.label, **{name: getattr(difference, name) for name in names}}


def _mistake_names(standing: Standing) -> list[str]:
    return [str(kind).replace(" ", "_") for kind in mistakes_of(standing.setting)]


def _difference_cells(difference: Difference | None) -> Sequence[float | None]:
    if difference is None:
        return [None] * 5
    return [difference.f1, *difference.interval, difference.p, difference.p_holm]
