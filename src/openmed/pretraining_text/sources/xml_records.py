"""Records of an XML file as the texts of chosen elements, streaming: `<record>` elements are given as they end.

for record in xml_records(blocks, path, roots={"a"}, records={"b"}, fields={("b", "title")}, mend="..."):
    record.line, record.tag, [(field.parent, field.tag, field.attributes, field.text) for field in record.fields]
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from os import PathLike
from typing import Any, NamedTuple

from openmed.errors import DataError
from openmed.readers.xml_stream import xml_items


class XmlField(NamedTuple):
    """An element's characters; mark-up within it (`<i>`, `<sup>`, MathML) is gone, its text is kept."""

    parent: str
    tag: str
    attributes: dict[str, str]
    text: str


class XmlRecord(NamedTuple):
    """An element that is a record: the line where it starts and its fields in their order."""

    line: int
    tag: str
    fields: list[XmlField]

    def first(self, *places: tuple[str, str]) -> XmlField | None:
        """The first field at the first of the places (parent, tag) that has one."""
        found = (field for place in places for field in self.fields if field[:2] == place)
        return next(found, None)


def xml_records(
    blocks: Iterable[bytes],
    path: str | PathLike[str],
    *,
    roots: Set[str],
    records: Set[str],
    fields: Set[tuple[str, str]],
    mend: str,
) -> Iterator[XmlRecord]:
    """The records of an XML file given in blocks of bytes; those before a mistake are given.

    Args:
        roots: what the outermost element may be.
        records: elements that are records; none stands within another.
        fields: (parent's tag, tag) of the elements whose text is taken; none stands within another.
        mend: what is said where the outermost element is another.

    Raises:
        DataError: another outermost element, a record within a record; what `xml_items` raises.
    """
    return xml_items(_Target(path, roots=roots, records=records, fields=fields, mend=mend), blocks, path)


class _Target:
    def __init__(
        self,
        path: str | PathLike[str],
        *,
        roots: Set[str],
        records: Set[str],
        fields: Set[tuple[str, str]],
        mend: str,
    ) -> None:
        self.path, self.roots, self.records, self.fields, self.mend = path, roots, records, fields, mend
        self.expat: Any = None
        self.tags: list[str] = []
        self.record: XmlRecord | None = None
        self.ended: list[XmlRecord] = []
        self.parts: list[str] | None = None
        self.attributes: dict[str, str] = {}
        self.field_depth = 0

    def take(self) -> list[XmlRecord]:
        ended, self.ended = self.ended, []
        return ended

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if not self.tags and tag not in self.roots:
            raise self._error(f"the outermost element is <{tag}>")
        if tag in self.records:
            if self.record:
                raise self._error(f"<{tag}> within <{self.record.tag}>")
            self.record = XmlRecord(self.expat.CurrentLineNumber, tag, [])
        elif self.parts is None and self.record and (self.tags[-1], tag) in self.fields:
            self.parts, self.attributes, self.field_depth = [], attributes, len(self.tags)
        self.tags.append(tag)

    def data(self, text: str) -> None:
        if self.parts is not None:
            self.parts.append(text)

    def end(self, tag: str) -> None:
        self.tags.pop()
        if self.parts is not None and len(self.tags) == self.field_depth:
            assert self.record is not None, "fields are begun in records only"
            self.record.fields.append(XmlField(self.tags[-1], tag, self.attributes, "".join(self.parts)))
            self.parts = None
        elif tag in self.records and self.record:
            self.ended.append(self.record)
            self.record = None

    def _error(self, problem: str) -> DataError:
        return DataError(problem, path=self.path, line=self.expat.CurrentLineNumber, mend=self.mend)
