"""A split as training gets it: types mapped, documents grouped and unique, counts checked, losses told."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import openmed.readers
from openmed.corpora import SPLITS, CorpusSpec, digest, load_spec, load_split
from openmed.corpora.entity_types import DROPPED_TYPE
from openmed.corpora.grouping import NOT_IN_NATIVE
from openmed.corpora.load import DUPLICATE_ID, ID_NOT_FOUND
from openmed.errors import ConfigError, DataError
from openmed.readers.losses import MENTION_DIFFERS, RELATION
from openmed.spans import Document
from openmed.tagging import ILLEGAL_TAG

CONLL = "p53\tB-Gene\nin\tO\nmice\tB-Species\n\nNo\tO\nliver\tB-Organ\n"
PUBTATOR = "1|t|p53 in mice\n1|a|No liver\n1\t0\t3\tp53\tGene\n1\tCID\tD1\tD2\n"
JSONL = '{"id": "a", "text": "p53", "entities": [{"start": 0, "end": 3, "label": "Gene"}]}\n'


@pytest.fixture
def train(tmp_path: Path) -> Path:
    path = tmp_path / "train.tsv"
    path.write_text(CONLL, encoding="utf-8")
    return path


def spec(train: Path, **settings: Any) -> CorpusSpec:
    return CorpusSpec.from_mapping({"name": "mine", "train": str(train), "dev": str(train)} | settings)


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def labels(documents: list[Document]) -> list[str]:
    return [span.label for document in documents for span in document.spans]


# ---- what a split holds


def test_counts_are_told_by_kind_and_type(train):
    split = load_split(spec(train), "train")
    assert split.counts == {
        "documents": 1,
        "sentences": 2,
        "words": 5,
        "entities": 3,
        "Gene": 1,
        "Organ": 1,
        "Species": 1,
    }
    assert split.losses == {}


def test_every_file_read_is_told_with_its_digest(train, tmp_path):
    native = write(tmp_path / "native.txt", PUBTATOR)
    split = load_split(spec(train, groups={"format": "pubtator", "train": str(native)}), "train")
    assert split.hashes == {
        str(path): f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}" for path in (train, native)
    }


def test_grouping_by_native_gives_the_abstract(train, tmp_path):
    native = write(tmp_path / "native.txt", PUBTATOR)
    split = load_split(spec(train, groups={"format": "pubtator", "train": str(native)}), "train")
    assert [(document.id, document.text) for document in split.documents] == [("1", "p53 in mice No liver")]
    assert labels(split.documents) == ["Gene", "Species", "Organ"]
    assert split.losses == {}, "the native file's own losses (a relation line) are not the corpus's"


def test_grouping_in_runs_needs_no_other_file(train):
    assert load_split(spec(train, groups={"max_words": 250}), "train").counts["documents"] == 1
    assert load_split(spec(train, groups={"max_words": 4}), "train").counts["documents"] == 2


@pytest.mark.parametrize("format", ["conll", None])
def test_token_files_make_runs_of_250_words_when_nothing_is_said(tmp_path, format):
    train = write(tmp_path / "x.tsv", "\n".join(100 * "a\tB-X\n" for _ in range(3)))
    documents = load_split(spec(train, format=format), "train").documents
    assert [len(document.words or ()) for document in documents] == [200, 100]


def test_documents_that_the_file_holds_stay_as_they_are(tmp_path):
    train = write(tmp_path / "x.jsonl", JSONL + JSONL.replace('"a"', '"b"'))
    assert [document.id for document in load_split(spec(train), "train").documents] == ["a", "b"]


def test_losses_of_reading_and_grouping_are_told(tmp_path):
    broken = write(tmp_path / "x.tsv", "a\tB-X\n\nb\tI-X\n")
    native = write(tmp_path / "native.txt", "1|t|a\n")
    groups = {"format": "pubtator", "train": str(native)}
    split = load_split(spec(broken, options={"scheme": "iob2"}, groups=groups), "train")
    assert split.losses == {ILLEGAL_TAG: 1, NOT_IN_NATIVE: 1}
    assert load_split(spec(write(tmp_path / "x.txt", PUBTATOR)), "train").losses == {RELATION: 1}


@pytest.mark.parametrize(
    ("suffix", "text"), [("tsv", CONLL), ("txt", PUBTATOR), ("jsonl", JSONL), ("txt", "@id a\n[p53|Gene]\n")]
)
def test_the_format_may_be_left_out(tmp_path, suffix, text):
    split = load_split(spec(write(tmp_path / f"x.{suffix}", text)), "train")
    assert split.documents[0].mention(split.documents[0].spans[0]) == "p53"


# ---- types


def test_types_are_renamed_merged_and_left_out(train):
    split = load_split(spec(train, types={"Gene": "Thing", "Species": "Thing", "Organ": None}), "train")
    assert labels(split.documents) == ["Thing", "Thing"]
    assert split.losses == {DROPPED_TYPE: 1}


def test_a_type_that_the_mapping_does_not_name_is_an_error_with_the_nearest(train):
    with pytest.raises(DataError) as caught:
        load_split(spec(train, types={"Gene": "Gene", "Species": "Species", "Organs": "Organ"}), "train")
    message = str(caught.value)
    assert str(train) in message
    assert "'train#2' has a mention of type 'Organ'" in message
    assert "text: 'liver'" in message
    assert "map it to null" in message
    assert "Did you mean 'Organs'" in message


def test_types_that_the_mapping_does_not_name_are_kept_or_dropped_when_told(train):
    renamed = {"Gene": "Thing"}
    kept = load_split(spec(train, types=renamed, other_types="keep"), "train")
    assert labels(kept.documents) == ["Thing", "Species", "Organ"]
    dropped = load_split(spec(train, types=renamed, other_types="drop"), "train")
    assert labels(dropped.documents) == ["Thing"]
    assert dropped.losses == {DROPPED_TYPE: 2}


# ---- which documents make a split


def many(folder: Path, number: int = 30) -> Path:
    lines = (JSONL.replace('"a"', f'"{n}"') for n in range(number))
    return write(folder / "many.jsonl", "".join(lines))


def test_a_list_of_ids_chooses_the_documents_and_a_split_without_list_has_the_rest(tmp_path):
    path = many(tmp_path)
    dev = write(tmp_path / "dev.txt", "7\n3\n\n99\n")
    corpus = spec(path, ids={"dev": str(dev)})
    chosen, rest = load_split(corpus, "dev"), load_split(corpus, "train")
    assert [document.id for document in chosen.documents] == ["3", "7"]
    assert chosen.losses == {ID_NOT_FOUND: 1}
    assert {document.id for document in rest.documents} == {str(n) for n in range(30)} - {"3", "7"}
    assert rest.losses == {}
    assert set(chosen.hashes) == set(rest.hashes) == {str(path), str(dev)}


def test_without_a_dev_file_dev_is_cut_from_the_documents_that_train_lists(tmp_path):
    listed = write(tmp_path / "train.txt", "".join(f"{n}\n" for n in range(20)))
    corpus = spec(many(tmp_path), dev=None, ids={"train": str(listed)})
    train, dev = (load_split(corpus, split).documents for split in ("train", "dev"))
    assert (len(train), len(dev)) == (18, 2)
    assert {int(document.id) for document in [*train, *dev]} == set(range(20))


def test_what_one_file_lost_is_told_with_the_first_split_that_is_read_from_it(tmp_path):
    broken = JSONL.replace('"label": "Gene"', '"label": "Gene", "text": "p54"')
    path = write(tmp_path / "x.jsonl", broken + broken.replace('"a"', '"b"'))
    dev = write(tmp_path / "dev.txt", "b\n")
    corpus = spec(path, ids={"dev": str(dev)})
    assert load_split(corpus, "train").losses == {MENTION_DIFFERS: 2}
    assert load_split(corpus, "dev").losses == {}


def test_the_types_of_the_files_are_told_before_they_are_renamed(train):
    split = load_split(spec(train, types={"Gene": "Thing"}, other_types="drop"), "train")
    assert split.source_types == {"Gene", "Species", "Organ"}


@pytest.mark.parametrize("named", ["1.txt", "1.ann"])
def test_of_a_standoff_pair_both_files_are_told(tmp_path, named):
    """Else a cache made of the one would outlive a change of the other."""
    text, mentions = write(tmp_path / "1.txt", "p53 in mice"), write(tmp_path / "1.ann", "T1\tGene 0 3\tp53\n")
    before = load_split(spec(tmp_path / named), "train").hashes
    assert set(before) == {str(text), str(mentions)}
    write(mentions, "T1\tGene 7 11\tmice\n")
    assert load_split(spec(tmp_path / named), "train").hashes != before


def test_of_bc2gm_both_files_are_told(tmp_path):
    write(tmp_path / "GENE.eval", "P1|0 2|p53\n")
    path = write(tmp_path / "train.in", "P1 p53 in mice\n")
    split = load_split(spec(path, format="bc2gm"), "train")
    assert set(split.hashes) == {str(path), str(tmp_path / "GENE.eval")}


def test_without_a_dev_file_train_is_shared_out(tmp_path):
    broken = JSONL.replace('"a"', '"x"').replace('"label": "Gene"', '"label": "Gene", "text": "p54"')
    path = write(tmp_path / "x.jsonl", many(tmp_path).read_text() + broken)
    corpus = spec(path, dev=None)
    train, dev = (load_split(corpus, split) for split in ("train", "dev"))
    assert (len(train.documents), len(dev.documents)) == (28, 3)
    assert not {document.id for document in train.documents} & {document.id for document in dev.documents}
    assert (train.losses, dev.losses) == ({MENTION_DIFFERS: 1}, {}), "what the one file lost is told once"
    other = load_split(spec(path, dev=None, split_seed=2), "dev")
    assert {document.id for document in other.documents} != {document.id for document in dev.documents}
    assert len(load_split(spec(path, dev=None, dev_fraction=0.3), "dev").documents) == 9


def test_a_corpus_too_small_to_share_out_says_what_to_do(tmp_path):
    with pytest.raises(DataError, match=r"no dev split can be set aside from the 1 documents.*dataset\.dev=<file>"):
        load_split(spec(write(tmp_path / "x.jsonl", JSONL), dev=None), "train")


def test_a_folder_is_told_by_its_tree(tmp_path):
    folder = tmp_path / "brat"
    folder.mkdir()
    write(folder / "1.txt", "p53 in mice")
    write(folder / "1.ann", "T1\tGene 0 3\tp53\n")
    split = load_split(spec(folder), "train")
    assert labels(split.documents) == ["Gene"]
    assert split.hashes == {str(folder): f"git-tree:{digest(folder, 'git-tree')}"}


# ---- ids


def test_repeated_ids_become_unique_and_are_counted(tmp_path):
    path = tmp_path / "x.jsonl"
    write(path, "".join(JSONL.replace('"a"', f'"{id}"') for id in ("a", "a/2", "a", "b", "a")))
    split = load_split(spec(path), "train")
    assert [document.id for document in split.documents] == ["a", "a/2", "a/3", "b", "a/4"]
    assert [document.group for document in split.documents] == ["a", "a/2", "a", "b", "a"]
    assert split.losses == {DUPLICATE_ID: 2}


# ---- what is refused


def test_other_counts_than_expected_are_refused_naming_both(train):
    with pytest.raises(DataError, match=r"has 3 entities, expected 4.*another version of the corpus"):
        load_split(spec(train, counts={"train": {"words": 5, "entities": 4}}), "train")


def test_an_expected_type_that_is_not_there_is_refused(train):
    with pytest.raises(DataError, match="has 0 Disease, expected 1"):
        load_split(spec(train, counts={"train": {"Disease": 1}}), "train")


@pytest.mark.parametrize("format", ["conll", "pubtator", "inline", "jsonl", None])
@pytest.mark.parametrize("content", ["", "\n\n"])
def test_an_empty_split_is_refused_in_every_format(tmp_path, format, content):
    path = write(tmp_path / "train.txt", content)
    with pytest.raises(DataError, match=r"train\.txt: .*(empty|no words)"):
        load_split(spec(path, format=format), "train")


def test_a_reader_that_finds_nothing_is_no_split(train, monkeypatch):
    def read_nothing(path: Path, *, losses: object) -> Iterator[Document]:
        return iter(())

    monkeypatch.setitem(openmed.readers.READERS, "nothing", read_nothing)
    with pytest.raises(DataError, match="the train split of 'mine' is empty"):
        load_split(spec(train, format="nothing"), "train")


def test_a_split_that_the_corpus_does_not_have_is_refused(train):
    with pytest.raises(DataError, match=r"has no test split\. Set dataset\.test=<file>"):
        load_split(spec(train), "test")


def test_a_split_without_native_file_is_refused(train):
    with pytest.raises(DataError, match=r"Set dataset\.groups\.train"):
        load_split(spec(train, groups={"format": "pubtator"}), "train")


def test_an_unknown_format_names_the_nearest(train):
    with pytest.raises(DataError, match=r"unknown format 'conl'.*Did you mean 'conll'"):
        load_split(spec(train, format="conl"), "train")


@pytest.mark.parametrize(
    ("format", "option", "mend"), [("conll", "schema", "Did you mean 'scheme'"), ("pubtator", "scheme", "Leave it out")]
)
def test_an_option_that_the_reader_does_not_have_is_refused(train, format, option, mend):
    with pytest.raises(ConfigError, match=f"format '{format}' has no option '{option}'.*{mend}"):
        load_split(spec(train, format=format, options={option: "iob2"}), "train")


# ---- the corpora themselves: `load_split` compares with the counts in the YAML


@pytest.mark.parametrize("split", SPLITS)
def test_demo_is_as_its_yaml_says(split):
    assert load_split(load_spec("demo"), split).losses == {}


needs_corpora = pytest.mark.skipif(
    not os.environ.get("OPENMED_DATA"), reason="OPENMED_DATA does not name a folder of corpora"
)


@needs_corpora
@pytest.mark.parametrize("name", ["ncbi", "bc5cdr_disease"])
@pytest.mark.parametrize("split", SPLITS)
def test_every_sentence_of_the_real_corpora_finds_its_one_abstract(name, split):
    found = load_split(load_spec(name), split)
    assert found.losses == {}
    assert len({document.group for document in found.documents}) == found.counts["documents"]
    assert all(document.id == document.group for document in found.documents)
    assert all(document.group.isdecimal() for document in found.documents), "not a PMID"


@needs_corpora
@pytest.mark.parametrize(
    ("name", "split", "losses"),
    [
        ("ncbi_documents", "train", {DUPLICATE_ID: 1, MENTION_DIFFERS: 1}),
        ("ncbi_documents", "test", {}),
        ("bc5cdr_disease_documents", "dev", {DROPPED_TYPE: 5347, RELATION: 1012}),
    ],
)
def test_the_native_abstracts_tell_their_losses(name, split, losses):
    assert load_split(load_spec(name), split).losses == losses
