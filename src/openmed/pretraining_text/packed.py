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

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from openmed.errors import DataError
from openmed.pretraining_text.shards import FORMAT, MEND, STARTS, Packing, Shard, shard_digest
from openmed.writers.atomic import atomic_path

INDEX = "index.json"


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

    @classmethod
    def of(cls, backbone: str, packing: Packing, splits: dict[str, list[Shard]]) -> PackedIndex:
        """Of shards that the tokenizer of that backbone packed."""
        tokenizer = {"backbone": backbone, "sha256": packing.tokenizer}
        return cls(tokenizer, packing.separator, packing.dtype, splits)

    @property
    def packing(self) -> Packing:
        return Packing(self.tokenizer["sha256"], self.separator, self.dtype)

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
            raise DataError("no packed text, or it was not built to its end", path=path, mend=MEND)
        try:
            content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise DataError("the index is damaged", path=path, mend=MEND) from error
        if content.pop("format", None) != FORMAT:
            raise DataError("packed text of another version of openmed", path=path, mend=MEND)
        content["splits"] = {name: [Shard(**shard) for shard in found] for name, found in content["splits"].items()}
        return cls(**content)


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
            raise DataError(f"no {split} split, or an empty one", path=folder / INDEX, mend=MEND)
        dtype = np.dtype(index.dtype).newbyteorder("<")
        shards, starts, before = [], [], 0
        for shard in index.splits[split]:
            shards.append(_mapped(folder / f"{shard.name}.tokens", dtype, shard.tokens))
            starts.append(_mapped(folder / f"{shard.name}.starts", STARTS, shard.passages) + before)
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


def verify(folder: str | PathLike[str]) -> None:
    """Read all shards and compare their digests.

    Raises:
        DataError: no index, a shard that is missing, cut off or altered.
    """
    folder = Path(folder)
    for shards in PackedIndex.read(folder).splits.values():
        for shard in shards:
            if shard_digest(folder, shard.name) != shard.sha256:
                raise DataError("a shard was altered or cut off", path=folder / f"{shard.name}.tokens", mend=MEND)


def _mapped(path: Path, dtype: np.dtype, size: int) -> np.ndarray:
    if not path.is_file() or path.stat().st_size != size * dtype.itemsize:
        raise DataError(
            f"a shard is missing or cut off: {size * dtype.itemsize} bytes were written", path=path, mend=MEND
        )
    return np.memmap(path, dtype=dtype, mode="r") if size else np.empty(0, dtype)
