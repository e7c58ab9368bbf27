"""A dashboard as W&B's own saved workspace and report, by the package wandb-workspaces (extra `dashboards`).

urls = save(dashboard("openmed"))       # {"workspace": "https://...", "report": "https://..."}
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

from openmed.errors import ConfigError, RunError
from openmed.tracking.dashboard import LOG_SETTINGS, Dashboard, Panel
from openmed.tracking.service import first_line
from openmed.tracking.wandb_run import has_api_key

EXTRA = "pip install 'openmed-ner[dashboards]'"


def save(dashboard: Dashboard) -> dict[str, str]:
    """Save both; their addresses.

    Raises:
        ConfigError: the package or an API key is missing, or a name that W&B does not allow.
        RunError: W&B cannot be reached, or refuses.
    """
    packages()
    if not has_api_key():
        mend = "set WANDB_API_KEY or run `wandb login`; --dry-run needs neither key nor network"
        raise ConfigError("no W&B API key was found", mend=mend)
    try:
        entity = dashboard.entity or _default_entity()
        # The report first: it alone asks whether the project is there, so a mistyped one leaves nothing behind.
        report = to_report(dashboard, entity).save()
        workspace = to_workspace(dashboard, entity).save()
        return {"workspace": workspace.url, "report": report.url}
    except Exception as error:
        where = f"{dashboard.entity}/{dashboard.project}" if dashboard.entity else dashboard.project
        raise RunError(
            f"W&B did not take the dashboard of {where} ({first_line(error)})",
            mend="check the network, the key and that the project may be written to (--entity names its user or team)",
        ) from error


def packages() -> tuple[ModuleType, ModuleType]:
    """The modules for workspaces and for reports.

    Raises:
        ConfigError: wandb-workspaces is not installed.
    """
    try:
        import wandb_workspaces.reports.v2 as reports
        import wandb_workspaces.workspaces as workspaces
    except ImportError as error:
        raise ConfigError(f"wandb-workspaces cannot be imported ({error})", mend=EXTRA) from error
    return workspaces, reports


def to_workspace(dashboard: Dashboard, entity: str) -> Any:
    """A `wandb_workspaces.workspaces.Workspace`; nothing is sent."""
    workspaces, reports = packages()
    sections = [
        workspaces.Section(
            name=section.title,
            panels=[_panel(panel, reports) for panel in section.panels],
            is_open=True,
        )
        for section in dashboard.sections
    ]
    best_first = workspaces.Ordering(workspaces.Summary(dashboard.columns[0]), ascending=False)
    return workspaces.Workspace(
        entity=entity,
        project=dashboard.project,
        name=dashboard.title,
        sections=sections,
        runset_settings=workspaces.RunsetSettings(
            order=[best_first], pinned_columns=[f"summary:{name}" for name in dashboard.columns]
        ),
    )


def to_report(dashboard: Dashboard, entity: str) -> Any:
    """A `wandb_workspaces.reports.v2.Report`; nothing is sent."""
    _, reports = packages()
    blocks: list[Any] = [reports.TableOfContents()]
    for section in dashboard.sections:
        runs = reports.Runset(entity=entity, project=dashboard.project)
        panels = [_panel(panel, reports) for panel in section.panels]
        blocks += [reports.H2(section.title), reports.P(section.note), reports.PanelGrid(runsets=[runs], panels=panels)]
    return reports.Report(entity=entity, project=dashboard.project, title=dashboard.title, blocks=blocks)


def _panel(panel: Panel, reports: ModuleType) -> Any:
    metrics = list(panel.metrics)
    if panel.kind == "comparer":
        return reports.RunComparer(diff_only="split")
    if panel.kind == "bars":
        return reports.BarPlot(title=panel.title, metrics=metrics)
    if panel.kind == "importance":
        return reports.ParameterImportancePlot(with_respect_to=metrics[0])
    if panel.kind == "table":
        return reports.WeavePanelSummaryTable(table_name=metrics[0])
    if panel.kind == "parallel":
        settings = [(name, reports.Config(name)) for name in panel.settings]
        axes = [*settings, *((name, reports.SummaryMetric(name)) for name in metrics)]
        columns = [
            reports.ParallelCoordinatesPlotColumn(axis, display_name=name, log=True if name in LOG_SETTINGS else None)
            for name, axis in axes
        ]
        return reports.ParallelCoordinatesPlot(title=panel.title, columns=columns)
    if panel.pattern is not None:
        return reports.LinePlot(title=panel.title, x=panel.x, metric_regex=panel.pattern)
    return reports.LinePlot(title=panel.title, x=panel.x, y=metrics)


def _default_entity() -> str:
    import wandb

    entity = wandb.Api().default_entity
    assert entity is not None, "an account has a default entity"
    return entity
