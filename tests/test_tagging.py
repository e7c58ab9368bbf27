"""The BIO codec against seqeval, and its laws: what tags can say comes back, what they cannot is counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics.sequence_labeling import get_entities
from seqeval.scheme import BILOU, IOB1, IOB2, IOBES, Entities

from openmed.errors import ConfigError, DataError
from openmed.spans import Range, Span
from openmed.tagging import (
    CUT_BY_WORD,
    DISCONTINUOUS,
    NESTED,
    NO_WORD,
    WordSpan,
    count_transitions,
    decode_tags,
    detect_scheme,
    encode_document,
    flatten,
    is_legal,
    legal_transitions,
    looks_like_tag,
    parse_tags,
    scheme_named,
    spans_from_tags,
    tag_names,
    tags_from_spans,
    words_of_span,
)

TYPES = ("Gene", "Multi-tissue_structure")
WORDS: tuple[Range, ...] = ((0, 4), (5, 9), (9, 10), (12, 15))


def tag_lists(letters: str) -> st.SearchStrategy[list[str]]:
    """Any sequence of these letters' tags, legal or not."""
    return st.lists(
        st.sampled_from(["O", *(f"{letter}-{type_}" for letter in letters for type_ in TYPES)]), max_size=12
    )


@st.composite
def word_spans(draw: st.DrawFn) -> tuple[list[WordSpan], int]:
    """Flat entities, adjacent ones of one type included, and the number of words they lie in."""
    spans, position = [], 0
    for gap, length, type_ in draw(
        st.lists(st.tuples(st.integers(0, 2), st.integers(1, 3), st.sampled_from(TYPES)), max_size=5)
    ):
        spans.append((position + gap, position + gap + length, type_))
        position += gap + length
    return spans, position + draw(st.integers(0, 2))


@st.composite
def word_ranges(draw: st.DrawFn) -> tuple[Range, ...]:
    """Words with gaps of none, one or more characters between them."""
    ranges, position = [], 0
    for gap, length in draw(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 4)), max_size=6)):
        ranges.append((position + gap, position + gap + length))
        position += gap + length
    return tuple(ranges)


@st.composite
def any_spans(draw: st.DrawFn) -> list[Span]:
    """Mentions at any offsets: nested, equal, crossing, some discontinuous."""
    spans = []
    for start, length, label, broken in draw(
        st.lists(st.tuples(st.integers(0, 20), st.integers(1, 9), st.sampled_from(TYPES), st.booleans()), max_size=6)
    ):
        end = start + length
        fragments = ((start, start + 1), (end - 1, end)) if broken and length > 2 else ()
        spans.append(Span(start, end, label, fragments))
    return spans


def write(spans: Sequence[WordSpan], num_words: int, scheme: str) -> list[str]:
    """Tags of flat entities in any scheme, written here independently of the code under test."""
    tags = ["O"] * num_words
    for start, end, type_ in spans:
        letters = ["B"] + ["I"] * (end - start - 1)
        if scheme == "iob1":
            follows = any(other_end == start and other == type_ for _, other_end, other in spans)
            letters[0] = "B" if follows else "I"
        if scheme in ("iobes", "bilou"):
            letters[-1] = "E"
            letters = ["S"] if len(letters) == 1 else letters
        if scheme == "bilou":
            letters = [{"E": "L", "S": "U"}.get(letter, letter) for letter in letters]
        tags[start:end] = [f"{letter}-{type_}" for letter in letters]
    return tags


def seqeval_strict(tags: list[str], scheme: type) -> list[WordSpan]:
    return [(entity.start, entity.end, entity.tag) for entity in Entities([tags], scheme).entities[0]]


@given(tag_lists("BI"))
def test_iob2_is_seqeval_strict(tags: list[str]) -> None:
    assert spans_from_tags(tags) == seqeval_strict(tags, IOB2)


@given(tag_lists("BIES"))
def test_iobes_is_seqeval_strict(tags: list[str]) -> None:
    assert spans_from_tags(tags, "iobes") == seqeval_strict(tags, IOBES)


@given(tag_lists("BILU"))
def test_bilou_is_seqeval_strict(tags: list[str]) -> None:
    assert spans_from_tags(tags, "bilou") == seqeval_strict(tags, BILOU)


@given(tag_lists("BI"), st.sampled_from(["iob2-lenient", "iob1"]))
def test_lenient_and_iob1_are_seqeval_default(tags: list[str], scheme: str) -> None:
    assert parse_tags(tags, scheme) == ([(start, last + 1, type_) for type_, start, last in get_entities(tags)], 0)


@given(word_spans())
def test_legal_iob1_is_seqeval_iob1(case: tuple[list[WordSpan], int]) -> None:
    tags = write(*case, "iob1")
    assert spans_from_tags(tags, "iob1") == seqeval_strict(tags, IOB1)


def test_a_stray_inside_tag_opens_nothing_unless_lenient() -> None:
    tags = ["I-Gene", "O", "B-Gene", "I-Gene", "I-DNA", "I-DNA", "I-Gene"]
    assert parse_tags(tags) == ([(2, 4, "Gene")], 4)
    assert spans_from_tags(tags, "iob2-lenient") == [(0, 1, "Gene"), (2, 4, "Gene"), (4, 6, "DNA"), (6, 7, "Gene")]


def test_an_unclosed_iobes_entity_is_dropped() -> None:
    assert parse_tags(["B-Gene", "I-Gene", "O", "S-Gene", "E-Gene"], "iobes") == ([(3, 4, "Gene")], 3)


@given(word_spans(), st.sampled_from(["iob1", "iob2", "iobes", "bilou"]))
def test_every_scheme_says_the_same(case: tuple[list[WordSpan], int], scheme: str) -> None:
    spans, num_words = case
    tags = write(spans, num_words, scheme)
    assert parse_tags(tags, scheme) == (spans, 0)
    assert spans_from_tags(tags, detect_scheme(count_transitions([tags]))) == spans


@given(word_spans())
def test_tags_from_spans_is_the_inverse(case: tuple[list[WordSpan], int]) -> None:
    spans, num_words = case
    tags = tags_from_spans(reversed(spans), num_words)
    assert tags == write(spans, num_words, "iob2")
    assert spans_from_tags(tags) == spans


@pytest.mark.parametrize("spans", [[(0, 2, "A"), (1, 3, "B")], [(2, 4, "A")], [(1, 1, "A")], [(-1, 1, "A")]])
def test_tags_from_spans_refuses_what_does_not_fit(spans: list[WordSpan]) -> None:
    with pytest.raises(ValueError, match=r"span -?\d"):
        tags_from_spans(spans, 3)


def test_bare_tags_take_the_default_type() -> None:
    tags = ["B", "I", "O", "B", "B-DNA", "I"]
    expected = ([(0, 2, "Species"), (3, 4, "Species"), (4, 5, "DNA")], 1)
    assert parse_tags(tags, default_type="Species") == expected
    assert spans_from_tags(["S", "B", "E"], "iobes", "Species") == [(0, 1, "Species"), (1, 3, "Species")]
    with pytest.raises(DataError, match=r"'B' has no type.*default_type"):
        spans_from_tags(tags)


@pytest.mark.parametrize("tag", ["", "B-", "X-Gene", "b-Gene", "o", "O-Gene", "Gene", "B_Gene", "BI", "0"])
def test_what_is_no_tag_is_refused(tag: str) -> None:
    assert not looks_like_tag(tag)
    with pytest.raises(DataError, match="is not understood"):
        spans_from_tags(["O", tag])


@pytest.mark.parametrize("tag", ["E-Gene", "S-Gene", "L-Gene", "U-Gene"])
@pytest.mark.parametrize("scheme", ["iob1", "iob2", "iob2-lenient"])
def test_closing_tags_exist_only_in_iobes(tag: str, scheme: str) -> None:
    with pytest.raises(DataError, match=f"'{tag}' is not in scheme {scheme}.*iobes"):
        spans_from_tags([tag], scheme)


def test_scheme_names() -> None:
    assert [scheme_named(name) for name in ("IOB2", "BIO", "bioes", "BILOU")] == ["iob2", "iob2", "iobes", "iobes"]
    with pytest.raises(ConfigError, match=r"'iob'.*Did you mean 'iob[12]'"):
        spans_from_tags(["O"], "iob")


@pytest.mark.parametrize(
    ("sentences", "scheme"),
    [
        (["O O"], "iob2"),
        (["B-A I-A", "O B-A"], "iob2"),
        (["I-A O", "I-A B-A"], "iob1"),
        (["I-A O I-B"], "iob1"),  # no B- at all: IO tagging, which IOB1 contains
        (["I-A I-B", "B-B I-B"], "iob2"),  # a B- that IOB1 has no use for: the others are mistakes
        (["I-A B-B"], "iob2"),  # a B- after another type, likewise
        (["I-A", "I-A", "I-A", "O S-A"], "iobes"),
        (["B-A L-A", "I-A"], "iobes"),
        (["B I", "O I"], "iob2"),
        (["I B", "O I"], "iob1"),
    ],
)
def test_detection_rule(sentences: list[str], scheme: str) -> None:
    assert detect_scheme(count_transitions(sentence.split() for sentence in sentences)) == scheme


def test_transitions_do_not_run_across_sentences() -> None:
    assert count_transitions([["B-A"], ["I-A", "O"], []]) == {(None, "B-A"): 1, (None, "I-A"): 1, ("I-A", "O"): 1}


def test_flatten_keeps_the_outermost_longest() -> None:
    whole, inner, crossing = Span(0, 10, "DNA"), Span(2, 5, "protein"), Span(9, 14, "DNA")
    broken = Span(20, 40, "DNA", ((20, 22), (38, 40)))
    beside, twin, tie = Span(30, 33, "RNA"), Span(30, 33, "DNA"), Span(32, 35, "DNA")
    kept, dropped = flatten([inner, crossing, tie, beside, broken, whole, twin])
    assert kept == [whole, twin]  # of the two at 30..33 the label first in the alphabet; before 32..35, the earlier
    assert Counter(reason for _, reason in dropped) == {DISCONTINUOUS: 1, NESTED: 4}
    assert {span for span, _ in dropped} == {inner, crossing, broken, beside, tie}


@given(any_spans(), st.randoms(use_true_random=False))
def test_flatten_laws(spans: list[Span], random: Random) -> None:
    kept, dropped = flatten(spans)
    assert sorted([*kept, *(span for span, _ in dropped)]) == sorted(spans)
    assert all(a.end <= b.start for a, b in pairwise(kept))
    for span, reason in dropped:
        winners = [other for other in kept if other.overlaps(span) and other.end - other.start >= span.end - span.start]
        assert span.discontinuous if reason == DISCONTINUOUS else winners
    shuffled = list(spans)
    random.shuffle(shuffled)
    assert flatten(shuffled)[0] == kept


@pytest.mark.parametrize(
    ("start", "end", "cover"),
    [
        (0, 4, (0, 1, True)),
        (0, 9, (0, 2, True)),
        (5, 10, (1, 3, True)),
        (9, 10, (2, 3, True)),
        (1, 4, (0, 1, False)),
        (0, 6, (0, 2, False)),
        (4, 9, (1, 2, False)),
        (9, 12, (2, 3, False)),
        (0, 99, (0, 4, False)),
        (10, 12, None),
        (4, 5, None),
        (15, 20, None),
    ],
)
def test_words_of_span(start: int, end: int, cover: tuple[int, int, bool] | None) -> None:
    assert words_of_span(Span(start, end, "A"), WORDS) == cover


def test_encode_counts_each_loss_by_its_reason() -> None:
    spans = [
        Span(0, 4, "A"),
        Span(1, 3, "A"),  # nested
        Span(5, 7, "B"),  # cut: has the word 5..9
        Span(7, 10, "A"),  # cut: finds it taken
        Span(10, 12, "A"),  # between words
        Span(13, 15, "A"),  # cut: widened to 12..15
        Span(0, 15, "C", ((0, 4), (12, 15))),
    ]
    tags, losses = encode_document(WORDS, spans)
    assert tags == ["B-A", "B-B", "O", "B-A"]
    assert losses == {NESTED: 1, CUT_BY_WORD: 3, NO_WORD: 1, DISCONTINUOUS: 1}
    assert encode_document((), [Span(0, 1, "A")]) == ([], Counter({NO_WORD: 1}))
    assert encode_document(WORDS, []) == (["O"] * 4, Counter())


@given(st.data())
def test_decode_inverts_encode_where_words_can_say_it(data: st.DataObject) -> None:
    words = data.draw(word_ranges())
    cuts = data.draw(st.lists(st.integers(0, len(words)), unique=True).map(sorted))
    ranges = pairwise(cuts)
    spans = [Span(words[a][0], words[b - 1][1], data.draw(st.sampled_from(TYPES))) for a, b in ranges]
    spans = [span for span in spans if data.draw(st.booleans())]
    tags, losses = encode_document(words, data.draw(st.permutations(spans)))
    assert decode_tags(words, tags) == tuple(spans)
    assert not losses


@given(word_ranges(), any_spans())
def test_what_does_not_come_back_is_counted_once(words: tuple[Range, ...], spans: list[Span]) -> None:
    tags, losses = encode_document(words, spans)
    decoded = decode_tags(words, tags)
    covers = [(span, words_of_span(span, words)) for span in flatten(spans)[0]]
    exact = {span for span, cover in covers if cover is not None and cover.exact}
    assert exact <= set(decoded)
    assert len(exact) + losses.total() == len(spans)
    assert parse_tags(tags)[1] == 0


def test_decode_scores_and_sizes() -> None:
    tags = ["B-A", "I-A", "O", "B-B"]
    spans = decode_tags(WORDS, tags, scores=[0.5, 1.0, 0.1, 0.25])
    assert [(span.start, span.end, span.label, span.score) for span in spans] == [
        (0, 9, "A", 0.75),
        (12, 15, "B", 0.25),
    ]
    assert [span.score for span in decode_tags(WORDS, tags)] == [None, None]
    with pytest.raises(ValueError, match="4 words, 3 tags"):
        decode_tags(WORDS, tags[:3])
    with pytest.raises(ValueError, match="4 words, 4 tags, 1 scores"):
        decode_tags(WORDS, tags, scores=[0.5])


def test_legal_transitions() -> None:
    tags, may_start, may_follow = legal_transitions(["x", "y"])
    assert tags == tag_names(["x", "y"]) == ["O", "B-x", "I-x", "B-y", "I-y"]
    assert may_start == [True, True, False, True, False]
    assert may_follow == [
        [True, True, False, True, False],
        [True, True, True, True, False],
        [True, True, True, True, False],
        [True, True, False, True, True],
        [True, True, False, True, True],
    ]


@given(tag_lists("BI"))
def test_legal_steps_are_those_without_an_illegal_tag(tags: list[str]) -> None:
    legal = all(is_legal(before, tag) for before, tag in zip([None, *tags], tags, strict=False))
    assert legal == (parse_tags(tags)[1] == 0)
