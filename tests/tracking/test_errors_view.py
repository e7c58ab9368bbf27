"""Errors as rows and as marked-up text: nothing lost, nothing counted twice, nothing unescaped."""

from __future__ import annotations

import html
import re
import unicodedata
from dataclasses import replace
from io import StringIO
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from openmed.metrics.mistakes import Kind
from openmed.spans import Document, Span
from openmed.tracking import error_rows, label_colour, render_html, render_rich
from openmed.tracking.records import NOTHING, confused_types

TEXT = "BRCA1 mutations cause breast cancer; aspirin eases ovarian cancer pain."


def document(*spans: Span, text: str = TEXT) -> Document:
    return Document("d", text, spans)


def span_of(mention: str, label: str) -> Span:
    start = TEXT.index(mention)
    return Span(start, start + len(mention), label)


def kinds(gold: Document, predicted: Document) -> list[tuple[str, str, str]]:
    return [(row.kind, row.mention(row.gold), row.mention(row.predicted)) for row in error_rows(gold, predicted)]


def test_each_category() -> None:
    gold = document(
        span_of("BRCA1", "Gene"),
        span_of("breast cancer", "Disease"),
        span_of("aspirin", "Chemical"),
        span_of("ovarian cancer", "Disease"),
    )
    predicted = document(
        span_of("BRCA1", "Disease"),
        span_of("cancer", "Disease"),
        span_of("ovarian cancer", "Disease"),
        span_of("pain", "Disease"),
    )
    assert kinds(gold, predicted) == [
        ("type", "BRCA1", "BRCA1"),
        ("boundary", "breast cancer", "cancer"),
        ("missed", "aspirin", ""),
        ("spurious", "", "pain"),
    ]


def test_a_mention_cut_in_two_is_one_wrong_boundary_and_one_spurious() -> None:
    gold = document(span_of("breast cancer", "Disease"))
    predicted = document(span_of("breast", "Disease"), span_of("cancer", "Disease"))
    assert [row[0] for row in kinds(gold, predicted)] == [Kind.BOUNDARY, Kind.SPURIOUS]


def test_other_pieces_between_the_same_bounds_are_a_wrong_boundary() -> None:
    (row,) = error_rows(document(Span(0, 15, "D", fragments=((0, 5), (9, 15)))), document(Span(0, 15, "D")))
    assert row.kind == Kind.BOUNDARY
    assert (row.gold and row.gold.fragments, row.predicted and row.predicted.fragments) == (((0, 5), (9, 15)), ())


def test_equal_taggings_have_no_errors_whatever_their_scores() -> None:
    assert error_rows(document(Span(0, 5, "Gene")), document(Span(0, 5, "Gene", score=0.3))) == []


def test_the_window_is_the_text_around_the_error() -> None:
    (row,) = error_rows(
        document(span_of("aspirin", "Chemical")),
        document(),
    )
    assert row.text == TEXT[row.offset : row.offset + len(row.text)]
    (row,) = error_rows(document(span_of("aspirin", "Chemical")), document(), context=3)
    assert row.text == "r; aspirin ea"


def test_different_texts_are_refused() -> None:
    with pytest.raises(ValueError, match="different texts"):
        error_rows(document(), document(text="other"))


def plain(marked: str) -> str:
    """The text of an HTML snippet without its badges."""
    return html.unescape(re.sub(r"<sub.*?</sub>|<[^>]*>", "", marked, flags=re.DOTALL))


def test_html_is_escaped_in_text_labels_and_errors() -> None:
    text = "<script>alert('x')</script> & \"fever\""
    marked = render_html(document(Span(0, 8, "<img src=x>"), text=text))
    (row,) = error_rows(document(Span(0, 8, "<img src=x>"), text=text), document(text=text))
    for page in (marked, row.html()):
        assert "<script" not in page
        assert "<img" not in page
        assert "&lt;img src=x&gt;" in page
        assert plain(page) == text


def test_html_of_nested_overlapping_and_split_mentions() -> None:
    spans = (Span(0, 10, "A"), Span(2, 4, "B"), Span(8, 14, "C"), Span(20, 30, "D", fragments=((20, 22), (28, 30))))
    marked = render_html(document(*spans))
    assert plain(marked) == TEXT
    assert [marked.count(f"> {label}</sub>") for label in "ABCD"] == [1, 1, 1, 1]
    assert re.search(rf">{TEXT[20:22]}</span>{TEXT[22:28]}<span", marked)


def test_a_label_keeps_its_colour() -> None:
    first, second = render_html(document(Span(0, 5, "Gene"))), render_html(document(Span(9, 15, "Gene")))
    assert re.findall("#[0-9a-f]{6};", first) == re.findall("#[0-9a-f]{6};", second)


def test_the_demo_types_do_not_look_alike() -> None:
    colours = [label_colour(name) for name in ("Chemical", "Disease", "Gene", "Species")]
    for one, other in combinations(colours, 2):
        channels = zip(bytes.fromhex(one[1:]), bytes.fromhex(other[1:]), strict=True)
        assert max(abs(a - b) for a, b in channels) > 40


def test_terminal_text_cannot_steer_the_terminal_or_rich() -> None:
    text = "[bold]x[/bold] \x1b[31mred\\ :pill: \\[/]"
    console = Console(file=StringIO(), width=200)
    console.print(render_rich(document(Span(0, 6, "[red]"), Span(20, len(text), "B"), text=text)))
    shown = console.file.getvalue().rstrip("\n")
    assert shown == "[bold] [red]x[/bold] ␛[31mred\\ :pill: \\[/] B"


spans_of_text = st.lists(
    st.tuples(st.integers(0, 29), st.integers(1, 12), st.sampled_from("AB")).map(
        lambda drawn: Span(drawn[0], min(30, drawn[0] + drawn[1]), drawn[2])
    ),
    max_size=6,
    unique=True,
)


@given(spans_of_text, spans_of_text)
def test_every_miss_and_every_false_alarm_stands_in_one_row(gold: list[Span], predicted: list[Span]) -> None:
    rows = error_rows(document(*gold, text="x" * 30), document(*predicted, text="x" * 30))
    assert sorted(row.gold for row in rows if row.gold) == sorted(set(gold) - set(predicted))
    assert sorted(row.predicted for row in rows if row.predicted) == sorted(set(predicted) - set(gold))
    for row in rows:
        has = (row.gold is not None, row.predicted is not None)
        assert has == {Kind.MISSED: (True, False), Kind.SPURIOUS: (False, True)}.get(row.kind, (True, True))


@given(spans_of_text, spans_of_text)
def test_types_that_errors_confuse_add_up_to_the_misses_and_the_false_alarms(
    gold: list[Span], predicted: list[Span]
) -> None:
    confused = confused_types(error_rows(document(*gold, text="x" * 30), document(*predicted, text="x" * 30)))
    for label in "AB":
        missed = sum(span.label == label for span in set(gold) - set(predicted))
        false = sum(span.label == label for span in set(predicted) - set(gold))
        assert sum(number for (one, _), number in confused.items() if one == label) == missed
        assert sum(number for (_, other), number in confused.items() if other == label) == false
    assert confused[NOTHING, NOTHING] == 0


@settings(max_examples=50)
@given(st.text(min_size=30, max_size=40), spans_of_text)
def test_mark_up_never_loses_a_character(text: str, spans: list[Span]) -> None:
    text = text.replace("\ue000", " ")
    marked = document(*(replace(span, label="\ue000") for span in spans), text=text)
    assert plain(render_html(marked)) == text
    shown = render_rich(marked).plain.replace(" \ue000", "")
    assert len(shown) == len(text)
    assert all(was == now or unicodedata.category(was) == "Cc" for was, now in zip(text, shown, strict=True))
