"""What the files of a split are, by digest: caches and results are named by it.

identities("native/AnatEM-standoff/standoff/train", path, "brat", {})    # {name: "git-tree:<hex>"}
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from openmed.corpora.digests import digest
from openmed.readers.bc2gm import ANNOTATIONS
from openmed.readers.containers import split_archive
from openmed.readers.detect import STANDOFF


def identities(name: str, path: Path, format: str, options: Mapping[str, Any]) -> dict[str, str]:
    """{name: identity} of what is read from `path`: of the other file too, where a format spreads over two."""
    return {name: identity(path)} | {str(other): identity(other) for other in _companions(path, format, options)}


def identity(path: Path) -> str:
    """What a file (an archive, for a path that leads into one) or folder holds, as `<kind of digest>:<hex>`."""
    whole, _ = split_archive(path)
    kind = "git-tree" if whole.is_dir() else "sha256"
    return f"{kind}:{digest(whole, kind)}"


def _companions(path: Path, format: str, options: Mapping[str, Any]) -> list[Path]:
    """The other files that hold a document, where a single file was named of a format that needs two."""
    if not path.is_file():
        return []
    if format == "bc2gm":
        return [path.with_name(options.get("annotations", ANNOTATIONS))]
    if format == "brat":
        pair = (path.with_suffix(suffix) for suffix in (".txt", *STANDOFF))
        return [other for other in pair if other != path and other.is_file()]
    return []
