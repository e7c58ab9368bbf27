"""The real corpora: copies as counted when they were brought here; all pairs compared without an index."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from openmed.analysis.leakage import EXACT, Passage, Rule, Seen, sentences_of
from openmed.analysis.leakage.near import NearIndex, grams_of
from openmed.corpora import CorpusSpec, Split, load_spec, load_split

needs_corpora = pytest.mark.skipif(
    not os.environ.get("OPENMED_DATA"), reason="OPENMED_DATA does not name a folder of corpora"
)


def real_split(name: str, split: str) -> Split:
    """Of the token files, as they are: no documents, no counts."""
    folder = Path(os.environ["OPENMED_DATA"]) / "ner" / name
    files = {"train": "train.tsv", "dev": "devel.tsv", "test": "test.tsv"}
    values = {key: str(folder / file) for key, file in files.items()}
    options = {"scheme": "iob2", "default_type": "Entity"}
    return load_split(CorpusSpec.from_mapping({"name": name, **values, "format": "conll", "options": options}), split)


# corpus: test sentences in train word for word of >= 5 and >= 10 words, distinct ones with other tags; the same in dev
COPIES = {
    "JNLPBA": ((104, 92, 26), (3, 0, 0)),
    "BC2GM": ((21, 12, 2), (7, 5, 0)),
    "BC5CDR-disease": ((0, 0, 0), (3, 3, 1)),
    "NCBI-disease": ((1, 1, 0), (0, 0, 0)),
    "linnaeus": ((22, 10, 0), (16, 8, 0)),
    "AnatEM": ((8, 0, 0), (1, 0, 0)),
    "GELLUS": ((0, 0, 0), (0, 0, 0)),
}


@needs_corpora
@pytest.mark.slow
@pytest.mark.parametrize("name", COPIES)
def test_the_real_copies_are_found_again(name):
    """Near copies are left out here, which saves most of the time."""
    seen = Seen(Rule(near_min_words=10_000))
    for split in ("train", "dev"):
        seen.add(split, real_split(name, split).documents)
    sentences = [s for document in real_split(name, "test").documents for s in sentences_of(document)]
    for split, expected in zip(("train", "dev"), COPIES[name], strict=True):
        found = [(s, leak) for s in sentences if (leak := seen.find(s, split)) and leak.reason == EXACT]
        agree: Counter[str] = Counter()
        for sentence, leak in found:
            agree[sentence.text] += leak.same_labels
        counts = tuple(sum(sentence.num_words >= least for sentence, _ in found) for least in (5, 10))
        assert (*counts, sum(not agrees for agrees in agree.values())) == expected


@needs_corpora
@pytest.mark.slow
def test_near_copies_are_those_that_comparing_all_pairs_finds():
    """Every test sentence of NCBI against every one of train, without an index."""
    train, test = (
        [s for d in real_split("NCBI-disease", split).documents for s in sentences_of(d) if s.num_words >= 10]
        for split in ("train", "test")
    )
    index = NearIndex(0.7)
    for sentence in train:
        index.add(sentence.letters)
    known = {
        gram: number for number, gram in enumerate({gram for s in (*train, *test) for gram in grams_of(s.letters)})
    }
    train_grams, test_grams = (_incidence(part, known) for part in (train, test))
    shared = (test_grams @ train_grams.T).toarray()
    union = test_grams.sum(axis=1) + train_grams.sum(axis=1).T - shared
    expected = np.asarray(shared / union >= 0.7).any(axis=1)
    assert [bool(index.find(sentence.letters)) for sentence in test] == expected.tolist()
    assert expected.sum() > 1


def _incidence(sentences: Sequence[Passage], known: dict[str, int]) -> csr_matrix:
    """(num_sentences, num_grams): 1 where a sentence has a 5-gram."""
    columns = [[known[gram] for gram in grams_of(sentence.letters)] for sentence in sentences]
    rows = np.repeat(np.arange(len(sentences)), [len(row) for row in columns])
    places = np.concatenate(columns)
    return csr_matrix((np.ones(len(places), dtype=np.int32), (rows, places)), shape=(len(sentences), len(known)))


@needs_corpora
@pytest.mark.slow
def test_the_words_and_the_raw_text_of_a_corpus_lose_the_same_documents():
    """BC5CDR as sentences of token files, and as raw abstracts: what of test stands in train or dev agrees."""
    leaked = []
    for name in ("bc5cdr_disease", "bc5cdr_disease_documents"):
        spec = load_spec(name)
        seen = Seen(Rule(near_min_words=10_000))
        for split in ("train", "dev"):
            seen.add(split, load_split(spec, split).documents)
        documents = load_split(spec, "test").documents
        found = seen.leaks(documents)
        leaked.append({d.group: sum(map(bool, leaks)) for d, leaks in zip(documents, found, strict=True) if any(leaks)})
    assert leaked[0] == leaked[1]
    assert sum(leaked[0].values()) == 3
