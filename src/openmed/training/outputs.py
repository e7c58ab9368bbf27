"""What a run leaves behind and tells: predictions, the model, W&B's tables and artefacts, the printed summary.

write_outputs(folder, result, evaluations, module, datamodule)
report(config, logger, result, evaluations["dev"], folder)
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.loggers import Logger
from omegaconf import DictConfig

from openmed.artefact import save_artefact
from openmed.data import NerDataModule
from openmed.modules import NerModule
from openmed.run_folder import PREDICTIONS
from openmed.tracking import artefact_name, error_rows, log_artefact, log_dataset, log_errors_table, log_summary
from openmed.training.callbacks import planned_length
from openmed.training.evaluate import Evaluation
from openmed.training.summary import print_summary
from openmed.writers import prediction_json, write_jsonl


def write_outputs(
    folder: Path,
    result: dict[str, Any],
    evaluations: dict[str, Evaluation],
    module: NerModule,
    datamodule: NerDataModule,
) -> None:
    """Predictions and the model. The result comes after: one that says "finished" means that all the rest is there."""
    for split, evaluation in evaluations.items():
        lines = (
            prediction_json(gold, found) for gold, found in zip(evaluation.gold, evaluation.predicted, strict=True)
        )
        write_jsonl(lines, folder / PREDICTIONS / f"{split}.jsonl")
    calibration = evaluations["dev"].calibration
    save_artefact(
        folder / "model",
        module.network,
        datamodule.tokenizer,
        info=module.info,
        backbone=datamodule.backbone,
        provenance={
            "run_id": result["run_id"],
            "dataset": {
                "name": datamodule.spec.name,
                "title": datamodule.spec.title,
                "licence": datamodule.spec.licence,
            },
            "seed": result["seed"],
            "dev_f1": result["dev"]["f1"],
            "test_f1": result["test"]["f1"] if result["test"] else None,
            "unit": datamodule.spec.unit,
            "versions": result["versions"],
            "git_commit": result["git_commit"],
            "parents": result["parents"],
        },
        temperature=calibration.temperature if calibration else 1.0,
    )


def report(config: DictConfig, logger: Logger | None, result: dict[str, Any], dev: Evaluation, folder: Path) -> None:
    """Tell W&B (errors, corpus, model, final numbers) and the person at the terminal."""
    rows = (
        row
        for gold, found in zip(dev.gold, dev.predicted, strict=True)
        for row in error_rows(gold, gold.with_spans(found))
    )
    log_errors_table(logger, rows)
    data = result["data"]
    log_dataset(logger, name=result["dataset"], files=data["files"], metadata={"counts": data["counts"]})
    if config.logger.get("log_model"):
        metadata = {"dev_f1": result["dev"]["f1"], "dataset": result["dataset"], "backbone": result["backbone"]}
        log_artefact(
            logger,
            folder / "model",
            name=artefact_name(result["run_id"]),
            parents=[artefact_name(run, "encoder") for run in result["parents"]],
            metadata=metadata,
        )
    log_summary(logger, result)
    print_summary(result, dev, shown(folder), tracked=getattr(logger, "location", None))


def announce(
    config: DictConfig, datamodule: NerDataModule, module: NerModule, trainer: L.Trainer, folder: Path
) -> None:
    """Two lines that say what is about to happen, before it takes minutes."""
    if not trainer.is_global_zero:
        return
    params = module.network.num_parameters()
    counts = datamodule.describe()["counts"]["train"]
    print(
        f"{config.dataset.name}: {counts['documents']:,} documents, {counts['entities']:,} mentions of "
        f"{', '.join(module.info.types)}\n"
        f"{config.backbone.name}: {params['trainable']:,} of {params['total']:,} parameters trained "
        f"({params['trainable_percent']:.2f}%), {planned_length(trainer)}, {trainer.precision} on "
        f"{trainer.strategy.root_device.type}, in {shown(folder)}",
        flush=True,
    )


def shown(folder: Path) -> Path:
    """The folder as a user would type it: relative where it lies below the current one."""
    here = Path.cwd()
    return folder.relative_to(here) if folder.is_relative_to(here) else folder
