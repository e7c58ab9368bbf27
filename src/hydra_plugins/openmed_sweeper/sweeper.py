"""Hydra's door to `openmed.search`. Hydra imports every plugin at each start, so nothing heavy is imported here.

python train.py -m search=card backbone=minilm,tiny dataset=ncbi
"""

from __future__ import annotations

from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

ConfigStore.instance().store(
    group="hydra/sweeper",
    name="openmed",
    node={"_target_": "hydra_plugins.openmed_sweeper.sweeper.OpenMedSweeper"},
    provider="openmed_sweeper",
)


class OpenMedSweeper(Sweeper):
    """Hands what Hydra knows to `openmed.search.run_sweep`."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self._context, self._task, self._config = hydra_context, task_function, config

    def sweep(self, arguments: list[str]) -> Any:
        from openmed.search import run_sweep

        return run_sweep(self._config, arguments, self._context, self._task)
