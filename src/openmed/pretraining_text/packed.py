"""Packed text: tokenised once, laid end to end in memory-mapped shards. Training reads rows of any length out of it.

Each passage is followed by the tokenizer's separator; `starts` tells where each begins.

    packed/
      index.json                     what tokenised it, and each split's shards with tokens, passages, sha256
      train-00000.tokens             uint16 or uint32, little-endian
      train-00000.starts             int64, little-endian: first token of each passage of the shard

    text = PackedText.open("text/packed/minilm", "train")
    text.read(0, 254), text.num_tokens, text.num_passages
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from openmed.errors import DataError
from openmed.writers.atomic import atomic_path

INDEX = "index.json"
FORMAT = 1
_STARTS = np.dtype("<i8")
_MEND = "build it again: openmed pretrain-text build"


@dataclass(frozen=True)
class Shard:
    """One file of a split: its name without suffix, its size, and the sha256 of tokens and starts together."""

    name: str
    tokens: int
    passages: int
    sha256: str

    def as_json(self) -> str:
        return json.dumps(asdict(self))


@dataclass(frozen=True)
class PackedIndex:
    """What a packed folder holds.

    Attributes:
        tokenizer: {backbone, sha256 of its tokenizer.json}: rows make sense to no other.
        separator: id of the token behind each passage.
        dtype: of tokens, "uint16" or "uint32".
        splits: name -> shards in order.
    """

    tokenizer: dict[str, str]
    separator: int
    dtype: str
    splits: dict[str, list[Shard]]

    def write(self, folder: Path) -> None:
        """To be written last: a folder without it is not whole."""
        with atomic_path(folder / INDEX) as temporary:
            content = {"format": FORMAT, **asdict(self)}
            temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> PackedIndex:
        """Raises:
        DataError: no index (not built, or not to its end), a damaged one or one of another format.
        """
        path = folder / INDEX
        if not path.is_file():
            raise DataError("no packed text, or it was not built to its end", path=path, mend=_MEND)
        try:
            content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise DataError("the index is damaged", path=path, mend=_MEND) from error
        if content.pop("format", None) != FORMAT:
            raise DataError("packed text of another version of openmed", path=path, mend=_MEND)
        content["splits"] = {name: [Shard(**shard) for shard in found] for name, found in content["splits"].items()}
        return cls(**content)


def write_shard(
    folder: Path, name: str, passages: Iterable[Sequence[int] | np.ndarray], *, separator: int, dtype: str
) -> Shard:
    """Write the passages' token ids, whole or not at all.

    Args:
        name: without suffix, such as `train-00000`.
        passages: token ids of each, no special tokens.
    """
    kind = np.dtype(dtype).newbyteorder("<")
    sizes: list[int] = []
    state = hashlib.sha256()
    with atomic_path(folder / f"{name}.tokens") as temporary, temporary.open("wb") as file:
        for ids in passages:
            block = np.append(np.asarray(ids, dtype=kind), np.array(separator, dtype=kind)).astype(kind).tobytes()
            file.write(block)
            state.update(block)
            sizes.append(len(ids) + 1)
    starts = np.append(0, np.cumsum(sizes, dtype=_STARTS))[:-1].astype(_STARTS).tobytes()
    state.update(starts)
    with atomic_path(folder / f"{name}.starts") as temporary:
        temporary.write_bytes(starts)
    return Shard(name, sum(sizes), len(sizes), state.hexdigest())


def is_whole(folder: Path, name: str) -> bool:
    """Whether a shard's description (`<name>.json`, beside it) is there, and its files hold what was written."""
    try:
        shard = Shard(**json.loads((folder / f"{name}.json").read_text(encoding="utf-8")))
        return _digest(folder, name) == shard.sha256
    except (OSError, ValueError):  # a power cut may leave an empty description
        return False


class PackedText:
    """One split's tokens as one long stream, mapped from disk.

    Args:
        shards: memory-mapped tokens of each.
        starts: first token of each passage in the stream.
    """

    def __init__(self, shards: Sequence[np.ndarray], starts: np.ndarray) -> None:
        self._shards = shards
        self._bounds = np.append(0, np.cumsum([len(shard) for shard in shards]))
        self.starts = starts

    @classmethod
    def open(cls, folder: str | PathLike[str], split: str) -> PackedText:
        """Map a split of a packed folder.

        Raises:
            DataError: not whole, of another format, a split that it lacks, a shard cut off.
        """
        folder = Path(folder)
        index = PackedIndex.read(folder)
        if not index.splits.get(split):
            raise DataError(f"no {split} split, or an empty one", path=folder / INDEX, mend=_MEND)
        dtype = np.dtype(index.dtype).newbyteorder("<")
        shards, starts, before = [], [], 0
        for shard in index.splits[split]:
            shards.append(_mapped(folder / f"{shard.name}.tokens", dtype, shard.tokens))
            starts.append(_mapped(folder / f"{shard.name}.starts", _STARTS, shard.passages) + before)
            before += shard.tokens
        return cls(shards, np.concatenate(starts))

    @property
    def num_tokens(self) -> int:
        return int(self._bounds[-1])

    @cached_property
    def num_passages(self) -> int:
        return len(self.starts)

    def read(self, start: int, count: int) -> np.ndarray:
        """(count,) tokens from `start` on; the stream is a ring, its end is followed by its beginning."""
        parts = [self._shards[0][:0]]
        at = start % self.num_tokens
        while count:
            shard = int(np.searchsorted(self._bounds, at, side="right")) - 1
            part = self._shards[shard][at - self._bounds[shard] :][:count]
            parts.append(part)
            count -= len(part)
            at = (at + len(part)) % self.num_tokens
        return np.concatenate(parts)


def tokenizer_digest(tokenizer: Any) -> str:
    """sha256 of a fast tokenizer's whole definition."""
    return hashlib.sha256(tokenizer.backend_tokenizer.to_str().encode()).hexdigest()


def verify(folder: str | PathLike[str]) -> None:
    """Read all shards and compare their digests.

    Raises:
        DataError: no index, a shard that is missing, cut off or altered.
    """
    folder = Path(folder)
    for shards in PackedIndex.read(folder).splits.values():
        for shard in shards:
            if _digest(folder, shard.name) != shard.sha256:
                raise DataError("a shard was altered or cut off", path=folder / f"{shard.name}.tokens", mend=_MEND)


def _digest(folder: Path, name: str) -> str:
    """sha256 of a shard's tokens and starts together.

    Raises:
        DataError: one of the two is missing.
    """
    state = hashlib.sha256()
    for suffix in ("tokens", "starts"):
        path = folder / f"{name}.{suffix}"
        if not path.is_file():
            raise DataError("a shard is missing", path=path, mend=_MEND)
        with path.open("rb") as file:
            while block := file.read(2**20):
                state.update(block)
    return state.hexdigest()


def _mapped(path: Path, dtype: np.dtype, size: int) -> np.ndarray:
    if not path.is_file() or path.stat().st_size != size * dtype.itemsize:
        raise DataError(
            f"a shard is missing or cut off: {size * dtype.itemsize} bytes were written", path=path, mend=_MEND
        )
    return np.memmap(path, dtype=dtype, mode="r") if size else np.empty(0, dtype)
