"""`openmed dashboard PROJECT`: a saved W&B workspace and report of a project's runs.

openmed dashboard openmed --dry-run         # what it would show, as JSON, without network
openmed dashboard openmed --entity my-team
"""

from __future__ import annotations

import json
from typing import Annotated

import typer


def dashboard(
    project: Annotated[str, typer.Argument(help="W&B's project, as logger.project of the runs")],
    entity: Annotated[str | None, typer.Option(help="W&B's user or team; the account's default")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only print the specification, as JSON")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="for machines")] = False,
) -> None:
    """Leaderboard, dev F1 over epochs and text, settings that matter, types, throughput and errors, saved in W&B.

    Each call saves a new workspace and a new report. Without an account, see `openmed compare`.
    """
    from openmed.tracking.dashboard import dashboard as specify

    specification = specify(project, entity)
    if dry_run:
        print(json.dumps(specification.as_dict(), indent=None if as_json else 1))
        return
    from openmed.tracking.workspaces import save

    addresses = save(specification)
    if as_json:
        print(json.dumps(addresses))
    else:
        for name, address in addresses.items():
            print(f"{name:10} {address}")
