"""BioC XML as a stream of entries: one pass of the parser, each document let go when it is whole.

    for entry in xml_entries(blocks, path): ...     # dicts with the keys of BioC JSON

The parser is a hardened one (`openmed.readers.xml_stream`). No tree is built; it tells line numbers as it goes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from os import PathLike
from typing import Any

from openmed.errors import DataError
from openmed.readers.bioc_entry import LINE, Entry
from openmed.readers.xml_stream import xml_items

_MEND = (
    "BioC XML is <collection><document><id/><passage><offset/><text/><annotation/></passage></document></collection>"
)

_PARENTS = {
    "document": ("collection",),
    "passage": ("document",),
    "sentence": ("passage",),
    "annotation": ("document", "passage", "sentence"),
    "relation": ("document", "passage", "sentence"),
    "location": ("annotation",),
}
"""The elements that become entries, each in the list `<name>s` of the one that it may stand in."""
_FIELDS = ("id", "offset", "text", "infon")


def xml_entries(blocks: Iterable[bytes], path: str | PathLike[str]) -> Iterator[Entry]:
    """The documents of a BioC XML file given in blocks of bytes.

    Raises:
        DataError: not well-formed, cut off, not of its encoding, an element out of place, declared entities.
    """
    return xml_items(_Target(path), blocks, path)


class _Target:
    """What the parser tells its events to: keeps the open entries and the finished documents, nothing else."""

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = path
        self.expat: Any = None
        self.open: list[tuple[str, Entry]] = []
        self.field: str | None = None
        self.key: str | None = None
        self.parts: list[str] = []

    def take(self) -> list[Entry]:
        """The documents that ended since the last call."""
        return self.open[0][1].pop("documents", []) if self.open else []

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if not self.open:
            self._start_collection(tag)
        elif tag in _PARENTS:
            if self.open[-1][0] not in _PARENTS[tag]:
                raise self._error(f"<{tag}> inside <{self.open[-1][0]}>")
            entry: Entry = dict(attributes) if tag == "location" else {}
            self.open.append((tag, entry | {LINE: self.expat.CurrentLineNumber, "infons": {}}))
        elif tag in _FIELDS:
            if self.field is not None:
                raise self._error(f"<{tag}> inside <{self.field}>")
            self.field, self.parts = tag, []
            self.key = attributes.get("key", "") if tag == "infon" else None

    def data(self, text: str) -> None:
        if self.field is not None:
            self.parts.append(text)

    def end(self, tag: str) -> None:
        if tag == self.field:
            self._end_field(tag, "".join(self.parts))
        elif tag in _PARENTS:
            _, entry = self.open.pop()
            self.open[-1][1].setdefault(f"{tag}s", []).append(entry)

    def _start_collection(self, tag: str) -> None:
        if tag != "collection":
            raise self._error(f"not BioC: the outermost element is <{tag}>, not <collection>")
        self.open.append((tag, {"infons": {}}))

    def _end_field(self, field: str, value: str) -> None:
        entry = self.open[-1][1]
        self.field = None
        if self.key is not None:
            entry["infons"][self.key] = value
        elif field in entry:
            raise self._error(f"a second <{field}>")
        else:
            entry[field] = value

    def _error(self, problem: str) -> DataError:
        return DataError(problem, path=self.path, line=self.expat.CurrentLineNumber, mend=_MEND)
