"""`openmed compare RUN...`: which settings are better, whether that is more than chance, and where each errs.

openmed compare outputs/multirun/2026-01-01_12-00-00
openmed compare outputs/ncbi/seed1 outputs/ncbi/seed2 --split dev --csv leaderboard.csv
"""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

PAGE = "compare.html"


class Split(StrEnum):
    """What can be compared on."""

    DEV = "dev"
    TEST = "test"


def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="run folders, or folders above them")],
    split: Annotated[
        Split | None, typer.Option(help="dev or test; test where all runs have it, else dev", show_default=False)
    ] = None,
    baseline: Annotated[
        str | None, typer.Option(help="what the others are tested against: a setting's label or a run; the best")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help=f"the page, FILE.html or a folder; {PAGE} in the one RUN told, else here")
    ] = None,
    csv: Annotated[Path | None, typer.Option(help="write the leaderboard there, too")] = None,
    markdown: Annotated[Path | None, typer.Option(help="write the whole report there, too")] = None,
    resamples: Annotated[int, typer.Option(help="of the test and of the intervals")] = 10_000,
    as_json: Annotated[bool, typer.Option("--json", help="for machines")] = False,
) -> None:
    """Leaderboard over seeds, tests of the differences, kinds of mistakes, and a page with pictures.

    Runs that differ in their seed alone are one setting. Files of an earlier comparison are replaced.
    """
    from openmed.analysis.compare import as_json as json_of
    from openmed.analysis.compare import compare_runs, full_report, overview, write_csv
    from openmed.analysis.report.markdown import to_markdown
    from openmed.analysis.report.page import write_page
    from openmed.analysis.report.terminal import print_sections
    from openmed.writers.atomic import atomic_path

    comparison = compare_runs(runs, split=split, baseline=baseline, num_resamples=resamples)
    title, subtitle, sections = full_report(comparison)
    page = _page_path(runs, out)
    write_page(page, title, subtitle, sections)
    if csv is not None:
        write_csv(comparison, csv)
    if markdown is not None:
        with atomic_path(markdown) as temporary:
            temporary.write_text(to_markdown(title, sections), encoding="utf-8")
    if as_json:
        print(json.dumps({**json_of(comparison), "page": str(page)}, ensure_ascii=False))
    else:
        print_sections(overview(comparison))
        print(f"\n{page}")


def _page_path(runs: list[Path], out: Path | None) -> Path:
    if out is None:
        return runs[0] / PAGE if len(runs) == 1 else Path(PAGE)
    return out if out.suffix == ".html" else out / PAGE
