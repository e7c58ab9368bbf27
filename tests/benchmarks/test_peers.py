"""The score of the Trainer's script: exact spans, in whatever order the sentences come."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.peers.scoring import IGNORED, check_whole, strict_f1

NAMES = ["B-Disease", "I-Disease", "O"]
B, I, O, X = 0, 1, 2, IGNORED  # noqa: E741
GOLD = np.array([[X, B, X, I, O, X], [X, O, O, B, X, X], [X, O, B, O, O, X]])
FOUND = np.array([[O, B, O, I, O, O], [O, O, O, B, B, O], [B, O, B, I, O, I]])
"""The third sentence's mention is one word too long; pieces without a label do not count."""


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1]])
def test_the_order_of_the_sentences_is_no_matter(order):
    scores = np.eye(len(NAMES))[FOUND[order]]
    assert strict_f1(scores, GOLD[order], NAMES) == {"f1": pytest.approx(2 / 3)}


def test_a_word_that_was_cut_off_is_told():
    sentences = [(["p53", "binds"], ["O", "O"]), (["gout"], ["B-Disease"])]
    check_whole(sentences, [[X, O, X, O, X], [X, B, X]])
    with pytest.raises(AssertionError, match="of 3 words 1 were cut off"):
        check_whole(sentences, [[X, O, X, X], [X, B, X]])
