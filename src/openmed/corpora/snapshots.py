"""Take one file or folder out of a snapshot of a repository (.tar.gz, .zip), safely.

take_out(archive, "anatem-<commit>/original-data/standoff", target)
"""

from __future__ import annotations

import lzma
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, cast

from openmed.errors import DataError


def take_out(archive: Path, inside: str, target: Path) -> Path:
    """Write the file or folder `inside` an archive (.zip, or .tar compressed or not, told by content) to `target`.

    Rights, owners and times are not taken over. What is at `target` already is replaced.

    Returns:
        `target`.

    Raises:
        DataError: not such an archive, or a damaged one; nothing at `inside`, or a link or device there; a path that is
            absolute or climbs out ("..") anywhere. What was written by then is left.
    """
    shutil.rmtree(target, ignore_errors=True)
    found = False
    try:
        for name, kind, content in _members(archive):
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts:
                raise DataError(f"the archive holds {name!r}, a path that leads out of it")
            if not path.is_relative_to(inside):
                continue
            if kind == "other":
                raise DataError(f"in the archive {name!r} is neither a file nor a folder")
            found = True
            place = target / path.relative_to(inside)
            (place if kind == "folder" else place.parent).mkdir(parents=True, exist_ok=True)
            if kind == "file":
                with content() as source, place.open("wb") as file:
                    shutil.copyfileobj(source, file)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, lzma.LZMAError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # the disk; gzip and bz2 give no number
            raise
        raise DataError(f"not an archive, or a damaged one ({error})") from error
    if not found:
        raise DataError(f"the archive has no {inside!r}")
    return target


def _members(archive: Path) -> Iterator[tuple[str, str, Callable[[], IO[bytes]]]]:
    """(path in the archive, "file", "folder" or "other", what opens it), in the archive's order."""
    if tarfile.is_tarfile(archive):
        with tarfile.open(archive) as tar:
            for entry in tar:
                kind = "file" if entry.isfile() else "folder" if entry.isdir() else "other"
                # A file of a tar always opens: only folders, links and devices give None.
                yield entry.name, kind, partial(cast("Callable[[tarfile.TarInfo], IO[bytes]]", tar.extractfile), entry)
            while tar.fileobj and tar.fileobj.read(1 << 20):
                pass  # compression tells of a cut only at its end, which lies beyond the last member
        return
    with zipfile.ZipFile(archive) as zipped:
        for info in zipped.infolist():
            kind = "folder" if info.is_dir() else "other" if stat.S_ISLNK(info.external_attr >> 16) else "file"
            yield info.filename, kind, partial(zipped.open, info)
