"""One thread owns the model. Requests wait in a bounded line, and what waits is tagged together.

A step of the worker takes texts from all waiting requests in turn, as many as fill the model's batches once; so a
single text does not wait for the thousand of another request, and many single ones share a batch.

    worker = Worker(tagger, max_requests=64, max_seconds=60, step_characters=16_384)
    with worker:
        worker.submit(["Aspirin relieves headache."]).result()
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from openmed.serving.service.limits import Refusal

LOG = logging.getLogger(__name__)
_JOIN_SECONDS = 5.0
"""How long closing waits for a text in hand: nobody waits for its answer any more."""
_KEPT = 0.8
"""Of what is known of the speed, at each step."""

Answer = Any
"""What the model says of one text."""


@dataclass(slots=True, eq=False)
class _Job:
    """A request: its texts, and the answers that are there already.

    Attributes:
        num_taken: texts that have been given to the model.
        num_left: texts without an answer.
    """

    texts: Sequence[str]
    future: Future[list[Answer]]
    num_taken: int = 0
    answers: list[Answer] = field(init=False)
    num_left: int = field(init=False)

    def __post_init__(self) -> None:
        self.answers = [None] * len(self.texts)
        self.num_left = len(self.texts)

    @property
    def num_characters(self) -> int:
        return sum(map(len, self.texts))


_Step = list[tuple[_Job, int]]
"""Texts tagged together: each its request, and its number there."""


class Worker:
    """See the module; a context manager that starts and ends the thread.

    Args:
        tag: texts -> an answer for each, in order. Called from the one thread only.
        max_requests: waiting or in hand at once.
        max_seconds: that anybody waits: the most that one more is told to come back in.
        step_characters: texts of about this many characters are tagged together (one that is longer goes alone).
    """

    def __init__(
        self,
        tag: Callable[[Sequence[str]], Sequence[Answer]],
        *,
        max_requests: int,
        max_seconds: float,
        step_characters: int,
    ) -> None:
        self._tag = tag
        self._max_requests = max_requests
        self._max_seconds = max_seconds
        self._step_characters = step_characters
        self._line: deque[_Job] = deque()
        self._changed = threading.Condition()
        self._num_requests = 0
        self._num_characters = 0
        self._tagged_characters, self._tagging_seconds = 0.0, 0.0
        self._closing = False
        self._thread = threading.Thread(target=self._work, name="openmed-tagger", daemon=True)

    def __enter__(self) -> Worker:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        """The text in hand is finished; whatever still waits is refused."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(_JOIN_SECONDS)

    @property
    def alive(self) -> bool:
        return self._thread.is_alive() and not self._closing

    def load(self) -> dict[str, int]:
        """Requests waiting or in hand, how many there may be, and the characters of their texts."""
        with self._changed:
            return {
                "requests": self._num_requests,
                "max_requests": self._max_requests,
                "characters": self._num_characters,
            }

    def submit(self, texts: Sequence[str]) -> Future[list[Answer]]:
        """Get in line. The future gives an answer for each text; cancelling it takes the request out of the line.

        Raises:
            Refusal: 429 where the line is full, 503 where the service is ending.
        """
        job = _Job(texts, Future())
        if not texts:
            job.future.set_result([])
            return job.future
        with self._changed:
            if self._closing:
                raise _ending()
            if self._num_requests >= self._max_requests:
                raise self._full()
            self._num_requests += 1
            self._num_characters += job.num_characters
            self._line.append(job)
            self._changed.notify()
        job.future.add_done_callback(partial(self._forget, job))
        return job.future

    def _full(self) -> Refusal:
        speed = self._tagged_characters / self._tagging_seconds if self._tagged_characters else math.inf
        seconds = max(1, math.ceil(min(self._num_characters / speed, self._max_seconds)))
        return Refusal(
            429,
            f"{self._num_requests} requests are waiting or in hand, and no more may",
            mend=f"try again in {seconds} s",
            headers={"Retry-After": str(seconds)},
        )

    def _forget(self, job: _Job, _: Future[list[Answer]]) -> None:
        """It is answered, or nobody waits for it any more."""
        with self._changed:
            self._num_requests -= 1
            self._num_characters -= job.num_characters

    def _work(self) -> None:
        while step := self._next_step():
            started = time.monotonic()
            self._answer(step)
            seconds = max(time.monotonic() - started, 1e-6)
            self._learn_speed(sum(len(job.texts[number]) for job, number in step), seconds)
        for job in self._line:  # only this thread settles futures: two that did would have to agree
            _fail(job, _ending())

    def _learn_speed(self, num_characters: int, seconds: float) -> None:
        """Older steps count less; a step of a few characters, slow as it is, counts as little as it is long."""
        self._tagging_seconds = _KEPT * self._tagging_seconds + seconds
        self._tagged_characters = _KEPT * self._tagged_characters + num_characters

    def _next_step(self) -> _Step:
        """Waits for texts; none when the service is ending."""
        with self._changed:
            while not self._closing:
                if step := self._take():
                    return step
                self._changed.wait()
        return []

    def _take(self) -> _Step:
        """A text of each request in turn, until the step is full."""
        step: _Step = []
        num_characters = 0
        while self._line:
            job = self._line.popleft()
            if job.future.done():  # given up, or failed by another of its texts
                continue
            num_characters += len(job.texts[job.num_taken])
            if step and num_characters > self._step_characters:
                self._line.appendleft(job)
                break
            step.append((job, job.num_taken))
            job.num_taken += 1
            if job.num_taken < len(job.texts):
                self._line.append(job)
        return step

    def _answer(self, step: _Step) -> None:
        try:
            answers = self._tag([job.texts[number] for job, number in step])
        except Exception:
            if len(step) > 1:  # one of them may be to blame: the others shall not suffer for it
                for entry in step:
                    self._answer([entry])
                return
            LOG.exception("tagging failed")
            _fail(step[0][0], Refusal(500, "the model failed on this text", mend="see the service's log"))
            return
        for (job, number), answer in zip(step, answers, strict=True):
            job.answers[number] = answer
            job.num_left -= 1
            if not job.num_left and job.future.set_running_or_notify_cancel():
                job.future.set_result(job.answers)


def _ending() -> Refusal:
    return Refusal(503, "the service is ending")


def _fail(job: _Job, error: Exception) -> None:
    if not job.future.done() and job.future.set_running_or_notify_cancel():
        job.future.set_exception(error)
