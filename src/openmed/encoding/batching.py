"""Which windows go together in a batch: mixed lengths for training, a token budget, rows of like length together.

Training segments are drawn anew each epoch from (seed, epoch) alone, so an epoch can be rebuilt anywhere and
continued at any batch: that is all that exact resume needs.

    windows = training_windows(encoded, capacity=254, overlap=50, max_sentences=8, rng=epoch_rng(seed=1, epoch=3))
    batches = training_batches(lengths, max_tokens=4096, rng=...)       # lists of window indices
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from openmed.encoding.corpus import EncodedCorpus
from openmed.encoding.windows import PAD_TO_MULTIPLE, Window, cut_windows
from openmed.errors import ConfigError

_BUCKET_BATCHES = 50
"""Training sorts by length within pools of about this many batches: little padding, yet varied batches."""


def epoch_rng(seed: int, epoch: int) -> np.random.Generator:
    """The generator that makes everything random about one epoch's order."""
    return np.random.default_rng([seed, epoch])


def training_windows(
    encoded: EncodedCorpus, *, capacity: int, overlap: int, max_sentences: int, rng: np.random.Generator
) -> list[Window]:
    """Each word once, in windows of mixed length: runs of 1 to `max_sentences` neighbours of one document.

    A run stops early at the window's end; a sentence longer than a window becomes several windows.
    `max_sentences=1` trains on single sentences.
    """
    windows: list[Window] = []
    starts = encoded.sentence_starts
    # Pieces before each sentence, so that the length of any run of sentences is one subtraction.
    before = encoded.word_starts[starts]
    for first, last in zip(encoded.document_starts, encoded.document_starts[1:], strict=False):
        sentence = int(first)
        while sentence < last:
            wanted = int(rng.integers(1, max_sentences + 1)) if max_sentences > 1 else 1
            end = min(sentence + wanted, int(last))
            while end > sentence + 1 and before[end] - before[sentence] > capacity:
                end -= 1
            windows += cut_windows(
                encoded.word_starts, int(starts[sentence]), int(starts[end]), capacity=capacity, overlap=overlap
            )
            sentence = end
    return windows


def window_lengths(word_starts: np.ndarray, windows: Sequence[Window], num_special: int) -> np.ndarray:
    """(num_windows,) pieces of each window, special tokens included."""
    if not windows:
        return np.zeros(0, dtype=np.int64)
    bounds = np.asarray([window[:2] for window in windows])
    return word_starts[bounds[:, 1]] - word_starts[bounds[:, 0]] + num_special


def training_batches(
    lengths: np.ndarray, *, max_tokens: int, rng: np.random.Generator, num_replicas: int = 1
) -> list[list[int]]:
    """Indices of windows, batched under the budget, in random order; a multiple of `num_replicas` batches.

    Like lengths are batched within random pools, so an epoch's batches differ from the next one's.
    """
    order = rng.permutation(len(lengths))
    pool = max(1, _BUCKET_BATCHES * max_tokens // max(1, int(lengths.mean()))) if len(lengths) else 1
    batches: list[list[int]] = []
    for start in range(0, len(order), pool):
        members = order[start : start + pool]
        batches += _fill(members[np.argsort(lengths[members], kind="stable")], lengths, max_tokens)
    batches = [batches[i] for i in rng.permutation(len(batches))]
    return even_batches(batches, num_replicas)


def ordered_batches(lengths: np.ndarray, *, max_tokens: int) -> list[list[int]]:
    """Indices of windows for evaluation: sorted by length, longest first (so a lack of memory shows at once)."""
    return _fill(np.argsort(-lengths, kind="stable"), lengths, max_tokens)


def _fill(order: np.ndarray, lengths: np.ndarray, max_tokens: int) -> list[list[int]]:
    """Cut `order` into runs whose padded size (rows times the longest, rounded up) stays within the budget."""
    lengths = -(-lengths // PAD_TO_MULTIPLE) * PAD_TO_MULTIPLE
    batches: list[list[int]] = []
    current: list[int] = []
    longest = 0
    for index in order.tolist():
        length = int(lengths[index])
        if current and max(longest, length) * (len(current) + 1) > max_tokens:
            batches.append(current)
            current, longest = [], 0
        current.append(index)
        longest = max(longest, length)
    if current:
        batches.append(current)
    return batches


def even_batches(batches: list[list[int]], num_replicas: int) -> list[list[int]]:
    """Split the fullest batches in two until each replica gets equally many: nothing repeated, nothing dropped."""
    batches = list(batches)
    while len(batches) % num_replicas:
        widest = max(range(len(batches)), key=lambda i: len(batches[i]))
        batch = batches[widest]
        if len(batch) < 2:
            raise ConfigError(
                f"{len(batches)} batches cannot be dealt to {num_replicas} devices without repeating data",
                mend="use fewer devices or a larger batch.max_tokens",
            )
        batches[widest : widest + 1] = [batch[: len(batch) // 2], batch[len(batch) // 2 :]]
    return batches
