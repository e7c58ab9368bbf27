"""Windows: whole words, nothing truncated, each word owned once, and by the window that sees most around it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openmed.encoding import Window, check_window, cut_windows
from openmed.errors import ConfigError


@st.composite
def cuts(draw: st.DrawFn) -> tuple[np.ndarray, int, int, list[Window]]:
    """Word starts of a unit in the middle of others, a capacity that any word fits, an overlap, and the windows."""
    capacity = draw(st.integers(1, 16))
    overlap = draw(st.integers(0, capacity // 2) | st.just(capacity // 2))
    longest = min(capacity, draw(st.sampled_from([1, 3, 5, 16])))
    lengths = draw(st.lists(st.integers(1, longest), min_size=draw(st.sampled_from([0, 8, 24])), max_size=40))
    starts = np.concatenate(([0], np.cumsum([5, 7, *lengths, 4]))).astype(np.int64)
    return starts, capacity, overlap, cut_windows(starts, 2, 2 + len(lengths), capacity=capacity, overlap=overlap)


@given(cuts())
def test_every_word_is_owned_by_exactly_one_window_in_order(cut):
    starts, _, _, windows = cut
    owned = [word for window in windows for word in range(window.own_start, window.own_end)]
    assert owned == list(range(2, len(starts) - 2))


@given(cuts())
def test_windows_own_only_words_they_hold_and_fit_the_capacity(cut):
    starts, capacity, _, windows = cut
    for window in windows:
        assert window.start <= window.own_start <= window.own_end <= window.end
        assert 1 <= starts[window.end] - starts[window.start] <= capacity


@given(cuts())
def test_windows_are_full_and_each_brings_new_words(cut):
    starts, capacity, _, windows = cut
    for window, following in pairwise(windows):
        assert window.start < following.start
        assert window.end < following.end
        assert starts[window.end + 1] - starts[window.start] > capacity, "one more word would have had room"


@given(cuts())
def test_neighbours_share_the_overlap_unless_a_word_is_too_long_for_it(cut):
    starts, capacity, overlap, windows = cut
    for window, following in pairwise(windows):
        shared = starts[window.end] - starts[following.start]
        next_word = starts[window.end + 1] - starts[window.end]
        wider = starts[window.end] - starts[following.start - 1]
        assert shared >= 0
        if shared < overlap:  # one word more would be the window itself again, or leave the next word no room
            assert following.start - 1 == window.start or wider + next_word > capacity
        else:
            assert starts[window.end] - starts[following.start + 1] < overlap, "more is shared than was asked for"


@given(cuts())
def test_the_owner_is_the_window_in_which_the_word_is_most_central(cut):
    starts, _, _, windows = cut

    def context(window: Window, word: int) -> int:
        """Pieces seen on the word's poorer side."""
        return min(starts[word] - starts[window.start], starts[window.end] - starts[word + 1])

    for owner in windows:
        for word in range(owner.own_start, owner.own_end):
            assert context(owner, word) == max(context(w, word) for w in windows if w.start <= word < w.end)


def test_a_unit_that_fits_is_one_window():
    assert cut_windows([0, 2, 3, 9], 0, 3, capacity=9, overlap=4) == [Window(0, 3, 0, 3)]


def test_no_words_make_no_windows():
    assert cut_windows([0, 2, 3], 1, 1, capacity=9, overlap=4) == []


def test_as_many_windows_as_needed_and_no_more():
    windows = cut_windows(np.arange(1001), 0, 1000, capacity=254, overlap=50)
    assert [window[:2] for window in windows] == [(0, 254), (204, 458), (408, 662), (612, 866), (816, 1000)]
    assert [window.own_start for window in windows] == [0, 229, 433, 637, 841]


def test_a_word_across_the_middle_of_an_overlap_goes_where_its_centre_lies():
    # Pieces: 0-6 one by one, then a word of 3, and 10-15; the windows 0..10 and 5..15 share 5..10, middle 7.5.
    starts = [0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 13, 14, 15]
    first, second = cut_windows(starts, 0, 13, capacity=10, overlap=5)
    assert (first, second) == (Window(0, 8, 0, 7), Window(5, 13, 7, 13)), "centre 8.5: the second window's"


def test_words_are_cut_off_at_the_capacity_by_whoever_encodes_them_yet_windows_end():
    """`encode_documents` caps words; should one be longer all the same, windows still own each word once."""
    windows = cut_windows([0, 2, 40, 42, 44], 0, 4, capacity=4, overlap=2)
    assert [word for window in windows for word in range(window.own_start, window.own_end)] == [0, 1, 2, 3]


def test_capacity_leaves_room_for_the_special_tokens():
    assert check_window(256, 50, 2) == 254
    assert check_window(3, 0, 2) == 1


@pytest.mark.parametrize(
    ("max_pieces", "overlap", "said"),
    [
        (2, 0, "aise window.max_pieces"),
        (256, 128, "hoose an overlap of 0..127"),
        (256, 300, "hoose an overlap of 0..127"),
        (256, -1, "hoose an overlap of 0..127"),
    ],
)
def test_a_window_that_cannot_be_is_refused_with_the_mend(max_pieces, overlap, said):
    with pytest.raises(ConfigError, match=said):
        check_window(max_pieces, overlap, 2)
