"""A batch of windows as tensors: padded pieces, and where the owned words' first pieces stand in them.

Shapes: B windows, L pieces (the longest, rounded up to a multiple of 8), N owned words of the whole batch.

    batch = collate(encoded, windows, special=SpecialTokens(101, 102, 0))
    emissions_NC = head(hidden_BLD.flatten(0, 1)[batch.positions])
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from openmed.encoding.corpus import EncodedCorpus
from openmed.encoding.windows import PAD_TO_MULTIPLE, Window
from openmed.errors import BackboneError


class SpecialTokens(NamedTuple):
    """Ids that frame a window."""

    start: int
    end: int
    pad: int

    @classmethod
    def of(cls, tokenizer) -> SpecialTokens:
        """From a tokenizer: [CLS]/[SEP] or <s>/</s>.

        Raises:
            BackboneError: a tokenizer without start, end or padding token.
        """
        start = tokenizer.cls_token_id if tokenizer.cls_token_id is not None else tokenizer.bos_token_id
        end = tokenizer.sep_token_id if tokenizer.sep_token_id is not None else tokenizer.eos_token_id
        if start is None or end is None or tokenizer.pad_token_id is None:
            raise BackboneError(
                f"{type(tokenizer).__name__} has no start, end or padding token",
                mend="use an encoder's tokenizer (BERT, DeBERTa, ELECTRA, ModernBERT)",
            )
        return cls(start, end, tokenizer.pad_token_id)


NUM_SPECIAL = 2
"""Pieces that `collate` adds to each window: one in front, one behind."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Tensors of one batch.

    Attributes:
        input_ids: (B, L) int64.
        attention_mask: (B, L) int64, 1 on pieces, 0 on padding.
        positions: (N,) int64, index into the flattened (B * L) of each owned word's first piece.
        tag_ids: (N,) int64 gold tags (IGNORE where there is none).
        words: (N,) int64, index of the word in the split: where its emission belongs.
        num_tokens: pieces that are not padding.
    """

    input_ids: torch.Tensor
    attention_mask: torch.Tensor
    positions: torch.Tensor
    tag_ids: torch.Tensor
    words: torch.Tensor
    num_tokens: int

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Batch:
        """The batch on another device. `words` stay where they are: only the host needs them."""

        def move(tensor: torch.Tensor) -> torch.Tensor:
            return tensor.to(device, non_blocking=non_blocking)

        return Batch(
            move(self.input_ids),
            move(self.attention_mask),
            move(self.positions),
            move(self.tag_ids),
            self.words,
            self.num_tokens,
        )

    def pin_memory(self) -> Batch:
        return Batch(
            self.input_ids.pin_memory(),
            self.attention_mask.pin_memory(),
            self.positions.pin_memory(),
            self.tag_ids.pin_memory(),
            self.words,
            self.num_tokens,
        )


def collate(encoded: EncodedCorpus, windows: Sequence[Window], special: SpecialTokens) -> Batch:
    """Pad the windows to one length and point at the words they own."""
    starts = encoded.word_starts
    sizes = [int(starts[window.end] - starts[window.start]) for window in windows]
    width = -(-(max(sizes) + NUM_SPECIAL) // PAD_TO_MULTIPLE) * PAD_TO_MULTIPLE
    ids = np.full((len(windows), width), special.pad, dtype=np.int64)
    mask = np.zeros((len(windows), width), dtype=np.int64)
    positions, words = [], []
    for row, (window, size) in enumerate(zip(windows, sizes, strict=True)):
        ids[row, 0] = special.start
        ids[row, 1 : size + 1] = encoded.piece_ids[starts[window.start] : starts[window.end]]
        ids[row, size + 1] = special.end
        mask[row, : size + NUM_SPECIAL] = 1
        owned = np.arange(window.own_start, window.own_end)
        words.append(owned)
        positions.append(starts[owned] - starts[window.start] + 1 + row * width)
    all_words = np.concatenate(words)
    return Batch(
        input_ids=torch.from_numpy(ids),
        attention_mask=torch.from_numpy(mask),
        positions=torch.from_numpy(np.concatenate(positions)),
        tag_ids=torch.from_numpy(encoded.tag_ids[all_words].astype(np.int64)),
        words=torch.from_numpy(all_words),
        num_tokens=sum(sizes) + NUM_SPECIAL * len(windows),
    )
