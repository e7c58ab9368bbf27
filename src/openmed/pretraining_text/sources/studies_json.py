"""Studies of ClinicalTrials.gov in JSON, streaming: of each only the section that holds its text is ever built.

    for nct, fields in json_studies(blocks, path): ...    # "NCT00023673", {"brief_summary": ["...", ...], ...}

API v2 writes `protocolSection`, the API before it `ProtocolSection`; of what is read here, v2 alone has
Markdown's backslashes ("\\>= 18 years").
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from os import PathLike
from typing import Any

from openmed.errors import DataError
from openmed.readers.json_stream import Events, build_value, json_events, skip_value

Study = tuple[str, dict[str, list[str]]]
"""The NCT number, and paragraphs by field."""

_WRAPPERS = {"studies", "study", "fullstudiesresponse", "fullstudies"}
"""Keys, in small letters, that lead to studies."""
_PLACES = {
    "brief_title": ("identificationModule", "briefTitle"),
    "official_title": ("identificationModule", "officialTitle"),
    "brief_summary": ("descriptionModule", "briefSummary"),
    "detailed_description": ("descriptionModule", "detailedDescription"),
    "eligibility": ("eligibilityModule", "eligibilityCriteria"),
}
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")
"""CommonMark: a backslash before any ASCII punctuation."""
_MEND = 'a study is {"protocolSection": {"identificationModule": {"nctId": "NCT...", "briefTitle": "..."}, ...}}'


def json_studies(blocks: Iterable[bytes], path: str | PathLike[str]) -> Iterator[Study]:
    """The studies of JSON given in blocks of bytes: one, a list, pages of them, one or a page a line.

    Raises:
        DataError: not JSON, cut off, not UTF-8; an object that neither is nor holds studies, a study of another shape.
    """
    events = json_events(blocks, path, mend=_MEND)
    number = 0
    try:
        for event, _ in events:
            for is_v2, section in _sections(event, events, path):
                number += 1
                yield _study(section, path, number, is_v2=is_v2)
    except RecursionError as error:
        raise DataError("lists within lists without end", path=path, mend=_MEND) from error


def _sections(event: str, events: Events, path: str | PathLike[str]) -> Iterator[tuple[bool, Any]]:
    """(whether of API v2, protocol section) of the studies in the value that this event begins."""
    if event == "start_array":
        for event, _ in events:
            if event == "end_array":
                return
            yield from _sections(event, events, path)
    elif event == "start_map":
        yield from _of_object(events, path)
    else:
        raise DataError(f"neither a study nor a list of them, but a {event}", path=path, mend=_MEND)


def _of_object(events: Events, path: str | PathLike[str]) -> Iterator[tuple[bool, Any]]:
    keys: list[str] = []
    is_known = False
    for event, key in events:
        if event == "end_map":
            break
        keys.append(key)
        event, value = next(events)
        if key.lower() in _WRAPPERS and event in ("start_array", "start_map"):
            is_known = True
            yield from _sections(event, events, path)
        elif key.lower() == "protocolsection":
            is_known = True
            yield key == "protocolSection", build_value(event, value, events)
        else:
            skip_value(event, events)
    if not is_known:
        text = f"an object with {', '.join(keys) or 'no keys'}"
        raise DataError('neither a study ("protocolSection") nor "studies"', path=path, text=text, mend=_MEND)


def _study(section: Any, path: str | PathLike[str], number: int, *, is_v2: bool) -> Study:
    try:
        modules = {key.lower(): module for key, module in section.items()}
        nct = _string(modules, "identificationModule", "nctId")
        if not nct:
            raise ValueError("nctId is missing")
        found = {}
        for name, place in _PLACES.items():
            text = _string(modules, *place)
            found[name] = _items(_ESCAPED.sub(r"\1", text) if is_v2 else text)
    except (AttributeError, TypeError, ValueError) as error:
        raise DataError(f"study {number} is of another shape: {error}", path=path, mend=_MEND) from error
    return nct, found


def _string(modules: dict[str, Any], module: str, key: str) -> str:
    """The text there, whatever the case of the names; "" where there is none."""
    fields = {name.lower(): value for name, value in (modules.get(module.lower()) or {}).items()}
    value = fields.get(key.lower()) or ""
    if not isinstance(value, str):
        raise TypeError(f"{key} must be a string, not {value!r}")
    return value


def _items(text: str) -> list[str]:
    """Each line by itself: JSON's texts are not hard-wrapped, a line is a paragraph or an item of a list."""
    return [line.strip() for line in re.split(r"\r\n?|\n", text) if line.strip()]
