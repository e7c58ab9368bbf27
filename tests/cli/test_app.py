"""What the commands have in common: an error is one paragraph."""

from __future__ import annotations

import errno

import pytest

from openmed.cli import predict


@pytest.mark.parametrize(("file", "where"), [((), ""), (("x.jsonl",), " (x.jsonl)")])
def test_a_full_disk_is_told_with_the_file_where_the_error_names_one(openmed, monkeypatch, file, where):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device", *file)

    monkeypatch.setattr(predict, "_parted", full)
    result = openmed("predict", "model")
    assert (result.code, result.out) == (1, "")
    assert result.err == f"error: the disk is full{where}: free some space and run the command again.\n"
