"""A training as a child: it gets each signal once and is waited for, and holds the folder when nobody does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from openmed.errors import RunError
from openmed.reproduce import process
from openmed.reproduce.process import claimed, run_child

CHILD = """
import os, signal, sys, time
got = []
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda number, frame: got.append(number))
print("ready", os.getpid(), flush=True)
while not got:
    time.sleep(0.01)
time.sleep(0.5)
print("saved after", *got, flush=True)
sys.exit(128 + got[0])
"""
COMMAND = """
import sys
from pathlib import Path
from openmed.reproduce.process import claimed, run_child
with claimed(Path(sys.argv[1])) as claim:
    run_child([sys.executable, "-c", sys.argv[2]], Path(sys.argv[1]) / "log", claim, tell=print)
"""


def wait_for(log: Path, text: str) -> None:
    end = time.monotonic() + 60
    while not log.is_file() or text not in log.read_text():
        assert time.monotonic() < end, f"no {text!r} in {log}"
        time.sleep(0.02)


@contextmanager
def at_work(out: Path) -> Iterator[subprocess.Popen[str]]:
    """A command that leads a process group, as one of a terminal's does; its child is ready."""
    command = [sys.executable, "-c", COMMAND, str(out), CHILD]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, process_group=0) as started:
        try:
            wait_for(out / "log", "ready")
            yield started
        finally:
            started.kill()


def test_output_and_status_are_those_of_the_child(tmp_path):
    """What is sent to all of its parent's group, such as Ctrl-C, does not reach it by itself."""
    (tmp_path / "log").write_text("before\n")
    handlers = [signal.getsignal(number) for number in process.SIGNALS]
    command = [
        sys.executable,
        "-c",
        "import os, sys; print(os.getpgrp() == os.getpid(), flush=True); sys.exit('failed')",
    ]
    assert run_child(command, tmp_path / "log", (), tell=print) == 1
    assert (tmp_path / "log").read_text().splitlines() == ["before", "True", "failed"]
    assert [signal.getsignal(number) for number in process.SIGNALS] == handlers


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("to_all", [False, True], ids=["to the command", "to its group"])
def test_a_signal_reaches_the_child_once_and_it_is_waited_for(tmp_path, number, to_all):
    """Ctrl-C in a terminal reaches the whole group."""
    with at_work(tmp_path) as started:
        (os.killpg if to_all else os.kill)(started.pid, number)
        told, _ = started.communicate(timeout=60)
    assert started.returncode == 128 + number
    assert (tmp_path / "log").read_text().splitlines()[1:] == [f"saved after {number:d}"]
    assert told.splitlines() == [
        f"{number.name}: the training saves and leaves; again: at once",
        "stopped; the same command goes on",
    ]


@pytest.mark.slow
def test_the_child_of_a_command_that_was_killed_holds_the_folder(tmp_path):
    with at_work(tmp_path) as started:
        started.kill()
        started.wait(timeout=60)
        with pytest.raises(RunError, match=r"or a training that one left when it was killed.*--out"), claimed(tmp_path):
            pass
        os.kill(int((tmp_path / "log").read_text().split()[1]), signal.SIGTERM)
        wait_for(tmp_path / "log", "saved")
    end = time.monotonic() + 60
    while time.monotonic() < end:
        with suppress(RunError), claimed(tmp_path):
            return
        time.sleep(0.02)
    pytest.fail("the folder is still held")


@pytest.mark.parametrize("system", ["this", "without fcntl"])
def test_two_at_once_are_refused(tmp_path, monkeypatch, system):
    """The second would take the first one's runs for broken off."""
    if system != "this":
        monkeypatch.setattr(process, "fcntl", None)
    with (
        claimed(tmp_path / "out"),
        pytest.raises(RunError, match=r"another reproduce is at work in .*out.*--out"),
        claimed(tmp_path / "out"),
    ):
        pass
    with claimed(tmp_path / "out"):
        pass
