"""What the tests of the service share: stand-ins for a tagger, and the real server in a thread.

with TestClient(make_app(Finder("aspirin"), FACTS, Limits())) as client: ...
with serving(app) as url: ...
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from openmed.serving.service import ModelFacts, listen, url_of
from openmed.spans import Document, Span

FACTS = [ModelFacts("demo", ("Chemical", "Disease"), "d" * 64)]
SECONDS = 30.0
"""How long a test waits for what must come: no measure of speed."""


class Finder:
    """Stands in for an `EntityTagger`: a mention wherever a pattern matches, with the label and score it is given."""

    def __init__(self, **patterns: str) -> None:
        self.patterns = patterns
        self.score = 0.75

    def spans(self, text: str) -> Iterator[Span]:
        for label, pattern in self.patterns.items():
            for match in re.finditer(pattern, text):
                yield Span(*match.span(), label, score=self.score)

    def tag(self, documents: Iterable[Document]) -> Iterator[Document]:
        for document in documents:
            yield document.with_spans(self.spans(document.text))


class Gate(Finder):
    """A `Finder` that stops at a closed gate, and remembers what it was given together."""

    def __init__(self, **patterns: str) -> None:
        super().__init__(**patterns)
        self.opened = threading.Event()
        self.reached = threading.Event()
        self.calls: list[list[str]] = []

    def tag(self, documents: Iterable[Document]) -> Iterator[Document]:
        documents = list(documents)
        self.calls.append([document.text for document in documents])
        self.reached.set()
        assert self.opened.wait(SECONDS)
        return super().tag(documents)


def until(condition) -> None:
    """Wait for it to become true."""
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


@contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """The application behind a real socket; its address."""
    with listen("127.0.0.1", 0) as place:
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [place]})
        thread.start()
        try:
            yield url_of(place)
        finally:
            server.should_exit = True
            thread.join(SECONDS)
            assert not thread.is_alive()
