"""What a user's corpus may hold: repeated and templated sentences, long documents, groups that the reader made up."""

from __future__ import annotations

import random
import tracemalloc

import pytest
from tests.analysis.planted import LONG, MIDDLE, seen_of, tokens

from openmed.analysis.leakage import SAME_ID, Rule, leaked_documents, near, passage_of, passages, seen
from openmed.analysis.leakage.near import MAX_VERIFIED, NearIndex
from openmed.readers import read_jsonl
from openmed.readers.conll import made_up_id
from openmed.spans import Document, Span

TEMPLATE = "On hospital day {} the patient was noted to have improved oxygen saturation and was weaned from oxygen ."
FRESH = "A third sentence that nobody has ever written down before in any corpus of the world ."


def counted(monkeypatch: pytest.MonkeyPatch, module, name: str) -> list[tuple]:
    """The arguments of each call of a function from now on."""
    calls: list[tuple] = []
    function = getattr(module, name)

    def call(*arguments):
        calls.append(arguments)
        return function(*arguments)

    monkeypatch.setattr(module, name, call)
    return calls


def test_sentences_of_one_template_are_each_compared_with_few(monkeypatch):
    train = [tokens(f"a{number}", TEMPLATE.format(number)) for number in range(1000, 1400)]
    test = [tokens(f"t{number}", TEMPLATE.format(number)) for number in range(3000, 3020)]
    shuffled = random.Random(1).sample(train, len(train))
    calls = counted(monkeypatch, near, "jaccard")
    found = seen_of(*train).leaks(test)
    assert all(leak is not None for leaks in found for leak in leaks)
    assert len(calls) <= MAX_VERIFIED * len(test)
    assert seen_of(*shuffled).leaks(test) == found


def test_a_sentence_that_returns_is_looked_at_once(monkeypatch):
    index = seen_of(*(tokens(f"a{number}", LONG) for number in range(300)))
    calls = counted(monkeypatch, seen, "_telling")
    found = index.leaks([tokens(f"t{number}", LONG) for number in range(300)])
    assert {leak and leak.document_id for leaks in found for leak in leaks} == {"a0"}
    assert len(calls) <= 1


def test_a_near_copy_is_found_among_many_that_are_nearly_near():
    """All share half their text with the one in question; one shares more."""
    rng = random.Random(1)
    half = "".join(rng.choices("abcdefghij", k=100))
    other = "".join(rng.choices("abcdefghij", k=60))
    index = NearIndex(0.8)
    for _ in range(1000):
        index.add(half + "".join(rng.choices("klmnopqrst", k=60)))
    index.add(f"{half}{other}")
    assert [text for _, text in index.find(f"{half}{other[:-5]}")] == [f"{half}{other}"]


def test_an_index_takes_little_memory_beside_its_texts():
    rng = random.Random(1)
    texts = ["".join(rng.choices("abcdefghijklmnop", k=150)) for _ in range(1000)]
    index = NearIndex(0.8)
    index.add("first")
    index.find("first")
    tracemalloc.start()
    for text in texts:
        index.add(text)
    index.find(texts[0])
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert used < 1024 * len(texts)


def test_an_index_that_was_searched_can_be_added_to():
    index = NearIndex(0.8)
    for text in ("bbbbbbcdef", "aaaaaabcdef", "cccccccdefg"):
        index.add(text)
        assert index.find(text) == [(1.0, text)]
    assert index.find("bbbbbbcdef") == [(1.0, "bbbbbbcdef")]


def test_a_long_document_is_read_once(monkeypatch):
    unit = "the aspirin dose works well . "
    spans = tuple(Span(at + 4, at + 11, "Chemical") for at in range(0, 500 * len(unit), len(unit)))
    document = Document("1", unit * 500, spans)
    calls = counted(monkeypatch, passages, "squeeze")
    labels = passage_of(document).labels
    letters = len("".join(unit.split()))
    assert labels == tuple((n * letters + 3, n * letters + 10, "Chemical") for n in range(500))
    assert sum(len(text) for (text,) in calls) <= 2 * len(document.text)


# ---- groups that prove nothing


@pytest.mark.parametrize("id", ["data#1", "data/d3", "data#12/2", "data/d3/4", "a#b#1"])
def test_ids_made_of_a_files_name_are_known(id):
    assert made_up_id(id)


@pytest.mark.parametrize("id", ["10228407", "10228407/2", "data", "#1", "data#", "data#x", "data/3", "data/d"])
def test_other_ids_are_not_taken_for_made_up(id):
    assert not made_up_id(id)


@pytest.mark.parametrize(
    ("group", "reason"), [("10228407", SAME_ID), ("data#1", None), ("data/d3", None), ("data/d3/2", None), ("17", None)]
)
def test_a_group_that_was_made_up_is_no_evidence(group, reason):
    index = seen_of(tokens(group, MIDDLE, LONG))
    document = tokens(group, MIDDLE, FRESH, FRESH.replace("third", "fourth"))
    (leak,) = leaked_documents([document], index)
    assert (leak and leak.reason) == reason
    assert index.same_group(document, "train") == (reason is not None)


def test_lines_of_jsonl_without_ids_are_no_ids(tmp_path):
    path = tmp_path / "train.jsonl"
    path.write_text(f'{{"text": "{MIDDLE}"}}\n', encoding="utf-8")
    (document,) = read_jsonl(path)
    assert not seen_of(document).same_group(document, "train")


def test_a_number_that_was_told_as_group_is_an_id():
    """BC2GM: the first PMIDs have four digits, and the sentences ids of their own."""
    sentence = Document("P00001606T0076", LONG, group="1606")
    assert seen_of(sentence, rule=Rule()).same_group(sentence, "train")
