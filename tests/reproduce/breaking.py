"""A callback by which a training has the command that runs it stopped, once.

overrides: +callbacks.stop={_target_: tests.reproduce.breaking.StopOnce, step: 5, mark: <a path>}
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import lightning as L

from openmed.training.stopping import GracefulStop


class StopOnce(L.Callback):
    """When an optimiser step begins, send SIGTERM to the parent process, and wait until it is handed on.

    Args:
        mark: a file that says that it is done.
    """

    def __init__(self, step: int, mark: str) -> None:
        self.step, self.mark = step, Path(mark)

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx) -> None:
        if trainer.global_step != self.step or self.mark.exists():
            return
        self.mark.touch()
        os.kill(os.getppid(), signal.SIGTERM)
        (stop,) = (callback for callback in trainer.callbacks if isinstance(callback, GracefulStop))
        end = time.monotonic() + 60
        while stop._received is None:
            assert time.monotonic() < end, "the signal did not come back"
            time.sleep(0.01)
