"""The training split of a NER corpus as texts: all of it, as it is, and nothing of dev or test."""

from __future__ import annotations

import os
from collections import Counter

import pytest
from tests.pretraining_text.building import know_corpus, long_texts, write_corpus

from openmed.corpora import corpus_names, load_spec, load_split
from openmed.pretraining_text import sources as sources_module
from openmed.pretraining_text.sources import RawText, read_part, read_source
from openmed.pretraining_text.sources.corpus import BY_PUBMED_ID, pubmed_id


def test_the_training_texts_are_given_as_they_are_and_no_other():
    splits = {split: load_split(load_spec("demo"), split).documents for split in ("train", "dev", "test")}
    given = list(read_source("demo", format="corpus"))
    assert given == [RawText(f"demo:{document.id}", document.text) for document in splits["train"]]
    texts = {text.text for text in given}
    assert not any(document.text in texts for split in ("dev", "test") for document in splits[split])


def test_a_dev_split_that_is_made_of_train_is_not_given(tmp_path, monkeypatch):
    texts = long_texts(0, 20)
    source = know_corpus(monkeypatch, write_corpus(tmp_path / "train.jsonl", texts), dev=None)
    spec = source.corpus
    assert spec is not None
    dev = {document.text for document in load_split(spec, "dev").documents}
    given = {text.text for text in read_source("mine", format="corpus")}
    assert dev
    assert given == set(texts.values()) - dev


def test_what_has_no_text_is_counted_and_annotations_do_not_matter(tmp_path, monkeypatch):
    (tmp_path / "dev.txt").write_text("5\n")
    (tmp_path / "train.txt").write_text("1\nPMID-2\n3\nnowhere\n")
    train = write_corpus(tmp_path / "train.jsonl", {"1": "A cold.", "PMID-2": "A\nfever. ", "3": " ", "5": "No."})
    lists = {split: str(tmp_path / f"{split}.txt") for split in ("train", "dev")}
    know_corpus(monkeypatch, train, ids=lists, types={"U": "U"}, other_types="drop")
    losses: Counter[str] = Counter()
    texts = list(read_source("mine", format="corpus", losses=losses))
    assert texts == [RawText("mine:1", "A cold."), RawText("mine:PMID-2", "A\nfever. ", "2")]
    assert losses == {"record_without_text": 1, "id_not_found": 1}


@pytest.mark.parametrize(
    ("corpus", "group", "pmid"),
    [
        ("ncbi", "9288106", "9288106"),
        ("bc5cdr_chem_documents", "8701013", "8701013"),
        ("s800_560_documents", "20139281", "20139281"),
        ("jnlpba_documents", "20216392", None),
        ("linnaeus", "1036069", None),
        ("mine", "123", None),
        ("mine", "PMID-123", "123"),
        ("ncbi", "PMC-123-sec-07", None),
        ("ncbi", "test#1", None),
        ("ncbi", "PMID-", None),
        ("ncbi", "", None),
    ],
)
def test_a_pubmed_id_is_digits_that_the_corpus_means_so(corpus, group, pmid):
    assert pubmed_id(corpus, group) == pmid


def test_what_is_named_by_pubmed_ids_are_corpora():
    assert set(corpus_names()) >= BY_PUBMED_ID


@pytest.mark.parametrize("parts", [1, 3, 7])
def test_parts_together_are_the_corpus_and_its_losses(tmp_path, monkeypatch, parts):
    monkeypatch.setattr(sources_module, "BLOCK", 4)
    texts = long_texts(0, 30)
    know_corpus(monkeypatch, write_corpus(tmp_path / "train.jsonl", {**texts, "empty": ""}))
    losses: Counter[str] = Counter()
    given = [[text.text for text in read_part("mine", n, parts, format="corpus", losses=losses)] for n in range(parts)]
    assert sorted(text for part in given for text in part) == sorted(texts.values())
    assert losses == {"record_without_text": 1}
    assert given[-1][:4] == list(texts.values())[4 * (parts - 1) : 4 * parts]  # blocks in turn


REAL = [("ncbi_documents", 593, 593), ("anatem_documents", 606, 455), ("s800_documents", 381, 381)]


@pytest.mark.skipif(not os.environ.get("OPENMED_DATA"), reason="OPENMED_DATA does not name a folder of corpora")
@pytest.mark.parametrize(("name", "num_texts", "num_pmids"), REAL)
def test_the_real_corpora_give_their_training_splits(name, num_texts, num_pmids):
    texts = list(read_source(name, format="corpus"))
    assert (len(texts), sum(text.pmid is not None for text in texts)) == (num_texts, num_pmids)
    assert len({text.id for text in texts}) == num_texts
