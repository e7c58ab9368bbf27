"""LoRA through PEFT: which layers, checked; the head never among them.

PEFT's own "all-linear" also takes the classifier, so targets are a regex per architecture, matched against whole
module names inside the encoder's layers. The head is a `modules_to_save`, so that a saved adapter loads with plain
`peft`.

    model = add_lora(model, LoraSpec(16, 32), targets=spec.lora_targets, head=["classifier"])
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any

from torch import nn

from openmed.errors import ConfigError, nearest


@dataclass(frozen=True)
class LoraSpec:
    """A LoRA setting.

    Args:
        rank: r, at least 1.
        alpha: the update is scaled by alpha / rank (alpha / sqrt(rank) with `rank_stabilised`).
        targets: the name of one of the backbone's `lora_targets`.
        dropout: on the adapter's input.
        rank_stabilised: rsLoRA scaling.

    Raises:
        ConfigError: a rank or alpha of 0, a dropout outside 0..1.
    """

    rank: int
    alpha: float
    targets: str = "all_linear"
    dropout: float = 0.0
    rank_stabilised: bool = False

    def __post_init__(self) -> None:
        if self.rank < 1:
            raise ConfigError(
                f"lora.rank={self.rank}: LoRA needs a rank of at least 1",
                mend="choose 4 to 64, or lora=none to train all weights",
            )
        if self.alpha <= 0:
            raise ConfigError(f"lora.alpha={self.alpha} would switch the adapters off", mend="twice the rank is usual")
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"lora.dropout={self.dropout} is outside 0..1")

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any] | None) -> LoraSpec | None:
        """From a plain dict; None or a dict without a rank means no LoRA (all weights are trained)."""
        if not values or values.get("rank") is None:
            return None
        known = {f.name for f in fields(cls)}
        for key in values:
            if key not in known:
                raise ConfigError(f"unknown key lora.{key}", mend=nearest(key, known))
        return cls(**values)


def add_lora(model: nn.Module, spec: LoraSpec, *, targets: Mapping[str, str], head: Sequence[str] = ()) -> nn.Module:
    """Wrap a transformers model with LoRA adapters; only they and the head stay trainable.

    Args:
        targets: name -> regex over whole module names, from the backbone.
        head: modules that are trained whole and saved with the adapters; none where the head is nobody's task.

    Raises:
        ConfigError: a target set the backbone lacks, a regex that matches no linear layer, other layers or the head.
    """
    from peft import LoraConfig, TaskType, get_peft_model

    if spec.targets not in targets:
        raise ConfigError(f"this backbone has no lora.targets={spec.targets}", mend=nearest(spec.targets, targets))
    pattern = targets[spec.targets]
    check_targets(model, pattern, head)
    config = LoraConfig(
        task_type=TaskType.TOKEN_CLS if head else None,
        r=spec.rank,
        lora_alpha=spec.alpha,  # pyright: ignore[reportArgumentType]  (a float scales as well as an int)
        lora_dropout=spec.dropout,
        use_rslora=spec.rank_stabilised,
        target_modules=pattern,
        modules_to_save=list(head) or None,
    )
    with quiet_peft():
        return get_peft_model(model, config)  # pyright: ignore[reportArgumentType]


@contextmanager
def quiet_peft() -> Iterator[None]:
    """Silence PEFT's use of a name that transformers is about to rename: nothing that a user could mend."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing", category=FutureWarning)
        yield


def check_targets(model: nn.Module, pattern: str, head: Sequence[str]) -> list[str]:
    """Names of the linear layers that the pattern takes.

    Raises:
        ConfigError: none matched, or the head or layers of another kind did.
    """
    modules = dict(model.named_modules())
    linear = [name for name, module in modules.items() if isinstance(module, nn.Linear)]
    matched = [name for name in modules if re.fullmatch(pattern, name)]
    if not set(matched) & set(linear):
        raise ConfigError(
            f"the LoRA target {pattern!r} matches none of the {len(linear)} linear layers",
            mend=f"names look like {', '.join(linear[:3])}; correct lora_targets in the backbone's YAML",
        )
    others = [name for name in matched if name not in linear]
    if others:
        raise ConfigError(
            f"the LoRA target {pattern!r} takes {others[0]}, which is no linear layer",
            mend="end it in the names of linear layers, as the YAMLs in conf/backbone do",
        )
    taken = [name for name in matched if name.split(".")[0] in head]
    if taken:
        raise ConfigError(
            f"the LoRA target {pattern!r} takes the head ({taken[0]})", mend="scope it to the encoder's layers"
        )
    return matched
