"""The command line, called in this process as a shell would call it."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest
from transformers.utils import logging

from openmed.cli import main


class Result(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


Command = Callable[..., Result]


@pytest.fixture
def openmed(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[Command]:
    """`openmed("corpora", "list")` runs `openmed corpora list`; `stdin=b"..."` is piped in."""

    logging.disable_progress_bar()  # as the two variables below do, for a process of its own

    def run(*arguments: object, stdin: bytes = b"") -> Result:
        monkeypatch.setenv("TRANSFORMERS_VERBOSITY", "error")  # `main` would set both for the tests after this one
        monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")
        monkeypatch.setenv("COLUMNS", "200")
        monkeypatch.setattr(sys, "argv", ["openmed", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8"))
        capfd.readouterr()
        with pytest.raises(SystemExit) as left:
            main()
        out, err = capfd.readouterr()
        return Result(int(left.value.code or 0), out, err)

    yield run
    logging.enable_progress_bar()
