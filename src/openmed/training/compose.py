"""The configuration that a command line stands for, without running it.

config = compose(["dataset=ncbi", "optim.lr=1e-3"])
"""

from __future__ import annotations

from collections.abc import Sequence

from omegaconf import DictConfig

from openmed.choices import conf_folder

NOWHERE = "none"
"""Stands for the run folder, which no digest looks at."""


def compose(overrides: Sequence[str]) -> DictConfig:
    """As `python train.py OVERRIDES` would compose it.

    Raises:
        HydraException: what `openmed.training.friendly` explains.
    """
    import hydra

    with hydra.initialize_config_dir(str(conf_folder()), version_base="1.3"):
        return hydra.compose("train", [*overrides, f"paths.run={NOWHERE}"])
