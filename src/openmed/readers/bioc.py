"""BioC, XML or JSON: what BC5CDR, PubMed Central's BioC API and PubTator3's exports come as.

    for document in read_bioc("CDR_TestSet.BioC.xml", composite="mention"): ...

Passages are put at their offsets, with spaces in the gaps between; the text starts at the first passage's offset. Where
passages hold sentences, these are the document's sentences.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import chain
from os import PathLike

from openmed.errors import DataError
from openmed.readers.bioc_document import DocumentReader
from openmed.readers.bioc_json import json_entries
from openmed.readers.bioc_xml import xml_entries
from openmed.readers.lines import byte_blocks
from openmed.spans import Document

_UTF8_BOM = b"\xef\xbb\xbf"
_XML = (b"<", b"\xff\xfe", b"\xfe\xff")
"""How XML begins: a tag, or the byte order mark of UTF-16 (JSON is always UTF-8)."""
_JSON = (b"{", b"[")


def read_bioc(
    path: str | PathLike[str],
    *,
    types_from: str = "type",
    composite: str = "keep",
    losses: Counter[str] | None = None,
) -> Iterator[Document]:
    """Stream the documents of a BioC file (`.gz` or not); XML or JSON is told by the first character.

    An annotation's `<location>`s become the span's fragments (those that touch are one). The identifier is the infon
    `identifier`, else MESH, OMIM, NCBI Gene or NCBI Taxonomy with that name before it ("MESH:D003000"); the score is
    the infon `score` where it is a number from 0 to 1, the model that found it the infon `model`. Offsets count
    characters from the start of the document, or, in a document where more mentions agree with the text so, bytes of
    UTF-8.

    Args:
        types_from: the infon that holds an annotation's type.
        composite: "keep" takes all annotations. "mention" drops the parts (CompositeRole IndividualMention) that
            stand beside composite mentions such as "ocular and auditory toxicity"; BC5CDR then has the mentions of its
            PubTator files.
        losses: counts relations, mentions whose text differs from the text at their offsets (the offsets are
            believed), annotations without location, dropped parts, and documents whose offsets count bytes.

    Raises:
        ConfigError: another `composite`.
        DataError: neither XML nor JSON, cut off, no documents; of a document: no text, offsets outside the text,
            passages that overlap, an annotation without type.
    """
    losses = Counter() if losses is None else losses
    reader = DocumentReader(path, types_from=types_from, composite=composite, losses=losses)
    return _documents(path, reader)


def _documents(path: str | PathLike[str], reader: DocumentReader) -> Iterator[Document]:
    blocks = byte_blocks(path)
    head = block = b""
    while not head and (block := next(blocks, b"")):
        # Only JSON is parsed without what is blank: an XML declaration must come first of all.
        head = block.removeprefix(_UTF8_BOM).lstrip()
    if not head:
        raise DataError("the file is empty", path=path, mend="check that the download or export is complete")
    if head.startswith(_XML):
        entries = xml_entries(chain([block], blocks), path)
    elif head.startswith(_JSON):
        entries = json_entries(chain([head], blocks), path)
    else:
        raise DataError(
            "neither XML nor JSON",
            path=path,
            text=head[:60].decode("utf-8", errors="replace"),
            mend="BioC begins with < (XML), { or [ (JSON); say format= if the file is of another format",
        )
    number = 0
    for number, entry in enumerate(entries, start=1):
        yield reader.document(entry, number)
    if not number:
        raise DataError("no documents", path=path, mend="check that the download or export is complete")
