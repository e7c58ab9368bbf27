"""Reports in three media: what strangers wrote is shown and never obeyed; a page is one file, the same each time."""

from __future__ import annotations

import io
import json
import re
from collections import Counter
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from rich.console import Console
from tests.strategies import texts

from openmed.analysis.report.blocks import Figure, Prose, Section, Table
from openmed.analysis.report.cells import cell_text, clean, numeric_columns
from openmed.analysis.report.drawing import INK
from openmed.analysis.report.markdown import to_markdown
from openmed.analysis.report.page import own_ids, render_page, write_page
from openmed.analysis.report.plots import MAX_BINS, bars, histogram
from openmed.analysis.report.terminal import print_sections

HOSTILE = "<script>alert(1)</script> & \"quoted\" 'too'"
SERIES = {"train": Counter({5: 300, 9: 200, 400: 1}), "test": Counter({7: 90})}

anything = st.one_of(texts(), st.text("|\\*_`<>&[]()#!-+.~$\n 1a", max_size=12))


def terminal(*sections: Section) -> str:
    out = io.StringIO()
    print_sections(sections, Console(file=out, width=120, force_terminal=True, color_system=None))
    return out.getvalue()


class Read(HTMLParser):
    """What a browser would make of a page: its elements, their attributes and the text outside styles."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.cells: list[str] = []
        self.texts: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.open.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag == "td":
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        while self.open.pop() != tag:  # <meta> and its like have no end
            pass

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.texts.append(data)
        if self.open and self.open[-1] == "td":
            self.cells[-1] += data


def figures() -> list[Figure]:
    return [
        histogram(SERIES, "Length", "words", "sentences"),
        bars(["Gene", HOSTILE], {"train": [1, 2], "test": [2.5, 3]}, "Types", "%"),
    ]


def report() -> list[Section]:
    table = Table(("name", "mentions", "share"), [(HOSTILE, 18607, 45.678), ("b", None, 0.04567)], HOSTILE, HOSTILE)
    return [Section("One", [Prose(HOSTILE), table]), Section(HOSTILE, figures())]


# ---- cells


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (None, ""),
        (0, "0"),
        (-1234567, "-1,234,567"),
        (0.0, "0.00"),
        (1.0, "1.00"),
        (1234.5, "1,234.50"),
        (0.45678, "0.457"),
        (0.00045678, "0.000457"),
        (0.9999, "1.00"),
        (float("nan"), "nan"),
        (" a\n\tb ", "a b"),
        ("β-cate\u0301nin 👩\u200d🔬", "β-cate\u0301nin 👩\u200d🔬"),
        ("\x1b[31mred\x00\ud800", "\ufffd[31mred\ufffd\ufffd"),
    ],
)
def test_cells_as_text(cell, text):
    assert cell_text(cell) == text


@given(st.text())
def test_cleaned_text_is_one_line_that_a_file_can_hold(text):
    cleaned = clean(text)
    assert len(cleaned.splitlines()) <= 1
    cleaned.encode()
    assert not re.search(r"[\x00-\x1f\x7f-\x9f]", cleaned)
    assert clean(cleaned) == cleaned


def test_columns_of_numbers_alone_are_numeric():
    table = Table(("", "n", "mixed", "empty"), [("a", 1, 1, None), ("b", None, "x", None)])
    assert numeric_columns(table) == [False, True, False, False]


# ---- terminal


def test_the_terminal_shows_titles_notes_and_numbers():
    shown = terminal(Section("Head", [Prose("Words."), Table(("a", "n"), [("x", 18607)], "Title", "Note"), *figures()]))
    for part in ("Head", "Words.", "Title", "Note", "18,607", "Length: Not drawn, beyond", "Types"):
        assert part in shown
    assert "svg" not in shown


def test_the_terminal_obeys_neither_mark_up_nor_escape_sequences():
    text = "[bold]x[/bold] \x1b[2J [link=http://x]y"
    shown = terminal(Section(text, [Prose(text), Table((text,), [(text,)], note=text)]))
    assert shown.count("[bold]x[/bold] \ufffd[2J [link=http://x]y") == 5  # title, prose, head, cell, note
    assert "\x1b[2J" not in shown


# ---- Markdown


def markdown_texts(source: str, kind: str) -> list[str]:
    """Text of the cells (kind "td") or paragraphs ("paragraph") as a Markdown reader sees it, marks gone."""
    tokens = MarkdownIt("commonmark").enable("table").parse(source)
    inlines = [token for before, token in pairwise(tokens) if before.type == f"{kind}_open"]
    return [
        "".join(
            child.content if child.type in ("text", "text_special") else f"<{child.type}>"
            for child in inline.children or ()
        )
        for inline in inlines
    ]


@given(anything, anything)
@example("&amp; &lt;b&gt;", "**a** __b__ ~~c~~ `d` [e](f)")
def test_cells_come_out_of_markdown_as_they_went_in(first, second):
    source = to_markdown("T", [Section("S", [Table(("a", "b"), [(first, 1), (second, 2)])])])
    assert markdown_texts(source, "td") == [clean(first), "1", clean(second), "2"]


@given(anything)
@example("# a")
@example("- a")
@example("+ a")
@example("1. a")
@example("12) a")
@example("---")
def test_paragraphs_come_out_of_markdown_as_they_went_in(text):
    source = to_markdown("T", [Section("S", [Prose(text)])])
    assert markdown_texts(source, "paragraph") == ([clean(text)] if clean(text) else [])
    assert source.count("\n## ") == 1


def test_markdown_of_a_whole_report():
    source = to_markdown(
        "T", [Section("S", [Table(("a", "n"), [("x", 1234)], "Title", "Note"), Figure("<svg/>", "F", "N")])]
    )
    assert source == (
        "# T\n\n## S\n\n**Title**\n\n| a | n |\n| --- | ---: |\n| x | 1,234 |\n\n*Note*\n\n"
        "*Picture in the HTML report: F*\n"
    )


# ---- page


def test_text_of_strangers_is_shown_and_not_obeyed():
    places = ["title", "h1", "subtitle", "contents", "prose", "table-title", "cell", "note", "h2", "figure-label"]
    read = Read(render_page(HOSTILE, HOSTILE, report()))
    assert "script" not in read.tags
    assert HOSTILE in read.cells
    assert sum(HOSTILE in text for text in read.texts) == len(places)


@given(anything, anything)
@settings(max_examples=50)
def test_cells_come_out_of_a_page_as_they_went_in(first, second):
    page = render_page("T", "", [Section("S", [Table((second,), [(first,), (second,)])])])
    assert Read(page).cells == [clean(first), clean(second)]


def test_a_page_needs_nothing_else():
    page = render_page("T", "", report())
    read = Read(page)
    assert not {"script", "link", "img", "iframe", "object", "base"} & {*read.tags}
    for _, name, value in read.attributes:
        if name in ("src", "href", "xlink:href", "srcset", "data", "action", "poster"):
            assert value.startswith("#")
    assert not re.search(r"@import|url\((?![\"']?#)", page)


def test_every_id_of_a_page_is_one_of_a_kind_and_all_that_is_pointed_at_is_there():
    # The very same figure twice: all its ids would be there twice.
    read = Read(render_page("T", "", [Section("A", [*figures(), *figures()]), Section("B", [])]))
    ids = Counter(value for _, name, value in read.attributes if name == "id")
    assert ids.total() > 50
    assert ids.most_common(1)[0][1] == 1
    targets = {value[1:] for _, name, value in read.attributes if name.endswith("href")}
    targets |= {target for _, _, value in read.attributes for target in re.findall(r"url\(#([^)]*)\)", value)}
    assert len(targets) > 10
    assert targets <= {*ids}


def test_ids_in_a_figures_text_stay_as_they_are():
    assert own_ids('<svg id="a"><text>id="b"</text></svg>', "x-") == '<svg id="x-a"><text>id="b"</text></svg>'


@pytest.mark.parametrize("svg", ["", "<p>x</p>", "<svg><SCRIPT>x</SCRIPT></svg>", "<svg>"])
def test_a_figure_that_is_no_svg_or_brings_a_script_is_refused(svg):
    with pytest.raises(ValueError, match="one <svg> element without scripts"):
        render_page("T", "", [Section("S", [Figure(svg, "F")])])


def test_numbers_are_grouped_and_on_the_right():
    page = render_page("T", "", report())
    assert '<td class="number">18,607</td><td class="number">45.68</td>' in page
    assert '<th scope="col">name</th><th scope="col" class="number">mentions</th>' in page


def test_contents_name_each_section_of_several():
    page = render_page("T", "", report())
    assert re.findall(r'<li><a href="#section-\d">(.*?)</a>', page)[0] == "One"
    assert "<nav" not in render_page("T", "", report()[:1])


def test_same_input_same_bytes(tmp_path):
    for name in ("a", "b"):
        write_page(tmp_path / name, "T", "s", report())
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"a", "b"}


# ---- plots


def svg_texts(figure: Figure) -> list[str]:
    return [text.strip() for text in Read(figure.svg).texts if text.strip()]


@pytest.mark.parametrize("figure", figures(), ids=["histogram", "bars"])
def test_a_figure_is_a_bare_svg_in_the_pages_own_colour(figure):
    assert figure.svg.startswith("<svg")
    assert figure.svg.endswith("</svg>")
    assert "<metadata" not in figure.svg
    assert INK not in figure.svg
    styles = [value for tag, name, value in Read(figure.svg).attributes if (tag, name) == ("text", "style")]
    assert styles
    assert all("fill: currentColor" in style for style in styles)
    assert not re.search(r"#(fff|000)", figure.svg), "black or white is invisible on one of the two grounds"


def test_text_in_a_figure_is_text():
    figure = bars(["$x_1$ & <b>", "漢字", "long " * 30], {"train": [1, 2, 3]}, "T", "mentions")
    shown = svg_texts(figure)
    assert "$x_1$ & <b>" in shown
    assert "漢字" in shown
    assert any(text.endswith("…") for text in shown)
    assert "train" not in shown, "one series alone needs no legend"


def test_plots_say_nothing_on_the_side(recwarn, capfd, caplog):
    bars(["漢字 $x$", "\x07"], {"train": [1, 2]}, "T", "mentions")
    assert not recwarn.list
    assert not caplog.records
    assert capfd.readouterr() == ("", "")


def test_what_lies_beyond_the_axis_is_told():
    assert histogram(SERIES, "T", "words", "sentences").note == (
        "Not drawn, beyond 9 words: train 1 (0.20 %, up to 400)."
    )
    assert histogram({"train": Counter({3: 2})}, "T", "words", "sentences").note == "All sentences are drawn."


@given(st.dictionaries(st.integers(0, 5000), st.integers(1, 50), min_size=1).map(Counter))
@settings(max_examples=100)
def test_the_shares_drawn_and_those_told_beyond_are_all(values):
    from openmed.analysis.report.plots import _edges, _shares

    edges = _edges({"train": values})
    assert len(edges) - 1 <= MAX_BINS + 1
    assert len({end - start for start, end in pairwise(edges)}) == 1
    beyond = sum(count for value, count in values.items() if value >= edges[-1])
    assert sum(_shares(values, edges)) == pytest.approx(100 * (1 - beyond / values.total()))
    assert beyond <= 0.005 * values.total()


def test_empty_plots_say_so():
    assert svg_texts(histogram({"train": Counter()}, "T", "words", "sentences")) == ["no sentences"]
    assert svg_texts(bars([], {"train": []}, "T", "words")) == ["nothing to show"]


def test_bars_need_a_value_for_each_label():
    with pytest.raises(ValueError, match="2 labels, 1 values of 'train'"):
        bars(["a", "b"], {"train": [1]}, "T", "words")


def test_the_page_is_written_whole_or_not_at_all(tmp_path: Path):
    path = tmp_path / "page.html"
    path.write_text("old", encoding="utf-8")
    with pytest.raises(ValueError, match="svg"):
        write_page(path, "T", "", [Section("S", [Figure("", "F")])])
    assert path.read_text(encoding="utf-8") == "old"


def test_a_section_survives_json():
    table = Table(["split", "n"], [["train", 5], ["dev", None]], note="n")
    section = Section("Splits", [table, Prose("p"), Figure("<svg/>", "F")])
    assert Section.from_dict(json.loads(json.dumps(section.as_dict()))) == section
