"""What is kept of a cell: scores, cost, and what was right and wrong in each group of each split, for intervals.

record = outcome(cell, folder)
group_counts(record, "test")        # (num_groups, 3) tp, fp, fn
"""

from __future__ import annotations

import base64
import json
import math
import zlib
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from openmed.metrics.mistakes import read_mention
from openmed.reproduce.cells import DAPT, NER, Cell
from openmed.run_folder import PREDICTIONS, value_at
from openmed.training.result import read_result

FIELDS = ("run_id", "parents", "train", "params", "versions", "hardware", "git_commit")
SPLITS = ("dev", "test")
NUMBERS = {
    DAPT: (
        "train.seconds",
        "train.tokens",
        "counts.train.tokens",
        "dev.perplexity",
        "dev.accuracy",
        "params.trainable_percent",
    ),
    NER: ("train.seconds",),
}
"""What tables and forecasts ask of a record of each kind."""


def outcome(cell: Cell, folder: Path) -> dict[str, Any]:
    """JSON-like. Of a tagger {dev: {f1, views}, test, groups: {split: ...}}, of an encoder {dev: {perplexity, ...}}.

    `test` has `clean`, the score without what was seen in training, where the run has it.
    """
    result = read_result(folder)
    assert result is not None
    assert result["status"] == "finished"
    kept: dict[str, Any] = {"kind": cell.kind, **{name: result[name] for name in FIELDS}}
    if cell.kind == DAPT:
        return {**kept, "dev": result["dev"], "counts": result["data"]["counts"]}
    kept |= {split: _scores(result[split]) for split in SPLITS if result[split]}
    kept["groups"] = {
        split: _pack(_count_groups(file))
        for split in SPLITS
        if (file := folder / PREDICTIONS / f"{split}.jsonl").is_file()
    }
    return kept


def fault(record: Any) -> str | None:
    """What a record from a file has not, of all that is asked of it; None where nothing is amiss."""
    kind = value_at(record, "kind")
    if not isinstance(kind, str) or kind not in NUMBERS:
        return f"has kind {kind!r}, none of {', '.join(NUMBERS)}"
    if not isinstance(value_at(record, "key"), str):
        return "has no key"
    splits = [split for split in SPLITS if kind == NER and split in record]
    for name in (*NUMBERS[kind], *(f"{split}.f1" for split in splits)):
        number = value_at(record, name)
        if not isinstance(number, int | float) or not math.isfinite(number):
            return f"has no number {name}"
    for split in splits:
        try:
            readable = len(group_counts(record, split)) > 0
        except (LookupError, TypeError, ValueError, zlib.error):
            readable = False
        if not readable:
            return f"has no counts groups.{split} that can be read"
    return None


def group_counts(record: Mapping[str, Any], split: str) -> np.ndarray:
    """(num_groups, 3) int64: tp, fp, fn of each group (abstract), in the order of the split."""
    raw = zlib.decompress(base64.b64decode(record["groups"][split]))
    return np.frombuffer(raw, dtype="<u2").reshape(-1, 3).astype(np.int64)


def _scores(scores: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: scores[name] for name in ("precision", "recall", "f1", "views")}
    clean = scores.get("clean")
    return {**kept, "clean": {name: clean[name] for name in ("f1", "units", "removed", "against")}} if clean else kept


def _count_groups(file: Path) -> np.ndarray:
    counts: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            document = json.loads(line)
            gold, found = (set(map(read_mention, document[key])) for key in ("gold", "entities"))
            group = counts[document["group"]]
            for place, number in enumerate((len(gold & found), len(found - gold), len(gold - found))):
                group[place] += number
    return np.array(list(counts.values()), dtype="<u2").reshape(-1, 3)


def _pack(counts: np.ndarray) -> str:
    return base64.b64encode(zlib.compress(counts.tobytes(), 9)).decode()
