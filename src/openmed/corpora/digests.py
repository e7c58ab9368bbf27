"""Digests of files and folders: sha256, and the ids that git gives them, which publishers' repositories already state.

A git id lets a download be verified that nobody here has seen: `git rev-parse COMMIT:path` prints it, for a file (blob)
and for a whole folder (tree).

    digest(Path("native/AnatEM-standoff/standoff"), "git-tree")
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection
from pathlib import Path

from openmed.errors import DataError

FILE_KINDS = ("sha256", "git-blob")
FOLDER_KINDS = ("git-tree",)


def digest(path: Path, kind: str = "sha256") -> str:
    """Hex digest of a file, "sha256" or "git-blob" (what `git hash-object` prints), or of a folder, "git-tree".

    A tree is git's own id of the folder with all it holds, hidden files too, each file as plain (mode 100644). As in
    git, folders without a file do not count, nor does a checkout's `.git`. `path` itself may be a link to what is
    meant.

    Raises:
        ValueError: another kind.
        DataError: it cannot be read, or is a folder where the kind is a file's, or the other way round; the folder
            holds a link: git would count where it leads to, a reader reads what is there.
    """
    ways = {
        "sha256": lambda: _file_state(path, hashlib.sha256()).digest(),
        "git-blob": lambda: _blob(path),
        "git-tree": lambda: _tree_id(_entries(path)),
    }
    if kind not in ways:
        raise ValueError(f"unknown digest {kind!r}: sha256 or git-blob of a file, git-tree of a folder")
    try:
        return ways[kind]().hex()
    except OSError as error:
        problem = f"cannot be read to verify it ({error.strerror})"
        raise DataError(problem, path=error.filename or path, mend="check what is there, and its rights") from error


def kinds(hashes: Collection[str]) -> list[str]:
    """The kinds in which digests are written: ["git-blob", "sha256"]."""
    return sorted({value.split(":", 1)[0] for value in hashes})


def found_instead(path: Path, accepted: Collection[str]) -> list[str]:
    """What stands at a path, in the kinds of the accepted digests ("sha256:<hex>"); empty where one of them matches.

    A folder where a file is expected, or a file for a folder, is told as "a folder" or "a file". Without any accepted
    digest everything matches.

    Raises:
        DataError: as `digest`.
    """
    possible = FOLDER_KINDS if path.is_dir() else FILE_KINDS
    found = [f"{kind}:{digest(path, kind)}" for kind in kinds(accepted) if kind in possible]
    if not accepted or set(found) & set(accepted):
        return []
    return found or ["a folder" if path.is_dir() else "a file"]


def _blob(path: Path) -> bytes:
    """Git's id of a file, in binary."""
    header = b"blob %d\0" % path.stat().st_size
    return _file_state(path, hashlib.sha1(header, usedforsecurity=False)).digest()


def _file_state(path: Path, state: hashlib._Hash) -> hashlib._Hash:
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            state.update(block)
    return state


def _entries(folder: Path) -> bytes:
    """The content of a folder's tree object: mode, name and id of each thing in it, in git's order."""
    entries: list[tuple[bytes, bytes]] = []
    for path in folder.iterdir():
        name = os.fsencode(path.name)
        if name == b".git":  # git's own, which no tree can hold
            continue
        if path.is_symlink():
            raise DataError("a link in a folder of published files", path=path, mend="put there what it leads to")
        if not path.is_dir():
            entries.append((name, b"100644 %s\0%s" % (name, _blob(path))))
        elif inner := _entries(path):
            # Git sorts a folder as if its name ended in a slash.
            entries.append((name + b"/", b"40000 %s\0%s" % (name, _tree_id(inner))))
    return b"".join(entry for _, entry in sorted(entries))


def _tree_id(content: bytes) -> bytes:
    return hashlib.sha1(b"tree %d\0%s" % (len(content), content), usedforsecurity=False).digest()
