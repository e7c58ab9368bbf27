"""Each measurement in a process of its own, one at a time: wall seconds, peak memory, and what it printed.

done = run_command(["train.py", "dataset=ncbi"], log=folder / "train.log")
done.seconds, done.peak_bytes
run_ready(["train.py", "dataset=ncbi"], log=folder / "train.log")    # where only what it writes is of interest
value = in_fresh_process(function, argument)
"""

from __future__ import annotations

import os
import runpy
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from multiprocessing import get_all_start_methods, get_context, set_start_method
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Any, ParamSpec, TypeVar
from unittest.mock import patch

ROOT = Path(__file__).resolve().parents[1]
LOG_LINES_SHOWN = 15
SAMPLE_SECONDS = 0.1
ENVIRONMENT = {
    "CUDA_VISIBLE_DEVICES": "",  # both sides work on the CPU, also where there is a GPU: benchmarks.gpu measures that
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_OFFLINE": "1",
    "WANDB_MODE": "offline",
    "WANDB_SILENT": "true",
}

P = ParamSpec("P")
T = TypeVar("T")


class ChildFailed(RuntimeError):
    """A measured process ended with another code than 0; the message ends in what it printed last."""


@dataclass(frozen=True)
class Finished:
    """A process that has ended well.

    Attributes:
        began: `time.monotonic()` just before its start; that clock is the same in every process of a machine.
        seconds: wall time from there to its end.
        peak_bytes: its largest resident memory. The kernel counts what the starting process had at the fork too, so
            whoever starts it stays small (no torch).
        peak_own_bytes: the same without pages of mapped files, which the kernel takes back when memory is short;
            sampled ten times a second. None where the system does not tell (Linux does).
    """

    began: float
    seconds: float
    peak_bytes: int
    peak_own_bytes: int | None


def run_command(arguments: Sequence[str], *, log: Path, environment: Mapping[str, str] | None = None) -> Finished:
    """Run `python ARGUMENTS` from the repository's root; output and errors go to `log`.

    Args:
        environment: variables beside those of this process and `ENVIRONMENT`.

    Raises:
        ChildFailed: it did not exit with 0.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        began = time.monotonic()
        child = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            env={**os.environ, **ENVIRONMENT, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        own = _OwnMemory(child.pid)
        try:
            # Not `child.wait()`: this one tells what that very process used, not the largest of all children so far.
            _, status, usage = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
        finally:
            seconds = time.monotonic() - began
            peak_own_bytes = own.stop()
            _end_session(child.pid)  # a logger's background process must not run into the next measurement
    if child.returncode != 0:
        raise ChildFailed(f"{' '.join(arguments)}\nexited with {child.returncode}:\n{_tail(log)}")
    # KiB on Linux, bytes on macOS.
    unit = 1 if sys.platform == "darwin" else 1024
    return Finished(began, seconds, usage.ru_maxrss * unit, peak_own_bytes)


def run_ready(arguments: Sequence[str], *, log: Path) -> None:
    """The same in a process that `in_ready_process` would take: for what times itself once it is at work.

    Raises:
        ChildFailed: it did not exit with 0.
    """
    if not _can_be_ready():
        run_command(arguments, log=log)
        return
    log.parent.mkdir(parents=True, exist_ok=True)
    log.touch()
    child = _ready_context().Process(target=_run_program, args=(list(arguments), log))
    with patch.dict(os.environ, ENVIRONMENT):
        child.start()
    try:
        child.join()
    finally:
        child.kill()  # it leads no session yet where it was only just started
        _end_session(child.pid)
    if child.exitcode != 0:
        raise ChildFailed(f"{' '.join(arguments)}\nexited with {child.exitcode}:\n{_tail(log)}")


def in_fresh_process(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What the function returns when a new interpreter, which has imported nothing else, calls it."""
    return _in_process(get_context("spawn"), function, *args, **kwargs)


def in_ready_process(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """The same with a process that has imported torch, transformers and PEFT, and done nothing with them yet.

    It is forked from one that imported them when it was first asked, which saves a benchmark of many short runs seconds
    for each. Variables of the environment are those of that time.
    """
    if not _can_be_ready():
        return in_fresh_process(function, *args, **kwargs)
    return _in_process(_ready_context(), function, *args, **kwargs)


def call(module: str, function: str) -> Any:
    """What a module's function returns, the module being imported only now: for `in_fresh_process`.

    A module named `__main__` needs it: what that one holds cannot be sent to another process.
    """
    return getattr(import_module(module), function)()


def _can_be_ready() -> bool:
    return "forkserver" in get_all_start_methods()


def _ready_context() -> Any:
    """Forks from a process that has imported the libraries; its environment is that of the first fork."""
    context = get_context("forkserver")
    context.set_forkserver_preload(["torch", "transformers.pipelines", "peft", "lightning", "accelerate"])
    return context


def _in_process(context: BaseContext, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    with patch.dict(os.environ, ENVIRONMENT), ProcessPoolExecutor(max_workers=1, mp_context=context) as pool:
        return pool.submit(function, *args, **kwargs).result()


def _run_program(arguments: list[str], log: Path) -> None:
    """What `python ARGUMENTS` does, in this process: `-m MODULE ...` or `FILE ...`."""
    os.setsid()
    set_start_method(None, force=True)  # a forked process would start its own ones as it was started itself
    with log.open("wb") as output, open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
        for stream in (1, 2):
            os.dup2(output.fileno(), stream)
    os.chdir(ROOT)
    if arguments[0] == "-m":
        _, module, *sys.argv[1:] = arguments
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    else:
        sys.argv = arguments
        runpy.run_path(arguments[0], run_name="__main__")


class _OwnMemory:
    """Watches the anonymous memory of a process from a thread."""

    def __init__(self, process: int) -> None:
        self._status = Path(f"/proc/{process}/status")
        self._peak: int | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> int | None:
        """Bytes at the highest sample."""
        self._ended.set()
        self._thread.join()
        return self._peak

    def _watch(self) -> None:
        while not self._ended.wait(SAMPLE_SECONDS):
            with suppress(OSError):  # it has ended, or there is no /proc
                for line in self._status.read_text(encoding="ascii").splitlines():
                    if line.startswith("RssAnon:"):
                        self._peak = max(self._peak or 0, int(line.split()[1]) * 1024)


def _end_session(leader: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def _tail(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(lines[-LOG_LINES_SHOWN:])
