"""A training as a process of its own, which no second one joins in the same folder, however the first command ends.

    with claimed(out) as claim:
        status = run_child([sys.executable, "-m", "openmed.training", *arguments], log, claim, tell=print)

A signal to stop is handed on to the training, which saves and leaves, and is waited for. Where the command is killed
outright, the training goes on, and with it the claim to the folder.
"""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

from filelock import FileLock, Timeout

from openmed.errors import RunError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

LOCK = ".lock"
SIGNALS = (signal.SIGINT, signal.SIGTERM)
Claim = tuple[int, ...]
"""File descriptors that a child inherits."""


@contextmanager
def claimed(folder: Path) -> Iterator[Claim]:
    """Hold a folder as long as this process lives, or a child that has inherited what is given.

    On Windows a child inherits nothing.

    Raises:
        RunError: another holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as held:
        claim: Claim = ()
        try:
            if fcntl is None:
                held.enter_context(FileLock(folder / LOCK, timeout=0))
            else:
                file = held.enter_context((folder / LOCK).open("ab"))
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # held until the last copy of the descriptor is closed
                claim = (file.fileno(),)
        except (BlockingIOError, Timeout):
            raise RunError(
                f"another reproduce is at work in {folder}, or a training that one left when it was killed",
                mend="wait for it, or give another --out",
            ) from None
        yield claim


def run_child(command: Sequence[str], log: Path, claim: Claim, *, tell: Callable[[str], None]) -> int:
    """Run a command to its end, its output behind what `log` has. Returns its exit status.

    Raises:
        SystemExit: 128 + n after the signal n, SIGINT or SIGTERM, when the child has ended. Each is handed on once: the
            child has a process group of its own, so that Ctrl-C in a terminal does not reach it by itself.
    """
    child: subprocess.Popen[bytes] | None = None
    received: list[int] = []
    early: list[int] = []

    def hand_on(number: int, frame: FrameType | None) -> None:
        del frame
        received.append(number)
        if child is None:
            early.append(number)
        else:
            child.send_signal(number)
        tell(f"{signal.Signals(number).name}: the training saves and leaves; again: at once")

    before = {number: signal.signal(number, hand_on) for number in SIGNALS}
    try:
        with log.open("ab") as output:
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=claim,
                process_group=0,
            )
        for number in early:
            child.send_signal(number)
        status = child.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if received:
        tell("stopped; the same command goes on")
        raise SystemExit(128 + received[0])
    return status
