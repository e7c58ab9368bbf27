"""The task `dapt`: domain-adaptive pre-training of an encoder, and what it leaves for the taggers.

pretrain(context)       # -> loss on held-out text; encoder/, adapter/ and everything else are in the run folder
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import lightning as L
import torch

from openmed.artefact import save_adapter, save_encoder
from openmed.data import TextDataModule
from openmed.errors import ConfigError, RunError
from openmed.metrics.names import HIDDEN_STD, score_name
from openmed.modules import DaptModule
from openmed.networks import LoraSpec
from openmed.networks.hidden_scale import keeps_size
from openmed.networks.precision import data_sheet
from openmed.pretraining_text.build import MANIFEST
from openmed.run_folder import value_at
from openmed.tracking import artefact_name, log_artefact, log_dataset, log_summary
from openmed.training.build import (
    build_dapt_module,
    build_text_datamodule,
    build_trainer,
    plain,
    resolve_precision,
)
from openmed.training.callbacks import perplexity_line, planned_length
from openmed.training.context import RunContext, fit, load_best, train_facts
from openmed.training.outputs import shown
from openmed.training.result import write_result

ENCODER, ADAPTER = "encoder", "adapter"
SCORES = ("loss", "perplexity", "accuracy", "masked", HIDDEN_STD)


def pretrain(context: RunContext) -> float:
    """Fit, take the best checkpoint, score the held-out text, save the encoder, tell everyone.

    Returns:
        loss on the held-out text, in nats a masked piece.

    Raises:
        ConfigError: a test split asked for.
        RunError: the training went astray: neither its end nor a checkpoint has a finite loss.
    """
    config, folder, result = context.config, context.folder, context.result
    if config.test:
        raise ConfigError("test=true with module=dapt", mend="pre-training has no test split; leave test out")
    precision = resolve_precision(config)
    datamodule = build_text_datamodule(config)
    datamodule.setup("fit")
    module = build_dapt_module(config, precision=precision)
    trainer, throughput = build_trainer(
        config, folder, context.logger, datamodule, precision=precision, dev_line=perplexity_line
    )
    throughput.flops_per_token = module.network.flops_per_token(config.mask.fraction)
    throughput.peak_flops = _peak_flops(trainer, precision)
    before = _held_out(trainer, module, datamodule)
    _announce(context, datamodule, module, trainer, before)
    fit(context, trainer, module, datamodule)

    scores = _take_better(trainer, module, datamodule)
    if not math.isfinite(scores["loss"]):
        raise RunError(
            f"the loss on held-out text is {scores['loss']}: training went astray with optim.lr={config.optim.lr}",
            mend=f"a lower rate, such as optim.lr={config.optim.lr / 4:g}, in a new run",
        )
    head = "pretrained" if module.trained_head else "fresh"
    result["params"] = module.network.num_parameters()
    result["train"] = {**train_facts(trainer, throughput), "mfu": throughput.mfu}
    result["dev"] = {**scores, "before": before, "head": head}
    result |= {"data": datamodule.describe(), "status": "finished"}
    if trainer.is_global_zero:
        _write_outputs(context, module, datamodule)
        result["energy"] = context.meter.stop()
        write_result(folder, result)
        _report(context)
    trainer.strategy.barrier()
    return result["dev"]["loss"]


def _peak_flops(trainer: L.Trainer, precision: str) -> float | None:
    """Of one device, as its maker states it; None for a CPU and for what there is no figure of.

    Each process counts its own tokens, so they are set against its own device.
    """
    device = trainer.strategy.root_device
    if device.type != "cuda":
        return None
    if precision == "bf16-mixed" and (known := data_sheet(torch.cuda.get_device_name(device))):
        return known  # Lightning looks for an H200 by names that it does not bear
    from lightning.fabric.utilities.throughput import get_available_flops

    peak = get_available_flops(device, torch.bfloat16 if precision == "bf16-mixed" else torch.float32)
    return None if peak is None else float(peak)


def _take_better(trainer: L.Trainer, module: DaptModule, datamodule: TextDataModule) -> dict[str, float]:
    """Leave the better of the end and the best checkpoint in the module; its scores.

    The end may come between two validations (max_steps, a resumed run), and then no checkpoint has its loss.
    """
    at_end = _held_out(trainer, module, datamodule)
    state = {name: tensor.clone() for name, tensor in module.network.trainable_state().items()}
    if load_best(trainer, module) == trainer.global_step:
        return at_end
    best = _held_out(trainer, module, datamodule)
    if best["loss"] <= at_end["loss"] or not math.isfinite(at_end["loss"]):
        return best
    module.network.load_state_dict(state, strict=False)
    return at_end


def _held_out(trainer: L.Trainer, module: DaptModule, datamodule: TextDataModule) -> dict[str, float]:
    (scores,) = trainer.validate(module, datamodule, verbose=False)
    return {name: scores[score_name("dev", name)] for name in SCORES}


def _write_outputs(context: RunContext, module: DaptModule, datamodule: TextDataModule) -> None:
    """The encoder and, with LoRA, the bare adapter."""
    result = context.result
    (index,) = result["data"]["files"].values()
    text = {"name": result["dataset"], "mix": _mix(datamodule.folder), "index": index}
    provenance: dict[str, Any] = {
        "run_id": result["run_id"],
        "dataset": {**text, "counts": result["data"]["counts"]},
        "seed": result["seed"],
        "dev": result["dev"],
        "versions": result["versions"],
        "git_commit": result["git_commit"],
        "parents": result["parents"],
    }
    backbone = datamodule.backbone
    train_encoder = context.config.module.train_encoder
    hidden_scale = _hidden_scale(module, result["dev"]) if train_encoder else 1.0
    lora = LoraSpec.from_mapping(plain(context.config.lora)) if train_encoder else None
    save_encoder(
        context.folder / ENCODER,
        module.network,
        datamodule.tokenizer,
        backbone=backbone,
        lora=lora,
        train_encoder=train_encoder,
        hidden_scale=hidden_scale,
        provenance=provenance,
    )
    if lora is not None:
        place, network = context.folder / ADAPTER, module.network
        save_adapter(place, network, backbone=backbone, hidden_scale=hidden_scale, provenance=provenance)


def _mix(folder: Path) -> str | None:
    """Name of the mix that a text was built of; None where its folder does not tell."""
    try:
        return value_at(json.loads((folder / MANIFEST).read_text(encoding="utf-8")), "name")
    except (OSError, ValueError):
        return None


def _hidden_scale(module: DaptModule, dev: dict[str, Any]) -> float:
    """What makes the last hidden states as large as they were before training."""
    if not keeps_size(module.network.transformer) or not dev[HIDDEN_STD]:
        return 1.0
    return dev["before"][HIDDEN_STD] / dev[HIDDEN_STD]


def _announce(
    context: RunContext,
    datamodule: TextDataModule,
    module: DaptModule,
    trainer: L.Trainer,
    before: dict[str, float],
) -> None:
    """Say what is about to happen, before it takes hours."""
    if not trainer.is_global_zero:
        return
    params, counts = module.network.num_parameters(), datamodule.describe()["counts"]
    head = "" if module.trained_head else "; its weights bring no head, so a fresh one is trained"
    print(
        f"{datamodule.name}: {counts['train']['tokens']:,} pieces of text in {counts['train']['passages']:,} passages, "
        f"{counts['dev']['tokens']:,} held out\n"
        f"{context.config.backbone.name}: {params['trainable']:,} of {params['total']:,} parameters trained "
        f"({params['trainable_percent']:.2f}%), {planned_length(trainer)}, {trainer.precision} on "
        f"{trainer.strategy.root_device.type}, in {shown(context.folder)}\n"
        f"held-out perplexity before: {before['perplexity']:,.2f}{head}",
        flush=True,
    )


def _report(context: RunContext) -> None:
    result, folder = context.result, context.folder
    log_dataset(
        context.logger,
        name=result["dataset"],
        files=result["data"]["files"],
        metadata={"counts": result["data"]["counts"]},
    )
    if context.config.logger.get("log_model"):
        log_artefact(
            context.logger,
            folder / ENCODER,
            name=artefact_name(result["run_id"], ENCODER),
            type=ENCODER,
            parents=[artefact_name(run, ENCODER) for run in result["parents"]],
            metadata={"dev": result["dev"], "dataset": result["dataset"], "backbone": result["backbone"]},
        )
    log_summary(context.logger, result)
    dev, train = result["dev"], result["train"]
    before = dev["before"]
    print(
        f"held-out perplexity {before['perplexity']:,.2f} -> {dev['perplexity']:,.2f}, accuracy "
        f"{100 * before['accuracy']:.1f}% -> {100 * dev['accuracy']:.1f}% of {dev['masked']:,.0f} masked pieces\n"
        f"trained {train['tokens']:,} pieces in {train['steps']:,} steps, {train['seconds']:,.0f} s at "
        f"{train['tokens_per_second']:,.0f} pieces/s\n"
        f"encoder  {shown(folder / ENCODER)}\n"
        f"train a tagger on it: python train.py dataset=ncbi backbone={result['backbone']} "
        f"backbone.weights={shown(folder / ENCODER)}",
        flush=True,
    )
