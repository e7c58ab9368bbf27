"""Where the files of corpora are, and whether they are there: nothing is read, fetched or written here.

The data folder is `$OPENMED_DATA` where set, else a part of the user's cache folder.

    path = data_folder() / "ner/NCBI-disease/train.tsv"
"""

from __future__ import annotations

import os
from pathlib import Path

from openmed.corpora.spec import CorpusSpec

PACKAGE = "package:"
"""Before the name of a file that comes with the package, under `openmed/assets`."""


def data_folder() -> Path:
    """`$OPENMED_DATA`, else `<user cache>/openmed/corpora`."""
    if folder := os.environ.get("OPENMED_DATA"):
        return Path(folder).expanduser()
    return cache_folder() / "corpora"


def cache_folder() -> Path:
    """`$OPENMED_CACHE`, else the user's cache folder: derived files go here."""
    from platformdirs import user_cache_path

    return Path(os.environ.get("OPENMED_CACHE") or user_cache_path("openmed")).expanduser()


def spec_is_here(spec: CorpusSpec) -> bool:
    """Whether every file of the corpus is on this machine (their digests are checked on use)."""
    names = list(spec.files) or [str(spec.split_file(split)) for split in spec.splits]
    return all(is_here(spec, name) for name in names)


def is_here(spec: CorpusSpec, name: str) -> bool:
    """Whether what `corpus_file` would give is on this machine already (digests are checked on use)."""
    if name.startswith(PACKAGE):
        return True
    if below := [key for key in spec.files if key.startswith(f"{name}/")]:
        return all((data_folder() / key).exists() for key in below)
    published = any(f"{name}/".startswith(f"{key}/") for key in spec.files)
    path = data_folder() / name if published else Path(name).expanduser()
    return path.exists() or any(parent.is_file() for parent in path.parents)  # the latter: a path into an archive
