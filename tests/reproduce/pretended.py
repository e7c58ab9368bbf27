"""Trainings that take no time: they leave what `openmed reproduce` reads of a run.

monkeypatch.setattr(run_module, "run_child", trainings := Trainings())
trainings.arguments     # of each `train.py`, as Hydra reads them
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser

DAPT: dict[str, Any] = {
    "dev": {"perplexity": 9.0, "accuracy": 0.5},
    "train": {"seconds": 60.0, "tokens": 256},
    "params": {"trainable_percent": 3.0},
    "data": {"counts": {"train": {"tokens": 4_000}}},
}
NER: dict[str, Any] = {
    "dev": {"precision": 1.0, "recall": 1.0, "f1": 1.0, "views": {}},
    "test": None,
    "train": {"seconds": 30.0, "tokens": 256},
    "params": {},
}


class Trainings:
    """Stands for `run_child`.

    Attributes:
        arguments: key -> value, of each run in turn.
        statuses: what the next ones end with, having done nothing; 0 for the rest.
    """

    def __init__(self) -> None:
        self.arguments: list[dict[str, Any]] = []
        self.statuses: list[int] = []

    def __call__(self, command: list[str], log: Path, claim: tuple[int, ...], *, tell) -> int:
        del claim, tell
        log.write_text("the last words\n")
        given = command[command.index("openmed.training") + 1 :]
        resumed = [Path(argument.removeprefix("resume=")) for argument in given if argument.startswith("resume=")]
        parsed = [] if resumed else OverridesParser.create().parse_overrides(given)
        self.arguments.append({override.key_or_group: override.value() for override in parsed} or {"resume": resumed})
        if self.statuses:
            return self.statuses.pop(0)
        folder = resumed[0] if resumed else Path(self.arguments[-1]["hydra.run.dir"])
        leave(folder, run_id=str(len(self.arguments)))
        return 0


def leave(folder: Path, *, run_id: str = "0") -> None:
    """A finished run: of an encoder below "dapt", else of a tagger."""
    is_encoder = folder.parent.parent.name == "dapt"
    known = {"run_id": run_id, "parents": [], "versions": {}, "hardware": {}, "git_commit": None, "status": "finished"}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "result.json").write_text(json.dumps({**known, **(DAPT if is_encoder else NER)}))
    if is_encoder:
        (folder / "encoder").mkdir()
        (folder / "encoder" / "config.json").write_text("{}")
    else:
        (folder / "predictions").mkdir()
        mention = {"start": 0, "end": 4, "label": "Disease"}
        document = {"id": "1", "group": "1", "text": "cold", "gold": [mention], "entities": [mention]}
        (folder / "predictions" / "dev.jsonl").write_text(json.dumps(document) + "\n")
