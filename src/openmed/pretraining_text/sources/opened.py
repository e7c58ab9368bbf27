"""The beginning of a file, looked at before a parser is chosen for it.

head, blocks = opened(path, mend="MEDLINE XML is <PubmedArticleSet>...")
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from os import PathLike

from openmed.errors import DataError
from openmed.readers.lines import byte_blocks

_UTF8_BOM = b"\xef\xbb\xbf"
XML_OPENINGS = (b"<", b"\xff\xfe", b"\xfe\xff")
"""How XML begins: a tag, or the byte order mark of UTF-16."""
JSON_OPENINGS = (b"{", b"[")


def opened(path: str | PathLike[str], *, mend: str) -> tuple[bytes, Iterator[bytes]]:
    """The file's first bytes that are not blank, and all blocks from these on; without a byte order mark of UTF-8.

    Raises:
        DataError: an empty file, one that cannot be opened or whose compression is broken.
    """
    blocks = byte_blocks(path)
    for block in blocks:
        text = block.removeprefix(_UTF8_BOM)
        if head := text.lstrip():
            return head, chain([text], blocks)
    raise DataError("the file is empty", path=path, mend=mend)
