"""What is written to W&B besides the curves: the errors, the final scores, the corpus's hashes and the artefact.

Each function takes any Lightning logger or None and does nothing unless it is a `SafeWandbLogger`; none of them
waits for W&B or raises for its sake.

    log_summary(logger, result)
    log_artefact(logger, folder / "model", name=artefact_name(run_id), parents=[artefact_name(parent_id)])
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from openmed.tracking.errors_view import ErrorRow
from openmed.tracking.service import staging_beside

if TYPE_CHECKING:
    import wandb
    from lightning.pytorch.loggers import Logger

SECTIONS = ("dev", "test", "params", "train", "energy")
"""The parts of result.json whose numbers go into the summary."""

COLUMNS = ("document", "kind", "gold", "gold type", "predicted", "predicted type", "score", "text")

ERRORS = "dev/errors"
CONFUSION = "dev/confusion"
CONFUSION_TABLE = f"{CONFUSION}_table"
"""The numbers behind the chart `CONFUSION`, under the name that W&B gives them."""

CONFUSION_COLUMNS = ("gold type", "predicted type", "mentions")
NOTHING = "(nothing)"
"""Stands for the type of what is missed or spurious."""


def log_summary(logger: Logger | None, result: Mapping[str, Any]) -> None:
    """Writes status and final numbers as the run's summary; call it last, since later steps overwrite equal names."""
    summary = {"status": result["status"], **summary_metrics(result)}
    _submit(logger, lambda run: run.summary.update(summary))


def summary_metrics(result: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of result.json by path.

    >>> summary_metrics({"dev": {"f1": 0.8, "per_type": {"Disease": {"f1": 0.8}}}, "test": None})
    {'dev/f1': 0.8, 'dev/per_type/Disease/f1': 0.8}
    """
    return dict(pair for section in SECTIONS for pair in _numbers(section, result.get(section)))


def log_errors_table(logger: Logger | None, rows: Iterable[ErrorRow], *, max_rows: int = 200) -> None:
    """Logs the first `max_rows` errors as a table with marked-up text, and which types all of them confuse."""
    if not callable(getattr(logger, "submit", None)):
        return
    errors = list(rows)
    confused: list[Any] = [[*types, number] for types, number in sorted(confused_types(errors).items())]

    def log(run: wandb.Run) -> None:
        import wandb

        table = wandb.Table(columns=list(COLUMNS), data=[_cells(row) for row in errors[:max_rows]])
        gold, predicted, mentions = CONFUSION_COLUMNS
        chart = wandb.plot_table(
            "wandb/confusion_matrix/v1",
            wandb.Table(columns=list(CONFUSION_COLUMNS), data=confused),
            {"Actual": gold, "Predicted": predicted, "nPredictions": mentions},
            {"title": "types of the errors on dev; on the diagonal: wrong boundaries"},
        )
        with staging_beside(run):
            run.log({ERRORS: table, CONFUSION: chart})

    _submit(logger, log)


def confused_types(rows: Iterable[ErrorRow]) -> Counter[tuple[str, str]]:
    """How many errors have which gold and which predicted type, one of them `NOTHING` for what is missed or spurious.

    Of equal types both are right, and the boundaries wrong.
    """
    return Counter(
        (row.gold.label if row.gold else NOTHING, row.predicted.label if row.predicted else NOTHING) for row in rows
    )


def log_dataset(
    logger: Logger | None, *, name: str, files: Mapping[str, str], metadata: Mapping[str, Any] | None = None
) -> None:
    """Records which corpus the run read, as an input artefact of type `dataset`: paths and hashes, never its text.

    Args:
        name: the corpus.
        files: hash by path, as in result.json.
        metadata: counts, licence and the like.
    """
    hashes = {str(path): str(files[path]) for path in sorted(files, key=str)}
    described = {**(metadata or {}), "files": hashes}

    def log(run: wandb.Run) -> None:
        import wandb

        run.config.update({"data": {"name": name, "files": hashes}}, allow_val_change=True)
        artefact = wandb.Artifact(_valid(name), type="dataset", metadata=described)
        with staging_beside(run):
            with artefact.new_file("files.json") as file:
                file.write(json.dumps(hashes, indent=1))
            # The public use_artifact refuses to work offline and waits for the upload online; this call is what it
            # makes itself, and `wandb sync` honours it.
            run._log_artifact(artefact, use_after_commit=True, is_user_created=True)

    _submit(logger, log)


def log_artefact(
    logger: Logger | None,
    folder: str | os.PathLike[str],
    *,
    name: str,
    type: str = "model",
    parents: Sequence[str] = (),
    metadata: Mapping[str, Any] | None = None,
) -> None:
    """Logs a finished folder as an output of the run, and what it was made from.

    The files are uploaded from where they lie, uncopied: neither change nor delete them before the upload. Offline a
    parent cannot be linked (W&B would have to look it up), so the names are also kept in `metadata` and `config`.

    Args:
        folder: such as `model/`.
        name: see `artefact_name`.
        parents: artefacts it was made from, as `name` or `name:alias`, possibly with `entity/project/` before.
        metadata: plain data shown beside it.
    """
    described = {**(metadata or {}), "parents": list(parents)}

    def log(run: wandb.Run) -> None:
        import wandb

        if parents:
            run.config.update({"parents": list(parents)}, allow_val_change=True)
        for parent in parents if not run.offline else ():
            # A parent that was never uploaded is no reason to lose the child.
            with contextlib.suppress(Exception):
                run.use_artifact(parent if ":" in parent else f"{parent}:latest")
        artefact = wandb.Artifact(_valid(name), type=type, metadata=described)
        with staging_beside(run):
            artefact.add_dir(os.fspath(folder), policy="immutable", skip_cache=True)
            run.log_artifact(artefact)

    _submit(logger, log)


def artefact_name(run_id: str, type: str = "model") -> str:
    """The name under which a run's artefact is logged, so that a child knows its parent's from the run id alone."""
    return _valid(f"{type}-{run_id}")


def _submit(logger: Logger | None, task: Any) -> None:
    submit = getattr(logger, "submit", None)
    if callable(submit):
        submit(task)


def _cells(row: ErrorRow) -> list[Any]:
    import wandb

    gold, predicted = row.gold, row.predicted
    return [
        row.document_id,
        str(row.kind),
        row.mention(gold),
        gold.label if gold else "",
        row.mention(predicted),
        predicted.label if predicted else "",
        predicted.score if predicted else None,
        wandb.Html(row.html(), inject=False, data_is_not_path=True),
    ]


def _numbers(path: str, value: Any) -> Iterator[tuple[str, float]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _numbers(f"{path}/{key}", inner)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield path, value


def _valid(name: str) -> str:
    """W&B allows letters, digits, dash, underscore and dot, up to 128 of them."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", name)[:128]
