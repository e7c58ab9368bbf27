"""`openmed corpora stats NAME`: what is in a corpus, as tables, for machines, or as a page to read.

openmed corpora stats ncbi --html ncbi.html
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from openmed.errors import DataError


def stats(
    name: Annotated[str, typer.Argument(help="as in dataset=NAME", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="for machines")] = False,
    html: Annotated[
        Path | None, typer.Option(help="also write a page with plots and the frequent mentions to this new file")
    ] = None,
) -> None:
    """Count a corpus: documents, sentences, words, entities per type and split, lengths, and what reading it lost."""
    from openmed.analysis.report.page import write_page
    from openmed.analysis.report.terminal import print_sections
    from openmed.analysis.stats import full_report, overview, profile_corpus, profile_json

    if html is not None and html.exists():
        raise DataError("there is something here already", path=html, mend="choose another --html, or delete it")
    profile = profile_corpus(name)
    if html is not None and profile.splits:
        write_page(html, profile.spec.title or name, f"{name}. Licence: {profile.spec.licence}", full_report(profile))
    if as_json:
        print(json.dumps(profile_json(profile), ensure_ascii=False))
    else:
        print_sections(overview(profile))
        if html is not None and profile.splits:
            print(html)
    profile.check()
