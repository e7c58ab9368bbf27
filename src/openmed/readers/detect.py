"""Tells the format of a file, a folder or an archive: by suffixes, or, where these say nothing (.txt, .tsv, none), by
the first lines.

detect_format("corpus.txt")  # 'pubtator'
detect_format("corpus.tar.gz/train")  # 'brat'
"""

from __future__ import annotations

import re
from os import PathLike
from pathlib import Path

from openmed.errors import DataError
from openmed.readers.conll_layout import find_layout
from openmed.readers.containers import located
from openmed.readers.lines import numbered_lines

# Not .txt and .tsv: token files, PubTator and inline mark-up all come under both names.
SUFFIXES = {
    ".conll": "conll",
    ".iob": "conll",
    ".bio": "conll",
    ".jsonl": "jsonl",
    ".csv": "csv",
    ".pubtator": "pubtator",
    ".bioc": "bioc",
    ".xml": "bioc",
    ".json": "bioc",
}
FORMATS = ("bc2gm", "bioc", "brat", "conll", "csv", "inline", "jsonl", "pubtator")
STANDOFF = (".ann", ".a1")
"""What a document's annotations are called, beside its `.txt`."""
_ASIDE = ("readme", "license", "licence", "notice", "source", "citation", "changelog")
"""Files that stand beside the data in many corpora; a suffix of `SUFFIXES` makes them data all the same."""

_OPENINGS = {
    "pubtator": re.compile(r"[^|\t]+\|[ta]\|"),
    "bioc": re.compile(r"<\?xml|<!DOCTYPE collection|<collection|[\[{].*\"(?:documents|passages)\""),
    "jsonl": re.compile(r"\{.*\}\s*$"),
    "inline": re.compile(r"@id\s+\S"),
}
"""How a file of that format opens, after empty lines and comments (#)."""


def detect_format(path: str | PathLike[str]) -> str:
    """The format by the suffix (`.gz` aside), else by the first line with content, else "conll" if words have tags.

    A folder or archive has the one format of its files: standoff where it holds `.ann` or `.a1`.

    Raises:
        DataError: nothing tells, the files of a folder are of several formats, or the file cannot be read or is empty.
    """
    if not Path(path).is_dir() and (name := _by_suffix(Path(path))):
        return name
    with located(path) as place:
        return _of_folder(place, path) if place.is_dir() else _of_file(place)


def data_files(folder: Path) -> list[Path]:
    """The files below a folder that may hold documents, sorted: not hidden ones, nor those of `files_aside`."""
    return [file for file in _shown_files(folder) if not _is_aside(file)]


def files_aside(folder: Path) -> list[Path]:
    """The files below a folder that are passed over for their names, sorted: README.txt, LICENSE and the like."""
    return [file for file in _shown_files(folder) if _is_aside(file)]


def _shown_files(folder: Path) -> list[Path]:
    found = (file for file in folder.rglob("*") if file.is_file())
    return sorted(file for file in found if not any(part.startswith(".") for part in file.relative_to(folder).parts))


def _is_aside(file: Path) -> bool:
    return file.name.lower().split(".")[0] in _ASIDE and _by_suffix(file) is None


def _of_folder(folder: Path, shown: str | PathLike[str]) -> str:
    files = data_files(folder)
    if any(file.suffix in STANDOFF for file in files):
        return "brat"
    if any(file.suffix == ".in" for file in files) and any(file.suffix == ".eval" for file in files):
        return "bc2gm"
    formats = {file: _of_file(file) for file in files}
    if not formats:
        raise DataError("the folder holds no files", path=shown, mend="give the folder that holds the corpus's files")
    if len(set(formats.values())) > 1:
        examples = {format: file.name for file, format in formats.items()}
        raise DataError(
            "the files of the folder are of several formats: "
            + ", ".join(f"{name} is {format}" for format, name in sorted(examples.items())),
            path=shown,
            mend="give a folder with files of one split and one format, or say dataset.format=",
        )
    return next(iter(formats.values()))


def _by_suffix(path: Path) -> str | None:
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix != ".gz"]
    return SUFFIXES.get(suffixes[-1]) if suffixes else None


def _of_file(path: Path) -> str:
    if name := _by_suffix(path):
        return name
    if path.suffix in STANDOFF or any(path.with_suffix(suffix).is_file() for suffix in STANDOFF):
        return "brat"
    first = _first_line(path)
    for name, opening in _OPENINGS.items():
        if opening.match(first):
            return name
    try:
        find_layout(path, separator=None, token=None, tag=None)
    except DataError as error:
        if error.line is not None:  # a fault of the file, such as its encoding, whatever the format
            raise
        raise DataError(
            "neither its suffix nor its first lines tell the format",
            path=path,
            text=first,
            mend=f"say dataset.format= one of {', '.join(FORMATS)}",
        ) from error
    return "conll"


def _first_line(path: Path) -> str:
    """The first line that is neither empty nor a comment; a comment where there is no other."""
    comment = ""
    for _, line in numbered_lines(path):
        if line.strip() and not line.startswith("#"):
            return line
        comment = comment or line.strip()
    if not comment:
        raise DataError("the file is empty", path=path, mend="check that the download or export is complete")
    return comment
