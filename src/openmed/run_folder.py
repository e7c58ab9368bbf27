"""What the files of a run folder are called: what training writes there, and comparing and reproducing read.

(folder / RESULT).read_text(), (folder / PREDICTIONS / "dev.jsonl").open()
value_at(json.loads((folder / RESULT).read_text()), "dev.f1")
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

RESULT = "result.json"
CONFIG = "config.yaml"
"""The composed configuration: the authority when the run is resumed."""
PREDICTIONS = "predictions"
"""A folder with one file a split, one text a line."""
HISTORY = "history.jsonl"
"""A line for each evaluation on dev."""


def value_at(result: Any, name: str) -> Any:
    """`result["train"]["seconds"]` of "train.seconds"; None where there is no such thing."""
    for key in name.split("."):
        result = result.get(key) if isinstance(result, Mapping) else None
    return result
