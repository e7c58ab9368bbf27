"""The score that a Trainer script has `compute_metrics` give, of what the Trainer hands to it.

compute_metrics = lambda prediction: strict_f1(prediction.predictions, prediction.label_ids, names)

Shapes: S sentences, L pieces, C tags.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

IGNORED = -100


def strict_f1(scores_SLC: np.ndarray, labels_SL: np.ndarray, names: Sequence[str]) -> dict[str, float]:
    """F1 of exact spans. The truth is taken from the labels: with `group_by_length` the Trainer reorders dev, too.

    Args:
        labels_SL: numbers of tags, `IGNORED` where there is none.
        names: of the tags, IOB2.
    """
    from seqeval.metrics import f1_score
    from seqeval.scheme import IOB2

    gold, found = [], []
    for scores_LC, labels_L in zip(scores_SLC, labels_SL, strict=True):
        is_word = labels_L != IGNORED
        gold.append([names[tag] for tag in labels_L[is_word]])
        found.append([names[tag] for tag in np.argmax(scores_LC, axis=-1)[is_word]])
    return {"f1": float(f1_score(gold, found, mode="strict", scheme=IOB2))}


def check_whole(sentences: Sequence[tuple[list[str], list[str]]], labels: Sequence[Sequence[int]]) -> None:
    """That no word was cut off, so that labels hold all of the truth.

    Args:
        sentences: (words, tags) of each.
        labels: of each, as above.

    Raises:
        AssertionError: some was.
    """
    num_words = sum(len(words) for words, _ in sentences)
    num_labels = sum(label != IGNORED for row in labels for label in row)
    assert num_labels == num_words, f"of {num_words} words {num_words - num_labels} were cut off"
