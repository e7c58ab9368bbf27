"""From emissions to spans: one constrained Viterbi over a whole unit, so that an illegal BIO sequence cannot come
out.

Words are scored independently, so the best path is simply the argmax wherever that is legal already; only the
other units need dynamic programming. Both give the same path.

    tag_ids, scores = decode_unit(log_probs_TC, legal)
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from openmed.spans import Range, Span
from openmed.tagging import decode_tags, is_legal

_NEVER = -np.inf  # a finite penalty would still beat a tag of probability 0


def legal_matrix(tags: Sequence[str]) -> np.ndarray:
    """(num_tags + 1, num_tags) bool: may tag j follow tag i? The last row is the start of a unit."""
    return np.asarray([[is_legal(before, tag) for tag in tags] for before in [*tags, None]])


def log_softmax(emissions_NC: np.ndarray) -> np.ndarray:
    """(N, C) log-probabilities of (N, C) scores."""
    shifted = emissions_NC - emissions_NC.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def decode_unit(log_probs_TC: np.ndarray, legal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The most probable legal tag sequence of one unit.

    Args:
        log_probs_TC: (num_words, num_tags).
        legal: from `legal_matrix`.

    Returns:
        tag ids (num_words,) and the probability of each chosen tag (num_words,).
    """
    path = log_probs_TC.argmax(axis=1)
    if len(path) and not (legal[-1, path[0]] and legal[path[:-1], path[1:]].all()):
        path = _viterbi(log_probs_TC, legal)
    return path, np.exp(log_probs_TC[np.arange(len(path)), path])


def _viterbi(log_probs_TC: np.ndarray, legal: np.ndarray) -> np.ndarray:
    penalty = np.where(legal, 0.0, _NEVER)
    length, _ = log_probs_TC.shape
    back = np.zeros(log_probs_TC.shape, dtype=np.int64)
    best_C = penalty[-1] + log_probs_TC[0]
    for step in range(1, length):
        through_CC = best_C[:, None] + penalty[:-1]
        back[step] = through_CC.argmax(axis=0)
        best_C = through_CC.max(axis=0) + log_probs_TC[step]
    path = np.zeros(length, dtype=np.int64)
    path[-1] = best_C.argmax()
    for step in range(length - 1, 0, -1):
        path[step - 1] = back[step, path[step]]
    return path


def unit_spans(
    words: Sequence[Range], log_probs_TC: np.ndarray, tags: Sequence[str], legal: np.ndarray
) -> tuple[Span, ...]:
    """Character spans of one unit with scores: the mean probability of a mention's tags."""
    path, scores = decode_unit(log_probs_TC, legal)
    return decode_tags(words, [tags[int(i)] for i in path], scores=[float(score) for score in scores])
