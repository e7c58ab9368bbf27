"""The dev split made of train: whole groups, the same for the same seed, every type with its share."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openmed.corpora.holdout import held_out
from openmed.spans import Document, Span


def document(number: int, labels: str, group: str = "") -> Document:
    return Document(
        str(number), "x" * (len(labels) + 1), tuple(Span(i, i + 1, label) for i, label in enumerate(labels)), group
    )


def counts(documents: list[Document]) -> Counter[str]:
    return Counter(span.label for document in documents for span in document.spans)


CORPUS = [document(n, "A" * (n % 5) + "B" * (n % 50 == 7) * 2 + "C" * (n % 3 == 0)) for n in range(500)]


def test_each_type_keeps_its_share():
    dev = held_out(CORPUS, fraction=0.1, seed=1)
    kept, whole = counts([document for document in CORPUS if document.group in dev]), counts(CORPUS)
    assert whole["B"] == 20
    for label, number in whole.items():
        assert kept[label] == pytest.approx(0.1 * number, rel=0.25), label
    without = [document for document in CORPUS if not document.spans]
    assert sum(document.group in dev for document in without) == pytest.approx(0.1 * len(without), abs=1)


def test_the_order_of_documents_does_not_matter_but_the_seed_does():
    dev = held_out(CORPUS, fraction=0.1, seed=1)
    assert held_out(CORPUS[::-1], fraction=0.1, seed=1) == dev
    assert held_out(CORPUS, fraction=0.1, seed=2) != dev


def test_a_group_goes_whole():
    corpus = [document(n, "AB", group=f"pmid{n // 4}") for n in range(80)]
    assert held_out(corpus, fraction=0.1, seed=1) < {f"pmid{n}" for n in range(20)}
    assert len(held_out(corpus, fraction=0.1, seed=1)) == 2


@given(
    st.lists(st.text(alphabet="ABCD", max_size=6), min_size=1, max_size=30),
    st.floats(min_value=0.05, max_value=0.49),
    st.integers(0, 5),
)
def test_train_keeps_every_type(labels, fraction, seed):
    corpus = [document(n, text) for n, text in enumerate(labels)]
    dev = held_out(corpus, fraction=fraction, seed=seed)
    train = [document for document in corpus if document.group not in dev]
    assert set(counts(train)) == set(counts(corpus))
    assert train


def test_a_tiny_corpus_gives_one_document_or_says_that_it_cannot():
    assert held_out([document(1, "AA"), document(2, "A")], fraction=0.1, seed=1) == {"2"}
    assert held_out([document(1, "A"), document(2, "B")], fraction=0.1, seed=1) == set()
    assert held_out([document(1, "A"), document(2, "")], fraction=0.1, seed=1) == set()
