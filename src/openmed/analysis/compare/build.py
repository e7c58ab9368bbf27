"""Runs compared: read, grouped into settings, ranked, tested against the best or a baseline.

comparison = compare_runs([Path("outputs/multirun/2026-01-01_12-00-00")])
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from openmed.analysis.compare.comparison import Comparison, Difference, Setting, Standing
from openmed.analysis.compare.history import read_history
from openmed.analysis.compare.notes import notes_on
from openmed.analysis.compare.predictions import Gold, Reader
from openmed.analysis.compare.run_files import read_config
from openmed.analysis.compare.runs import LeftOut, Run, check_one_corpus, choose_split, find_runs
from openmed.analysis.compare.seen import train_forms
from openmed.analysis.compare.settings import name_settings, setting_key
from openmed.analysis.compare.significance import (
    NUM_RESAMPLES,
    Counts,
    Draws,
    bootstrap,
    holm,
    randomisation_test,
    seed_effect,
)
from openmed.errors import ConfigError, DataError, nearest


def compare_runs(
    folders: Sequence[Path],
    *,
    split: str | None = None,
    baseline: str | None = None,
    num_resamples: int = NUM_RESAMPLES,
    seed: int = 1,
) -> Comparison:
    """Read, group, rank and test.

    Args:
        folders: of runs, or above runs.
        split: "test" or "dev"; None takes test where all runs have it, else dev.
        baseline: label of a setting, or folder of one of its runs; None takes the best.
        num_resamples: of the test and of the intervals.
        seed: of their chance.

    Raises:
        DataError: nothing to compare, runs of different corpora, predictions that are missing, cut off or altered.
        ConfigError: an unknown baseline, or fewer resamples than 100.
    """
    if num_resamples < 100:
        raise ConfigError(f"{num_resamples} resamples say nothing", mend="take the default, or 1000 and more")
    found = find_runs(folders)
    kept, repeated = _without_repeats(found.runs)
    if not kept:
        why = "; ".join(f"{out.folder}: {out.reason}" for out in found.left_out[:3])
        raise DataError(f"none of the runs can be compared ({why})", path=folders[0], mend="wait for one to finish")
    check_one_corpus(kept)
    split = choose_split(kept, split)
    unit = read_config(kept[0].folder)["dataset"].get("unit") or "sentences"
    forms, why_not_seen = train_forms(kept)
    reader = Reader(split, unit, forms)
    varied, settings = _settings(kept, reader)
    return _compared(
        settings,
        gold=reader.gold,
        baseline=baseline,
        num_resamples=num_resamples,
        seed=seed,
        about={
            "dataset": kept[0].dataset,
            "split": split,
            "unit": unit,
            "varied": varied,
            "left_out": [*found.left_out, *repeated],
            "num_resamples": num_resamples,
            "seen": why_not_seen,
        },
    )


def _without_repeats(runs: Sequence[Run]) -> tuple[list[Run], list[LeftOut]]:
    """Of runs of one setting and one seed the newest: the same chance twice would pass for two."""
    newest: dict[tuple[str, int], Run] = {}
    for run in sorted(runs, key=lambda run: run.modified):
        newest[setting_key(run.settings), run.seed] = run
    repeats = [
        LeftOut(run.folder, f"the setting and seed ({run.seed}) of {by.folder}, which is newer")
        for run in runs
        if (by := newest[setting_key(run.settings), run.seed]) is not run
    ]
    kept = {id(run) for run in newest.values()}
    return [run for run in runs if id(run) in kept], repeats


def _settings(runs: Sequence[Run], reader: Reader) -> tuple[Sequence[str], list[Setting]]:
    by_key: dict[str, list[Run]] = {}
    for run in runs:
        by_key.setdefault(setting_key(run.settings), []).append(run)
    groups = [sorted(members, key=lambda run: run.seed) for members in by_key.values()]
    names = name_settings([members[0].settings for members in groups])
    return names.varied, [
        Setting(
            label,
            values,
            members,
            [reader.tally(run) for run in members],
            [read_history(run.folder) for run in members],
        )
        for label, values, members in zip(names.labels, names.values, groups, strict=True)
    ]


def _compared(
    settings: Sequence[Setting],
    *,
    gold: Gold,
    baseline: str | None,
    num_resamples: int,
    seed: int,
    about: Mapping[str, Any],
) -> Comparison:
    counts = _counts(settings, gold)
    draws = bootstrap(counts, num_resamples=num_resamples, seed=seed)
    standings, order = _rank(settings, counts, draws)
    base = _base(standings, baseline)
    differences = _differences(standings, order, base, counts, draws, num_resamples, seed)
    return Comparison(
        gold=gold,
        standings=standings,
        base=standings[base],
        base_is_best=baseline is None,
        differences=differences,
        notes=notes_on(standings, gold, differences, num_resamples, about["split"]),
        **about,
    )


def _counts(settings: Sequence[Setting], gold: Gold) -> Counts:
    tallies = [tally for setting in settings for tally in setting.tallies]
    numbers = iter(range(len(tallies)))
    return Counts(
        np.stack([tally.tp_G for tally in tallies]),
        np.stack([tally.predicted_G for tally in tallies]),
        gold.mentions_G,
        [[next(numbers) for _ in setting.tallies] for setting in settings],
    )


def _rank(settings: Sequence[Setting], counts: Counts, draws: Draws | None) -> tuple[list[Standing], list[int]]:
    """The standings, the best first, and the number of each one's setting. Equal scores go by label."""
    means = (counts.mean_KN @ counts.f1_N).round(12).tolist()
    order = sorted(range(len(settings)), key=lambda number: (-means[number], settings[number].label))
    tp_N, predicted_N, gold = counts.tp_NG.sum(1), counts.predicted_NG.sum(1), counts.gold_G.sum()
    precision_K = counts.mean_KN @ (tp_N / np.maximum(predicted_N, 1))
    recall_K = counts.mean_KN @ (tp_N / max(gold, 1))
    standings = []
    for number in order:
        f1s = counts.f1_N[list(counts.settings[number])]
        standings.append(
            Standing(
                setting=settings[number],
                rank=1 + sum(mean > means[number] for mean in means),
                tied=means.count(means[number]) > 1,
                f1s=f1s.tolist(),
                f1=means[number],
                sd=float(f1s.std(ddof=1)) if len(f1s) > 1 else None,
                interval=draws.interval(number) if draws else None,
                precision=float(precision_K[number]),
                recall=float(recall_K[number]),
            )
        )
    return standings, order


def _base(standings: Sequence[Standing], baseline: str | None) -> int:
    if baseline is None:
        return 0
    labels = [standing.setting.label for standing in standings]
    if baseline in labels:
        return labels.index(baseline)
    for place, standing in enumerate(standings):
        if Path(baseline).resolve() in [run.folder.resolve() for run in standing.setting.runs]:
            return place
    raise ConfigError(
        f"--baseline {baseline!r} is neither the label of a setting nor the folder of a run that is compared",
        mend=nearest(baseline, labels),
    )


def _differences(
    standings: Sequence[Standing],
    order: Sequence[int],
    base: int,
    counts: Counts,
    draws: Draws | None,
    num_resamples: int,
    seed: int,
) -> list[Difference]:
    """Each other setting against the base; none where there is nothing to draw from."""
    if draws is None or len(standings) < 2:
        return []
    places = [place for place in range(len(standings)) if place != base]
    others = [order[place] for place in places]
    ps = randomisation_test(counts, order[base], others, num_resamples=num_resamples, seed=seed)
    differences = []
    for place, number, p, p_holm in zip(places, others, ps, holm(ps), strict=True):
        interval = draws.difference(number, order[base])
        assert interval is not None
        differences.append(
            Difference(
                standing=standings[place],
                f1=standings[place].f1 - standings[base].f1,
                interval=interval,
                seeds_interval=draws.difference(number, order[base], seeds=True),
                p=p,
                p_holm=p_holm,
                effect=seed_effect(standings[place].f1s, standings[base].f1s),
            )
        )
    return differences
