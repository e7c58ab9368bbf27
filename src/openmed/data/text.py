"""The DataModule of domain-adaptive pre-training: packed text -> full rows -> masked batches.

`dataset=dapt_mix` names a YAML whose `_target_` it is. From Python:

    datamodule = TextDataModule(name="mix", folder="text", backbone=spec, max_pieces=256, max_tokens=4096, ...)
    datamodule.setup("fit")
    next(iter(datamodule.train_dataloader())).positions
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from openmed.data.resumable import ResumableDataModule
from openmed.encoding import SpecialTokens, epoch_rng
from openmed.encoding.batching import even_batches
from openmed.encoding.collate import NUM_SPECIAL
from openmed.encoding.masking import MaskedBatch, Masking, stack
from openmed.errors import ConfigError, DataError
from openmed.networks import BackboneSpec, load_tokenizer
from openmed.pretraining_text.packed import INDEX, PackedIndex, PackedText
from openmed.pretraining_text.packs import PACKED
from openmed.pretraining_text.shards import tokenizer_digest

SPLITS = {"train": "train", "dev": "heldout"}
"""Name here -> name of the packed split."""
HELDOUT_MASK: Mapping[str, Any] = {"fraction": 0.15, "whole_words": False}
"""What is hidden of held-out text, whatever is hidden in training: perplexities of all settings can be compared."""


class TextDataModule(ResumableDataModule):
    """Text packed by `openmed pretrain-text build`.

    Rows hold `max_pieces` pieces: a start token, text, an end token; no padding. Each epoch cuts the stream at another
    offset and shuffles the rows, by (seed, epoch); what is hidden is drawn anew too, by (seed, epoch, batch). Rows of
    dev and what is hidden in them (`HELDOUT_MASK`) are always the same.

    Args:
        name: of the mix, for logs.
        folder: what the build wrote.
        backbone: the backbone's spec as a dict; the text must be packed by its tokenizer.
        max_pieces: of a row, special tokens included.
        max_tokens: pieces of a training batch.
        eval_max_tokens: the same for evaluation.
        seed: of the order and of what is hidden.
        mask: {fraction, whole_words} of training, see `Masking`.
    """

    def __init__(
        self,
        *,
        name: str,
        folder: str,
        backbone: Mapping[str, Any],
        max_pieces: int,
        max_tokens: int,
        eval_max_tokens: int,
        seed: int,
        mask: Mapping[str, Any],
    ) -> None:
        super().__init__(seed=seed)
        for setting, value in (("max_tokens", max_tokens), ("eval_max_tokens", eval_max_tokens)):
            if value < max_pieces:
                raise ConfigError(
                    f"batch.{setting}={value} is less than one row of window.max_pieces={max_pieces}",
                    mend=f"choose batch.{setting}={16 * max_pieces} or so",
                )
        if max_pieces <= NUM_SPECIAL:
            raise ConfigError(f"window.max_pieces={max_pieces} leaves no room for text", mend="256 is usual")
        self.name = name
        self.folder = Path(folder).expanduser()
        self.backbone = BackboneSpec.from_mapping(backbone)
        self._max_pieces = max_pieces
        self._rows_per_batch = {"train": max_tokens // max_pieces, "dev": eval_max_tokens // max_pieces}
        self._mask = dict(mask)
        self._texts: dict[str, PackedText] = {}

    @cached_property
    def tokenizer(self) -> Any:
        """The backbone's, of transformers."""
        return load_tokenizer(self.backbone)

    @property
    def packed(self) -> Path:
        """Where the text that this backbone's tokenizer cut lies."""
        return self.folder / PACKED / self.backbone.name

    def setup(self, stage: str) -> None:
        """Map the text.

        Raises:
            DataError: it is not built, not for this backbone, not whole, or cut by another tokenizer.
        """
        for split in ("train", "dev") if stage == "fit" else ("dev",):
            self._text(split)

    def train_dataloader(self) -> RowLoader:
        return self._loader("train", epoch=self.epoch, start=self.first_batch)

    def val_dataloader(self) -> RowLoader:
        """The held-out text, each process its share."""
        return self._loader("dev", epoch=None, start=0)

    def describe(self) -> dict[str, Any]:
        """What `result.json` says of the data: {files: {path: hash}, counts: {split: ...}, losses: {}}."""
        index = self.packed / INDEX
        digest = hashlib.sha256(index.read_bytes()).hexdigest()  # it holds the shards' own digests
        counts = {
            split: {"passages": text.num_passages, "tokens": text.num_tokens} for split, text in self._texts.items()
        }
        return {"files": {str(index): f"sha256:{digest}"}, "counts": counts, "losses": {}}

    def _text(self, split: str) -> PackedText:
        if split not in self._texts:
            self._check_tokenizer()
            self._texts[split] = PackedText.open(self.packed, SPLITS[split])
        return self._texts[split]

    def _check_tokenizer(self) -> None:
        build = f"openmed pretrain-text build MIX.yaml --out {self.folder} --backbone {self.backbone.name}"
        if not self.packed.is_dir():
            ready = sorted(place.parent.name for place in self.folder.glob(f"{PACKED}/*/{INDEX}"))
            raise DataError(
                f"no text packed for backbone={self.backbone.name}"
                + (f", only for {', '.join(ready)}" if ready else ""),
                path=self.packed,
                mend=f"{build}; dataset.folder names another place",
            )
        if PackedIndex.read(self.packed).tokenizer["sha256"] != tokenizer_digest(self.tokenizer):
            raise DataError(
                f"packed by another tokenizer than that of {self.backbone.weights}", path=self.packed, mend=build
            )

    def _loader(self, split: str, *, epoch: int | None, start: int) -> RowLoader:
        return RowLoader(
            self._text(split),
            SpecialTokens.of(self.tokenizer),
            Masking.of(self.tokenizer, **(self._mask if split == "train" else HELDOUT_MASK)),
            max_pieces=self._max_pieces,
            rows_per_batch=self._rows_per_batch[split],
            seed=self.seed,
            epoch=epoch,
            start=start,
            share=self.share,
        )


class RowLoader:
    """Masked batches of full rows for one process.

    Args:
        epoch: whose order and offset; None is for evaluation: the text's own order, and always the same is hidden.
        start: batches to pass over, when an epoch is resumed in its middle; the length still is the whole epoch's.
        share: (rank, num_replicas).
    """

    def __init__(
        self,
        text: PackedText,
        special: SpecialTokens,
        masking: Masking,
        *,
        max_pieces: int,
        rows_per_batch: int,
        seed: int,
        epoch: int | None,
        start: int = 0,
        share: tuple[int, int] = (0, 1),
    ) -> None:
        self._text = text
        self._special = special
        self._masking = masking
        self._capacity = max_pieces - NUM_SPECIAL
        self._rows_per_batch = rows_per_batch
        self._seed = seed
        self._start = start
        self._share = share
        self.epoch = epoch

    @cached_property
    def batches(self) -> list[tuple[int, list[int]]]:
        """This process's batches: number in the epoch, and the first token of each row."""
        num_rows = math.ceil(self._text.num_tokens / self._capacity)
        if self.epoch is None:
            firsts = np.arange(num_rows) * self._capacity
        else:
            rng = epoch_rng(self._seed, self.epoch)
            offset = int(rng.integers(self._capacity))
            firsts = offset + rng.permutation(num_rows) * self._capacity
        size = self._rows_per_batch
        rank, num_replicas = self._share
        batches = even_batches([firsts[at : at + size].tolist() for at in range(0, num_rows, size)], num_replicas)
        return list(enumerate(batches))[rank::num_replicas]

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[MaskedBatch]:
        for number, firsts in self.batches[self._start :]:
            if self.epoch is not None:
                rng = np.random.default_rng([self._seed, self.epoch, number])
                yield self._masking.batch(self._rows(firsts), rng)
            else:  # the same is hidden whatever the size of a batch: perplexities can be compared
                yield stack(
                    [self._masking.batch(self._rows([first]), np.random.default_rng(first)) for first in firsts]
                )

    def _rows(self, firsts: list[int]) -> np.ndarray:
        """(B, L) token ids; the last row of an odd text ends in the text's beginning."""
        rows = np.empty((len(firsts), self._capacity + NUM_SPECIAL), dtype=np.int64)
        rows[:, 0], rows[:, -1] = self._special.start, self._special.end
        for row, first in zip(rows, firsts, strict=True):
            row[1:-1] = self._text.read(first, self._capacity)
        return rows
