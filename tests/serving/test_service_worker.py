"""Requests that wait are tagged together, in turn, and each gets its own answers."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("fastapi", reason="the extra `serve` is not installed")

from tests.serving.services import SECONDS, until

from openmed.serving.service import Refusal, Worker


class Shout:
    """Texts in capitals, once it is let go; remembers which texts it was given together, and by which thread."""

    def __init__(self, *, held: bool = True) -> None:
        self.go = threading.Event()
        self.reached = threading.Event()
        self.calls: list[list[str]] = []
        self.threads: set[str] = set()
        if not held:
            self.go.set()

    def __call__(self, texts: Sequence[str]) -> list[str]:
        self.calls.append(list(texts))
        self.threads.add(threading.current_thread().name)
        self.reached.set()
        assert self.go.wait(SECONDS)
        return [text.upper() for text in texts]


@pytest.fixture
def shout() -> Iterator[Shout]:
    shout = Shout()
    yield shout
    shout.go.set()


def started(shout: Shout, **settings) -> Worker:
    return Worker(shout, **{"max_requests": 64, "max_seconds": 60, "step_characters": 10, **settings})


def test_what_waits_is_tagged_together_up_to_the_budget(shout):
    with started(shout) as worker:
        first = worker.submit(["a"])
        assert shout.reached.wait(SECONDS)
        others = [worker.submit([letter * 4]) for letter in "bcdef"]
        shout.go.set()
        assert first.result(SECONDS) == ["A"]
        assert [future.result(SECONDS) for future in others] == [[letter * 4] for letter in "BCDEF"]
    assert shout.calls == [["a"], ["bbbb", "cccc"], ["dddd", "eeee"], ["ffff"]]
    assert shout.threads == {"openmed-tagger"}


def test_a_request_of_many_texts_does_not_hold_up_one_of_a_single_text(shout):
    with started(shout) as worker:
        worker.submit(["a"])
        assert shout.reached.wait(SECONDS)
        many = worker.submit([f"text{number}" for number in range(6)])
        single = worker.submit(["one"])
        shout.go.set()
        assert single.result(SECONDS) == ["ONE"]
        assert many.result(SECONDS) == [f"TEXT{number}" for number in range(6)]
    assert shout.calls[1] == ["text0", "one"]


def test_a_text_above_the_budget_goes_alone(shout):
    with started(shout) as worker:
        worker.submit(["a"])
        assert shout.reached.wait(SECONDS)
        futures = [worker.submit([text]) for text in ("b", "c" * 50, "d")]
        shout.go.set()
        for future in futures:
            future.result(SECONDS)
    assert shout.calls[1:] == [["b"], ["c" * 50], ["d"]]


@given(
    requests=st.lists(st.lists(st.text(max_size=8), max_size=6), max_size=12),
    budget=st.integers(min_value=1, max_value=30),
)
def test_each_request_gets_its_own_answers_in_order(requests, budget):
    shout = Shout(held=False)
    with started(shout, step_characters=budget) as worker:
        futures = [worker.submit(texts) for texts in requests]
        assert [future.result(SECONDS) for future in futures] == [
            [text.upper() for text in texts] for texts in requests
        ]
        until(lambda: worker.load() == {"requests": 0, "max_requests": 64, "characters": 0})
    for call in shout.calls:
        assert len(call) == 1 or sum(map(len, call)) <= budget
    assert sorted(text for call in shout.calls for text in call) == sorted(text for texts in requests for text in texts)


def test_a_request_given_up_leaves_the_line(shout):
    with started(shout) as worker:
        worker.submit(["a"])
        assert shout.reached.wait(SECONDS)
        given_up = worker.submit(["bb", "cc"])
        assert worker.load()["characters"] == 5
        assert given_up.cancel()
        assert worker.load() == {"requests": 1, "max_requests": 64, "characters": 1}
        kept = worker.submit(["dd"])
        shout.go.set()
        assert kept.result(SECONDS) == ["DD"]
        with pytest.raises(CancelledError):
            given_up.result(SECONDS)
    assert shout.calls == [["a"], ["dd"]]


def test_nobody_is_told_to_come_back_later_than_all_that_waits_is_over(shout):
    """After 20 short texts that were slow, a long one."""
    with started(shout, max_requests=1, max_seconds=7) as worker:
        shout.go.set()
        for _ in range(20):
            worker.submit([""]).result(SECONDS)
            until(lambda: worker.load()["requests"] == 0)
        shout.go.clear()
        threading.Timer(0.2, shout.go.set).start()
        worker.submit(["a"]).result(SECONDS)
        until(lambda: worker.load()["requests"] == 0)
        shout.go.clear()
        shout.reached.clear()
        waiting = worker.submit(["b" * 100_000])
        assert shout.reached.wait(SECONDS)
        with pytest.raises(Refusal, match="Try again in 7 s"):
            worker.submit(["c"])
        shout.go.set()
        waiting.result(SECONDS)


def test_the_time_to_come_back_follows_the_speed_so_far(shout):
    with started(shout, max_requests=1) as worker:
        threading.Timer(0.2, shout.go.set).start()
        worker.submit(["a" * 10]).result(SECONDS)  # some 50 characters a second
        until(lambda: worker.load()["requests"] == 0)
        shout.go.clear()
        shout.reached.clear()
        waiting = worker.submit(["b" * 1000])
        assert shout.reached.wait(SECONDS)
        with pytest.raises(Refusal) as refused:
            worker.submit(["c"])
        assert refused.value.status == 429
        assert int(refused.value.headers["Retry-After"]) >= 20
        shout.go.set()
        waiting.result(SECONDS)


def test_closing_finishes_what_is_in_hand_and_refuses_the_rest(shout):
    with started(shout) as worker:
        in_hand = worker.submit(["a"])
        assert shout.reached.wait(SECONDS)
        waiting = worker.submit(["b"])
        threading.Timer(0.05, shout.go.set).start()
    assert in_hand.result(0) == ["A"]
    with pytest.raises(Refusal, match="the service is ending"):
        waiting.result(0)
    with pytest.raises(Refusal, match="the service is ending"):
        worker.submit(["c"])
    assert shout.calls == [["a"]]
