"""BRAT standoff and BioNLP shared-task files: `1.txt` with its mentions in `1.ann` (or `1.a1`), in folders or archives.

Offsets count the characters of the `.txt` as it is: line ends are not translated, so `\\r\\n` counts two; a byte order
mark at the start is left out and not counted. Where more of a document's mentions fit with `\\r\\n` read as one
character, or with the mark counted, its text is read so, and the document is counted under a loss.

    for document in read_brat("corpus.tar.gz/standoff/train"): ...

`.a2` files (events on the mentions of `.a1`) and all other files are passed over.
"""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from os import PathLike
from pathlib import Path

from openmed.errors import ConfigError, DataError
from openmed.readers.brat_lines import Mention, read_mentions
from openmed.readers.containers import located
from openmed.readers.lines import numbered_lines
from openmed.readers.losses import MENTION_DIFFERS
from openmed.spans import Document

CRLF_TEXT = "crlf_read_as_one_character"
"""Loss, in documents: the offsets count a Windows line end as one character, so the text was read with `\\n` for it."""
BOM_COUNTED = "byte_order_mark_counted"
"""Loss, in documents: the offsets count the byte order mark, so the text keeps it as its first character."""
MISSING_ANNOTATIONS = "text_without_annotation_file"
"""Loss, in documents: a `.txt` among annotated ones that has no annotation file, not even an empty one: left out."""

ANNOTATIONS = ("ann", "a1")
_MEND = "for each document the folder holds NAME.txt and NAME.ann (or NAME.a1), empty if there are no mentions"


def read_brat(
    path: str | PathLike[str], *, annotations: str | None = None, losses: Counter[str] | None = None
) -> Iterator[Document]:
    """Stream the documents of a BRAT corpus, in the order of their names; one is in memory at a time.

    A document's id is its file's name without the suffix, with the sub-folders before it where two would be the same.
    Fragments are sorted, and those that touch are one. Of several normalisations of a mention the identifiers are
    joined by "|".

    Args:
        path: a folder (with all below it, hidden ones left out), an archive, a path into one, or one file of a pair.
        annotations: "ann" or "a1": the suffix of the annotation files; None takes the one that is there.
        losses: counts mentions whose words differ from the text at their offsets (the offsets are believed), lines
            that say no mention (relations, attributes, notes), texts read in another way or without annotations.

    Raises:
        ConfigError: another suffix.
        DataError: no documents; a text or its annotations missing, or two annotation files of one text; not UTF-8, a
            NUL; a line that is not BRAT's; ids given twice; ranges that are empty, overlap or lie outside the text.
    """
    if annotations not in (None, *ANNOTATIONS):
        raise ConfigError(f"annotations is {annotations!r}", mend="write 'ann' or 'a1', or leave it out")
    losses = Counter() if losses is None else losses
    path = Path(path)
    is_single = path.suffix[1:] in ("txt", *ANNOTATIONS) and not path.is_dir()
    with located(path.parent if is_single else path) as folder:
        if not folder.is_dir():
            raise DataError("neither a folder, an archive nor a .txt, .ann or .a1 file", path=path, mend=_MEND)
        if is_single:
            wanted = annotations if path.suffix == ".txt" else path.suffix[1:]
            names = [_single_name(folder, path.stem, wanted)]
        else:
            names = _names(folder, annotations, losses)
        repeated = _repeated(_stem(name) for name, _ in names)
        for name, suffix in names:
            stem = _stem(name)
            yield _document(name if stem in repeated else stem, folder / name, suffix, losses)


def _names(folder: Path, annotations: str | None, losses: Counter[str]) -> list[tuple[str, str]]:
    """The documents below the folder, sorted: each its path without suffix, and its annotation file's suffix."""
    wanted = ("txt", *ANNOTATIONS) if annotations is None else ("txt", annotations)
    names: list[tuple[str, str]] = []
    num_missing = 0
    for root, folders, files in os.walk(folder, onerror=_refuse_unreadable):
        folders[:] = [name for name in folders if not name.startswith((".", "__MACOSX"))]
        parted = (file.rpartition(".") for file in files if not file.startswith("."))
        for stem in sorted({stem for stem, _, suffix in parted if suffix in wanted}):
            place = Path(root, stem)
            if suffix := _annotation_suffix(place, annotations):
                names.append((place.relative_to(folder).as_posix(), suffix))
            else:
                num_missing += 1
    if not names:
        problem = f"none of {num_missing} .txt files has annotations" if num_missing else "no .txt files"
        raise DataError(f"{problem} in this folder or below it", path=folder, mend=_MEND)
    if num_missing:
        losses[MISSING_ANNOTATIONS] += num_missing
    return sorted(names)


def _single_name(folder: Path, stem: str, annotations: str | None) -> tuple[str, str]:
    suffix = _annotation_suffix(folder / stem, annotations)
    if not suffix:
        raise DataError("the text has no annotation file", path=_file(folder / stem, "txt"), mend=_MEND)
    return stem, suffix


def _annotation_suffix(place: Path, annotations: str | None) -> str:
    """Of the document's annotation file; "" if it has none.

    Raises:
        DataError: there are two; or there is no text.
    """
    there = [suffix for suffix in ANNOTATIONS if annotations in (None, suffix) and _file(place, suffix).is_file()]
    if not _file(place, "txt").is_file():
        problem = "annotations without their text" if there else "there is no such file"
        raise DataError(problem, path=_file(place, (there or ["txt"])[0]), mend=_MEND)
    if len(there) > 1:
        raise DataError(
            "the text has two annotation files, .ann and .a1",
            path=_file(place, "txt"),
            mend="say which with annotations=ann or annotations=a1",
        )
    return there[0] if there else ""


def _file(place: Path, suffix: str) -> Path:
    # Not with_suffix: names hold dots ("PMC123.sec2").
    return place.with_name(f"{place.name}.{suffix}")


def _refuse_unreadable(error: OSError) -> None:
    # os.walk would pass over it.
    raise DataError(f"cannot be read ({error.strerror})", path=error.filename, mend="check its rights") from error


def _stem(name: str) -> str:
    return name.rpartition("/")[2]


def _repeated(stems: Iterable[str]) -> set[str]:
    seen: set[str] = set()
    repeated: set[str] = set()
    for stem in stems:
        (repeated if stem in seen else seen).add(stem)
    return repeated


def _document(id: str, place: Path, suffix: str, losses: Counter[str]) -> Document:
    text_path, annotation_path = _file(place, "txt"), _file(place, suffix)
    mentions = read_mentions(annotation_path, losses)
    text = _fitting_text(_read_text(text_path), mentions, losses)
    for mention in mentions:
        if mention.end > len(text):
            raise DataError(
                f"the mention ends at {mention.end}, outside the text of {len(text)} characters",
                path=annotation_path,
                line=mention.number,
                text=mention.line,
                mend=f"offsets count the characters of {text_path.name} from 0, with line ends as they are",
            )
    if num_differing := _num_differing(text, mentions):
        losses[MENTION_DIFFERS] += num_differing
    return Document(id, text, tuple(mention.span() for mention in mentions))


def _read_text(path: Path) -> str:
    """The whole text, with its byte order mark if it has one."""
    try:
        text = path.read_bytes().decode()
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        deque(numbered_lines(path), maxlen=0)  # raises, with the number of the line
    return text


def _fitting_text(raw: str, mentions: list[Mention], losses: Counter[str]) -> str:
    """The reading of the text that most mentions fit; the plain one unless another is better."""
    plain = raw.removeprefix("\ufeff")
    if not _num_differing(plain, mentions):
        return plain
    others = {CRLF_TEXT: plain.replace("\r\n", "\n"), BOM_COUNTED: raw}
    reading, text = min(others.items(), key=lambda item: _num_differing(item[1], mentions))
    if _num_differing(text, mentions) >= _num_differing(plain, mentions):
        return plain
    losses[reading] += 1
    return text


def _num_differing(text: str, mentions: list[Mention]) -> int:
    return sum(mention.differs(text) for mention in mentions)
