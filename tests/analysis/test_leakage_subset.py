"""The clean part of a split, written and read back: it holds no text, and knows its units whatever their form."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.analysis.planted import LONG, OTHER, raw, seen_of, tokens

from openmed.analysis.leakage import EXACT, Subset, clean_subset
from openmed.errors import DataError


def test_a_subset_keeps_what_was_not_seen_under_any_id_and_spacing(tmp_path: Path):
    fresh = "A third sentence that nobody has ever written down before in any corpus of the world ."
    test = [tokens("t1", LONG, fresh), tokens("t2", OTHER), tokens("t3", fresh.replace("third", "fourth"))]
    seen = seen_of(tokens("a", LONG, OTHER))
    clean_subset("mine", "test", test, seen, files={"x.tsv": "sha256:00"}).write(tmp_path / "clean.json")
    subset = Subset.read(tmp_path / "clean.json")
    assert subset == clean_subset("mine", "test", test, seen, files={"x.tsv": "sha256:00"})
    assert (subset.corpus, subset.split, subset.against) == ("mine", "test", ("train",))
    assert [(unit.id, unit.reason, unit.twin) for unit in subset.sentences.removed] == [
        ("t1#1", EXACT, {"split": "train", "id": "a#1"}),
        ("t2", EXACT, {"split": "train", "id": "a#2"}),
    ]
    assert subset.sentences.kept == 2
    assert [unit.id for unit in subset.documents.removed] == ["t2"]
    assert not subset.keeps(raw("any", "".join(LONG.split())))
    assert subset.keeps(raw("any", fresh))
    assert [subset.keeps(document) for document in test] == [True, False, True]
    assert LONG not in (tmp_path / "clean.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"rule": 3}', "null"])
def test_another_file_is_refused(tmp_path: Path, content: str):
    path = tmp_path / "clean.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match="not a clean subset") as caught:
        Subset.read(path)
    assert caught.value.mend
    with pytest.raises(DataError, match="cannot be opened"):
        Subset.read(tmp_path / "nothing.json")


def test_a_rule_that_is_none_is_told(tmp_path: Path):
    path = tmp_path / "clean.json"
    clean_subset("mine", "test", [tokens("t", LONG)], seen_of(tokens("a", LONG)), files={}).write(path)
    entry = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**entry, "rule": {**entry["rule"], "near": 3}}), encoding="utf-8")
    with pytest.raises(DataError, match="near=3"):
        Subset.read(path)
