"""`result.json`: everything one run has to say, in the fields of the contract (ARCHITECTURE.md).

result = start_result(config, run_id="1a2b3c4d")
write_result(folder, {**result, "status": "finished", "dev": ...})
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from openmed.artefact import lineage
from openmed.corpora.spec import ALL_VIEWS
from openmed.errors import ConfigError, nearest
from openmed.run_folder import RESULT
from openmed.tracking import git_commit, hardware, versions
from openmed.training.energy import NOTHING
from openmed.writers import atomic_path

SCHEMA_VERSION = 1
STATUSES = ("running", "finished", "interrupted", "failed", "pruned")


def start_result(config: DictConfig, *, run_id: str) -> dict[str, Any]:
    """The fields known before anything has run; the others are null."""
    return {
        "schema_version": SCHEMA_VERSION,
        "run_id": run_id,
        "module": task_of(config),
        "dataset": config.dataset.name,
        "backbone": config.backbone.name,
        "seed": config.seed,
        "status": "running",
        "error": None,
        "dev": None,
        "test": None,
        "params": None,
        "train": None,
        "energy": dict(NOTHING),
        "data": None,
        "versions": versions(),
        "hardware": hardware(),
        "git_commit": git_commit(Path(__file__).parent),
        "config_sha256": config_digest(config),
        "parents": lineage(config.backbone.weights),
    }


def task_of(config: DictConfig) -> str:
    """ "ner" or "dapt", by the module's class.

    Raises:
        ConfigError: another class.
    """
    name = str(config.module._target_).rpartition(".")[2]
    tasks = {"NerModule": "ner", "DaptModule": "dapt"}
    if name not in tasks:
        raise ConfigError(f"module._target_ names {name}", mend=nearest(name, tasks))
    return tasks[name]


def config_digest(config: DictConfig) -> str:
    """sha256 of the settings that can change the outcome: not paths, logger, tags, energy or the sweep."""
    plain = OmegaConf.to_container(config, resolve=True)
    assert isinstance(plain, dict)
    for key in ("paths", "logger", "tags", "resume", "search", "energy"):
        plain.pop(key, None)
    if plain.get("views") == ALL_VIEWS:
        plain.pop("views")  # as in runs of versions that had no such setting
    for callback in (plain.get("callbacks") or {}).values():
        if callback:
            callback.pop("dirpath", None)
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def write_result(folder: Path, result: Mapping[str, Any]) -> None:
    """Write `result.json`, whole or not at all."""
    assert result["status"] in STATUSES
    with atomic_path(folder / RESULT) as temporary:
        temporary.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_result(folder: Path) -> dict[str, Any] | None:
    """The run's `result.json`, None when there is none."""
    path = folder / RESULT
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
