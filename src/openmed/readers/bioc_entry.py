"""A BioC document as both forms bring it: nested dicts with the keys of BioC JSON, and typed access to them.

The XML reader makes the same dicts, so that everything after it exists once. Values come from a file, so each is
checked where it is taken, and a `Place` words the error: file, document, line.

    place = Place(path, "227508")
    offset = place.number(passage, "offset")
"""

from __future__ import annotations

from os import PathLike
from typing import Any, NamedTuple

from openmed.errors import DataError

Entry = dict[str, Any]

LINE = "<line>"
"""Key of the line an entry opens on. Only the XML reader knows it; no element of BioC can have this name."""

_MEND = 'see the BioC format: documents hold passages with "offset" and "text", these hold annotations'
_MAX_DIGITS = 15


class Place(NamedTuple):
    """Where an entry was read: the file and the document's id."""

    path: str | PathLike[str]
    document: str

    def error(self, problem: str, *, at: Entry, text: object = None, mend: str = _MEND) -> DataError:
        return DataError(
            f"document {self.document!r}: {problem}",
            path=self.path,
            line=at.get(LINE),
            text=None if text is None else str(text),
            mend=mend,
        )

    def entries(self, parent: Entry, key: str) -> list[Entry]:
        """The list of objects under `key`; none where it is missing.

        Raises:
            DataError: something else is there.
        """
        value = parent.get(key)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self.error(f"{key!r} must be a list of objects", at=parent, text=value)
        return value

    def infons(self, parent: Entry) -> Entry:
        """Raises: DataError when the infons are not an object."""
        value = parent.get("infons")
        if not isinstance(value, dict | None):
            raise self.error("'infons' must be an object", at=parent, text=value)
        return value or {}

    def text(self, parent: Entry, key: str = "text") -> str | None:
        """Raises: DataError when it is not a string."""
        value = parent.get(key)
        if not isinstance(value, str | None):
            raise self.error(f"{key!r} must be a string", at=parent, text=value)
        return value

    def number(self, parent: Entry, key: str) -> int:
        """A whole number from 0, written as a number or, as always in XML, as digits.

        Raises:
            DataError: it is missing or something else.
        """
        value = parent.get(key)
        digits = str(value).strip() if type(value) in (int, str) else ""
        if not (digits.isascii() and digits.isdecimal() and len(digits) <= _MAX_DIGITS):
            problem = f"{key!r} is missing" if value is None else f"{key!r} must be a whole number from 0"
            raise self.error(problem, at=parent, text=value)
        return int(digits)
