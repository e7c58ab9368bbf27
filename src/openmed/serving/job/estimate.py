"""About how many documents files hold, without reading them all: for the time left, and for nothing else.

estimate_documents(files, Reading())    # 31234.5, or None where the format does not tell cheaply
"""

from __future__ import annotations

import gzip
import lzma
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, cast

from openmed.errors import OpenMedError
from openmed.readers.lines import DAMAGE
from openmed.serving.inputs import TEXT, Reading, format_of

NUM_SAMPLED = 16
"""Files looked into; of the others the size tells."""
SAMPLE_BYTES = 16_000_000
"""Read of each, unpacked."""
_MARKS = {
    "jsonl": b"\n",
    "csv": b"\n",
    "medline": b"<MedlineCitation ",
    "bioc": b"<document>",
    "pubtator": b"|t|",
    "conll": b"\n\n",
}
"""Stands once in each document of the format, or nearly."""


def estimate_documents(files: Sequence[Path], reading: Reading) -> float | None:
    """The documents of all files; None where a file's format has no mark to count."""
    step = max(len(files) / NUM_SAMPLED, 1)
    sampled = [files[int(number * step)] for number in range(min(len(files), NUM_SAMPLED))]
    found = num_bytes = 0.0
    for file in sampled:
        density = _density(file, reading)
        if density is None:
            return None
        size = _size(file)
        found += density * size
        num_bytes += size
    if not num_bytes:
        return float(len(files))
    rest = sum(map(_size, files)) - num_bytes
    return found + rest * found / num_bytes


def _density(file: Path, reading: Reading) -> float | None:
    """Documents a byte of the file as it lies on disk; 0 of one that cannot be read."""
    try:
        format = format_of(file, reading)
        if format == TEXT:
            return 1 / max(_size(file), 1)
        if format not in _MARKS:
            return None
        with file.open("rb") as raw:
            number = _unpacked(file, raw).read(SAMPLE_BYTES).count(_MARKS[format])
            return number / max(raw.tell(), 1)
    except (OpenMedError, OSError, *DAMAGE):
        return 0.0


def _size(file: Path) -> int:
    """In bytes on disk; 0 of a file that is not there, which is told when it is read."""
    try:
        return file.stat().st_size
    except OSError:
        return 0


def _unpacked(file: Path, raw: BinaryIO) -> BinaryIO:
    if file.suffix == ".gz":
        return cast(BinaryIO, gzip.GzipFile(fileobj=raw))
    return cast(BinaryIO, lzma.LZMAFile(raw)) if file.suffix == ".xz" else raw
