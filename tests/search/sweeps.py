"""Sweeps for tests: the real command line, with a training that takes no time.

calls = quick_training(monkeypatch, fails=lambda config: config.lora.rank == 8)
sweep("lora.rank=8,16", folder=tmp_path / "sweep")
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from openmed.search.state import Sweep
from openmed.training.main import main
from openmed.training.result import start_result, write_result

TINY = ("backbone=tiny", "logger=none")


def sweep(*arguments: str, folder: Path) -> int:
    """Run `train.py -m ...` in this process; its exit code."""
    try:
        main(["-m", *arguments, f"hydra.sweep.dir={folder}"])
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 1
    return 0


def go_on(folder: Path, *arguments: str) -> int:
    """`search.resume=`; its exit code."""
    try:
        main(["-m", f"search.resume={folder}", *arguments])
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 1
    return 0


def statuses(folder: Path) -> list[str]:
    return [job.status for job in Sweep.read(folder).jobs]


def score(config: DictConfig) -> float:
    """A smooth stand-in for dev F1, best at lr 1e-3 and rank 16."""
    return 1 / (1 + abs(math.log10(config.optim.lr / 1e-3)) + abs(math.log2(config.lora.rank / 16)))


def quick_training(monkeypatch, fails: Callable[[DictConfig], bool] = lambda config: False) -> list[DictConfig]:
    """Put a training in place that only writes result.json; returns the configurations that it is called with."""
    calls: list[DictConfig] = []

    def train(config: DictConfig, folder: Path, *, group: str | None = None, resumed: bool = False) -> float:
        calls.append(config)
        folder.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(config, folder / "config.yaml", resolve=True)
        result = start_result(config, run_id="12345678")
        if fails(config):
            write_result(folder, {**result, "status": "failed", "error": "the test's own failure"})
            raise MemoryError("the test's own failure")
        found = {"status": "finished", "dev": {"f1": score(config)}, "train": {"seconds": 1.0}}
        write_result(folder, {**result, **found})
        return score(config)

    monkeypatch.setattr("openmed.training.run.train", train)
    return calls
