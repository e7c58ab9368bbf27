"""Jobs: every input gets its result, in parts or whole, and the summary counts it; how far a job is is told."""

from __future__ import annotations

import re

import pytest
from tests.serving.jobs import SENTENCE, do, hidden, jsonl, results

from openmed.predicting import Selection
from openmed.readers import read
from openmed.serving import expand_inputs, run_job
from openmed.serving.inputs import Reading
from openmed.serving.job import TO, parts
from openmed.serving.job.estimate import estimate_documents
from openmed.serving.job.journal import FOLDER
from openmed.serving.job.progress import duration, line


@pytest.mark.parametrize("to", TO)
def test_each_input_has_its_result_and_the_summary_counts_them(tagger, inputs, tmp_path, to):
    out = tmp_path / "out"
    summary = do(tagger, inputs, out, to=to)
    assert (summary.files, summary.documents, summary.tagged, summary.failed) == (4, 12, 12, 0)
    assert summary.entities > 12
    assert {name.split("/")[0].split(".")[0] for name in results(out)} == {"a", "b", "c", "d"}
    assert hidden(out) == {FOLDER, "job.json", "journal.jsonl", "lock"}
    before = results(out)
    again = do(tagger, inputs, out, to=to)
    assert (again.files, again.documents, again.entities, again.tagged) == (4, 12, summary.entities, 0)
    assert results(out) == before


def test_results_are_those_of_the_tagger_in_order(tagger, inputs, tmp_path):
    do(tagger, inputs, tmp_path / "out")
    found = list(read(tmp_path / "out" / "d.jsonl"))
    assert [document.id for document in found] == [f"n{n}" for n in range(10, 17)]
    expected = tagger([document.text for document in found])
    assert [document.spans for document in found] == [document.spans for document in expected]
    scores = [[round(span.score or 0, 6) for span in document.spans] for document in expected]
    assert [[span.score for span in document.spans] for document in found] == scores


def test_parts_change_nothing(tagger, inputs, tmp_path, monkeypatch):
    for to in ("jsonl", "bioc"):
        do(tagger, inputs, tmp_path / f"{to}-whole", to=to)
    monkeypatch.setattr(parts, "PART_DOCUMENTS", 2)
    for to in ("jsonl", "bioc"):
        do(tagger, inputs, tmp_path / f"{to}-parts", to=to)
        assert results(tmp_path / f"{to}-parts") == results(tmp_path / f"{to}-whole")
        assert not (tmp_path / f"{to}-parts" / FOLDER / "parts" / "d.jsonl").exists()


def test_long_texts_end_a_part_too(tagger, inputs, tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr(parts, "PART_CHARACTERS", 3 * len(SENTENCE))
    write = parts.write_jsonl
    monkeypatch.setattr(parts, "write_jsonl", lambda entries, file: written.append(file) or write(entries, file))
    do(tagger, inputs, tmp_path / "out")
    assert [file.name for file in written if file.parent.name == "d.jsonl"] == ["000000.jsonl", "000001.jsonl"]


def test_what_the_selection_drops_is_counted(tagger, inputs, tmp_path, short_parts):
    everything = do(tagger, inputs, tmp_path / "all")
    some = do(tagger, inputs, tmp_path / "some", selection=Selection(threshold=0.7))
    assert 0 < some.entities < everything.entities
    assert some.dropped == {"below_threshold": everything.entities - some.entities}
    assert all(span.score >= 0.7 for document in read(tmp_path / "some" / "d.jsonl") for span in document.spans)


# --- how far --------------------------------------------------------------------------------------------------------


def test_what_tokenising_could_not_keep_is_of_this_job(tagger, tmp_path):
    """A tagger counts on, from one job to the next."""
    (tmp_path / "x.txt").write_text("p53 \x85\u200d Aspirin \ufffd")
    first, second = (run_job(tagger, [tmp_path / "x.txt"], tmp_path / name) for name in ("one", "two"))
    assert first.losses == second.losses == {"word_without_pieces": 2}


def test_the_number_of_documents_is_estimated_from_a_few_files(tmp_path, inputs, monkeypatch):
    assert estimate_documents(expand_inputs([inputs]), Reading()) == 12
    for n in range(100):
        (tmp_path / f"{n}.jsonl").write_text(jsonl(range(n % 5 + 1)))
    files = expand_inputs([tmp_path], without=inputs)
    assert estimate_documents(files, Reading()) == pytest.approx(300, rel=0.2)
    (tmp_path / "x.tgz").write_bytes(b"")
    assert estimate_documents([tmp_path / "x.tgz"], Reading(format="inline")) is None


def test_progress_says_speed_and_time_left():
    assert line(1200, 85.31, 130) == "1,200 documents, 85.3/s, 2 min left"
    assert line(3, 1, None) == "3 documents, 1.0/s"
    assert [duration(seconds) for seconds in (4.4, 60, 3540, 12_000)] == ["4 s", "1 min", "59 min", "3 h 20 min"]


def test_a_line_is_printed_now_and_then(tagger, inputs, tmp_path, monkeypatch, capsys):
    from openmed.serving.job import progress

    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    do(tagger, inputs, tmp_path / "out")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 12
    assert re.fullmatch(r"12 documents, [0-9.,]+/s, 0 s left", lines[-1])


def test_memory_holds_a_block_and_a_part_however_long_the_input(tagger, tmp_path, monkeypatch):
    from tests.memory import peak_memory

    monkeypatch.setattr(parts, "PART_DOCUMENTS", 20)

    def peak(num_documents: int) -> int:
        folder = tmp_path / str(num_documents)
        folder.mkdir()
        (folder / "x.jsonl").write_text(jsonl(range(num_documents)))
        return peak_memory(lambda: do(tagger, folder, tmp_path / f"out{num_documents}"))

    peak(50)
    assert peak(1000) < 2 * peak(100)
