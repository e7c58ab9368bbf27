"""`openmed reproduce [PLAN]`: a whole plan of runs, resumable, that ends in tables.

openmed reproduce dapt-effect --plan        # what it would do, and what is done
openmed reproduce dapt-effect               # do it; broken off, the same command goes on
openmed reproduce paper --table             # the paper's table and ours, as far as it was run
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from openmed.errors import ConfigError

if TYPE_CHECKING:
    from openmed.analysis.report.blocks import Section
    from openmed.reproduce import Plan

DEFAULT = "paper"
_BACKBONES = (
    "others than the plan's, with commas between. Each needs text packed for its own tokenizer: without it nothing is "
    "run, and the error 'no text is packed for backbone=NAME' gives the command that packs it; text that another "
    "tokenizer packed is refused as 'packed by another tokenizer'"
)


def reproduce(
    plan: Annotated[str, typer.Argument(metavar="PLAN", help="of conf/reproduce, or a YAML")] = DEFAULT,
    show_plan: Annotated[bool, typer.Option("--plan", help="only say what there is to do")] = False,
    table: Annotated[bool, typer.Option("--table", help="only show the tables of what is done")] = False,
    backbones: Annotated[str | None, typer.Option(help=_BACKBONES)] = None,
    corpora: Annotated[str | None, typer.Option(help="others than the plan's, with commas between")] = None,
    encoders: Annotated[str | None, typer.Option(help="some of the plan's, beside its baseline")] = None,
    seeds: Annotated[int | None, typer.Option(help="seeds 1 to this")] = None,
    out: Annotated[Path | None, typer.Option(help="folder of the runs; outputs/reproduce/PLAN")] = None,
    results: Annotated[Path | None, typer.Option(help="file of the outcomes; OUT/results.json")] = None,
    markdown: Annotated[Path | None, typer.Option(help="write the tables there, too")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="for machines")] = False,
) -> None:
    """Pre-train encoders, train taggers on them, compare; skip what is done already.

    A corpus that is not at hand keeps the others from nothing: its runs are left out, named, and the exit code is 1.
    Ctrl-C and SIGTERM let the training save and leave (a second one at once); the same command goes on.
    """
    from openmed.reproduce import Plan, carry_out, cell_keys, read_results, tables
    from openmed.reproduce.keys import Lack, is_done, told
    from openmed.reproduce.results import with_unchecked

    wanted = _changed(Plan.read(plan), backbones, corpora, encoders, seeds)
    given = {"backbones": backbones, "corpora": corpora, "encoders": encoders, "seeds": seeds}
    given |= {"out": out, "results": results, "markdown": markdown}
    out = out or Path("outputs") / "reproduce" / wanted.name
    place = results or out / "results.json"
    if show_plan:
        _show_plan(wanted, out, place, as_json=as_json)
        return
    outcomes: dict[str, Any] = {}
    lacking: dict[str, Lack] = {}
    if not table:
        outcomes = carry_out(wanted, out, results=place, tell=_tell, lacking=lacking)
    found = read_results(place)
    command = _command(plan, given)
    if wanted.reported:
        answer, sections = _paper(wanted, plan, found)
        command += " --table" if table else ""
    else:
        if table:
            keys = cell_keys(wanted, lacking=lacking)
            outcomes = {name: found[name] for name in keys if is_done(found, name, keys)}
        answer, unchecked = with_unchecked(outcomes, found, lacking)
        sections = tables(wanted, answer, {name: lack for name, lack in lacking.items() if name not in answer})
        sections += [_not_checked(unchecked)] if unchecked else []
    _show(wanted, sections, answer, command, markdown=markdown, as_json=as_json)
    if not table and (error := told(lacking)):
        raise error


def _tell(line: str) -> None:
    """Progress, on standard error: what is asked for is on the other."""
    print(line, file=sys.stderr, flush=True)


def _changed(plan: Plan, backbones: str | None, corpora: str | None, encoders: str | None, seeds: int | None) -> Plan:
    changes: dict[str, Any] = {}
    for name, value in (("backbones", backbones), ("corpora", corpora)):
        if value is not None:
            changes[name] = _names(value)
    if encoders is not None:
        plan = plan.of_encoders(_names(encoders))
    if seeds is not None:
        if seeds < 1:
            raise ConfigError(f"--seeds {seeds} is no number of seeds", mend="--seeds 3 takes the seeds 1, 2 and 3")
        changes["seeds"] = tuple(range(1, seeds + 1))
    return replace(plan, **changes)


def _names(value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(","))


def _show_plan(plan: Plan, out: Path, place: Path, *, as_json: bool) -> None:
    """Each cell, whether it is done or done again for its encoder, and what it took, or what its like took."""
    from rich.console import Console
    from rich.table import Table

    from openmed.reproduce.forecast import forecast
    from openmed.reproduce.keys import Lack, cell_keys, told
    from openmed.reproduce.results import read_results
    from openmed.reproduce.run import to_do

    lacking: dict[str, Lack] = {}
    done, keys = read_results(place), cell_keys(plan, lacking=lacking)
    again = {cell.name: again for cell, again in to_do(plan, done, keys, out)}
    rows = [
        {
            "cell": name,
            "done": name not in lacking and name not in again,
            "again": again.get(name, False),
            "lacking": lacking[name].state if name in lacking else None,
            "seconds": seconds,
        }
        for name, seconds in forecast(plan, done, keys).items()
    ]
    if as_json:
        print(json.dumps(rows))
        return
    table = Table("run", "state", "minutes", title=f"{plan.name}: {len(rows)} runs", title_justify="left")
    for row in rows:
        minutes = "?" if row["seconds"] is None else f"{row['seconds'] / 60:.1f}"
        state = "open: its encoder is gone" if row["again"] else "open"
        table.add_row(row["cell"], "done" if row["done"] else row["lacking"] or state, minutes)
    console = Console()
    console.print(table)
    if error := told(lacking):
        console.print(str(error), markup=False, soft_wrap=True)
    still = [row["seconds"] for row in rows if not (row["done"] or row["lacking"])]
    known = [value for value in still if value is not None]
    if not still:
        console.print("nothing else is open" if lacking else "nothing is open")
    elif not known:
        console.print(f"{len(still)} open; what they take is told as soon as the first of each kind is done")
    else:
        rest = len(still) - len(known)
        unknown = f", and {rest} runs whose like has not been done" if rest else ""
        console.print(f"{len(still)} open: about {sum(known) / 60:.0f} minutes{unknown}")


def _command(plan: str, given: Mapping[str, Any]) -> str:
    """What does the same again, as it is typed."""
    options = [f"--{name}={value}" for name, value in given.items() if value is not None]
    return shlex.join(["openmed", "reproduce", plan, *options])


def _paper(plan: Plan, name: str, found: Mapping[str, Any]) -> tuple[list[dict[str, Any]], list[Section]]:
    from openmed.reproduce.paper import check, paper_rows, paper_sections

    rows = paper_rows(plan, check(plan, dict(found)))
    return [asdict(row) for row in rows], paper_sections(plan, rows, name)


def _not_checked(names: Sequence[str]) -> Section:
    from openmed.analysis.report.blocks import Prose, Section

    what = (
        f"{len(names)} of the runs above stand as the results file has them. What they read is not at hand here, so "
        f"nobody has looked whether it is what the plan says: {', '.join(names)}."
    )
    return Section("Not checked", [Prose(what)])


def _show(
    plan: Plan, sections: list[Section], answer: Any, command: str, *, markdown: Path | None, as_json: bool
) -> None:
    from openmed.analysis.report.markdown import to_markdown
    from openmed.analysis.report.terminal import print_sections

    if markdown is not None:
        title, _, rest = to_markdown(plan.title or plan.name, sections).partition("\n\n")
        markdown.parent.mkdir(parents=True, exist_ok=True)
        markdown.write_text(f"{title}\n\n    {command}\n\n{rest}", encoding="utf-8")
    if as_json:
        print(json.dumps(answer))
    else:
        print_sections(sections)
