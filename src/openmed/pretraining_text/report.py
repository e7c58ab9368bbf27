"""What became of each source, step by step, out of the statistics that the stages left.

source_counts(work, ["sumpubmed", ...], ["minilm"])["sumpubmed"]["contaminated"]
contaminated(work)["ncbi/test"]
"""

from __future__ import annotations

import gzip
import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from openmed.pretraining_text.done import statistics
from openmed.pretraining_text.stages import REMOVED
from openmed.pretraining_text.steps import PASSAGES, TEXTS, TOKENS

EXAMPLES = 2
_CHARACTERS = 160


def source_counts(work: Path, sources: Sequence[str], backbones: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Source -> counts of texts and passages.

    Args:
        sources: of each task.

    Returns:
        {texts, passages, left_out: {reason: texts or passages}, low_quality: {rule: passages}, contaminated,
        exact_duplicates, near_duplicates, clean, packed: {backbone: {"train tokens": ..., ...}}}.
    """
    found: dict[str, dict[str, Any]] = {
        name: {"left_out": Counter(), "low_quality": Counter(), "packed": defaultdict(Counter)} for name in sources
    }

    def add(task: int, key: str, number: int) -> None:
        entry = found[sources[task]]
        entry[key] = entry.get(key, 0) + number

    for task, step, what, number in statistics(work, "passages"):
        if step.startswith("READER: source"):
            if what == TEXTS:
                add(task, TEXTS, number)
            elif what.startswith("left out: "):
                found[sources[task]]["left_out"][what.removeprefix("left out: ")] += number
        elif step.endswith(": passages"):
            if what == PASSAGES:
                add(task, PASSAGES, number)
            elif what != TOKENS:
                found[sources[task]]["left_out"][what] += number
        elif what.startswith("dropped_gopher_"):
            found[sources[task]]["low_quality"][what.removeprefix("dropped_gopher_")] += number
        elif what == "dropped_contaminated":
            add(task, "contaminated", number)
    for stage, key in (("unique", "exact_duplicates"), ("clean", "near_duplicates")):
        for task, step, what, number in statistics(work, stage):
            if what == "dropped":
                add(task, key, number)
            elif step == "STATS: draw" and what == PASSAGES:
                add(task, "clean", number)
    for backbone in backbones:
        for task, step, what, number in statistics(work, f"pack-{backbone}"):
            if step == "WRITER: pack":
                found[sources[task]]["packed"][backbone][what] += number
    zeros = dict.fromkeys(("texts", "passages", "contaminated", "exact_duplicates", "near_duplicates", "clean"), 0)
    return {name: zeros | {key: _plain(value) for key, value in entry.items()} for name, entry in found.items()}


def contaminated(work: Path) -> dict[str, dict[str, Any]]:
    """`<corpus>/<split>` -> {passages, examples}: what was dropped because it stands there."""
    passages: Counter[str] = Counter()
    examples: defaultdict[str, list[dict[str, str]]] = defaultdict(list)
    for file in sorted((work / REMOVED).glob("*.jsonl.gz")):
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            for line in lines:
                passage = json.loads(line)
                split = passage["metadata"]["split"]
                passages[split] += 1
                if len(examples[split]) < EXAMPLES:
                    text = passage["text"][:_CHARACTERS]
                    examples[split].append(
                        {"id": passage["id"], "shared": passage["metadata"]["shared"], "begins": text}
                    )
    return {split: {"passages": number, "examples": examples[split]} for split, number in sorted(passages.items())}


def _plain(value: Any) -> Any:
    return {key: _plain(inner) for key, inner in sorted(value.items())} if isinstance(value, dict) else value
