"""Masked language modelling: which pieces of a row are hidden, and what stands in their place.

15% are chosen; of these 80% become the mask token, 10% a random piece, 10% stay (Devlin et al. 2019, arXiv 1810.04805).

    masking = Masking.of(tokenizer, fraction=0.15, whole_words=False)
    batch = masking.batch(rows_BL, rng)

Shapes: B rows, L pieces, M masked pieces of the batch, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from openmed.errors import BackboneError, ConfigError

MASKED, RANDOM = 0.8, 0.1
"""Shares of the chosen pieces that become the mask token and a random piece; the rest stay."""


@dataclass(frozen=True, slots=True)
class MaskedBatch:
    """Rows of text, packed full, with some pieces hidden.

    Attributes:
        input_ids: (B, L) int64, the chosen pieces replaced.
        attention_mask: (B, L) int64, all 1: nothing is padding.
        positions: (M,) int64, index into the flattened (B * L) of each chosen piece.
        labels: (M,) int64, what stood there.
        num_tokens: B * L.
    """

    input_ids: torch.Tensor
    attention_mask: torch.Tensor
    positions: torch.Tensor
    labels: torch.Tensor
    num_tokens: int

    def to(self, device: torch.device | str, non_blocking: bool = False) -> MaskedBatch:
        """The batch on another device."""
        return self._each(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> MaskedBatch:
        return self._each(torch.Tensor.pin_memory)

    def _each(self, change: Callable[[torch.Tensor], torch.Tensor]) -> MaskedBatch:
        ids, mask, positions, labels = map(change, (self.input_ids, self.attention_mask, self.positions, self.labels))
        return MaskedBatch(ids, mask, positions, labels, self.num_tokens)


def stack(batches: Sequence[MaskedBatch]) -> MaskedBatch:
    """Batches of the same length of row as one, in order."""
    before = np.cumsum([0, *(batch.num_tokens for batch in batches)]).tolist()
    return MaskedBatch(
        input_ids=torch.cat([batch.input_ids for batch in batches]),
        attention_mask=torch.cat([batch.attention_mask for batch in batches]),
        positions=torch.cat([batch.positions + at for batch, at in zip(batches, before, strict=False)]),
        labels=torch.cat([batch.labels for batch in batches]),
        num_tokens=before[-1],
    )


@dataclass(frozen=True)
class Masking:
    """Args:
        fraction: of the pieces that are chosen, special tokens never.
        mask_id: of the mask token.
        special: (V,) bool, the special tokens.
        begins_word: (V,) bool, the pieces that begin a word, where whole words are chosen; None chooses pieces.

    Raises:
        ConfigError: a fraction outside 0..1.
    """

    fraction: float
    mask_id: int
    special: np.ndarray
    begins_word: np.ndarray | None = None

    def __post_init__(self) -> None:
        if not 0 < self.fraction < 1:
            raise ConfigError(f"mask.fraction={self.fraction} must lie between 0 and 1", mend="0.15 is usual")

    @classmethod
    def of(cls, tokenizer: Any, *, fraction: float, whole_words: bool) -> Masking:
        """For a fast tokenizer of transformers.

        Raises:
            BackboneError: it has no mask token; it does not show where words begin (`whole_words`).
        """
        if tokenizer.mask_token_id is None:
            raise BackboneError(
                f"{type(tokenizer).__name__} has no mask token",
                mend="masked language modelling wants an encoder's tokenizer (BERT, DeBERTa, ELECTRA, ModernBERT)",
            )
        special = np.zeros(len(tokenizer), dtype=bool)
        special[tokenizer.all_special_ids] = True
        begins = _word_beginnings(tokenizer) if whole_words else None
        return cls(fraction, tokenizer.mask_token_id, special, begins)

    def batch(self, rows_BL: np.ndarray, rng: np.random.Generator) -> MaskedBatch:
        """Hide pieces of the rows, full of text, as `rng` has it: at least one, for a batch without has no loss."""
        ids = rows_BL.astype(np.int64).ravel()
        chosen = np.flatnonzero(self._chosen(rows_BL, rng))
        if not len(chosen):
            chosen = rng.choice(np.flatnonzero(~self.special[ids]), size=1)
        labels = ids[chosen]
        fate = rng.random(len(chosen))
        ids[chosen[fate < MASKED]] = self.mask_id
        random = chosen[(fate >= MASKED) & (fate < MASKED + RANDOM)]
        plain = np.flatnonzero(~self.special)
        ids[random] = plain[rng.integers(0, len(plain), size=len(random))]
        return MaskedBatch(
            input_ids=torch.from_numpy(ids.reshape(rows_BL.shape)),
            attention_mask=torch.ones(rows_BL.shape, dtype=torch.int64),
            positions=torch.from_numpy(chosen),
            labels=torch.from_numpy(labels),
            num_tokens=rows_BL.size,
        )

    def _chosen(self, rows_BL: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """(B * L,) bool."""
        special = self.special[rows_BL]
        if self.begins_word is None:
            return ((rng.random(rows_BL.shape) < self.fraction) & ~special).ravel()
        opens = self.begins_word[rows_BL] | special
        opens[:, 0] = True  # a row may begin in the middle of a word
        word = np.cumsum(opens.ravel()) - 1
        return (rng.random(word[-1] + 1) < self.fraction)[word] & ~special.ravel()


def _word_beginnings(tokenizer: Any) -> np.ndarray:
    """(V,) bool. WordPiece marks what goes on (`##`), sentencepiece and byte-level BPE what begins (a space)."""
    pieces = np.array(tokenizer.convert_ids_to_tokens(range(len(tokenizer))), dtype=object)
    for mark in ("▁", "Ġ"):
        begins = np.array([piece.startswith(mark) for piece in pieces])
        if begins.mean() > _SOME:
            return begins
    goes_on = np.array([piece.startswith("##") for piece in pieces])
    if goes_on.mean() > _SOME:
        return ~goes_on
    raise BackboneError(
        f"the pieces of {type(tokenizer).__name__} do not show where words begin", mend="set mask.whole_words=false"
    )


_SOME = 0.01
"""A mark that fewer of the pieces bear is a chance likeness."""
