"""BioC JSON as a stream of entries, in every shape it comes in: a collection, a list of collections (PMC's BioC API),
PubTator3's export, a list of documents, and one document or collection a line.

    for entry in json_entries(blocks, path): ...

An object with "documents" (or "PubTator3") is a collection, one with "passages" a document; lists are looked into.
Only one document is in memory at a time, however large the collection.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from os import PathLike
from typing import Any

from openmed.errors import DataError
from openmed.readers.bioc_entry import Entry
from openmed.readers.json_stream import Events, build_value, json_events

_COLLECTIONS = ("documents", "PubTator3")
_MEND = 'BioC JSON is {"documents": [{"id": "1", "passages": [{"offset": 0, "text": "...", "annotations": [...]}]}]}'


def json_entries(blocks: Iterable[bytes], path: str | PathLike[str]) -> Iterator[Entry]:
    """The documents of a BioC JSON file given in blocks of bytes.

    Raises:
        DataError: not JSON, cut off, not UTF-8, half a surrogate pair, neither a collection nor a document.
    """
    events = json_events(blocks, path, mend=_MEND)
    try:
        for event, value in events:
            yield from _documents(event, value, events, path)
    except RecursionError as error:
        raise DataError("lists within lists without end", path=path, mend=_MEND) from error


def _documents(event: str, value: Any, events: Events, path: str | PathLike[str]) -> Iterator[Entry]:
    """The documents in the value that this event begins."""
    if event == "start_map":
        yield from _of_object(events, path)
    elif event == "start_array":
        for event, value in events:
            if event == "end_array":
                return
            yield from _documents(event, value, events, path)
    else:
        raise DataError("neither a collection nor a document", path=path, text=repr(value), mend=_MEND)


def _of_object(events: Events, path: str | PathLike[str]) -> Iterator[Entry]:
    entry: Entry = {}
    is_collection = False
    for event, key in events:
        if event == "end_map":
            break
        event, value = next(events)
        if key in _COLLECTIONS and event == "start_array":
            is_collection = True
            yield from _documents(event, value, events, path)
        else:
            entry[key] = build_value(event, value, events)
    if "passages" in entry:
        yield entry
    elif not is_collection:
        raise DataError(
            'neither a collection ("documents") nor a document ("passages")',
            path=path,
            text=f"an object with {', '.join(entry) or 'no keys'}",
            mend=_MEND,
        )
