"""JSON as a stream of the parser's events, however large the file; several values may follow one another (JSON lines).

events = json_events(blocks, path, mend="...")
for event, value in events: entry = build_value(event, value, events)
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain
from os import PathLike
from typing import Any

from openmed.errors import DataError

_SOUND = re.compile(
    rb"(?:[^\\]++|\\[^u]|\\u(?![dD][89a-fA-F])[0-9a-fA-F]{4}"
    rb"|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})*+"
)
"""JSON up to an escape that is half a surrogate pair, or incomplete."""
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_PAIR_LENGTH = 12

Events = Iterator[tuple[str, Any]]
"""As ijson names them: ("start_map", None), ("map_key", "id"), ("string", "1"), ..."""


def build_value(event: str, value: Any, events: Events) -> Any:
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


def skip_value(event: str, events: Events) -> None:
    """Goes past the value that this event begins, and builds nothing."""
    depth = event.startswith("start_")
    while depth:
        event, _ = next(events)
        depth += event.startswith("start_") - event.startswith("end_")


def json_events(blocks: Iterable[bytes], path: str | PathLike[str], *, mend: str) -> Events:
    """The events (kind, value) of JSON given in blocks of bytes; those before a mistake come before its error.

    Args:
        mend: what is said of JSON that is not well-formed.

    Raises:
        DataError: not JSON, cut off, not UTF-8, half a surrogate pair.
    """
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
        error = _feed(parser, data[:end], path, mend, is_last=not (block or is_half))
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


def _feed(parser: Any, data: bytes, path: str | PathLike[str], mend: str, *, is_last: bool) -> DataError | None:
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
            mend="the file is cut off: get it again" if is_last else mend,
        )
    return None
