"""Find, fetch and verify the files of a corpus.

The data folder is `$OPENMED_DATA` where set (it may be read-only: nothing is ever written there unless something has
to be fetched), else the user's cache folder.

    path = corpus_file(spec, "ner/NCBI-disease/train.tsv")
"""

from __future__ import annotations

import hashlib
import os
from importlib.resources import files as package_files
from pathlib import Path

from openmed.corpora.spec import CorpusSpec, SourceFile
from openmed.errors import DataError

PACKAGE = "package:"


def data_folder() -> Path:
    """`$OPENMED_DATA`, else `<user cache>/openmed/corpora`."""
    if folder := os.environ.get("OPENMED_DATA"):
        return Path(folder).expanduser()
    return cache_folder() / "corpora"


def cache_folder() -> Path:
    """`$OPENMED_CACHE`, else the user's cache folder: derived files go here."""
    from platformdirs import user_cache_path

    return Path(os.environ.get("OPENMED_CACHE") or user_cache_path("openmed")).expanduser()


def corpus_file(spec: CorpusSpec, name: str) -> Path:
    """The local, verified path of a corpus's file, fetched first if it is not there and may be.

    Raises:
        DataError: missing and not to be had, or its digest is none of the accepted ones.
    """
    if name.startswith(PACKAGE):
        path = Path(str(package_files("openmed"))) / "assets" / name.removeprefix(PACKAGE)
        if not path.is_file():
            raise DataError("no such file in the package", path=path, mend="reinstall openmed-ner")
        return path
    source = spec.files.get(name)
    if source is None:
        path = Path(name).expanduser()
        if not path.exists():
            raise DataError("no such file", path=path, mend=f"correct the path of dataset {spec.name!r}")
        return path
    path = data_folder() / name
    if not path.is_file():
        _fetch(spec, name, source, path)
    if source.hashes and not set(source.hashes) & {f"{kind}:{digest(path, kind)}" for kind in kinds(source)}:
        raise DataError(
            f"its {' and '.join(kinds(source))} is none of the accepted {', '.join(source.hashes)}",
            path=path,
            mend="the file was changed or broke off while copying: delete it and fetch it again",
        )
    return path


def kinds(source: SourceFile) -> list[str]:
    """The digests that a file's accepted hashes are written in."""
    return sorted({value.split(":", 1)[0] for value in source.hashes})


def digest(path: Path, kind: str = "sha256") -> str:
    """Hex digest of a file: "sha256", or "git-blob" (what `git hash-object` prints).

    Raises:
        ValueError: another kind.
    """
    if kind == "sha256":
        state = hashlib.sha256()
    elif kind == "git-blob":
        state = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    else:
        raise ValueError(f"unknown digest {kind!r}: sha256 or git-blob")
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            state.update(block)
    return state.hexdigest()


def _fetch(spec: CorpusSpec, name: str, source: SourceFile, path: Path) -> None:
    if source.by_hand or not source.url:
        raise DataError(
            "not here, and may not be fetched", path=path, mend=source.by_hand or "put the file there by hand"
        )
    import pooch

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        pooch.retrieve(source.url, known_hash=None, fname=path.name, path=path.parent)
    except Exception as error:  # pooch passes through whatever requests, the disk and the proxy raise
        raise DataError(
            f"dataset {spec.name!r} is not here and could not be fetched ({type(error).__name__}: {error})",
            path=path,
            mend=f"download {source.url} on a machine with a network and put it there, "
            "or set OPENMED_DATA to a folder that holds it",
        ) from error


def spec_is_here(spec: CorpusSpec) -> bool:
    """Whether every file of the corpus is on this machine (their digests are checked on use)."""
    return all((data_folder() / name).is_file() for name in spec.files)
