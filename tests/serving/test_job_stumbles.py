"""A document that the tagger stumbles on loses itself alone, in a job that was stopped, too."""

from __future__ import annotations

import json

import pytest
from tests.serving.jobs import do, errors_of, jsonl, results, stumble_at

from openmed.predicting import EntityTagger
from openmed.readers import read
from openmed.serving import annotate
from openmed.serving.annotate import annotate_each
from openmed.serving.job import parts
from openmed.spans import Document

BAD = json.dumps({"id": "bad", "text": "stumble"}) + "\n"
WHY = "cannot be tagged (RuntimeError: stumbled)"


@pytest.fixture
def stumbling(monkeypatch) -> None:
    stumble_at(monkeypatch)


@pytest.mark.usefixtures("stumbling")
def test_a_document_that_the_tagger_stumbles_on_loses_itself_alone(tagger, inputs, tmp_path):
    (inputs / "c.txt").write_text("stumble")
    (inputs / "d.jsonl").write_text(jsonl([10]) + BAD + jsonl([11]))
    summary = do(tagger, inputs, tmp_path / "out")
    assert [document.id for document in read(tmp_path / "out" / "d.jsonl")] == ["n10", "n11"]
    of_text, of_line = errors_of(tmp_path / "out")
    assert (of_text["file"], of_text["document"]) == (str(inputs / "c.txt"), "c")
    mend = "Change its text, or take it out of the file."
    assert of_line == {
        "file": str(inputs / "d.jsonl"),
        "document": "bad",
        "line": None,
        "error": f"{inputs / 'd.jsonl'}: {WHY}. {mend}",
    }
    assert (summary.documents, summary.tagged, summary.failed) == (6, 6, 2)
    assert set(results(tmp_path / "out")) == {"a.jsonl", "b.jsonl", "d.jsonl", "errors.jsonl"}
    again = do(tagger, inputs, tmp_path / "out")
    assert (again.documents, again.tagged, again.failed) == (6, 0, 2)


@pytest.mark.usefixtures("stumbling", "short_parts")
@pytest.mark.parametrize("at", range(1, 5))
def test_what_failed_before_a_stop_is_listed_after_it_and_moves_no_document(tagger, tmp_path, monkeypatch, at):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "x.jsonl").write_text(BAD + jsonl([1]) + BAD + BAD + jsonl([2, 3]) + BAD + jsonl(range(4, 8)) + BAD)
    do(tagger, folder, tmp_path / "whole")
    written = 0
    write = parts.write_jsonl

    def stopping(*arguments):
        nonlocal written
        written += 1
        if written == at:
            raise KeyboardInterrupt
        return write(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(parts, "write_jsonl", stopping)
        try:
            do(tagger, folder, tmp_path / "out")
        except KeyboardInterrupt:
            assert at < 4
    do(tagger, folder, tmp_path / "out")
    assert results(tmp_path / "out") == results(tmp_path / "whole")
    assert len(errors_of(tmp_path / "out")) == 5


def test_a_broken_tagger_ends_the_job_and_blames_no_document(tagger, inputs, tmp_path, monkeypatch):
    do(tagger, inputs, tmp_path / "whole")

    def failing(self, documents):
        raise RuntimeError("no memory")

    with monkeypatch.context() as patch:
        patch.setattr(EntityTagger, "tag", failing)
        with pytest.raises(RuntimeError, match="no memory"):
            do(tagger, inputs, tmp_path / "out")
    assert results(tmp_path / "out") == {}
    do(tagger, inputs, tmp_path / "out")
    assert results(tmp_path / "out") == results(tmp_path / "whole")


def test_where_none_stumbles_each_is_as_annotated(tagger):
    documents = [Document(str(number), f"p53 {number}") for number in range(9)]
    pairs = list(annotate_each(tagger, documents))
    assert [given for given, _ in pairs] == documents
    assert [tagged for _, tagged in pairs] == list(annotate(tagger, documents))
