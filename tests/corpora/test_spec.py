"""Corpus YAMLs: each in `conf/dataset/` loads and is complete, and what a spec does not know is refused by name."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from openmed.corpora import SPLITS, CorpusSpec, conf_folder, corpus_names, load_spec
from openmed.corpora.files import PACKAGE
from openmed.errors import ConfigError

PUBLIC = [name for name in corpus_names() if name != "custom"]
SMALLEST: dict[str, Any] = {"name": "mine", "train": "train.tsv", "dev": "dev.tsv"}
COMMIT = re.compile(r"/[0-9a-f]{40}/")


def raw(name: str) -> dict[str, Any]:
    return yaml.safe_load((conf_folder() / "dataset" / f"{name}.yaml").read_text(encoding="utf-8"))


def refusal(**changes: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        CorpusSpec.from_mapping({**SMALLEST, **changes})
    return str(caught.value)


def test_the_corpora_of_the_foundation_are_there():
    assert {"ncbi", "bc5cdr_disease", "demo", "custom"} <= set(corpus_names())


@pytest.mark.parametrize("name", corpus_names())
def test_every_yaml_names_itself_and_the_datamodule(name):
    assert raw(name)["name"] == name
    assert raw(name)["_target_"] == "openmed.data.NerDataModule"


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_corpus_says_what_it_is_and_what_to_expect(name):
    spec = load_spec(name)
    assert spec.title
    assert spec.licence
    assert spec.citation
    assert spec.format
    assert spec.types
    assert spec.splits == SPLITS
    for split in SPLITS:
        assert {"documents", "entities"} <= set(spec.counts[split])


@pytest.mark.parametrize("name", PUBLIC)
def test_every_file_of_a_public_corpus_is_pinned_and_used(name):
    spec = load_spec(name)
    used = {spec.split_file(split) for split in SPLITS}
    if spec.groups and spec.groups.format:
        used |= {getattr(spec.groups, split) for split in SPLITS}
    assert {path for path in used if not path.startswith(PACKAGE)} == set(spec.files)
    for source in spec.files.values():
        assert source.hashes
        assert source.by_hand or COMMIT.search(source.url or ""), "a moving branch is no source"


@pytest.mark.parametrize("name", PUBLIC)
def test_the_raw_text_of_a_tokenised_corpus_has_its_types(name):
    spec = load_spec(name)
    if spec.raw:
        raw_spec = load_spec(spec.raw)
        assert raw_spec.unit == "documents"
        assert set((raw_spec.types or {}).values()) - {None} == set((spec.types or {}).values())


def test_custom_loads_once_its_files_are_given_and_learns_the_rest():
    spec = CorpusSpec.from_mapping({**raw("custom"), "train": "a.txt", "dev": "b.txt"})
    assert spec.splits == ("train", "dev")
    assert (spec.format, spec.types, spec.groups, dict(spec.options)) == (None, None, None, {})


def test_custom_without_files_says_which_setting_to_give():
    with pytest.raises(ConfigError, match=r"dataset\.train is missing.*Say dataset\.train="):
        load_spec("custom")


@pytest.mark.parametrize("absent", [{"dev": None}, {"dev": "???"}, {"dev": ""}])
def test_a_split_counts_as_missing_when_null_empty_or_marked_mandatory(absent):
    assert "Say dataset.dev=" in refusal(**absent)


def test_an_unknown_dataset_names_the_nearest():
    with pytest.raises(ConfigError, match=r"unknown dataset 'ncbl'.*Did you mean 'ncbi'"):
        load_spec("ncbl")


@pytest.mark.parametrize(
    ("changes", "where", "nearest"),
    [
        ({"formt": "conll"}, "dataset.formt", "'format'"),
        ({"groups": {"max_word": 9}}, "dataset.groups.max_word", "'max_words'"),
        ({"files": {"a.tsv": {"ulr": "x"}}}, "dataset.files.a.tsv.ulr", "'url'"),
        ({"counts": {"devv": {"entities": 1}}}, "dataset.counts.devv", "'dev'"),
        ({"unit": "sentence"}, "'sentence'", "'sentences'"),
    ],
)
def test_an_unknown_key_is_refused_with_its_place_and_the_nearest(changes, where, nearest):
    message = refusal(**changes)
    assert where in message
    assert f"Did you mean {nearest}" in message


@pytest.mark.parametrize("value", ["md5:00", "sha256:00", "git-blob:" + 64 * "0", 64 * "0"])
def test_a_hash_of_another_form_is_refused_before_any_file_is_read(value):
    message = refusal(files={"a.tsv": {"hashes": [value]}})
    assert value in message
    assert "sha256:<64 hex digits>" in message


def test_a_plain_value_where_keys_are_expected_is_refused():
    assert "dataset.groups must hold keys and values, not 250" in refusal(groups=250)


def test_an_unknown_split_is_refused():
    with pytest.raises(ConfigError, match=r"unknown split 'tests'.*Did you mean 'test'"):
        load_spec("ncbi").split_file("tests")
