"""The commands' common frame: one app, errors as one paragraph, exit code 0 only when all went well.

main()      # the console script `openmed`
"""

from __future__ import annotations

import errno
import os
import sys

import typer

from openmed.cli.compare import compare
from openmed.cli.corpora import corpora_app
from openmed.cli.dashboard import dashboard
from openmed.cli.export import export
from openmed.cli.predict import predict
from openmed.cli.pretrain_text import app as pretrain_text
from openmed.cli.publish import publish
from openmed.cli.reproduce import reproduce
from openmed.cli.score import score
from openmed.cli.serve import serve
from openmed.errors import OpenMedError

TRACEBACK = "OPENMED_TRACEBACK"

app = typer.Typer(
    name="openmed",
    help="Biomedical named-entity taggers: use them, and look at the corpora they learn from. To train: train.py.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(predict)
app.command()(score)
app.command()(export)
app.command()(serve)
app.command()(publish)
app.command()(compare)
app.command()(dashboard)
app.command()(reproduce)
app.add_typer(corpora_app, name="corpora")
app.add_typer(pretrain_text, name="pretrain-text")


@app.callback(invoke_without_command=True)
def root(version: bool = typer.Option(False, "--version", help="Print the version and leave.")) -> None:
    """What stands before the command."""
    if version:
        import openmed

        print(openmed.__version__)
        raise typer.Exit()


def main() -> None:
    """Run the command line. `OPENMED_TRACEBACK=1` shows where an error was raised."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    try:
        app()
    except BrokenPipeError:  # `openmed ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except (OpenMedError, OSError) as error:
        if os.environ.get(TRACEBACK) == "1":
            raise
        print(f"error: {_paragraph(error)}", file=sys.stderr)
        sys.exit(1)


def _paragraph(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        where = f" ({error.filename})" if error.filename else ""
        return f"the disk is full{where}: free some space and run the command again."
    return str(error)
