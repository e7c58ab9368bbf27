"""The page: everything escaped, every entity with its facts, control characters as pictures and counted."""

from __future__ import annotations

import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

from openmed.spans import Document, Span
from openmed.writers import write_html
from openmed.writers.html import SHOWN_AS_PICTURE
from openmed.writers.markup import segments


def page(tmp_path: Path, *documents: Document, losses: Counter[str] | None = None) -> str:
    assert write_html(documents, tmp_path / "x.html", losses=losses) == len(documents)
    return (tmp_path / "x.html").read_bytes().decode()


def tags(html: str) -> list[tuple[str, dict[str, str | None]]]:
    """The tags that a browser sees, with their attributes."""
    found: list[tuple[str, dict[str, str | None]]] = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attrs: found.append((tag, dict(attrs)))
    parser.feed(html)
    return found


def body(html: str) -> str:
    match = re.search("<p dir=.*?</p>", html, re.DOTALL)
    assert match
    return match[0]


def test_text_ids_labels_and_models_are_escaped(tmp_path):
    evil = "<script>alert('x')</script>&\"'"
    html = page(tmp_path, Document(evil, evil, (Span(0, 8, evil, score=0.5, model=evil),)))
    assert "<script" not in html
    assert html.count("&lt;script&gt;") == 7  # id, text; of the label its title (twice), label, model, itself
    labels = [attributes for tag, attributes in tags(html) if tag == "sub"]
    assert [(label["data-label"], label["data-model"], label["title"]) for label in labels] == [
        (evil, evil, f"{evil} 0.5 {evil}")
    ]
    assert "default-src 'none'" in html


def test_an_entity_says_offsets_label_score_and_model(tmp_path):
    html = body(page(tmp_path, Document("1", "a p53 b", (Span(2, 5, "Gene", score=0.123456789, model="m"),))))
    assert 'data-start="2" data-end="5" data-label="Gene" data-model="m" data-score="0.123457"' in html
    assert 'title="Gene 0.123457 m"' in html
    assert re.search(r'>a <mark style="background:#[0-9a-f]{6}">p53</mark><sub', html)
    assert "None" not in body(page(tmp_path, Document("1", "p53", (Span(0, 3, "Gene"),))))


def test_entities_that_overlap_or_have_gaps_are_all_there(tmp_path):
    spans = (Span(0, 4, "A"), Span(2, 6, "B"), Span(1, 3, "C"), Span(5, 9, "D", ((5, 6), (8, 9))))
    html = body(page(tmp_path, Document("1", "0123456789", spans)))
    assert re.findall(r'data-label="(.)"', html) == ["C", "A", "B", "D"]
    assert 'data-fragments="5-6;8-9"' in html
    assert re.sub(r"<sub.*?</sub>|<[^>]*>", "", html) == "0123456789"


def test_what_html_cannot_hold_is_shown_as_a_picture_and_counted(tmp_path):
    losses: Counter[str] = Counter()
    html = body(page(tmp_path, Document("1", "a\0b\x1b\r\n\tc\x85"), losses=losses))
    assert html.endswith(">a\u2400b\u241b&#13;\n\tc\ufffd</p>")
    assert losses == {SHOWN_AS_PICTURE: 3}


def test_segments_cover_the_text_and_name_all_that_cover_them():
    spans = [Span(2, 6, "B"), Span(0, 4, "A"), Span(2, 3, "C")]
    found = [(start, end, [span.label for span in covering]) for start, end, covering in segments(8, spans)]
    assert found == [(0, 2, ["A"]), (2, 3, ["B", "A", "C"]), (3, 4, ["B", "A"]), (4, 6, ["B"]), (6, 8, [])]
