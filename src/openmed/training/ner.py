"""The task `ner`: train a tagger, score it, save it.

train_tagger(context)       # -> dev F1; everything else is in the run folder
"""

from __future__ import annotations

import lightning as L

from openmed.analysis.report.terminal import print_sections
from openmed.corpora.spec import ALL_VIEWS
from openmed.data import NerDataModule
from openmed.modules import NerModule
from openmed.training.build import build_datamodule, build_module, build_trainer, resolve_precision
from openmed.training.callbacks import f1_line
from openmed.training.clean import add_clean_scores
from openmed.training.context import RunContext, fit, load_best, train_facts
from openmed.training.evaluate import Evaluation, collect
from openmed.training.first_look import first_look, is_own
from openmed.training.outputs import announce, report, write_outputs
from openmed.training.raw import add_raw_views
from openmed.training.result import write_result


def train_tagger(context: RunContext) -> float:
    """Fit, take the best checkpoint, score dev (and test, if asked), save the model, tell everyone.

    Returns:
        dev F1 in the corpus's own unit.
    """
    config, folder, result = context.config, context.folder, context.result
    precision = resolve_precision(config)
    datamodule = build_datamodule(config)
    datamodule.prepare_data()
    datamodule.setup("fit")
    if config.test:
        datamodule.setup("test")  # what is wrong with it is better told before training than after
    module = build_module(config, datamodule, precision=precision)
    trainer, throughput = build_trainer(
        config, folder, context.logger, datamodule, precision=precision, dev_line=f1_line
    )
    if is_own(datamodule.spec) and trainer.is_global_zero:
        print_sections([first_look(datamodule)])
    announce(config, datamodule, module, trainer, folder)
    fit(context, trainer, module, datamodule)

    result["params"] = module.network.num_parameters()
    result["train"] = train_facts(trainer, throughput)
    evaluations = _evaluate(trainer, module, datamodule, test=config.test)
    result |= {split: evaluation.as_dict() for split, evaluation in evaluations.items()}
    result |= {"data": datamodule.describe(), "status": "finished"}
    if trainer.is_global_zero:
        write_outputs(folder, result, evaluations, module, datamodule)
        add_clean_scores(result, evaluations, datamodule)
        if config.get("views", ALL_VIEWS) == ALL_VIEWS:
            add_raw_views(result, folder / "model", datamodule.spec)
        result["energy"] = context.meter.stop()
        write_result(folder, result)
        report(config, context.logger, result, evaluations["dev"], folder)
    trainer.strategy.barrier()
    return result["dev"]["f1"]


def _evaluate(trainer: L.Trainer, module: NerModule, datamodule: NerDataModule, *, test: bool) -> dict[str, Evaluation]:
    """Score dev (and test, if asked) with the best checkpoint; dev not again where it was the last thing scored."""
    best_step = load_best(trainer, module)
    if module.scored_at != best_step:
        trainer.validate(module, datamodule, verbose=False)
    evaluations = {"dev": collect(module, trainer.val_dataloaders)}  # pyright: ignore[reportArgumentType]
    if test:
        trainer.test(module, datamodule, verbose=False)
        evaluations["test"] = collect(
            module,
            trainer.test_dataloaders,  # pyright: ignore[reportArgumentType]
            dev=evaluations["dev"],
        )
    return evaluations
