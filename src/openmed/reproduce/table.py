"""Tables of a plan's outcomes: perplexities, and F1 against the baseline with intervals.

sections = tables(plan, results)        # blocks for a terminal or Markdown

Intervals are those of `openmed.reproduce.intervals`. Each encoder is pre-trained once: chance in that is not in them.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from openmed.analysis.report.blocks import Block, Prose, Section, Table
from openmed.errors import DataError
from openmed.reproduce.cells import DAPT, NER
from openmed.reproduce.intervals import Estimate, OfCorpus, estimate
from openmed.reproduce.keys import Lack
from openmed.reproduce.outcome import SPLITS, group_counts
from openmed.reproduce.plan import Plan

DEV = "dev"
OPEN = "open"
"""What stands in the place of a run that is not done."""
MARK = "*"
"""At an interval in which training is no chance."""
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
) -> Estimate | None:
    """F1 less the baseline's, the mean of corpora and of the seeds that both sides have; None where a corpus has none.

    Raises:
        DataError: two runs were scored on different texts.
    """
    pairs = [_pairs(plan, results, backbone, encoder, corpus, split) for corpus in corpora]
    if not all(pair.seeds for pair in pairs):
        return None
    return estimate(pairs, lambda f1s: f1s[0] - f1s[1])


def _pairs(plan: Plan, results: Results, backbone: str, encoder: str, corpus: str, split: str) -> OfCorpus:
    """The counts of an encoder and of the baseline, of the seeds that both have."""
    names = (encoder, plan.baseline)
    of_seeds = {seed: [_cell(backbone, name, corpus, seed) for name in names] for seed in plan.seeds}
    seeds = tuple(
        seed
        for seed, cells in of_seeds.items()
        if all(split in results.get(cell, {}).get("groups", {}) for cell in cells)
    )
    sides = [[group_counts(results[of_seeds[seed][side]], split) for seed in seeds] for side in range(len(names))]
    if len({len(counts) for side in sides for counts in side}) > 1:
        sizes = {cell: len(group_counts(results[cell], split)) for seed in seeds for cell in of_seeds[seed]}
        raise DataError(
            f"runs on {corpus} were scored on different texts: number of groups in {split}: {sizes}",
            mend="take those of another corpus's version out of the results file, or do them again",
        )
    return OfCorpus(seeds, tuple(np.stack(side) if side else np.zeros((0, 0, 3)) for side in sides))


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
    others = [name for name in encoders if name != plan.baseline]
    gains = {
        (name, corpora): difference(plan, results, backbone, name, corpora, split)
        for name in others
        for corpora in (*((corpus,) for corpus in plan.corpora), tuple(plan.corpora))
    }
    rows: list[tuple[str, ...]] = []
    for corpus in plan.corpora:
        cells = [corpus]
        for name in encoders:
            cells.append(_f1_cell(plan, results, lacking, backbone, name, corpus, split))
            if name in others:
                cells.append(_gain(gains[name, (corpus,)]))
        rows.append(tuple(cells))
    last = ["mean of corpora"]
    for name in encoders:
        last += [""] if name == plan.baseline else ["", _gain(gains[name, tuple(plan.corpora)])]
    columns = ["corpus"]
    for name in encoders:
        columns += [name] if name == plan.baseline else [name, f"{name} - {plan.baseline}"]
    notes = list(_notes(plan, results, backbone, encoders, [gain for gain in gains.values() if gain]))
    title = f"Taggers on {backbone}: {split}"
    return Section(title, [Table(tuple(columns), [*rows, tuple(last)]), Prose(" ".join(notes))])


def _f1_cell(
    plan: Plan, results: Results, lacking: Mapping[str, Lack], backbone: str, encoder: str, corpus: str, split: str
) -> str:
    cells = [_cell(backbone, encoder, corpus, seed) for seed in plan.seeds]
    scores = [100 * results[cell][split]["f1"] for cell in cells if split in results.get(cell, {})]
    if not scores:
        return next((lacking[cell].state for cell in cells if cell in lacking), OPEN)
    return _mean(scores, len(plan.seeds))


def _notes(
    plan: Plan, results: Results, backbone: str, encoders: Sequence[str], gains: Sequence[Estimate]
) -> Iterator[str]:
    seeds = ", ".join(map(str, plan.seeds))
    yield f"F1 (%) in each corpus's own unit, mean ± standard deviation of seeds {seeds}; gains with 95% intervals"
    yield "over texts and seeds."
    if not all(gain.over_seeds for gain in gains):
        yield f"{MARK} One seed, or none that all corpora share: over texts alone, so too narrow."
    cells = {
        name: [_cell(backbone, name, corpus, seed) for corpus in plan.corpora for seed in plan.seeds]
        for name in encoders
    }
    done = {name: [cell for cell in of_encoder if cell in results] for name, of_encoder in cells.items()}
    num_open = sum(len(cells[name]) - len(done[name]) for name in encoders)
    if num_open:
        yield f"{num_open} runs are not done; a gain is of the seeds that both sides have."
    if any(plan.encoders[name].is_pretrained for name in encoders):
        parents = [{parent for cell in done[name] for parent in results[cell].get("parents", ())} for name in encoders]
        if any(len(runs) > 1 for runs in parents):
            yield "Of an encoder whose pre-training was repeated some runs are on one repetition, some on another."
        else:
            yield "Each encoder was pre-trained once: chance in pre-training itself is not in the intervals."


def _mean(scores: Sequence[float], num_seeds: int) -> str:
    spread = f" ± {statistics.stdev(scores):.1f}" if len(scores) > 1 else ""
    seeds = f" ({len(scores)} of {num_seeds} seeds)" if len(scores) < num_seeds else "" if spread else " (one seed)"
    return f"{statistics.fmean(scores):.1f}{spread}{seeds}"


def _gain(found: Estimate | None) -> str:
    if found is None:
        return OPEN
    mean, low, high = (100 * value for value in (found.mean, found.low, found.high))
    return f"{mean:+.1f} ({low:+.1f} to {high:+.1f}){'' if found.over_seeds else MARK}"
