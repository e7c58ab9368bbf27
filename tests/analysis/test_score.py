"""Scores of two files: texts that do not agree are refused, the interval speaks of groups, seqeval agrees."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics import f1_score, precision_score, recall_score
from seqeval.scheme import IOB2

from openmed.analysis.leakage import Seen, clean_subset
from openmed.analysis.score import (
    TOKENS,
    Source,
    drawn,
    interval,
    lenient_pairs,
    pair_up,
    score_pairs,
    without_seen,
)
from openmed.corpora import corpus_names, load_spec
from openmed.corpora.load import load_split
from openmed.errors import DataError
from openmed.metrics import Counts
from openmed.spans import Document, Span
from openmed.tagging import tags_from_spans

TEXT = "Aspirin relieves headache."
CHEMICAL, DISEASE = Span(0, 7, "Chemical"), Span(17, 25, "Disease")


def document(id: str, *spans: Span, text: str = TEXT, group: str = "") -> Document:
    return Document(id, text, spans, group)


def test_documents_meet_by_id_in_whatever_order():
    gold = [document("1", CHEMICAL), document("2", DISEASE)]
    pairs = pair_up(gold, gold[::-1])
    assert score_pairs(pairs).micro.f1 == 1


def test_documents_without_common_ids_meet_in_order():
    pairs = pair_up([document("a", CHEMICAL), document("b")], [document("x", CHEMICAL), document("y", DISEASE)])
    micro = score_pairs(pairs).micro
    assert (micro.tp, micro.fp, micro.fn) == (1, 1, 0)


def test_a_document_too_few_is_refused_by_name():
    with pytest.raises(DataError, match=r"2 gold documents, 1 predicted ones; the first without a prediction is 'b'"):
        pair_up([document("a"), document("b")], [document("a")])


@pytest.mark.parametrize("other", ["Aspirin  relieves headache.", "Aspirin relieves", TEXT + " "])
def test_another_text_is_refused_where_it_begins_to_differ(other):
    with pytest.raises(DataError, match=r"differ in their text from character (8|16|26)"):
        pair_up([document("1")], [document("1", text=other)])


def test_the_interval_draws_groups_not_sentences():
    sure = [document(str(n), CHEMICAL, group=str(n)) for n in range(40)]
    found = [document(str(n), *([CHEMICAL] if n % 2 else []), group=str(n)) for n in range(40)]
    low, high = interval(pair_up(sure, found)) or (0, 0)
    assert 0.4 < low < score_pairs(pair_up(sure, found)).micro.f1 < high < 0.85
    few = [document(str(n), CHEMICAL, group=str(n % 4)) for n in range(40)]
    few_found = [document(str(n), *([CHEMICAL] if n % 2 else []), group=str(n % 4)) for n in range(40)]
    low_few, high_few = interval(pair_up(few, few_found)) or (0, 0)
    assert high_few - low_few > high - low, "four abstracts say less than forty"
    assert interval(pair_up(few, few_found)) == (low_few, high_few), "same files, same interval"


def test_one_group_has_no_interval():
    assert interval([]) is None
    assert interval(pair_up([document("1", CHEMICAL)], [document("1", CHEMICAL)])) is None


def test_what_is_drawn_is_called_groups_only_where_some_text_shares_one():
    alone = [document(str(n)) for n in range(3)]
    assert drawn(pair_up(alone, alone)) == ("texts", 3)
    grouped = [document(str(n), group="g" if n else "") for n in range(3)]
    assert drawn(pair_up(grouped, grouped)) == ("groups", 2)


@pytest.mark.parametrize("marked", [True, False])
def test_a_subset_speaks_of_the_unit_that_is_scored(marked):
    one, two = "Aspirin relieves the headache of most who take it.", "Tamoxifen helps many of those who have it not."
    whole = document("1", text=f"{one} {two}")
    seen = Seen()
    seen.add("train", [document("9", text=f"{one} {two}")])
    subset = clean_subset("mine", "test", [whole], seen, files={})
    sentences = [Document(text, text, sentences=((0, len(text)),) if marked else None) for text in (one, two)]
    assert without_seen(pair_up(sentences, sentences), subset)[1:] == ("sentences", 2, 2)
    assert without_seen(pair_up([whole], [whole]), subset)[1:] == ("documents", 1, 1)


TAGS = st.lists(st.sampled_from(["O", "B-X", "I-X", "B-Y", "I-Y"]), min_size=1, max_size=12)


def agree_with_seqeval(folder: Path, gold: list[list[str]], pred: list[list[str]]) -> tuple[Counts, Counts]:
    """Write both as token files, score them by both conventions, hold each to seqeval's; (strict, lenient)."""
    sources = {}
    for name, sentences in (("gold", gold), ("pred", pred)):
        path = folder / f"{name}.tsv"
        blocks = ("\n".join(f"w{place}\t{tag}" for place, tag in enumerate(tags)) for tags in sentences)
        path.write_text("\n\n".join(blocks) + "\n", encoding="utf-8")
        sources[name] = Source.of(path, scheme="iob2")
    strict = score_pairs(pair_up(sources["gold"].read(), sources["pred"].read())).micro
    lenient = score_pairs(lenient_pairs(sources["gold"], sources["pred"])).micro
    conventions = ((strict, {"mode": "strict", "scheme": IOB2}), (lenient, {}))
    for ours, convention in conventions:
        theirs = [
            measure(gold, pred, zero_division=0, **convention) for measure in (precision_score, recall_score, f1_score)
        ]
        assert [ours.precision, ours.recall, ours.f1] == pytest.approx(theirs)
    return strict, lenient


@given(TAGS, st.data())
def test_token_files_are_scored_as_seqeval_does_by_both_conventions(tmp_path_factory, gold, data):
    pred = data.draw(st.lists(st.sampled_from(["O", "B-X", "I-X", "B-Y"]), min_size=len(gold), max_size=len(gold)))
    agree_with_seqeval(tmp_path_factory.mktemp("tokens"), [gold], [pred])


def test_a_stray_i_opens_an_entity_by_the_lenient_convention_alone(tmp_path):
    strict, lenient = agree_with_seqeval(tmp_path, [["B-X", "I-X", "O", "B-Y"]], [["I-X", "I-X", "O", "I-Y"]])
    assert (strict.tp, strict.fp, strict.fn) == (0, 0, 2)
    assert (lenient.tp, lenient.fp, lenient.fn) == (2, 0, 0)


def corrupted(tags: list[str], types: list[str], rng: random.Random) -> list[str]:
    """Each tag another one with a chance of 8%: among them stray I-, changes of type, holes."""
    return [
        rng.choice(["O", f"B-{rng.choice(types)}", f"I-{rng.choice(types)}"]) if rng.random() < 0.08 else tag
        for tag in tags
    ]


TOKEN_CORPORA = [name for name in corpus_names() if name != "custom" and load_spec(name).format == TOKENS]


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("OPENMED_DATA"), reason="OPENMED_DATA does not name a folder of corpora")
@pytest.mark.parametrize("name", TOKEN_CORPORA)
def test_corrupted_corpora_are_scored_as_seqeval_does_by_both_conventions(name, tmp_path):
    spec = load_spec(name)
    assert spec.test is not None
    if not (Path(os.environ["OPENMED_DATA"]) / spec.test).is_file():
        pytest.skip(f"OPENMED_DATA has no {spec.test}")
    documents = load_split(spec, "test").documents
    gold = [gold_tags(document) for document in documents]
    rng = random.Random(name)
    pred = [corrupted(tags, spec.type_names, rng) for tags in gold]
    strict, lenient = agree_with_seqeval(tmp_path, gold, pred)
    assert strict.tp + strict.fn == lenient.tp + lenient.fn, "gold has no stray I-"
    assert strict.fp < lenient.fp, "predictions have"


def gold_tags(document: Document) -> list[str]:
    """Its sentences' words, as IOB2."""
    assert document.words is not None
    place = {edge: number for number, (start, end) in enumerate(document.words) for edge in (start, ~end)}
    spans = [(place[span.start], place[~span.end] + 1, span.label) for span in document.spans]
    return tags_from_spans(spans, len(document.words))
