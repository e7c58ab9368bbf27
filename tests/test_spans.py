"""Ranges: they are what a tuple of tuples is, only smaller; documents check and keep them."""

from __future__ import annotations

import pickle
from copy import deepcopy
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openmed.spans import Document, Ranges

edges = st.lists(st.integers(0, 10_000), unique=True, max_size=40).map(sorted)
tuples = edges.map(lambda found: tuple(pairwise(found))[::2])


@given(tuples, st.integers(-50, 50), st.slices(30))
def test_ranges_are_as_a_tuple_of_the_same(expected, index, part):
    ranges = Ranges(expected, 10_000)
    assert ranges == expected
    assert expected == ranges
    assert ranges == Ranges(iter(expected), 10_000)
    assert (list(ranges), len(ranges), hash(ranges), repr(ranges)) == (
        list(expected),
        len(expected),
        hash(expected),
        repr(expected),
    )
    assert ranges[part] == expected[part]
    assert ranges != (*expected, (10_001, 10_002))
    assert ranges != "other"
    try:
        wanted = expected[index]
    except IndexError:
        with pytest.raises(IndexError):
            ranges[index]
    else:
        assert ranges[index] == wanted
    assert pickle.loads(pickle.dumps(ranges)) == deepcopy(ranges) == expected


@pytest.mark.parametrize("wrong", [[(0, 0)], [(2, 1)], [(-1, 2)], [(0, 3), (2, 4)], [(3, 4), (0, 1)], [(0, 10**30)]])
def test_wrong_ranges_are_refused(wrong):
    with pytest.raises(ValueError, match="document 'd': word"):
        Document("d", "aspirin", words=wrong)


def test_a_copy_with_a_shorter_text_is_checked_again():
    document = Document("d", "aspirin helps", words=((0, 7), (8, 13)))
    assert replace(document, id="e").words == document.words
    with pytest.raises(ValueError, match="outside the text"):
        replace(document, text="aspirin")
