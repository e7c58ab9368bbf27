"""What is broken is listed and loses no neighbour, and a folder is one job's."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
from tests.serving.jobs import SENTENCE, jsonl, results, stumble_at
from tests.serving.pipelines import entities, errors_in, found

from openmed.errors import ConfigError, DataError
from openmed.predicting import EntityTagger, Selection
from openmed.readers import read
from openmed.serving import expand_inputs, run_job

pytest.importorskip("datatrove", reason="datatrove (extra: text) is not installed")

from datatrove.data import Document

from openmed.serving.pipeline import steps


@pytest.mark.parametrize("text", [None, 7, "\ud800 is half"])
def test_a_broken_document_has_an_error_and_its_neighbours_have_their_entities(model_folder, tagger, text):
    documents = [Document(text=each, id=str(n)) for n, each in enumerate([SENTENCE, text, SENTENCE])]
    before, broken, after = steps.TagDocuments([str(model_folder)], dtype="float32")(documents)
    assert before.metadata["entities"] == after.metadata["entities"] == entities(tagger, SENTENCE)
    assert "entities" not in broken.metadata
    assert broken.metadata["error"].startswith("cannot be tagged (")
    assert broken.text == text


def test_a_document_that_the_tagger_stumbles_on_loses_itself_alone(job, inputs, tmp_path, monkeypatch):
    (inputs / "d.jsonl").write_text(jsonl([10]) + json.dumps({"id": "bad", "text": "stumble"}) + "\n" + jsonl([11]))
    stumble_at(monkeypatch)
    summary = job().run()
    assert [document.id for document in read(tmp_path / "out" / "d.jsonl")] == ["n10", "n11"]
    (error,) = errors_in(tmp_path / "out")
    assert error == {
        "file": str(inputs / "d.jsonl"),
        "document": "bad",
        "line": None,
        "error": "cannot be tagged (RuntimeError: stumbled)",
    }
    assert (summary.documents, summary.failed, summary.tasks_done) == (7, 1, 4)


def test_a_broken_tagger_ends_the_task_and_blames_no_document(job, predicted, tmp_path, monkeypatch):
    def failing(self, documents):
        raise RuntimeError("no memory")

    with monkeypatch.context() as patch:
        patch.setattr(EntityTagger, "tag", failing)
        with pytest.raises(RuntimeError, match="no memory"):
            job().run()
    assert results(tmp_path / "out") == {}
    assert job().summary().tasks_done == 0
    job().run()
    assert found(tmp_path / "out") == predicted


@pytest.mark.parametrize("tasks", [None, 2])
def test_broken_inputs_are_listed_the_others_done_and_the_mended_ones_done_anew(job, inputs, tmp_path, tasks):
    whole = (inputs / "b.jsonl.gz").read_bytes()
    (inputs / "b.jsonl.gz").write_bytes(whole[:20])
    (inputs / "c.txt").write_bytes("naïve".encode("latin1"))
    (inputs / "d.jsonl").write_bytes(jsonl([1]).encode() + b'{"text": 1}\n\xff\n' + jsonl([2]).encode())
    summary = job(tasks=tasks).run()
    listed = [(Path(error["file"]).name, error["line"]) for error in errors_in(tmp_path / "out")]
    assert listed == [("b.jsonl.gz", None), ("c.txt", None), ("d.jsonl", 2), ("d.jsonl", 3)]
    assert (summary.failed, summary.documents) == (4, 3)
    shown = {name for name in results(tmp_path / "out") if not name.startswith("errors")}
    assert shown == {"a.jsonl", "d.jsonl"}
    (inputs / "b.jsonl.gz").write_bytes(whole)
    (inputs / "c.txt").write_text("p53")
    (inputs / "d.jsonl").write_text(jsonl([1, 2]))
    summary = job(tasks=tasks).run()
    assert (summary.failed, summary.documents) == (0, 7)
    assert errors_in(tmp_path / "out") == []
    assert [document.id for document in read(tmp_path / "out" / "d.jsonl")] == ["n1", "n2"]


# --- a folder is one job's --------------------------------------------------------------------------------------------


def test_other_settings_tasks_or_inputs_in_the_same_folder_are_refused(job, inputs, tmp_path):
    job().run()
    for settings, part in [
        ({"tasks": 2}, "tasks: 4 there, 2 now"),
        ({"selection": Selection(threshold=0.5)}, "threshold: 0.0 there, 0.5 now"),
    ]:
        with pytest.raises(ConfigError, match=re.escape(part)):
            job(**settings).begin()
    (inputs / "e.txt").write_text("p53")
    with pytest.raises(ConfigError, match=r"inputs: .*tasks: 4 there, 5 now"):
        job().run()


def test_predict_and_a_pipeline_do_not_share_a_folder(job, tagger, inputs, tmp_path):
    run_job(tagger, expand_inputs([inputs]), tmp_path / "out")
    with pytest.raises(ConfigError, match='engine: null there, "datatrove" now'):
        job().run()


def test_an_input_that_changed_since_is_refused(job, inputs):
    job().run()
    (inputs / "d.jsonl").write_text(jsonl([1]))
    with pytest.raises(DataError, match=r"d\.jsonl: the input has changed since"):
        job().run()


def test_results_of_others_are_left_alone(job, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.jsonl").write_text("precious")
    with pytest.raises(DataError, match=r"a\.jsonl: the result is there already"):
        job().begin()
    assert results(tmp_path / "out") == {"a.jsonl": b"precious"}


@pytest.mark.parametrize("tasks", [0, 5])
def test_tasks_without_a_file_are_refused(job, tasks):
    with pytest.raises(ConfigError, match=f"{tasks} tasks for 4 files"):
        job(tasks=tasks)


def test_a_job_needs_a_worker(job):
    with pytest.raises(ConfigError, match="0 workers"):
        job().run(workers=0)


def test_what_is_to_be_installed_is_told(job, monkeypatch):
    monkeypatch.setitem(sys.modules, "datatrove", None)
    with pytest.raises(ConfigError, match=r"pip install 'openmed-ner\[text\]'"):
        job().begin()
