"""Tables of a plan's outcomes: perplexities, and F1 against the baseline with intervals.

sections = tables(plan, results)        # blocks for a terminal or Markdown

An interval is the 95% percentile bootstrap of the mean difference to the baseline over seeds. Each resample draws
groups (abstracts) of every corpus, the same for both sides, and seeds: both the texts and the training are chance. Each
encoder is pre-trained once, so chance in that is not in the interval.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from openmed.analysis.report.blocks import Block, Prose, Section, Table
from openmed.reproduce.cells import DAPT, NER
from openmed.reproduce.keys import Lack
from openmed.reproduce.outcome import SPLITS, group_counts
from openmed.reproduce.plan import Plan

NUM_RESAMPLES = 2_000
DEV = "dev"
OPEN = "open"
"""What stands in the place of a run that is not done."""
Results = Mapping[str, Mapping[str, Any]]


def tables(plan: Plan, results: Results, lacking: Mapping[str, Lack] | None = None) -> list[Section]:
    """Perplexities of the encoders, then F1 of each split. Cells that are not done are shown as open, and counted.

    Test has a table where a run was scored on it.

    Args:
        lacking: cells that cannot be done here, which is said in their place.
    """
    lacking = lacking or {}
    sections = [_perplexities(plan, results, lacking, backbone) for backbone in plan.backbones]
    for backbone in plan.backbones:
        taggers = [record for name, record in results.items() if name.startswith(f"{NER}/{backbone}/")]
        scored = [split for split in SPLITS if split == DEV or any(split in record for record in taggers)]
        sections += [_scores(plan, results, lacking, backbone, split) for split in scored]
    return sections


def difference(
    plan: Plan, results: Results, backbone: str, encoder: str, corpora: Sequence[str], split: str
) -> tuple[float, float, float] | None:
    """(mean, low, high) of F1 (0..1) less the baseline's, the mean of corpora and of the seeds that both sides have."""
    pairs = {
        corpus: [
            (found, base)
            for seed in plan.seeds
            if (found := results.get(_cell(backbone, encoder, corpus, seed)))
            and (base := results.get(_cell(backbone, plan.baseline, corpus, seed)))
            and all(split in side["groups"] for side in (found, base))
        ]
        for corpus in corpora
    }
    if not all(pairs.values()):
        return None
    drawn = np.zeros(NUM_RESAMPLES)
    mean = 0.0
    rng = np.random.default_rng(1)
    for of_corpus in pairs.values():
        ours, theirs = (
            np.stack([group_counts(pair[side], split) for pair in of_corpus]) for side in (0, 1)
        )  # (seeds, groups, 3)
        mean += float((_f1(ours.sum(1)) - _f1(theirs.sum(1))).mean())
        drawn += draw_means([ours, theirs], lambda f1s: f1s[0] - f1s[1], rng)
    low, high = np.quantile(drawn / len(corpora), [0.025, 0.975])
    return mean / len(corpora), float(low), float(high)


def draw_means(
    counts: Sequence[np.ndarray], combine: Callable[[list[np.ndarray]], np.ndarray], rng: np.random.Generator
) -> np.ndarray:
    """(NUM_RESAMPLES,) means over seeds, groups and seeds drawn anew for each.

    Args:
        counts: of each side (seeds, groups, 3): tp, fp, fn. The same groups are drawn for all.
        combine: of the sides' F1s (seeds,) what is averaged (seeds,).
    """
    num_seeds, num_groups = counts[0].shape[:2]
    # Of S seeds drawn with replacement the mean varies by (S - 1) / S of what that of S new ones does.
    stretch = math.sqrt(num_seeds / (num_seeds - 1)) if num_seeds > 1 else 0.0
    drawn = np.zeros(NUM_RESAMPLES)
    for resample in range(NUM_RESAMPLES):
        times = np.bincount(rng.integers(0, num_groups, num_groups), minlength=num_groups)
        seeds = rng.integers(0, num_seeds, num_seeds)
        values = combine([_f1(np.einsum("g,sgk->sk", times, side)) for side in counts])
        drawn[resample] = values.mean() + stretch * (values[seeds].mean() - values.mean())
    return drawn


def _f1(counts: np.ndarray) -> np.ndarray:
    tp, fp, fn = np.moveaxis(counts.astype(float), -1, 0)
    return 2 * tp / np.maximum(2 * tp + fp + fn, 1)


def _cell(backbone: str, encoder: str, corpus: str, seed: int) -> str:
    return f"{NER}/{backbone}/{encoder}/{corpus}/{seed}"


def _perplexities(plan: Plan, results: Results, lacking: Mapping[str, Lack], backbone: str) -> Section:
    columns = ("encoder", "held-out perplexity", "pieces guessed", "trained", "text, pieces", "read", "time")
    rows, texts = [], set()
    for name, encoder in plan.encoders.items():
        if encoder.overrides is None:
            continue
        cell = f"{DAPT}/{backbone}/{name}"
        record = results.get(cell)
        if record is None:
            rows.append((name, lacking[cell].state if cell in lacking else OPEN, *[""] * (len(columns) - 2)))
            continue
        dev, train, text = record["dev"], record["train"], record["counts"]["train"]["tokens"]
        texts.add(text)
        rows.append(
            (
                f"{name}, from {encoder.start}" if encoder.start else name,
                f"{dev['perplexity']:.2f}",
                f"{100 * dev['accuracy']:.1f}%",
                f"{record['params']['trainable_percent']:.1f}%",
                f"{text / 1e6:.1f} M",
                f"{train['tokens'] / 1e6:.1f} M",
                f"{train['seconds'] / 60:.0f} min",
            )
        )
    blocks: list[Block] = [Table(columns, rows)] if rows else [Prose("This plan pre-trains no encoder.")]
    if len(texts) > 1:
        blocks.append(
            Prose("Perplexities are of passages held out of each text, so those on other texts do not compare.")
        )
    return Section(f"Pre-training of {backbone}", blocks)


def _scores(plan: Plan, results: Results, lacking: Mapping[str, Lack], backbone: str, split: str) -> Section:
    encoders = [name for name, encoder in plan.encoders.items() if encoder.taggers]
    rows: list[tuple[str, ...]] = []
    open_cells = 0
    for corpus in plan.corpora:
        cells = [corpus]
        for name in encoders:
            of_seeds = [_cell(backbone, name, corpus, seed) for seed in plan.seeds]
            found = [results.get(cell) for cell in of_seeds]
            scores = [100 * record[split]["f1"] for record in found if record and split in record]
            open_cells += found.count(None)
            lack = next((lacking[cell].state for cell in of_seeds if cell in lacking), OPEN)
            cells.append(_mean(scores, len(plan.seeds)) if scores else lack)
            if name != plan.baseline:
                cells.append(_gain(difference(plan, results, backbone, name, [corpus], split)))
        rows.append(tuple(cells))
    last = ["mean of corpora"]
    for name in encoders:
        last.append("")
        if name != plan.baseline:
            last.append(_gain(difference(plan, results, backbone, name, plan.corpora, split)))
    columns = ["corpus"]
    for name in encoders:
        columns += [name] if name == plan.baseline else [name, f"{name} - {plan.baseline}"]
    seeds = ", ".join(map(str, plan.seeds))
    note = f"F1 (%) in each corpus's own unit, mean ± standard deviation of seeds {seeds}; gains with 95% intervals."
    if any(plan.encoders[name].is_pretrained for name in encoders):
        note += " Each encoder was pre-trained once: chance in pre-training itself is not in the intervals."
    if open_cells:
        note += f" {open_cells} runs are not done."
    return Section(f"Taggers on {backbone}: {split}", [Table(tuple(columns), [*rows, tuple(last)]), Prose(note)])


def _mean(scores: Sequence[float], num_seeds: int) -> str:
    spread = f" ± {statistics.stdev(scores):.1f}" if len(scores) > 1 else ""
    seeds = f" ({len(scores)} of {num_seeds} seeds)" if len(scores) < num_seeds else "" if spread else " (one seed)"
    return f"{statistics.fmean(scores):.1f}{spread}{seeds}"


def _gain(found: tuple[float, float, float] | None) -> str:
    if found is None:
        return OPEN
    mean, low, high = (100 * value for value in found)
    return f"{mean:+.1f} ({low:+.1f} to {high:+.1f})"
