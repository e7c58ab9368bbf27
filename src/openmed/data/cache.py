"""What was made of a corpus, kept on disk by the hash of everything it depends on, and read back instead of made again.

encoded = cached_corpus(folder, key, make=lambda: encode_documents(...))      # arrays, mapped from disk
findings = cached_json(folder, key, make=lambda: {...})
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

import openmed
from openmed.encoding.corpus import ARRAYS, EncodedCorpus
from openmed.writers import atomic_path

log = logging.getLogger(__name__)
T = TypeVar("T")

MAKERS = ("spans.py", "readers", "tagging", "encoding", "corpora", "data")
"""The code by which files become findings and arrays. Another version of it makes everything again."""
_LOSSES = "losses.json"


def cache_key(parts: Mapping[str, Any], *, makers: tuple[str, ...] = MAKERS) -> str:
    """A hex digest of a JSON-like description of all inputs, and of the code that makes something of them."""
    text = json.dumps({"code": code_digest(makers), **parts}, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@cache
def code_digest(makers: tuple[str, ...] = MAKERS) -> str:
    """Of the source files of these parts of the package: some hundred, in a few milliseconds."""
    package = Path(openmed.__file__).parent
    digest = hashlib.sha256()
    for maker in makers:
        place = package / maker
        for file in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            digest.update(file.relative_to(package).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()


def cached_corpus(folder: Path, key: str, make: Callable[[], EncodedCorpus]) -> EncodedCorpus:
    """The encoded split of that key, from disk where it is there and whole, else made and kept.

    A cache that cannot be written (a full or read-only disk) costs a warning, not the run.
    """

    def write(place: Path, encoded: EncodedCorpus) -> None:
        place.mkdir()
        for name in ARRAYS:
            np.save(place / f"{name}.npy", getattr(encoded, name))
        (place / _LOSSES).write_text(json.dumps(dict(encoded.losses)), encoding="utf-8")

    def read(place: Path) -> EncodedCorpus:
        arrays = {name: np.load(place / f"{name}.npy", mmap_mode="r") for name in ARRAYS}
        return EncodedCorpus(**arrays, losses=json.loads((place / _LOSSES).read_text(encoding="utf-8")))

    return _cached(folder / key, make, read, write)


def cached_json(folder: Path, key: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The same of a small object of JSON's types."""

    def write(place: Path, content: dict[str, Any]) -> None:
        place.write_text(json.dumps(content), encoding="utf-8")

    def read(place: Path) -> dict[str, Any]:
        return json.loads(place.read_text(encoding="utf-8"))

    return _cached(folder / f"{key}.json", make, read, write)


def _cached(place: Path, make: Callable[[], T], read: Callable[[Path], T], write: Callable[[Path, T], None]) -> T:
    if place.exists():
        try:
            return read(place)
        except (OSError, ValueError, EOFError) as error:
            log.warning("the cached corpus %s is damaged (%s) and is made again", place, error)
    made = make()
    try:
        with atomic_path(place) as temporary:
            write(temporary, made)
    except OSError as error:
        log.warning("what was made of the corpus could not be cached in %s (%s); training goes on", place.parent, error)
    return made
