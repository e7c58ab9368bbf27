"""BRAT standoff, as `openmed.readers.brat` reads it: a new folder with a `.txt` and an `.ann` for each document.

A mention is a T line, its identifier an N line (one for each part of "MESH:1|MESH:2"), its score (and model) a note.
What the format cannot hold is refused or counted, never changed unseen.

    write_brat(documents, "for_curation")
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from os import PathLike
from pathlib import Path

from openmed.errors import DataError
from openmed.spans import Document, Span
from openmed.writers.atomic import atomic_path
from openmed.writers.losses import GROUPS_NOT_WRITTEN, SENTENCES_NOT_WRITTEN, WORDS_NOT_WRITTEN, count_not_written

ID_CHANGED = "document_id_changed"
"""Loss, in documents: the id is no safe or free file name, so the file has another and would read back with that."""

MAX_NAME_BYTES = 200
_RESERVED = r"(?:con|prn|aux|nul|(?:com|lpt)[1-9¹²³]) *(?:\.|\Z)"
"""Devices of Windows, whatever suffix follows; the superscripts are digits to it."""
_UNSAFE = re.compile(rf'[\x00-\x1f\x7f-\x9f<>:"/\\|?*\ud800-\udfff]|^\.|^(?={_RESERVED}).', re.IGNORECASE)
"""What some file system refuses, what leads into a folder, and what hides a file."""


def write_brat(
    documents: Iterable[Document], folder: str | PathLike[str], *, losses: Counter[str] | None = None
) -> int:
    """Write the documents, one at a time; returns how many. The folder appears only when whole.

    Texts are written as they are, in UTF-8. Fragments that touch are written as such and read back as one.

    Args:
        documents: their ids become file names: unsafe characters as %XX (of a name that Windows reserves the first),
            long ones cut, a name taken already (in whatever case) with a number.
        folder: new or empty.
        losses: counts documents whose id, group, words or sentences the folder does not hold.

    Raises:
        DataError: the folder holds something; white space in a label, tabs or line ends in an identifier; a text that
            begins with a byte order mark; NUL or half a surrogate pair anywhere.
    """
    losses = Counter() if losses is None else losses
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError("there is something here already", path=folder, mend="name a new folder, or empty this one")
    taken: set[str] = set()
    number = 0
    with atomic_path(folder) as temporary:
        temporary.mkdir()
        for document in documents:
            _refuse_unwritable(document, folder)
            name = _free_name(document.id, taken)
            if name != document.id:
                losses[ID_CHANGED] += 1
            count_not_written(document, losses, GROUPS_NOT_WRITTEN, WORDS_NOT_WRITTEN, SENTENCES_NOT_WRITTEN)
            (temporary / f"{name}.txt").write_bytes(document.text.encode())
            (temporary / f"{name}.ann").write_bytes("".join(f"{line}\n" for line in _lines(document)).encode())
            number += 1
    return number


def _lines(document: Document) -> Iterator[str]:
    num_identifiers = num_notes = 0
    for number, span in enumerate(document.spans, start=1):
        ranges = span.fragments or ((span.start, span.end),)
        offsets = ";".join(f"{start} {end}" for start, end in ranges)
        # BRAT's own rule: one line, whatever white space the mention holds.
        words = re.sub(r"\s", " ", " ".join(document.text[start:end] for start, end in ranges))
        yield f"T{number}\t{span.label} {offsets}\t{words}"
        for identifier in _identifiers(span):
            num_identifiers += 1
            yield f"N{num_identifiers}\tReference T{number} {identifier}\t{words}"
        if span.score is not None:
            num_notes += 1
            model = f" model={span.model}" if span.model else ""
            yield f"#{num_notes}\tAnnotatorNotes T{number}\tscore={round(span.score, 6)}{model}"


def _identifiers(span: Span) -> list[str]:
    whole = span.identifier or ""
    parts = whole.split("|")
    if all(part.strip() for part in parts):
        return parts
    return [whole] if whole.strip() else []


def _refuse_unwritable(document: Document, folder: Path) -> None:
    for what, value, unheld, mend in _values(document):
        if found := re.search(unheld, value):
            raise DataError(
                f"BRAT cannot hold {what} of document {document.id!r}: {found[0]!r} at character {found.start()}",
                path=folder,
                text=value[max(found.start() - 40, 0) : found.end() + 40],
                mend=mend,
            )


def _values(document: Document) -> Iterator[tuple[str, str, str, str]]:
    """What it is, the value, a pattern of what cannot be held, the mend."""
    odd = "\0\ud800-\udfff"
    yield "the text", document.text, f"^\ufeff|[{odd}]", "take it out and shift the offsets behind it"
    for span in document.spans:
        yield "a label", span.label, rf"[\s{odd}]", "rename the type, for instance with '_' for the space"
        yield "an identifier", span.identifier or "", f"[\t\n\r{odd}]", "take it out of the identifier"


def _free_name(id: str, taken: set[str]) -> str:
    """A file name for the id, free also where names that differ in case (or in how an accent is coded) are one."""
    name = _safe_name(id)
    free, number = name, 1
    while (key := unicodedata.normalize("NFC", free).casefold()) in taken:
        number += 1
        free = f"{name}~{number}"
    taken.add(key)
    return free


def _safe_name(id: str) -> str:
    """The id itself wherever it can be a file's name; else with the unsafe characters as %XX, cut to length."""
    name = _UNSAFE.sub(_percent, id) or "document"
    coded = name.encode()
    if len(coded) <= MAX_NAME_BYTES:
        return name
    digest = hashlib.sha256(coded).hexdigest()[:8]
    return f"{coded[: MAX_NAME_BYTES - 9].decode(errors='ignore')}~{digest}"


def _percent(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match[0].encode(errors="surrogatepass"))
