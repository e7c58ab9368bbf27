"""Iterables of batches. Lightning takes any iterable with a length; these know their epoch, their place and their
units.

for batch in TrainingLoader(encoded, special, info, plan=TrainingPlan(max_tokens=1024), seed=1, epoch=0): ...
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from openmed.encoding import (
    NUM_SPECIAL,
    Batch,
    EncodedCorpus,
    SpecialTokens,
    TaggingInfo,
    Units,
    Window,
    collate,
    epoch_rng,
    ordered_batches,
    training_batches,
    training_windows,
    window_lengths,
)


@dataclass(frozen=True)
class TrainingPlan:
    """How an epoch is cut.

    Args:
        max_tokens: padded size of a batch, rows times longest row, at most (a longer window is a batch alone).
        max_sentences: windows are runs of 1 to this many neighbouring sentences, drawn anew each epoch.
    """

    max_tokens: int
    max_sentences: int


class TrainingLoader:
    """One epoch's batches for one process. The order depends on (seed, epoch) only.

    Args:
        start: batches to pass over, when an epoch is resumed in its middle; the length still is the whole epoch's.
        share: (rank, num_replicas).
    """

    def __init__(
        self,
        encoded: EncodedCorpus,
        special: SpecialTokens,
        info: TaggingInfo,
        *,
        plan: TrainingPlan,
        seed: int,
        epoch: int,
        start: int = 0,
        share: tuple[int, int] = (0, 1),
    ) -> None:
        self._encoded = encoded
        self._special = special
        self._info = info
        self._plan = plan
        self._seed = seed
        self._start = start
        self._share = share
        self.epoch = epoch

    @cached_property
    def batches(self) -> list[list[Window]]:
        """The windows of each batch of this process."""
        rng = epoch_rng(self._seed, self.epoch)
        windows = training_windows(
            self._encoded,
            capacity=self._info.capacity,
            overlap=self._info.overlap,
            max_sentences=self._plan.max_sentences,
            rng=rng,
        )
        lengths = window_lengths(self._encoded.word_starts, windows, NUM_SPECIAL)
        rank, num_replicas = self._share
        batches = training_batches(lengths, max_tokens=self._plan.max_tokens, rng=rng, num_replicas=num_replicas)
        return [[windows[i] for i in batch] for batch in batches[rank::num_replicas]]

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Batch]:
        for windows in self.batches[self._start :]:
            yield collate(self._encoded, windows, self._special)


class EvaluationLoader:
    """All windows of a view's units, in batches of like length.

    Attributes:
        units: what the words belong to, with gold and decoding.
    """

    def __init__(self, units: Units, special: SpecialTokens, info: TaggingInfo, *, max_tokens: int) -> None:
        self.units = units
        self._special = special
        self._info = info
        self._max_tokens = max_tokens

    @cached_property
    def batches(self) -> list[list[Window]]:
        windows = self.units.windows(capacity=self._info.capacity, overlap=self._info.overlap)
        lengths = window_lengths(self.units.encoded.word_starts, windows, NUM_SPECIAL)
        return [[windows[i] for i in batch] for batch in ordered_batches(lengths, max_tokens=self._max_tokens)]

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Batch]:
        for windows in self.batches:
            yield collate(self.units.encoded, windows, self._special)
