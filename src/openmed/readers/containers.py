"""A folder, an archive, or a path that leads into an archive, all seen as a real path on disk.

Corpora come packed; with this a config says `corpus.tar.gz/train` and needs no unpacked copy. A `.gz` of a single file
is no archive here: `openmed.readers.lines` reads it as it is.

    with located("Linnaeus.tar.bz2/Linnaeus_standoff/train") as folder: ...
    unpack(archive, "anatem-<commit>/original-data/standoff", folder, keep_litter=True)
"""

from __future__ import annotations

import difflib
import lzma
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from os import PathLike
from pathlib import Path, PurePosixPath, PureWindowsPath
from tarfile import EOFHeaderError, HeaderError, ReadError  # pyright: ignore[reportAttributeAccessIssue]
from tempfile import TemporaryDirectory
from typing import IO, NamedTuple

from openmed.errors import DataError

ARCHIVE_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".zip")
_ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06")
"""The first bytes of a zip, and of an empty one."""
_Parts = tuple[str, ...]


def split_archive(path: str | PathLike[str]) -> tuple[Path, str]:
    """The file or folder on disk, and the path inside it where the first is an archive ("" for the whole of it).

    A path that leads into no archive comes back as it is, whether it exists or not.
    """
    path = Path(path)
    for outer in (path, *path.parents):
        if is_archive(outer):
            return outer, "/".join(path.parts[len(outer.parts) :])
    return path, ""


@contextmanager
def located(path: str | PathLike[str]) -> Iterator[Path]:
    """A real file or folder: `path` itself or, of an archive, a temporary copy of what lies under the inner path.

    The copy is made in one pass, a block at a time, and is gone after the `with`. A `DataError` raised within names the
    file by its place in the archive. macOS's litter (`._*`, `.DS_Store`, `__MACOSX`) is left out.

    Raises:
        DataError: nothing there; an archive that is damaged, encrypted, or whose members are links, devices or lead
            out of it.
    """
    outer, inner = split_archive(path)
    if not outer.exists():
        raise DataError("there is no such file, folder or archive", path=outer, mend="check the path")
    if not is_archive(outer):
        yield outer
        return
    with TemporaryDirectory(prefix="openmed-") as temporary:
        root = Path(temporary)
        try:
            unpack(outer, inner, root / inner, keep_litter=False)
        except OSError as error:
            mend = "check its rights, and the room in the temporary folder (TMPDIR moves it)"
            raise DataError(f"cannot be unpacked ({error.strerror})", path=outer, mend=mend) from error
        try:
            yield root / inner
        except DataError as error:
            if error.path is None or not Path(error.path).is_relative_to(root):
                raise
            place = outer / Path(error.path).relative_to(root)
            raise DataError(error.problem, path=place, line=error.line, text=error.text, mend=error.mend) from error


def is_archive(path: Path) -> bool:
    """Whether it is a file whose name ends in one of `ARCHIVE_SUFFIXES`."""
    return path.name.lower().endswith(ARCHIVE_SUFFIXES) and path.is_file()


def unpack(archive: Path, inner: str, target: Path, *, keep_litter: bool) -> None:
    """Copy the file or folder `inner` ("" for all) of an archive to `target`, where nothing may be but a folder.

    The archive's kind is told by its content, whatever its name. Rights, owners, times and empty folders are not taken
    over.

    Args:
        keep_litter: copy macOS's litter too, where a folder must be just what was published.

    Raises:
        DataError: the archive is damaged or of an unknown kind, holds nothing under `inner`, or there a link, a device
            or an encrypted file; one of its members leads out of it. What was written by then is left.
        OSError: the disk.
    """
    wanted = PurePosixPath(inner).parts
    is_empty = True
    with _damage_told(archive):
        for member in _members(archive):
            parts = _safe_parts(member.name, archive)
            if member.is_folder or parts[: len(wanted)] != wanted or (not keep_litter and _is_litter(parts)):
                continue
            if not parts:
                raise _refused("a file without a name in the archive", archive, member.name)
            _copy(member, target.joinpath(*parts[len(wanted) :]), archive)
            is_empty = False
        if is_empty:
            raise _nothing_found(archive, inner)


class _Member(NamedTuple):
    """One entry of an archive. `is_plain`: a file, neither link nor device nor encrypted."""

    name: str
    is_folder: bool
    is_plain: bool
    open: Callable[[], IO[bytes] | None]


def _members(archive: Path) -> Iterator[_Member]:
    with archive.open("rb") as file:
        is_zip = file.read(4) in _ZIP_STARTS
    return _zip_members(archive) if is_zip else _tar_members(archive)


class _StrictInfo(tarfile.TarInfo):
    """Refuses what tarfile takes for the end of the archive: a broken header, or an end without its mark."""

    @classmethod
    def fromtarfile(cls, tarfile: tarfile.TarFile) -> _StrictInfo:
        try:
            return super().fromtarfile(tarfile)
        except HeaderError as error:
            if isinstance(error, EOFHeaderError):
                raise
            raise ReadError(str(error)) from error


def _tar_members(archive: Path) -> Iterator[_Member]:
    with tarfile.open(archive, "r:*", tarinfo=_StrictInfo) as tar:
        while (info := tar.next()) is not None:
            yield _Member(info.name, info.isdir(), info.isreg(), partial(tar.extractfile, info))
            tar.members = []  # pyright: ignore[reportAttributeAccessIssue]: else it keeps every entry it has seen
        assert tar.fileobj is not None
        while tar.fileobj.read(1 << 16):  # to the very end, where gzip and xz keep their checksums
            pass


def _zip_members(archive: Path) -> Iterator[_Member]:
    with zipfile.ZipFile(archive) as zip_:
        for info in zip_.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)
            is_encrypted = bool(info.flag_bits & 0x1)
            is_plain = kind in (0, stat.S_IFREG) and not is_encrypted
            yield _Member(info.filename, info.is_dir(), is_plain, partial(zip_.open, info))


def _copy(member: _Member, target: Path, archive: Path) -> None:
    source = member.open() if member.is_plain else None
    if source is None:
        raise _refused("an encrypted file, a link or a device in the archive", archive, member.name)
    target.parent.mkdir(parents=True, exist_ok=True)
    with source, target.open("wb") as file:
        shutil.copyfileobj(source, file)


def _refused(problem: str, archive: Path, name: str) -> DataError:
    return DataError(problem, path=archive, text=name, mend="unpack it yourself and give the folder")


def _safe_parts(name: str, archive: Path) -> _Parts:
    """The parts of a member's name; a backslash parts them too (zips made on Windows)."""
    parts = tuple(part for part in name.replace("\\", "/").split("/") if part not in ("", "."))
    # On Windows a drive anywhere ("x/C:/y") starts anew from there.
    if ".." in parts or PureWindowsPath(name).anchor or any(PureWindowsPath(part).drive for part in parts):
        raise DataError(
            "a file that would be unpacked outside the archive's folder",
            path=archive,
            text=name,
            mend="get the archive from a source you trust, or unpack it yourself and give the folder",
        )
    return parts


def _is_litter(parts: _Parts) -> bool:
    return "__MACOSX" in parts or any(part == ".DS_Store" or part.startswith("._") for part in parts[-1:])


@contextmanager
def _damage_told(archive: Path) -> Iterator[None]:
    """Turns what the libraries say of a damaged archive into a `DataError`; what the disk says stays an `OSError`."""
    try:
        yield
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError) as error:
        raise _damaged(archive, error) from error
    except OSError as error:
        if error.errno is not None:
            raise
        raise _damaged(archive, error) from error  # gzip and bz2 speak so of bad data


def _damaged(archive: Path, error: Exception) -> DataError:
    what = str(error).split("\n")[0].rstrip(":") or "it ends too soon"
    return DataError(f"the archive is damaged or of a kind unknown here ({what})", path=archive, mend="get it again")


def _nothing_found(archive: Path, inner: str) -> DataError:
    """Says what there is instead: a second pass, which only mistakes cost."""
    paths = [_safe_parts(member.name, archive) for member in _members(archive)]
    names = sorted({"/".join(parts[:depth]) for parts in paths for depth in range(1, len(parts) + 1)})
    if not inner:
        return DataError("the archive holds no files", path=archive, mend="check that it is the one you mean")
    close = [name for name in names if name.endswith(f"/{inner}")] or difflib.get_close_matches(inner, names)
    hint = f"did you mean {' or '.join(repr(name) for name in close[:3])}? " if close else ""
    folders = sorted({parts[:-1] for parts in paths if len(parts) > 1}, key=lambda parts: (len(parts), parts))
    shown = ", ".join("/".join(parts) for parts in folders[:10]) or "none"
    return DataError(
        f"nothing under {inner!r} in the archive",
        path=archive,
        mend=f"{hint}folders in it: {shown}{', ...' if len(folders) > 10 else ''}",
    )
