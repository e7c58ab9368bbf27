"""Where an input's results go, and how they get there from the documents tagged.

    places = targets_of([Path("notes/a.txt.gz")], Path("tagged"), "brat", Reading())
    losses = put(documents, places[source], "brat", words)

A BRAT folder for each input, of text files (one document each) the pair of files itself.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from openmed.errors import DataError, OpenMedError
from openmed.serving.inputs import TEXT, Reading, format_of, stem
from openmed.spans import Document, Range
from openmed.writers import write
from openmed.writers.atomic import atomic_path, beside

Words = Callable[[Document], Sequence[Range]]
_SUFFIXES = {
    "jsonl": ".jsonl",
    "brat": "",
    "pubtator": ".pubtator",
    "bioc": ".xml",
    "conll": ".conll",
    "csv": ".csv",
    "html": ".html",
}
TO = tuple(_SUFFIXES)
"""Formats of results, as in `--to`."""
ANNOTATIONS = ".ann"
"""Of the target of a text file in BRAT, which stands for the pair: the text is beside it."""


def targets_of(files: Sequence[Path], out: Path, to: str, reading: Reading) -> dict[Path, Path]:
    """Where each input's results go; no two share a place.

    Raises:
        DataError: two would, or an input was given twice.
    """
    targets: dict[Path, Path] = {}
    taken: dict[Path, Path] = {}
    for source in files:
        target = _target_of(source, out, to, is_text=_is_text(source, reading))
        for place in files_of(target):
            if place in taken:
                raise _both(taken[place], source, place)
            taken[place] = source
        targets[source] = target
    return targets


def _both(first: Path, second: Path, place: Path) -> DataError:
    if first.resolve() == second.resolve():
        return DataError("the input was given twice", path=second, mend="name it, or the folder that holds it, once")
    return DataError(
        f"it and {first} would both be written to {place}",
        path=second,
        mend="rename one of the two, or tag them by two commands, each with an --out of its own",
    )


def refuse_others(targets: Mapping[Path, Path]) -> None:
    """What lies in the place of results that this job has not begun is not this job's."""
    for file in (file for target in targets.values() for file in files_of(target)):
        if file.exists():
            raise DataError("the result is there already", path=file, mend="choose another --out, or delete it")


def _target_of(source: Path, out: Path, to: str, *, is_text: bool) -> Path:
    """The file (of BRAT: the folder) for an input's results.

    Args:
        is_text: the input is a text file, one document that bears its name.
    """
    suffix = ANNOTATIONS if to == "brat" and is_text else _SUFFIXES[to]
    return out / f"{stem(source)}{suffix}"


def _is_text(source: Path, reading: Reading) -> bool:
    try:
        return format_of(source, reading) == TEXT
    except OpenMedError:  # told when the file is read
        return False


def files_of(target: Path) -> list[Path]:
    """What is written for a target: itself, of a BRAT pair the text first."""
    return [target.with_suffix(".txt"), target] if target.suffix == ANNOTATIONS else [target]


def put(documents: Iterable[Document], target: Path, to: str, words: Words) -> Counter[str]:
    """Write the documents in the format; what it cannot hold of them is counted. The target is replaced when all is
    written.

    Args:
        words: a document's words, for token files.

    Raises:
        DataError: a document that the format cannot hold.
    """
    losses: Counter[str] = Counter()
    if to != "brat":
        write(documents, target, format=to, losses=losses, **({"words": words} if to == "conll" else {}))
        return losses
    if target.suffix != ANNOTATIONS:
        with atomic_path(target) as temporary:  # the writer takes new folders only
            write(documents, temporary, format=to, losses=losses)
        return losses
    with beside(target) as scratch:
        write(documents, scratch / "pair", format=to, losses=losses)
        for file in sorted((scratch / "pair").iterdir(), reverse=True):  # .txt, then .ann
            file.replace(target.with_suffix(file.suffix))
    return losses


def remove(target: Path) -> None:
    """Delete what was written for a target, if anything was."""
    for file in files_of(target):
        shutil.rmtree(file) if file.is_dir() else file.unlink(missing_ok=True)


def writable(
    documents: Iterable[Document], to: str, words: Words, refused: Callable[[Document, DataError], None]
) -> Iterator[Document]:
    """Those of the documents that the format can hold, each tried alone; `refused` is told of the others."""
    with tempfile.TemporaryDirectory() as scratch:
        for document in documents:
            place = Path(scratch) / f"one{_SUFFIXES[to]}"
            try:
                put([document], place, to, words)
            except DataError as error:
                refused(document, error)
            else:
                yield document
