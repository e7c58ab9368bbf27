"""Load a pretrained encoder with a token-classification head, and its tokenizer, from one declarative spec.

Real weights come from the hub, a local folder or an installed package; `random_layers` makes a small random encoder of
the same architecture and vocabulary instead (for tests).

    tokenizer = load_tokenizer(spec)
    model = load_encoder(spec, num_tags=3)
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from openmed.errors import BackboneError
from openmed.networks.hidden_scale import scale_hidden
from openmed.networks.loading import explained, quiet_loading
from openmed.networks.lora import quiet_peft
from openmed.networks.spec import BackboneSpec
from openmed.networks.weights import (
    base_of,
    check_sha256,
    hidden_scale_of,
    is_adapter,
    is_on_hub,
    is_own,
    locate_weights,
)

_RANDOM_SEED = 20250801


def load_tokenizer(spec: BackboneSpec):
    """The fast tokenizer of the backbone.

    Raises:
        BackboneError: it cannot be found, has no fast form or no vocabulary.
    """
    from transformers import AutoTokenizer

    if is_adapter(spec.weights):
        return load_tokenizer(_base(spec))
    source = spec.tokenizer or spec.weights
    revision = spec.revision if source == spec.weights else None
    with explained(source, revision):
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

    return _load(AutoModelForTokenClassification, spec, num_labels=num_tags)[0]


def load_masked_lm(spec: BackboneSpec) -> tuple[nn.Module, bool]:
    """A transformers masked language model, and whether its head came with the weights (else it is fresh).

    Raises:
        BackboneError: as `load_encoder`.
    """
    from transformers import AutoModelForMaskedLM

    model, unfilled = _load(AutoModelForMaskedLM, spec)
    prefix = f"{model.base_model_prefix}."
    own = {name for name, parameter in model.named_parameters() if not name.startswith(prefix) and parameter.ndim > 1}
    return model, not is_random(spec) and not own & unfilled


def is_random(spec: BackboneSpec) -> bool:
    """Whether its weights are made up. What was pre-trained from such an encoder has weights of its own."""
    return spec.random_layers > 0 and not is_own(spec.weights)


def _load(kind: Any, spec: BackboneSpec, **config_changes: Any) -> tuple[nn.Module, set[str]]:
    """The model, and the names of its tensors that the weights did not hold."""
    if spec.interpolation != 1:
        return _load_between(kind, spec, **config_changes)
    if is_adapter(spec.weights):
        return _load_adapted(kind, spec, **config_changes)
    source = locate_weights(spec.weights)
    if spec.sha256 and not is_random(spec) and not is_own(spec.weights):
        check_sha256(source, dict(spec.sha256))  # of the weights that the YAML names, not of a run's own encoder
    config = load_config(spec, **config_changes)
    if is_random(spec):
        # Always the same random weights, so that a saved adapter still fits them in another process.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(_RANDOM_SEED)
            return kind.from_config(config, attn_implementation=spec.attention), set()
    with explained(spec.weights, spec.revision), quiet_loading():
        model, report = kind.from_pretrained(
            source,
            revision=spec.revision or "main",
            config=config,
            attn_implementation=spec.attention,
            dtype=torch.float32,
            ignore_mismatched_sizes=True,  # of a head with other labels; `_check_filled` refuses any other
            output_loading_info=True,
        )
    unfilled = {*report["missing_keys"], *(name for name, *_ in report["mismatched_keys"])}
    _check_filled(model, unfilled, spec)
    return model, unfilled


def _load_adapted(kind: Any, spec: BackboneSpec, **config_changes: Any) -> tuple[nn.Module, set[str]]:
    """The adapter's base with the adapter merged into it; its last hidden states are of the size of the encoder's."""
    from peft import PeftModel

    model, unfilled = _load_base(kind, spec, **config_changes)
    with explained(spec.weights, None), quiet_peft():
        model = PeftModel.from_pretrained(model, spec.weights).merge_and_unload()  # pyright: ignore
    scale_hidden(model, hidden_scale_of(spec.weights))
    return model, unfilled


def _load_between(kind: Any, spec: BackboneSpec, **config_changes: Any) -> tuple[nn.Module, set[str]]:
    """The encoder on the way from its base to itself; the head is its own."""
    model, unfilled = _load(kind, replace(spec, interpolation=1.0), **config_changes)
    base = _load_base(kind, spec, **config_changes)[0].state_dict()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.startswith(f"{model.base_model_prefix}."):
                parameter.copy_(torch.lerp(base[name], parameter, spec.interpolation))
    return model, unfilled


def _load_base(kind: Any, spec: BackboneSpec, **config_changes: Any) -> tuple[nn.Module, set[str]]:
    """What pre-training started from.

    Raises:
        BackboneError: it is not what it was then.
    """
    base = _base(spec)
    model, unfilled = _load(kind, base, **config_changes)
    _, wanted = base_of(spec.weights)
    found = weights_digest(model)
    if found != wanted:
        mend = (
            "give the encoder/ of the same run: it needs no base"
            if is_adapter(spec.weights)
            else "set backbone.interpolation=1"
        )
        raise BackboneError(
            f"{spec.weights} was trained on other weights of {base.weights} than those found now "
            f"(sha256 {wanted[:12]}, found {found[:12]})",
            mend=f"restore the weights that it was trained on, or {mend}",
        )
    return model, unfilled


def _base(spec: BackboneSpec) -> BackboneSpec:
    """The same settings on the weights that pre-training started from."""
    base = BackboneSpec.from_mapping(base_of(spec.weights)[0])
    of_weights = ("weights", "revision", "tokenizer", "sha256", "interpolation", "random_layers", "random_config")
    return replace(spec, **{name: getattr(base, name) for name in of_weights})


def load_config(spec: BackboneSpec, **changes: Any):
    """The architecture's configuration with our labels, dropout and (for random encoders) sizes."""
    from transformers import AutoConfig

    with explained(spec.weights, spec.revision):
        config = AutoConfig.from_pretrained(locate_weights(spec.weights), revision=spec.revision or "main", **changes)
    if is_random(spec):
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
