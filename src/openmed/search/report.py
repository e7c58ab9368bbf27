"""What a TPE search found: `report.html` in its folder, and its space and best trial in W&B.

write_report(sweep, study)
track(sweep, study, config)
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import optuna
from omegaconf import DictConfig
from optuna.trial import FrozenTrial, TrialState

from openmed.analysis.report.blocks import Block, Prose, Section, Table
from openmed.analysis.report.page import write_page
from openmed.analysis.report.plots import bars
from openmed.search.plots import Line, course, parallel_coordinates
from openmed.search.state import Sweep
from openmed.search.summary import errors, jobs_table
from openmed.tracking import finish, make_wandb_logger

REPORT = "report.html"
FEWEST = 4
"""Importances of fewer trials would be chance."""


def write_report(sweep: Sweep, study: optuna.Study) -> Path:
    """Write the page; returns its place."""
    place = sweep.folder / REPORT
    sections = [
        Section("Best trial", [_best(study)]),
        Section("Course", _pictures(sweep, study)),
        Section("Importance", [_importances(study)]),
        Section("Trials", [jobs_table(sweep), *errors(sweep)]),
    ]
    write_page(place, f"Search {sweep.folder.name}", " ".join(sweep.arguments), sections)
    return place


def track(sweep: Sweep, study: optuna.Study, config: DictConfig) -> None:
    """The search as a W&B run of its own, in the group of its trials."""
    if config.logger.kind != "wandb":
        return
    logger = make_wandb_logger(
        project=config.logger.project,
        name=f"search-{sweep.folder.name}",
        group=config.logger.group or sweep.folder.name,
        tags=["search", config.dataset.name],
        job_type="search",
        save_dir=sweep.folder,
        config={"search": sweep.search, "arguments": sweep.arguments},
        mode=config.logger.mode,
        entity=config.logger.entity,
        resume="allow",
    )
    summary = best_summary(study)
    submit = getattr(logger, "submit", None)
    if callable(submit):
        submit(lambda run: run.summary.update(summary))
    finish(logger, failed=False)


def best_summary(study: optuna.Study) -> dict[str, Any]:
    """`search/best/...` and how many trials ended how."""
    found: dict[str, Any] = {
        f"search/{state.name.lower()}": sum(trial.state == state for trial in study.trials)
        for state in (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
    }
    if found["search/complete"]:
        best = study.best_trial
        found |= {"search/best/f1": best.value, "search/best/trial": best.number}
        found |= {f"search/best/{key}": value for key, value in best.params.items()}
    return found


def importances(study: optuna.Study) -> dict[str, float]:
    """Share of the variation of dev F1 that each setting explains (fANOVA); empty of too few or all equal trials."""
    done = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(done) < FEWEST or len({trial.value for trial in done}) < 2:
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
        return optuna.importance.get_param_importances(study, evaluator=evaluator)


def _best(study: optuna.Study) -> Block:
    if not study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
        return Prose("No trial was trained to its end.")
    best = study.best_trial
    rows = [[key, value if isinstance(value, str) else f"{value:.6g}"] for key, value in best.params.items()]
    assert best.value is not None
    note = "Chosen by dev F1 among all trials, so a little too good; only a test split tells how good."
    return Table(["setting", "value"], rows, title=f"Trial {best.number}: dev F1 {100 * best.value:.2f} %", note=note)


def _pictures(sweep: Sweep, study: optuna.Study) -> list[Block]:
    scores = [(trial, score) for trial in study.trials if (score := _score(trial)) is not None]
    space = sweep.search["space"]
    keys = list(space)
    points = [(trial.number, score, trial.state == TrialState.PRUNED) for trial, score in scores]
    lines = [
        Line([*(trial.params[key] for key in keys), score], trial.state == TrialState.PRUNED) for trial, score in scores
    ]
    log = [*(bool(space[key].get("log")) for key in keys), False]
    note = "Crosses were stopped early and show their best epoch; the line is the best so far."
    across = "One line a trial; dotted ones were stopped early. The higher the dev F1, the stronger the line."
    return [course(points, note), parallel_coordinates([*keys, "dev F1 (%)"], log, lines, across)]


def _score(trial: FrozenTrial) -> float | None:
    """Dev F1 in percent, of the best epoch where the trial was stopped."""
    if trial.state == TrialState.COMPLETE:
        assert trial.value is not None
        return 100 * trial.value
    if trial.state == TrialState.PRUNED and trial.intermediate_values:
        return 100 * max(trial.intermediate_values.values())
    return None


def _importances(study: optuna.Study) -> Block:
    found = importances(study)
    if not found:
        return Prose(f"Needs {FEWEST} trials trained to their end, with different scores.")
    shares = {"share": [100 * value for value in found.values()]}
    note = "fANOVA over the trials that were trained to their end; of a few dozen trials it is a hint, no proof."
    return bars(list(found), shares, "Importance of the settings", "% of the variation of dev F1", note)
