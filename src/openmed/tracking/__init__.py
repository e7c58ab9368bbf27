"""Tracking: Weights & Biases runs that cannot harm a training, views of a tagger's errors, and facts on the machine.

Sits below `openmed.training`. wandb and Lightning are imported only when a logger is made. Every `log_*` function
takes any Lightning logger (or None) and does nothing unless it is ours, so callers need no `if`.

    logger = make_wandb_logger(project="openmed", name="ncbi-minilm-r16-lr1e-3-s1", save_dir=folder, ...)
"""

from openmed.tracking.environment import git_commit, hardware, versions
from openmed.tracking.errors_view import ErrorRow, error_rows, label_colour, render_html, render_rich
from openmed.tracking.records import (
    artefact_name,
    log_artefact,
    log_dataset,
    log_errors_table,
    log_summary,
    summary_metrics,
)
from openmed.tracking.wandb_run import find_run_id, finish, has_api_key, make_wandb_logger, resolve_mode, run_name

__all__ = [
    "ErrorRow",
    "artefact_name",
    "error_rows",
    "find_run_id",
    "finish",
    "git_commit",
    "hardware",
    "has_api_key",
    "label_colour",
    "log_artefact",
    "log_dataset",
    "log_errors_table",
    "log_summary",
    "make_wandb_logger",
    "render_html",
    "render_rich",
    "resolve_mode",
    "run_name",
    "summary_metrics",
    "versions",
]
