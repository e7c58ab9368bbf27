"""Packed text: what was written is read back, in a ring, over the edges of shards; what is not whole is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from openmed.errors import DataError
from openmed.pretraining_text.packed import PackedIndex, PackedText, verify
from openmed.pretraining_text.shards import Packing, write_shard

SEPARATOR = 9
shards = st.lists(st.lists(st.lists(st.integers(0, 70_000), max_size=6), max_size=4), min_size=1, max_size=4)


def pack(folder, contents):
    packing = Packing("0", SEPARATOR, "uint32")
    written = [
        write_shard(folder, f"train-{number:05d}", passages, packing) for number, passages in enumerate(contents)
    ]
    kept = [shard for shard in written if shard.tokens]
    PackedIndex.of("x", packing, {"train": kept}).write(folder)
    return folder


@given(shards, st.integers(0, 200), st.integers(0, 200))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_reading_gives_what_was_written(tmp_path_factory, contents, start, count):
    folder = pack(tmp_path_factory.mktemp("packed"), contents)
    stream = [token for passages in contents for ids in passages for token in (*ids, SEPARATOR)]
    if not stream:
        with pytest.raises(DataError, match="no train split"):
            PackedText.open(folder, "train")
        return
    text = PackedText.open(folder, "train")
    verify(folder)
    assert text.num_tokens == len(stream)
    assert text.read(start, count).tolist() == [stream[(start + at) % len(stream)] for at in range(count)]
    begins = np.cumsum([0, *(len(ids) + 1 for passages in contents for ids in passages)])[:-1]
    assert text.starts.tolist() == begins.tolist()
    assert text.num_passages == len(begins)


def test_a_folder_that_is_not_whole_is_refused(tmp_path):
    with pytest.raises(DataError, match="not built to its end"):
        PackedText.open(tmp_path, "train")
    folder = pack(tmp_path, [[[1, 2, 3]], [[4, 5]]])
    with pytest.raises(DataError, match="no heldout split"):
        PackedText.open(folder, "heldout")
    tokens = folder / "train-00001.tokens"
    whole = tokens.read_bytes()
    tokens.write_bytes(whole[:-1])
    with pytest.raises(DataError, match="cut off"):
        PackedText.open(folder, "train")
    tokens.write_bytes(b"\0" + whole[1:])
    PackedText.open(folder, "train")  # what lies in the middle is only seen by reading it all
    with pytest.raises(DataError, match="altered"):
        verify(folder)
    tokens.unlink()
    with pytest.raises(DataError, match="missing"):
        verify(folder)


def test_another_format_is_refused(tmp_path):
    folder = pack(tmp_path, [[[1]]])
    index = json.loads((folder / "index.json").read_text())
    (folder / "index.json").write_text(json.dumps({**index, "format": 99}))
    with pytest.raises(DataError, match="another version"):
        PackedText.open(folder, "train")
