"""What is kept of a cell: scores, cost, and what was right and wrong in each group of each split, for intervals.

record = outcome(cell, folder)
group_counts(record, "test")        # (num_groups, 3) tp, fp, fn
"""

from __future__ import annotations

import base64
import json
import zlib
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from openmed.reproduce.plan import DAPT, Cell
from openmed.training.result import read_result

FIELDS = ("run_id", "parents", "train", "params", "versions", "hardware", "git_commit")
SPLITS = ("dev", "test")


def outcome(cell: Cell, folder: Path) -> dict[str, Any]:
    """JSON-like. Of a tagger {dev: {f1, views}, test, groups: {split: ...}}, of an encoder {dev: {perplexity, ...}}."""
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
        if (file := folder / "predictions" / f"{split}.jsonl").is_file()
    }
    return kept


def group_counts(record: Mapping[str, Any], split: str) -> np.ndarray:
    """(num_groups, 3) int64: tp, fp, fn of each group (abstract), in the order of the split."""
    raw = zlib.decompress(base64.b64decode(record["groups"][split]))
    return np.frombuffer(raw, dtype="<u2").reshape(-1, 3).astype(np.int64)


def _scores(scores: Mapping[str, Any]) -> dict[str, Any]:
    return {name: scores[name] for name in ("precision", "recall", "f1", "views")}


def _count_groups(file: Path) -> np.ndarray:
    counts: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            document = json.loads(line)
            gold, found = (
                {(span["start"], span["end"], span["label"]) for span in document[key]} for key in ("gold", "entities")
            )
            group = counts[document["group"]]
            for place, number in enumerate((len(gold & found), len(found - gold), len(gold - found))):
                group[place] += number
    return np.array(list(counts.values()), dtype="<u2").reshape(-1, 3)


def _pack(counts: np.ndarray) -> str:
    return base64.b64encode(zlib.compress(counts.tobytes(), 9)).decode()
