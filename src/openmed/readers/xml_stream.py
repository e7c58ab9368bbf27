"""XML as a stream: one pass of a hardened parser, no tree; what a target has made of it comes out as it goes.

    for entry in xml_items(target, blocks, path): ...

XML from strangers is read by defusedxml: a declaration such as `<!DOCTYPE collection SYSTEM "BioC.dtd">` is fine
(nothing is fetched), declared entities are refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from os import PathLike
from typing import Any, Protocol, TypeVar

from openmed.errors import DataError

Item = TypeVar("Item")
_WELL_FORMED = "check the mark-up, and that the encoding is UTF-8 or the one that the file's first line declares"


class XmlTarget(Protocol[Item]):
    """What the parser tells its events to. Its methods may raise a `DataError`, which ends the reading."""

    expat: Any
    """The parser, set before the first event: `expat.CurrentLineNumber` is where it stands."""

    def start(self, tag: str, attributes: dict[str, str], /) -> None: ...
    def data(self, text: str, /) -> None: ...
    def end(self, tag: str, /) -> None: ...
    def take(self) -> list[Item]:
        """What has become whole since the last call."""
        ...


def xml_items(target: XmlTarget[Item], blocks: Iterable[bytes], path: str | PathLike[str]) -> Iterator[Item]:
    """What the target makes of an XML file given in blocks of bytes; what came before a mistake is given, too.

    Raises:
        DataError: not well-formed, cut off, not of its encoding, declared entities; what the target raises.
    """
    from defusedxml.ElementTree import DefusedXMLParser

    parser = DefusedXMLParser(target=target)
    target.expat = _connect(parser, target)
    num_bytes = 0
    for block in chain(blocks, [b""]):
        error = _feed(parser, block, num_bytes, path)
        yield from target.take()
        if error:
            raise error
        num_bytes += len(block)


def _connect(parser: Any, target: XmlTarget[Any]) -> Any:
    """The parser within, with its events going straight to the target: by way of ElementTree, reading MEDLINE takes a
    third longer.

    What defusedxml has set against entities stays.
    """
    expat = parser.parser
    expat.ordered_attributes = False
    expat.StartElementHandler = target.start
    expat.EndElementHandler = target.end
    expat.CharacterDataHandler = target.data
    return expat


def _feed(parser: Any, block: bytes, num_bytes: int, path: str | PathLike[str]) -> DataError | None:
    """Parse one more block after so many bytes (the end of the file: an empty one); what is wrong, if anything."""
    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import ParseError

    try:
        parser.feed(block) if block else parser.close()
    except ParseError as error:
        at = max(parser.parser.ErrorByteIndex - num_bytes, 0)
        return DataError(
            f"not well-formed XML ({error})",
            path=path,
            line=error.position[0],
            text=block[at : at + 60].decode("utf-8", errors="replace") or None,
            mend=_WELL_FORMED if block else "the file is cut off: get it again",
        )
    except DefusedXmlException as error:
        return DataError(
            "it declares or fetches entities, which can fill the memory or read other files",
            path=path,
            line=parser.parser.CurrentLineNumber,
            text=str(error),
            mend="write the characters themselves instead of entities, and remove their declarations",
        )
    except DataError as error:
        return error
    except (LookupError, ValueError) as error:
        return DataError(f"its encoding cannot be read ({error})", path=path, line=1, mend="convert the file to UTF-8")
    return None
