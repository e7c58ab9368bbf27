"""AdamW over the few tensors that are trained: adapters and head, each with a learning rate of its own.

optimizer = make_optimizer(network, OptimSpec(lr=1e-3, head_lr=1e-3))
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import torch

from openmed.errors import ConfigError, nearest
from openmed.modules.schedule import check_schedule
from openmed.networks.network import Network


@dataclass(frozen=True)
class OptimSpec:
    """AdamW and its schedule.

    Args:
        lr: peak learning rate of the adapters (of all encoder weights without LoRA).
        head_lr: peak learning rate of the head; None takes `lr`.
        weight_decay: on matrices only.
        betas: AdamW's.
        warmup_fraction: share of the training that warms up.
        warmup_steps: the same in optimiser steps; where given, it counts and `warmup_fraction` does not.
        schedule: "cosine", "linear" or "constant" after that.

    Raises:
        ConfigError: a value out of range.
    """

    lr: float
    head_lr: float | None = None
    weight_decay: float = 0.0
    betas: tuple[float, float] = (0.9, 0.999)
    warmup_fraction: float = 0.1
    warmup_steps: int | None = None
    schedule: str = "cosine"

    def __post_init__(self) -> None:
        for name, value in (("lr", self.lr), ("head_lr", self.head_lr)):
            if value is not None and not value > 0:
                raise ConfigError(f"optim.{name}={value} must be above 0")
        if self.weight_decay < 0:
            raise ConfigError(f"optim.weight_decay={self.weight_decay} must not be negative")
        if self.warmup_steps is not None and self.warmup_steps < 0:
            raise ConfigError(f"optim.warmup_steps={self.warmup_steps} must not be negative")
        check_schedule(self.schedule, self.warmup_fraction)

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> OptimSpec:
        """From a plain dict, refusing unknown keys."""
        known = {f.name for f in fields(cls)}
        for key in values:
            if key not in known:
                raise ConfigError(f"unknown key optim.{key}", mend=nearest(key, known))
        if "lr" not in values:
            raise ConfigError("optim.lr is missing")
        cleaned = dict(values)
        if "betas" in cleaned:
            cleaned["betas"] = tuple(cleaned["betas"])
        return cls(**cleaned)


def make_optimizer(network: Network, spec: OptimSpec) -> torch.optim.AdamW:
    """Four groups at most: adapters or head, decayed (matrices) or not (vectors)."""
    head = {id(parameter) for parameter in network.head_parameters()}
    groups: dict[tuple[bool, bool], list[torch.nn.Parameter]] = {}
    for parameter in network.parameters():
        if parameter.requires_grad:
            groups.setdefault((id(parameter) in head, parameter.ndim > 1), []).append(parameter)
    assert groups, "nothing to train"
    param_groups = []
    for (in_head, matrix), parameters in groups.items():
        lr = (spec.head_lr or spec.lr) if in_head else spec.lr
        decay = spec.weight_decay if matrix else 0.0
        param_groups.append({"params": parameters, "lr": lr, "peak_lr": lr, "weight_decay": decay})
    return torch.optim.AdamW(param_groups, betas=spec.betas, fused=True)
