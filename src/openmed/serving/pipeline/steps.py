"""The steps of tagging, for datatrove's executors (processes of this machine, Slurm, Ray) to run.

    [ReadInputs(files), TagDocuments([MODEL]), WriteResults(places)]     # what `PipelineJob` puts together
    [JsonlReader("s3://texts"), TagDocuments([MODEL]), ParquetWriter("s3://tagged")]     # datatrove's own around it

A text travels as datatrove's `Document`; what is found in it stands in `metadata["entities"]`, as in JSON lines of
`openmed predict`. What failed is a document, too, which says why in `metadata["error"]` and has no entities: it takes
its place among the others and comes out at the end, so none is lost in silence. Counts go to datatrove's statistics.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any

import torch
from datatrove.data import Document
from datatrove.pipeline.base import PipelineStep

from openmed.errors import DataError, OpenMedError
from openmed.predicting import EntityTagger, Selection, load
from openmed.predicting.blocks import in_blocks
from openmed.serving.annotate import tag_each
from openmed.serving.inputs import Reading, read_sound
from openmed.serving.pipeline.names import (
    DOCUMENTS,
    DROPPED,
    ENTITIES,
    ERROR,
    FAILED,
    FILE,
    GROUP,
    LINE,
    LOST,
    errors_of,
)
from openmed.spans import Document as Text
from openmed.writers.jsonl import span_json, write_jsonl

BLOCK_DOCUMENTS = 256
"""Documents that are tagged together, and then go on: a block ends where either is reached."""


class ReadInputs(PipelineStep):
    """The documents of a task's inputs. What cannot be read ends at most that input, and is a document with an error.

    Args:
        files: of all tasks; each takes every so many-th one.
        reading: as of `openmed predict`.
    """

    type, name = "READER", "inputs"

    def __init__(self, files: Sequence[str], reading: Reading | None = None) -> None:
        super().__init__()
        self.files = list(files)
        self.reading = reading

    def run(self, data: Any = None, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        for file in self.files[rank::world_size]:
            yield from self._read(Path(file))

    def _read(self, file: Path) -> Iterator[Document]:
        failed: list[OpenMedError] = []
        losses: Counter[str] = Counter()
        for text in read_sound(file, self.reading, refused=failed.append, losses=losses):
            yield from _failures(file, failed)
            group = {GROUP: text.group} if text.group != text.id else {}
            yield Document(text=text.text, id=text.id, metadata={FILE: str(file), **group})
        yield from _failures(file, failed)
        for kind, number in losses.items():
            self.stat_update(f"{LOST}{kind}", value=number)


def _failures(file: Path, failed: list[OpenMedError]) -> Iterator[Document]:
    """A document for each; the list is then empty."""
    while failed:
        error = failed.pop(0)
        line = error.line if isinstance(error, DataError) else None
        yield Document(text="", id="", metadata={FILE: str(file), LINE: line, ERROR: str(error)})


class TagDocuments(PipelineStep):
    """Documents with their entities in `metadata["entities"]`, in order; what cannot be tagged has an error instead.

    The models are loaded when the first document comes, once for each process and not where the step is made: what is
    sent to other machines is their names.

    Args:
        models: folders, as for `openmed.load`; several tag in one pass.
        selection: which entities are kept.
        device, dtype: as for `openmed.load`.
        threads: that a process computes with; None leaves torch's own number, which is all cores.
    """

    type, name = "TAGGER", "entities"

    def __init__(
        self,
        models: Sequence[str],
        *,
        selection: Selection | None = None,
        device: str | None = None,
        dtype: str = "auto",
        threads: int | None = None,
    ) -> None:
        super().__init__()
        self.models = list(models)
        self.selection = selection or Selection()
        self.device = device
        self.dtype = dtype
        self.threads = threads

    def run(self, data: Iterable[Document], rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        for block in in_blocks(data, size=BLOCK_DOCUMENTS, length=_length):
            tagger = _tagger(tuple(self.models), self.device, self.dtype, self.threads)
            before = tagger.losses.copy()  # of this process's tasks so far
            self._tag(tagger, [document for document in block if ERROR not in document.metadata])
            for kind, number in (tagger.losses - before).items():
                self.stat_update(f"{LOST}{kind}", value=number)
            yield from block

    def _tag(self, tagger: EntityTagger, documents: list[Document]) -> None:
        # Where it is the tagger that is broken, this raises, and so ends the task: it is not done.
        for document, tagged in zip(documents, tag_each(tagger, documents, _text), strict=True):
            if isinstance(tagged, str):
                document.metadata[ERROR] = tagged
                continue
            kept, dropped = self.selection(tagged)
            document.metadata[ENTITIES] = [span_json(kept, span) for span in kept.spans]
            self.stat_update(DOCUMENTS)
            self.stat_update(ENTITIES, value=len(kept.spans))
            for reason, number in dropped.items():
                self.stat_update(f"{DROPPED}{reason}", value=number)


def _length(document: Document) -> int:
    return len(document.text) if isinstance(document.text, str) else 0


def _text(document: Document) -> Text:
    """Raises:
    TypeError, UnicodeEncodeError: it has no text, or one that no file could hold.
    """
    if not isinstance(document.text, str):
        raise TypeError(f"its text is of type {type(document.text).__name__}")
    document.text.encode()  # half a surrogate pair
    return Text(document.id, document.text)


@lru_cache(maxsize=1)
def _tagger(models: tuple[str, ...], device: str | None, dtype: str, threads: int | None) -> EntityTagger:
    """That of this process, whatever tasks it does."""
    if threads is not None:
        os.environ["RAYON_NUM_THREADS"] = str(threads)  # the tokenizer's
        torch.set_num_threads(threads)  # the network's, and onnxruntime's
    return load(models, device=device, dtype=dtype)


class WriteResults(PipelineStep):
    """JSON lines as of `openmed predict`, a file for each input; what failed of an input in a file of `errors/`.

    Files appear when whole, and take the place of those of an earlier try: a task that is done again doubles nothing.

    Args:
        places: (input, its result) of all tasks, in the order of `ReadInputs`, whose documents they are.
    """

    type, name = "WRITER", "results"

    def __init__(self, places: Sequence[tuple[str, str]]) -> None:
        super().__init__()
        self.places = list(places)

    def run(self, data: Iterable[Document], rank: int = 0, world_size: int = 1) -> None:
        mine = dict(self.places[rank::world_size])
        for file, documents in groupby(data, key=lambda document: document.metadata[FILE]):
            self._write(documents, Path(mine.pop(file)))
        for place in mine.values():  # inputs without a document
            self._write([], Path(place))

    def _write(self, documents: Iterable[Document], place: Path) -> None:
        errors: list[dict[str, Any]] = []

        def tagged() -> Iterator[dict[str, Any]]:
            for document in documents:
                metadata = document.metadata
                if ERROR in metadata:
                    errors.append(
                        {
                            FILE: metadata[FILE],
                            "document": document.id or None,
                            LINE: metadata.get(LINE),
                            ERROR: metadata[ERROR],
                        }
                    )
                else:
                    group = {GROUP: metadata[GROUP]} if GROUP in metadata else {}
                    yield {"id": document.id, **group, "text": document.text, ENTITIES: metadata[ENTITIES]}

        number = write_jsonl(tagged(), place)
        if errors and not number:  # of an input that cannot be read there is no result
            place.unlink()
        if errors:
            write_jsonl(errors, errors_of(place))
        else:
            errors_of(place).unlink(missing_ok=True)
        self.stat_update(FAILED, value=len(errors))
