"""A run folder that was moved or copied: its configuration and its last checkpoint name the old place.

move(config, folder)        # before `train(config, folder, resumed=True)`
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig

from openmed.training.build import LAST


def move(config: DictConfig, folder: Path) -> None:
    """Make the paths in the configuration and in `checkpoints/last.ckpt` those of `folder`.

    Without it Lightning would forget which checkpoint was the best one so far.
    """
    before, after = str(config.paths.run), str(folder)
    if before == after:
        return
    config.paths.run = after
    for callback in (config.callbacks or {}).values():
        if callback and callback.get("dirpath"):
            callback.dirpath = _relocate(callback.dirpath, before, after)
    last = folder / "checkpoints" / LAST
    if last.is_file():
        checkpoint = torch.load(last, map_location="cpu", weights_only=False)
        checkpoint["callbacks"] = _relocate(checkpoint["callbacks"], before, after)
        temporary = last.with_suffix(".moving")
        torch.save(checkpoint, temporary)
        os.replace(temporary, last)


def _relocate(value: Any, before: str, after: str) -> Any:
    """The same value with every path below `before` put below `after`."""
    if isinstance(value, str) and Path(value).is_relative_to(before):
        return str(Path(after) / Path(value).relative_to(before))
    if type(value) is dict:
        return {_relocate(k, before, after): _relocate(v, before, after) for k, v in value.items()}
    return value
