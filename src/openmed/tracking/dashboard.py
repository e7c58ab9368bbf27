"""What a W&B dashboard of a project shows: a plain specification, without W&B, to look at and to test.

specification = dashboard("openmed")
specification.as_dict()                 # `openmed dashboard openmed --dry-run`
save(specification)                     # openmed.tracking.workspaces: a saved workspace and a report
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from openmed.metrics.names import (
    DEV_F1,
    DEV_LOSS,
    TRAIN_LOSS,
    TRAIN_LR,
    TRAIN_TOKENS,
    TRAIN_TOKENS_PER_SECOND,
    score_name,
)
from openmed.tracking.axes import EPOCH
from openmed.tracking.records import CONFUSION_TABLE, ERRORS

Kind = Literal["comparer", "bars", "lines", "parallel", "importance", "table"]

SEARCHED = ("backbone.name", "lora.rank", "optim.lr")
"""Settings on the axes of the parallel coordinates."""

LOG_SETTINGS = ("optim.lr",)
LEADERBOARD = (DEV_F1, "test/f1", "params/trainable_percent", TRAIN_TOKENS_PER_SECOND)
"""Columns of the table of runs beside their names; the runs stand in the order of the first."""


@dataclass(frozen=True)
class Panel:
    """One picture or table.

    Attributes:
        kind: comparer (settings of runs side by side), bars (a bar a run, last or best value), lines (a line a run),
            parallel (coordinates: `settings`, then the first metric), importance (of all settings for the first
            metric), table (a logged table of the chosen runs).
        metrics: names as runs log them.
        pattern: in the place of metrics, a regular expression over their names (of lines).
        x: the metric that lines are drawn over.
        settings: names in the configuration.
    """

    kind: Kind
    title: str
    metrics: tuple[str, ...] = ()
    pattern: str | None = None
    x: str | None = None
    settings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Section:
    """A heading, how to read it, and the panels under it."""

    title: str
    note: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Dashboard:
    """The whole.

    Attributes:
        entity: W&B's user or team; None is the account's default.
        columns: of the table of runs, sorted by the first, best first.
    """

    project: str
    entity: str | None
    title: str
    columns: tuple[str, ...]
    sections: tuple[Section, ...]

    def as_dict(self) -> dict[str, Any]:
        """JSON-like; what a panel does not have is left out."""
        content = asdict(self)
        for section in content["sections"]:
            section["panels"] = [{key: value for key, value in panel.items() if value} for panel in section["panels"]]
        return content


def dashboard(project: str, entity: str | None = None) -> Dashboard:
    """The dashboard of a project of taggers."""
    sections = (_leaderboard(), _scores(), _search(), _types(), _training(), _errors())
    return Dashboard(project, entity, f"openmed: {project}", LEADERBOARD, sections)


def _leaderboard() -> Section:
    panels = (
        Panel("bars", "Dev F1", metrics=(DEV_F1,)),
        Panel("comparer", "What the runs differ in"),
    )
    note = (
        "Dev F1 of finished runs is that of the best checkpoint. Whether a difference is real says `openmed compare`: "
        "seeds alone make a point or so."
    )
    return Section("Leaderboard", note, panels)


def _scores() -> Section:
    views = tuple(score_name("dev", "f1", view) for view in ("sentences", "documents"))
    panels = (
        Panel("lines", "Dev F1 over epochs", metrics=(DEV_F1,), x=EPOCH),
        Panel("lines", "Dev F1 over text pieces seen", metrics=(DEV_F1,), x=TRAIN_TOKENS),
        Panel("lines", "Dev F1 of single sentences and of whole documents", metrics=views, x=EPOCH),
    )
    return Section("Scores on dev", "Exact, typed spans; in the corpus's own unit where no view is named.", panels)


def _search() -> Section:
    panels = (
        Panel("parallel", "Settings and dev F1", metrics=(DEV_F1,), settings=SEARCHED),
        Panel("importance", "Which settings matter", metrics=(DEV_F1,)),
    )
    return Section("Search", "Choose one corpus, or one sweep (group), in the table of runs first.", panels)


def _types() -> Section:
    panels = (Panel("lines", "Dev F1 of each type", pattern=f"^{score_name('dev', 'f1')}/.+$", x=EPOCH),)
    return Section("Types", "A line for each entity type of each run.", panels)


def _training() -> Section:
    panels = (
        Panel("lines", "Training loss", metrics=(TRAIN_LOSS,), x=TRAIN_TOKENS),
        Panel("lines", "Dev loss", metrics=(DEV_LOSS,), x=EPOCH),
        Panel("lines", "Learning rate", metrics=(TRAIN_LR,), x=TRAIN_TOKENS),
        Panel("lines", "Text pieces a second, so far", metrics=(TRAIN_TOKENS_PER_SECOND,), x=TRAIN_TOKENS),
        Panel("bars", "Text pieces a second, whole run", metrics=(TRAIN_TOKENS_PER_SECOND,)),
    )
    return Section(
        "Training and throughput", "Pieces are the tokenizer's, padding left out; evaluation is not timed.", panels
    )


def _errors() -> Section:
    panels = (
        Panel("table", "Errors on dev: underlined is gold, shaded is predicted", metrics=(ERRORS,)),
        Panel("table", "Types that errors confuse", metrics=(CONFUSION_TABLE,)),
    )
    note = "Of equal types the boundaries are wrong; (nothing) stands beside what is missed or spurious."
    return Section("Errors", note, panels)
