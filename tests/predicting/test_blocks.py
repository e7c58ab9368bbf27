"""Blocks of documents: bounded, and nothing sound is lost before a fault."""

from __future__ import annotations

from itertools import chain

import pytest

from openmed.predicting import blocks
from openmed.predicting.blocks import in_blocks


def test_a_block_ends_at_its_size_and_where_its_texts_are_long(monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_CHARACTERS", 10)
    assert list(in_blocks(["a", "b", "c"], size=2, length=len)) == [["a", "b"], ["c"]]
    assert list(in_blocks(["a", "b" * 10, "c"], size=9, length=len)) == [["a", "b" * 10], ["c"]]
    assert list(in_blocks([], size=2, length=len)) == []


@pytest.mark.parametrize("num_sound", [0, 1, 2, 3])
def test_what_comes_before_a_fault_comes_out_before_it(num_sound):
    def faulty():
        yield from "abc"[:num_sound]
        raise OSError("gone")

    found: list[str] = []
    with pytest.raises(OSError, match="gone"):
        found.extend(chain.from_iterable(in_blocks(faulty(), size=2, length=len)))
    assert found == list("abc"[:num_sound])
