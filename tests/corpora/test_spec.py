"""Corpus specs: what a spec does not know is refused by name (what each YAML holds: test_conformance.py)."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from openmed.choices import conf_folder
from openmed.corpora import CorpusSpec, corpus_names, load_spec
from openmed.errors import ConfigError

SMALLEST: dict[str, Any] = {"name": "mine", "train": "train.tsv", "dev": "dev.tsv"}


def raw(name: str) -> dict[str, Any]:
    return yaml.safe_load((conf_folder() / "dataset" / f"{name}.yaml").read_text(encoding="utf-8"))


def refusal(**changes: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        CorpusSpec.from_mapping({**SMALLEST, **changes})
    return str(caught.value)


@pytest.mark.parametrize("name", corpus_names())
def test_every_yaml_names_itself_and_the_datamodule(name):
    assert raw(name)["name"] == name
    assert raw(name)["_target_"] == "openmed.data.NerDataModule"


def test_custom_loads_once_its_files_are_given_and_learns_the_rest():
    spec = CorpusSpec.from_mapping({**raw("custom"), "train": "a.txt", "dev": "b.txt"})
    assert spec.splits == ("train", "dev")
    assert (spec.format, spec.types, spec.groups, dict(spec.options)) == (None, None, None, {})


def test_custom_without_files_says_which_setting_to_give():
    with pytest.raises(ConfigError, match=r"dataset\.train is missing.*Say dataset\.train="):
        load_spec("custom")


@pytest.mark.parametrize("absent", [{"train": None}, {"train": "???"}, {"train": ""}])
def test_a_split_counts_as_missing_when_null_empty_or_marked_mandatory(absent):
    assert "Say dataset.train=" in refusal(**absent)


def test_a_missing_dev_split_is_made_of_train():
    spec = CorpusSpec.from_mapping({"name": "mine", "train": "a.txt", "dev": None})
    assert spec.makes_dev
    assert spec.splits == ("train", "dev")
    assert spec.split_file("dev") == "a.txt"


@pytest.mark.parametrize("fraction", [0, 0.5, 1, -0.1])
def test_dev_is_a_small_share(fraction):
    assert "must lie between 0 and 0.5" in refusal(dev_fraction=fraction)


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
        ({"ids": {"deev": "x"}}, "dataset.ids.deev", "'dev'"),
        ({"other_types": "kep"}, "'kep'", "'keep'"),
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
