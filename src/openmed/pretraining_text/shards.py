"""Writes the shards of packed text (openmed.pretraining_text.packed), each with a description of its own beside it.

packing = Packing.of(tokenizer)
shard = write_shard(folder, "train-00000", [[1, 2], [3]], packing)
describe(folder, shard, packing); is_whole(folder, "train-00000", packing)
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from openmed.errors import DataError
from openmed.writers.atomic import atomic_path

FORMAT = 1
STARTS = np.dtype("<i8")
MEND = "build it again: openmed pretrain-text build"


@dataclass(frozen=True)
class Packing:
    """What decides which numbers stand in a shard, its text aside.

    Attributes:
        tokenizer: sha256 of its definition.
        separator: id of the token behind each passage.
        dtype: of tokens, "uint16" or "uint32".
        format: of the files.
    """

    tokenizer: str
    separator: int
    dtype: str
    format: int = FORMAT

    @classmethod
    def of(cls, tokenizer: Any) -> Packing:
        """That of a fast tokenizer: the smaller dtype wherever its ids fit."""
        dtype = "uint16" if len(tokenizer) <= np.iinfo(np.uint16).max else "uint32"
        return cls(tokenizer_digest(tokenizer), tokenizer.sep_token_id, dtype)


@dataclass(frozen=True)
class Shard:
    """One file of a split: its name without suffix, its size, and the sha256 of tokens and starts together."""

    name: str
    tokens: int
    passages: int
    sha256: str


class ShardWriter:
    """Takes a shard's passages one after another, and keeps none of them. See `writing_shard`."""

    shard: Shard
    """What was written, when it is."""

    def __init__(self, tokens: BinaryIO, starts: BinaryIO, packing: Packing) -> None:
        self._tokens = tokens
        self._starts = starts
        self._kind = np.dtype(packing.dtype).newbyteorder("<")
        self._separator = packing.separator
        self.num_tokens = 0
        self.num_passages = 0
        self.digest = hashlib.sha256()

    def append(self, ids: Sequence[int] | np.ndarray) -> None:
        """Args:
        ids: of a passage's tokens, no special ones among them.
        """
        block = np.empty(len(ids) + 1, dtype=self._kind)
        block[:-1], block[-1] = ids, self._separator
        content = block.tobytes()
        self._tokens.write(content)
        self.digest.update(content)
        self._starts.write(np.array(self.num_tokens, dtype=STARTS).tobytes())
        self.num_tokens += len(block)
        self.num_passages += 1


@contextmanager
def writing_shard(folder: Path, name: str, packing: Packing) -> Iterator[ShardWriter]:
    """Write a shard passage by passage, whole or not at all. Afterwards `writer.shard` is what was written.

    Args:
        name: without suffix, such as `train-00000`.
    """
    with atomic_path(folder / f"{name}.tokens") as tokens, atomic_path(folder / f"{name}.starts") as starts:
        with tokens.open("wb") as to_tokens, starts.open("wb") as to_starts:
            writer = ShardWriter(to_tokens, to_starts, packing)
            yield writer
        _add_file(writer.digest, starts)
    writer.shard = Shard(name, writer.num_tokens, writer.num_passages, writer.digest.hexdigest())


def write_shard(folder: Path, name: str, passages: Iterable[Sequence[int] | np.ndarray], packing: Packing) -> Shard:
    """Write the passages' token ids, whole or not at all.

    Args:
        name: without suffix, such as `train-00000`.
        passages: token ids of each, no special tokens.
    """
    with writing_shard(folder, name, packing) as writer:
        for ids in passages:
            writer.append(ids)
    return writer.shard


def describe(folder: Path, shard: Shard, packing: Packing) -> None:
    """Write `<name>.json` beside a shard, when it is whole: its size and digest, and what packed it."""
    with atomic_path(folder / f"{shard.name}.json") as temporary:
        temporary.write_text(json.dumps({"shard": asdict(shard), "packing": asdict(packing)}), encoding="utf-8")


def read_description(folder: Path, name: str) -> tuple[Shard, Packing]:
    """What `describe` wrote.

    Raises:
        OSError, ValueError, TypeError, KeyError: there is none, or it is not whole.
    """
    content = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    return Shard(**content["shard"]), Packing(**content["packing"])


def is_whole(folder: Path, name: str, packing: Packing) -> bool:
    """Whether a shard is described, was packed so, and its files hold what was written."""
    try:
        shard, packed = read_description(folder, name)
        return packed == packing and shard_digest(folder, name) == shard.sha256
    except (OSError, ValueError, TypeError, KeyError):  # a power cut may leave an empty description
        return False


def tokenizer_digest(tokenizer: Any) -> str:
    """sha256 of a fast tokenizer's whole definition."""
    return hashlib.sha256(tokenizer.backend_tokenizer.to_str().encode()).hexdigest()


def shard_digest(folder: Path, name: str) -> str:
    """sha256 of a shard's tokens and starts together.

    Raises:
        DataError: one of the two is missing.
    """
    state = hashlib.sha256()
    for suffix in ("tokens", "starts"):
        path = folder / f"{name}.{suffix}"
        if not path.is_file():
            raise DataError("a shard is missing", path=path, mend=MEND)
        _add_file(state, path)
    return state.hexdigest()


def _add_file(state: Any, path: Path) -> None:
    with path.open("rb") as file:
        while block := file.read(2**20):
            state.update(block)
