"""BioC JSON as a stream of entries, in every shape it comes in: a collection, a list of collections (PMC's BioC API),
PubTator3's export, a list of documents, and one document or collection a line.

    for entry in json_entries(blocks, path): ...

An object with "documents" (or "PubTator3") is a collection, one with "passages" a document; lists are looked into.
Only one document is in memory at a time, however large the collection.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain
from os import PathLike
from typing import Any

from openmed.errors import DataError
from openmed.readers.bioc_entry import Entry

_COLLECTIONS = ("documents", "PubTator3")
_MEND = 'BioC JSON is {"documents": [{"id": "1", "passages": [{"offset": 0, "text": "...", "annotations": [...]}]}]}'

_SOUND = re.compile(
    rb"(?:[^\\]++|\\[^u]|\\u(?![dD][89a-fA-F])[0-9a-fA-F]{4}"
    rb"|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})*+"
)
"""JSON up to an escape that is half a surrogate pair, or incomplete."""
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_PAIR_LENGTH = 12

Events = Iterator[tuple[str, Any]]


def json_entries(blocks: Iterable[bytes], path: str | PathLike[str]) -> Iterator[Entry]:
    """The documents of a BioC JSON file given in blocks of bytes.

    Raises:
        DataError: not JSON, cut off, not UTF-8, half a surrogate pair, neither a collection nor a document.
    """
    events = _events(blocks, path)
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
            entry[key] = _build(event, value, events)
    if "passages" in entry:
        yield entry
    elif not is_collection:
        raise DataError(
            'neither a collection ("documents") nor a document ("passages")',
            path=path,
            text=f"an object with {', '.join(entry) or 'no keys'}",
            mend=_MEND,
        )


def _build(event: str, value: Any, events: Events) -> Any:
    """The value that this event begins."""
    from ijson import ObjectBuilder

    builder = ObjectBuilder()
    builder.event(event, value)
    depth = event.startswith("start_")
    while depth:
        event, value = next(events)
        builder.event(event, value)
        depth += event.startswith("start_") - event.startswith("end_")
    return builder.value


def _events(blocks: Iterable[bytes], path: str | PathLike[str]) -> Events:
    """The parser's events (kind, value), in order; those before a mistake come before its error."""
    import ijson

    events = ijson.sendable_list()
    parser = ijson.basic_parse_coro(events, multiple_values=True)
    data = b""
    for block in chain(blocks, [b""]):
        data += block
        end = _end_of_sound(data)
        # What is left may be an escape that goes on in the next block: it waits. If it cannot be, it is half a pair, or
        # wrong, which is the parser's to tell.
        is_decided = len(data) - end >= _PAIR_LENGTH or not block
        is_half = is_decided and bool(_SURROGATE.match(data, end))
        if is_decided and not is_half:
            end = len(data)
        error = _feed(parser, data[:end], path, is_last=not (block or is_half))
        yield from events
        events.clear()
        if is_half:
            raise DataError(
                "half a surrogate pair, which is no character",
                path=path,
                text=data[end : end + _PAIR_LENGTH].decode("utf-8", errors="replace"),
                mend="remove it: what wrote the file cut a character in two",
            )
        if error:
            raise error
        data = data[end:]


def _end_of_sound(data: bytes) -> int:
    match = _SOUND.match(data)
    assert match, "it matches the empty start of anything"
    return match.end()


def _feed(parser: Any, data: bytes, path: str | PathLike[str], *, is_last: bool) -> DataError | None:
    """Parse a bit more, and the end after the last; what is wrong, if anything."""
    import ijson

    try:
        if data:
            parser.send(data)
        if is_last:
            parser.close()
    except UnicodeDecodeError as error:
        return DataError("not UTF-8", path=path, text=repr(error.object), mend="convert the file to UTF-8")
    except ijson.JSONError as error:
        message = error.args[0].decode("utf-8", "replace") if isinstance(error.args[0], bytes) else str(error)
        problem, _, context = message.partition("\n")
        return DataError(
            f"not well-formed JSON ({problem.strip().rstrip('.')})",
            path=path,
            text=context.partition("\n")[0].strip() or None,
            mend="the file is cut off: get it again" if is_last else _MEND,
        )
    return None
