"""Runs the tasks of a stage, in processes of their own where there are several workers.

Executor(pipeline, tasks=13, workers=2, logging_dir="...", preload="openmed.pretraining_text.stages").run()

datatrove's own executor has a pool that waits for ever when one of its processes is killed, as the system does with the
largest when the memory runs out. Here the end of a process is the end of its pipe, which is noticed at once: a worker's
by who builds, and that of who builds by each worker, which then ends too: none writes when nobody holds the lock.
"""

from __future__ import annotations

import os
import signal
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from copy import deepcopy
from threading import Thread
from typing import Any

import multiprocess
from datatrove.executor import LocalPipelineExecutor
from loguru import logger
from multiprocess.connection import wait

from openmed.errors import ConfigError


class Executor(LocalPipelineExecutor):
    """datatrove's (its marks, statistics and logs of each task), silent: progress and errors are told by who builds.

    Args:
        preload: the module that the server from which processes are forked imports once, not each process anew.
        mark_done: called with the number of a task that is done, by who did it; None: datatrove's own empty mark.
    """

    def __init__(
        self, pipeline: list[Any], *, preload: str, mark_done: Callable[[int], None] | None = None, **settings: Any
    ) -> None:
        super().__init__(pipeline, **settings)
        self.preload = preload
        self.mark_done = mark_done

    def mark_rank_as_completed(self, rank: int) -> None:
        """When all that the task wrote is written, its statistics too."""
        if self.mark_done is None:
            super().mark_rank_as_completed(rank)
        else:
            self.mark_done(rank)

    def run(self) -> None:
        """Do what is not done yet. The first error ends all.

        Raises:
            ConfigError: a worker was killed.
        """
        logger.disable("datatrove")
        ranks = self.get_incomplete_ranks(range(self.tasks))
        if self.workers == 1:
            for rank in ranks:
                try:
                    deepcopy(self)._run_for_rank(rank)
                except Exception as error:
                    # Some of its steps leave files open. What is in their buffers must not be written later on, when
                    # the next try may be at work on the same files.
                    traceback.clear_frames(error.__traceback__)
                    raise
        else:
            self._run_in_processes(ranks)

    def _run_in_processes(self, ranks: Sequence[int]) -> None:
        context: Any = multiprocess.get_context("forkserver")  # pyright: ignore[reportAttributeAccessIssue]
        context.set_forkserver_preload([self.preload])
        waiting, running = deque(ranks), {}
        end, mine = context.Pipe(duplex=False)  # `mine` is in no other process: when this one ends, so does the pipe
        try:
            while waiting or running:
                while waiting and len(running) < self.workers:
                    receiver, sender = context.Pipe(duplex=False)
                    process = context.Process(target=_work, args=(self, waiting.popleft(), sender, end), daemon=True)
                    process.start()
                    sender.close()  # the worker's is then the only one: when it ends, the pipe does
                    running[receiver] = process
                for receiver in wait(list(running)):
                    _finish(running.pop(receiver), receiver)
        finally:
            for process in running.values():
                process.terminate()
            for process in running.values():
                process.join()
            end.close()
            mine.close()


def _work(executor: Executor, rank: int, sender: Any, end: Any) -> None:
    """Do a task; say None, or what went wrong. When the pipe `end` does, leave at once."""
    Thread(target=_leave_at, args=(end,), daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who builds, who ends the workers
    logger.disable("datatrove")
    try:
        executor._run_for_rank(rank)
    except Exception as error:
        error.add_note(traceback.format_exc())
        sender.send(error)
    else:
        sender.send(None)


def _leave_at(end: Any) -> None:
    """Wait for the end of a pipe that nothing is sent through, and end this process."""
    wait([end])
    os._exit(1)


def _finish(process: Any, receiver: Any) -> None:
    """Take what a worker said, raising it if it is an error, and so that it said nothing."""
    try:
        error = receiver.recv()
    except EOFError:
        process.join()
        raise ConfigError(
            f"a worker {_end(process.exitcode)}",
            mend="give fewer --workers, or more memory; the same command goes on from what is done",
        ) from None
    process.join()
    receiver.close()
    if error is not None:
        raise error


def _end(status: int) -> str:
    if status >= 0:
        return f"ended with status {status}"
    name = signal.Signals(-status).name
    return f"was killed by {name}{', as the system does when the memory runs out' if name == 'SIGKILL' else ''}"
