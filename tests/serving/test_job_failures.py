"""Whatever fails is listed, and all the rest is done."""

from __future__ import annotations

import errno
import gzip
import json
import os
import resource
from pathlib import Path

import pytest
from tests.serving.jobs import do, errors_of, jsonl, results

from openmed import serving
from openmed.errors import DataError, RunError
from openmed.readers import read
from openmed.serving import expand_inputs, read_input, run_job
from openmed.serving.job import parts, run, targets


def test_a_broken_file_among_others_is_listed_and_the_others_are_done(tagger, inputs, tmp_path):
    (inputs / "cut.jsonl.gz").write_bytes(gzip.compress(os.urandom(20) + jsonl(range(500)).encode())[:-9])
    (inputs / "latin.txt").write_bytes("naïve".encode("latin1"))
    (inputs / "xml.xml").write_text("<collection><document><id>1</id><passage><offset>0</offset><text>p53</text></pa")
    (inputs / "gone.txt").symlink_to(tmp_path / "nowhere")
    files = [*expand_inputs([inputs]), inputs / "gone.txt"]
    summary = run_job(tagger, files, tmp_path / "out")
    errors = errors_of(tmp_path / "out")
    assert {Path(error["file"]).name for error in errors} == {"cut.jsonl.gz", "latin.txt", "xml.xml", "gone.txt"}
    assert summary.failed == len(errors)
    assert summary.documents == 12 + sum(1 for _ in read(tmp_path / "out" / "cut.jsonl"))
    assert {"a.jsonl", "b.jsonl", "c.jsonl", "d.jsonl"} <= results(tmp_path / "out").keys()
    assert not {"latin.jsonl", "xml.jsonl", "gone.jsonl"} & results(tmp_path / "out").keys()


def test_a_file_that_the_disk_cannot_read_is_listed_too(tagger, inputs, tmp_path, monkeypatch):
    def reading(path, *arguments, **settings):
        if path.name == "c.txt":
            raise OSError(errno.EIO, "Input/output error")
        return read_input(path, *arguments, **settings)

    monkeypatch.setattr(serving.inputs, "read_input", reading)
    assert do(tagger, inputs, tmp_path / "out").failed == 1
    (error,) = errors_of(tmp_path / "out")
    assert "c.txt: cannot be read (Input/output error)" in error["error"]
    monkeypatch.undo()
    assert do(tagger, inputs, tmp_path / "out").tagged == 1  # nothing of it was read: it is tried again


def test_a_broken_line_loses_itself_alone(tagger, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    lines = jsonl(range(4)).encode().splitlines()
    (folder / "x.jsonl").write_bytes(
        b"\n".join([lines[0], b'{"text": 1}', lines[1], b"\xff", lines[2], b"{", lines[3]])
    )
    summary = do(tagger, folder, tmp_path / "out")
    assert [document.id for document in read(tmp_path / "out" / "x.jsonl")] == ["n0", "n1", "n2", "n3"]
    assert [error["line"] for error in errors_of(tmp_path / "out")] == [2, 4, 6]
    assert summary.failed == 3
    again = do(tagger, folder, tmp_path / "out")  # nothing has changed: told again, not done again
    assert (again.failed, again.tagged) == (3, 0)


def test_a_file_that_was_mended_is_done_anew(tagger, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "x.jsonl").write_text(jsonl([1]) + "{\n")
    assert do(tagger, folder, tmp_path / "out").failed == 1
    (folder / "x.jsonl").write_text(jsonl([1, 2]))
    assert do(tagger, folder, tmp_path / "out").failed == 0
    assert [document.id for document in read(tmp_path / "out" / "x.jsonl")] == ["n1", "n2"]
    assert "errors.jsonl" not in results(tmp_path / "out")

    (folder / "x.jsonl").write_text("{")
    assert do(tagger, folder, tmp_path / "other").failed == 1
    assert set(results(tmp_path / "other")) == {"errors.jsonl"}


def test_what_a_file_gave_before_it_went_bad_is_taken_away(tagger, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "x.jsonl").write_text(jsonl([1]) + "{\n")
    assert do(tagger, folder, tmp_path / "out").failed == 1
    assert set(results(tmp_path / "out")) == {"errors.jsonl", "x.jsonl"}
    (folder / "x.jsonl").write_text("{")
    assert do(tagger, folder, tmp_path / "out").failed == 1
    assert set(results(tmp_path / "out")) == {"errors.jsonl"}


@pytest.mark.parametrize("to", ["brat", "bioc"])
def test_a_document_that_the_format_cannot_hold_is_listed_and_the_others_written(tagger, tmp_path, to):
    folder = tmp_path / "in"
    folder.mkdir()
    texts = {"good": "Aspirin helps", "nul": "Aspirin\0helps", "also": "p53"}
    (folder / "x.jsonl").write_text("".join(json.dumps({"id": i, "text": t}) + "\n" for i, t in texts.items()))
    summary = do(tagger, folder, tmp_path / "out", to=to)
    (error,) = errors_of(tmp_path / "out")
    assert error["document"] == "nul"
    assert error["error"].startswith(f"{folder / 'x.jsonl'}: ")  # and no scratch file
    assert "Choose another --to (jsonl holds every character)" in error["error"]
    assert (summary.documents, summary.failed) == (2, 1)
    assert {document.id for document in read(tmp_path / "out" / ("x" if to == "brat" else "x.xml"))} == {"good", "also"}


def test_an_input_of_which_nothing_can_be_held_has_no_result(tagger, tmp_path):
    (tmp_path / "x.txt").write_bytes(b"Aspirin\0helps")
    (tmp_path / "y.txt").write_bytes(b"")
    summary = run_job(tagger, [tmp_path / "x.txt", tmp_path / "y.txt"], tmp_path / "out", to="bioc")
    assert (summary.documents, summary.failed) == (1, 1)
    assert set(results(tmp_path / "out")) == {"errors.jsonl", "y.xml"}


def test_a_nul_is_a_character_like_others_where_the_format_can_hold_it(tagger, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "x.txt").write_bytes(b"Aspirin\0helps p53")
    do(tagger, folder, tmp_path / "out")
    (document,) = read(tmp_path / "out" / "x.jsonl")
    assert document.text == "Aspirin\0helps p53"
    assert document.spans == tagger(document.text).spans


@pytest.mark.parametrize("place", ["part", "result", "journal"])
def test_a_full_disk_is_said_and_the_job_goes_on_when_there_is_room(tagger, inputs, tmp_path, monkeypatch, place):
    monkeypatch.setattr(parts, "PART_DOCUMENTS", 2)
    do(tagger, inputs, tmp_path / "whole")

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        if place == "part":
            patch.setattr(parts, "write_jsonl", full)
        elif place == "result":
            patch.setattr(targets, "write", full)
        else:
            patch.setattr(run.Journal, "finish", full)
        with pytest.raises(RunError, match=r"no space is left .* Free some space and run the same command again"):
            do(tagger, inputs, tmp_path / "out")
    do(tagger, inputs, tmp_path / "out")
    assert results(tmp_path / "out") == results(tmp_path / "whole")


def test_a_limit_on_the_size_of_files_is_like_a_full_disk(tagger, inputs, tmp_path):
    """A real one, of the kernel (`ulimit -f`)."""
    do(tagger, inputs, tmp_path / "whole")
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (700, limit[1]))
    try:
        with pytest.raises(RunError, match=r"no space is left for the results in .*out \(File too large\)"):
            do(tagger, inputs, tmp_path / "out")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    do(tagger, inputs, tmp_path / "out")
    assert results(tmp_path / "out") == results(tmp_path / "whole")


@pytest.mark.parametrize(("name", "to"), [("errors.txt", "jsonl"), (".openmed.jsonl", "brat")])
def test_a_result_cannot_have_the_place_of_what_the_job_needs(tagger, tmp_path, name, to):
    """The list of what failed would replace it, and be deleted where nothing failed."""
    source = tmp_path / name
    source.write_text(jsonl([1]))
    with pytest.raises(DataError, match=r"something of its own\. Rename it, or choose another --to"):
        run_job(tagger, [source], tmp_path / "out", to=to)
    assert not (tmp_path / "out").exists()


def test_a_brat_folder_cannot_have_the_place_of_a_texts_copy(tagger, tmp_path):
    """a.txt becomes a.txt and a.ann; a.txt.jsonl would become the folder a.txt."""
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.txt").write_text("Aspirin helps")
    (folder / "a.txt.jsonl").write_text(jsonl([1]))
    with pytest.raises(DataError, match=r"a\.txt\.jsonl: it and .*/a\.txt would both be written to .*/out/a\.txt\."):
        do(tagger, folder, tmp_path / "out", to="brat")
    assert do(tagger, folder, tmp_path / "other", to="csv").files == 2
