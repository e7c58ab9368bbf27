"""Every format of results read back gives the same spans, however odd the text."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from tests.backbones import INFO
from tests.serving.jobs import do, results
from tests.serving.taggers import drawn_tagger

from openmed.predicting import EntityTagger
from openmed.readers import read
from openmed.serving.job.journal import FOLDER
from openmed.spans import Document, Span

ODD = {
    "emoji": "👩\u200d🔬 gave 😀aspirin😀 to 🧬",
    "combining": "cafe\u0301ine e\u0301 \u0301 β\u0308-catenin",
    "right_to_left": "אספירין מקל על כאב ראש \u202easpirin\u202c",
    "line_ends": "Aspirin\r\nhelps.\n\n  Headache\rgone\u2028p53\x85",
    "marks": "Aspirin <b>&amp; \"p53\"</b> 'x' | = + @",
    "empty": "",
    "blank": " \n\t ",
}


ODD_DOCUMENTS = [Document(name, text) for name, text in ODD.items()]


def odd_inputs(folder: Path) -> Path:
    folder.mkdir()
    (folder / "odd.jsonl").write_text(
        "".join(json.dumps({"id": name, "text": text}) + "\n" for name, text in ODD.items())
    )
    return folder


def spans_of(documents, *, empty: bool) -> dict[str, tuple[Span, ...]]:
    return {document.id: document.spans for document in documents if document.spans or empty}


@pytest.mark.parametrize(("to", "suffix"), [("jsonl", ".jsonl"), ("brat", ""), ("bioc", ".xml"), ("csv", ".csv")])
def test_spans_come_back_exactly_with_their_texts_and_scores(tagger, tmp_path, to, suffix):
    folder = odd_inputs(tmp_path / "in")
    do(tagger, folder, tmp_path / "out", to=to)
    found = {document.id: document for document in read(tmp_path / "out" / f"odd{suffix}")}
    for name, text in ODD.items():
        expected = tagger(text)
        if to == "csv" and not expected.spans:
            assert name not in found
            continue
        assert found[name].spans == expected.spans
        assert [found[name].mention(span) for span in found[name].spans] == list(map(expected.mention, expected.spans))
        if to != "csv":
            assert found[name].text == text
        if to != "brat":  # whose notes hold scores for people
            rounded = [round(span.score, 6) for span in expected.spans]
            assert [span.score for span in found[name].spans] == rounded


def test_spans_come_back_from_pubtator_with_line_ends_as_spaces(tagger, tmp_path):
    summary = do(tagger, odd_inputs(tmp_path / "in"), tmp_path / "out", to="pubtator")
    found = spans_of(read(tmp_path / "out" / "odd.pubtator"), empty=True)
    assert found == {name: tagger(text).spans for name, text in ODD.items()}
    assert summary.losses["character_written_as_space"] == 5 + 2


@pytest.mark.parametrize(("to", "suffix"), [("csv", ".csv"), ("bioc", ".xml"), ("brat", ""), ("pubtator", ".pubtator")])
def test_spans_of_several_models_in_one_pass_come_back_those_of_one_place_twice(
    tagger, wordpiece, tmp_path, to, suffix
):
    table = np.random.default_rng(1).normal(size=(len(wordpiece), len(INFO.tags))).astype(np.float32)
    other = drawn_tagger(wordpiece, table=table)
    models = [replace(each.models[0], name=name) for name, each in (("one", tagger), ("two", other), ("three", tagger))]
    several = EntityTagger(models)
    do(several, odd_inputs(tmp_path / "in"), tmp_path / "out", to=to)
    found = spans_of(read(tmp_path / "out" / f"odd{suffix}"), empty=False)
    expected = spans_of((document.with_spans(several(document.text).spans) for document in ODD_DOCUMENTS), empty=False)
    assert sum(map(len, expected.values())) > 2 * sum(len(tagger(text).spans) for text in ODD.values())
    assert {name: sorted(map(bounds, spans)) for name, spans in found.items()} == {
        name: sorted(map(bounds, spans)) for name, spans in expected.items()
    }
    if to in ("csv", "bioc"):
        assert {name: sorted(map(source, spans)) for name, spans in found.items()} == {
            name: sorted(map(source, spans)) for name, spans in expected.items()
        }


def bounds(span: Span) -> tuple:
    return span.start, span.end, span.label


def source(span: Span) -> tuple:
    return *bounds(span), span.model, round(span.score or 0, 6)


def test_spans_come_back_from_token_files_as_words(tagger, tmp_path):
    do(tagger, odd_inputs(tmp_path / "in"), tmp_path / "out", to="conll")
    found = {document.group: document for document in read(tmp_path / "out" / "odd.conll", scheme="iob2")}
    for name, text in ODD.items():
        expected = tagger(text)
        mentions = [(span.label, re.sub(r"\s", "", expected.mention(span))) for span in expected.spans]
        if name in found:
            of_words = [(span.label, found[name].mention(span).replace(" ", "")) for span in found[name].spans]
            assert of_words == mentions
        else:
            assert not text.split()


def test_a_page_holds_the_text_escaped_and_every_span(tagger, tmp_path):
    folder = odd_inputs(tmp_path / "in")
    do(tagger, folder, tmp_path / "out", to="html")
    page = _Page()
    page.feed((tmp_path / "out" / "odd.html").read_bytes().decode())
    assert page.ids == list(ODD)
    for text, found, expected in zip(page.texts, page.spans, map(tagger, ODD.values()), strict=True):
        assert text.replace("\ufffd", "\x85") == expected.text
        assert found == [(span.start, span.end, span.label) for span in sorted(expected.spans, key=lambda s: s.end)]


class _Page(HTMLParser):
    """Documents of a page: ids, texts without labels, spans from the labels' attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.texts: list[str] = []
        self.spans: list[list[tuple]] = []
        self.inside = ""

    def handle_starttag(self, tag, attrs):
        assert tag in {"html", "head", "meta", "title", "style", "body", "article", "h2", "p", "mark", "sub"}
        self.inside = {"h2": "id", "p": "text", "sub": "label", "article": ""}.get(tag, self.inside)
        if tag == "p":
            self.texts.append("")
            self.spans.append([])
        if tag == "sub":
            data = dict(attrs)
            self.spans[-1].append((int(data["data-start"]), int(data["data-end"]), data["data-label"]))
            assert 0 <= float(data["data-score"]) <= 1

    def handle_endtag(self, tag):
        self.inside = {"sub": "text", "p": "", "h2": ""}.get(tag, self.inside)

    def handle_data(self, data):
        if self.inside == "id":
            self.ids.append(data)
        elif self.inside == "text":
            self.texts[-1] += data


def test_text_files_become_brat_pairs_side_by_side(tagger, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "note.v2.txt").write_bytes(b"Aspirin\r\nhelps")
    do(tagger, folder, tmp_path / "out", to="brat")
    assert set(results(tmp_path / "out")) == {"note.v2.txt", "note.v2.ann"}
    assert results(tmp_path / "out")["note.v2.txt"] == b"Aspirin\r\nhelps"
    assert next(read(tmp_path / "out")).spans == tagger("Aspirin\r\nhelps").spans
    assert not [path for path in (tmp_path / "out").iterdir() if path.is_dir() and path.name != FOLDER]
