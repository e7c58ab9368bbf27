"""Tokenised splits kept on disk, named by the hash of everything they depend on, mapped back instead of made again.

encoded = cached(folder, key, make=lambda: encode_documents(...))
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from openmed.encoding.corpus import ARRAYS, EncodedCorpus
from openmed.writers import atomic_path

log = logging.getLogger(__name__)

FORMAT = 2
"""Raised whenever the code would make other arrays from the same input."""


def cache_key(parts: Mapping[str, Any]) -> str:
    """A hex digest of a JSON-like description of all inputs."""
    text = json.dumps({"format": FORMAT, **parts}, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def cached(folder: Path, key: str, make: Callable[[], EncodedCorpus]) -> EncodedCorpus:
    """The encoded split of that key, from disk where it is there and whole, else made and kept.

    A cache that cannot be written (a full or read-only disk) costs a warning, not the run.
    """
    place = folder / key
    if (encoded := _read(place)) is not None:
        return encoded
    encoded = make()
    try:
        with atomic_path(place) as temporary:
            temporary.mkdir()
            for name in ARRAYS:
                np.save(temporary / f"{name}.npy", getattr(encoded, name))
            (temporary / "losses.json").write_text(json.dumps(dict(encoded.losses)), encoding="utf-8")
    except OSError as error:
        log.warning("the tokenised corpus could not be cached in %s (%s); training goes on without", folder, error)
    return encoded


def _read(place: Path) -> EncodedCorpus | None:
    if not (place / "losses.json").is_file():
        return None
    try:
        arrays = {name: np.load(place / f"{name}.npy", mmap_mode="r") for name in ARRAYS}
        losses = json.loads((place / "losses.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, EOFError) as error:
        log.warning("the cached corpus %s is damaged (%s) and is made again", place, error)
        return None
    return EncodedCorpus(**arrays, losses=losses)
