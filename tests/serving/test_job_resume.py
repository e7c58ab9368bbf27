"""A job that was killed goes on with nothing lost or doubled, and a folder is one job's."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import nullcontext
from pathlib import Path

import pytest
from tests.serving.jobs import do, hidden, jsonl, results
from tests.serving.taggers import drawn_tagger

from openmed.errors import ConfigError, DataError
from openmed.predicting import EntityTagger, Selection
from openmed.readers import read
from openmed.serving.job import parts, run
from openmed.serving.job.journal import FOLDER
from openmed.serving.job.progress import Progress
from openmed.writers import atomic


class Killed(BaseException):
    """No handler of errors takes it for one."""


@pytest.mark.parametrize("to", ["jsonl", "brat"])
def test_a_job_killed_at_any_write_goes_on_with_nothing_lost_doubled_or_left(tagger, inputs, tmp_path, monkeypatch, to):
    monkeypatch.setattr(parts, "PART_DOCUMENTS", 2)
    do(tagger, inputs, tmp_path / "whole", to=to)
    left = 0

    def killing(act):
        """Killed just before or just after."""

        def acting(*arguments):
            nonlocal left
            for step in (lambda: None, lambda: act(*arguments)):
                step()
                left -= 1
                if left == 0:
                    raise Killed

        return acting

    def removing(path: Path, remove=atomic._remove) -> None:
        if left != 0:  # a killed process removes nothing
            remove(path)

    monkeypatch.setattr(atomic, "_remove", removing)
    monkeypatch.setattr(atomic, "_move", killing(atomic._move))
    monkeypatch.setattr(run.Journal, "_append", killing(run.Journal._append))
    num_killed = 0
    for at in range(1, 1000):
        out, left = tmp_path / f"out{at}", at
        try:
            do(tagger, inputs, out, to=to)
        except Killed:
            num_killed += 1
        else:
            break
        left = -1
        do(tagger, inputs, out, to=to)
        assert results(out) == results(tmp_path / "whole"), at
        assert hidden(out) == hidden(tmp_path / "whole"), at
    assert num_killed > 30


def test_a_folder_that_stepped_aside_when_the_job_was_killed_is_removed(tagger, tmp_path, monkeypatch):
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    (folder / "x.jsonl").write_text(jsonl([1]) + "{\n")
    do(tagger, folder, out, to="brat")
    (folder / "x.jsonl").write_text(jsonl([1, 2]))

    def aside(temporary: Path, target: Path) -> None:
        target.rename(temporary.with_suffix(".old"))
        raise Killed

    move = atomic._move
    with monkeypatch.context() as patch:
        patch.setattr(atomic, "_move", lambda *paths: (aside if paths[1].name == "x" else move)(*paths))
        patch.setattr(atomic, "_remove", lambda path: None)
        with pytest.raises(Killed):
            do(tagger, folder, out, to="brat")
    mine = {".y.jsonl.1-00000000.tmp", ".x.1-0000.tmp"}
    for name in mine:
        (out / name).touch()
    do(tagger, folder, out, to="brat")
    assert {path.name for path in out.iterdir()} == {"x", FOLDER} | mine
    assert [document.id for document in read(out / "x")] == ["n1", "n2"]


def test_what_stands_in_parts_is_not_tagged_again(wordpiece, inputs, tmp_path, short_parts, monkeypatch):
    class Stop(BaseException): ...

    tagged: list[str] = []

    def tagger_that_stops(after: int) -> EntityTagger:
        tagger = drawn_tagger(wordpiece, chunk=1)
        tag = tagger.tag

        def stopping(documents):
            for document in tag(documents):
                if len(tagged) == after:
                    raise Stop
                tagged.append(document.id)
                yield document

        tagger.tag = stopping
        return tagger

    with pytest.raises(Stop):
        do(tagger_that_stops(9), inputs, tmp_path / "out")  # a, n0 to n2, c, n10 to n13
    assert tagged[-1] == "n13"
    totals = []
    monkeypatch.setattr(
        run, "shown", lambda total: totals.append(total) or nullcontext(Progress(total, lambda *_: None))
    )
    summary = do(tagger_that_stops(100), inputs, tmp_path / "out")
    assert summary.documents == 12
    times = Counter(tagged)
    assert times.total() == 12  # of d.jsonl two parts of two were on disk, and nothing else was begun
    assert totals == [3]  # nor do the four count for the time left
    assert [document.id for document in read(tmp_path / "out" / "d.jsonl")] == [f"n{n}" for n in range(10, 17)]


def test_a_journal_cut_off_in_its_last_line_is_read_to_the_line_before(tagger, inputs, tmp_path):
    do(tagger, inputs, tmp_path / "out")
    before = results(tmp_path / "out")
    journal = tmp_path / "out" / FOLDER / "journal.jsonl"
    journal.write_bytes(journal.read_bytes()[:-7])
    assert do(tagger, inputs, tmp_path / "out").tagged == 7  # d.jsonl was begun, for all that is known
    assert results(tmp_path / "out") == before


@pytest.mark.slow
def test_a_process_killed_for_good_goes_on(model_folder, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "many.jsonl").write_text(jsonl(range(2500)))
    out = tmp_path / "out"
    code = "from openmed.cli import main; main()"
    command = [sys.executable, "-c", code, "predict", str(model_folder), str(folder), "--out", str(out)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    part = out / FOLDER / "parts" / "many.jsonl" / "000000.jsonl"
    deadline = time.monotonic() + 60
    while not part.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert part.exists()
    assert not (out / "many.jsonl").exists()
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True)
    summary = json.loads(done.stdout)
    assert summary["documents"] == 2500
    assert 0 < summary["tagged"] <= 1500
    assert [document.id for document in read(out / "many.jsonl")] == [f"n{n}" for n in range(2500)]


# --- a folder is one job's ------------------------------------------------------------------------------------------


def test_other_settings_in_the_same_folder_are_refused_by_name(tagger, wordpiece, inputs, tmp_path):
    out = tmp_path / "out"
    do(tagger, inputs, out)
    for change, part in [
        ({"to": "csv"}, 'to: "jsonl" there, "csv" now'),
        ({"selection": Selection(threshold=0.5)}, "threshold: 0.0 there, 0.5 now"),
        ({"settings": {"dtype": "float32"}}, 'dtype: null there, "float32" now'),
    ]:
        with pytest.raises(ConfigError, match=re.escape(part)):
            do(tagger, inputs, out, **change)
    other = drawn_tagger(wordpiece)
    object.__setattr__(other.models[0], "digest", "other")
    with pytest.raises(ConfigError, match="models: "):
        do(other, inputs, out)
    assert do(tagger, inputs, out).tagged == 0


def test_an_input_that_changed_since_is_refused(tagger, inputs, tmp_path):
    do(tagger, inputs, tmp_path / "out")
    (inputs / "d.jsonl").write_text(jsonl([1]))
    with pytest.raises(DataError, match=r"d\.jsonl: the input has changed since the job read it"):
        do(tagger, inputs, tmp_path / "out")


def test_more_inputs_join_a_job(tagger, inputs, tmp_path):
    do(tagger, inputs, tmp_path / "out")
    (inputs / "e.txt").write_text("p53")
    summary = do(tagger, inputs, tmp_path / "out")
    assert (summary.files, summary.tagged) == (5, 1)


def test_results_of_others_are_left_alone(tagger, inputs, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "c.txt").write_text("precious")
    with pytest.raises(DataError, match=r"c\.txt: the result is there already"):
        do(tagger, inputs, out, to="brat")
    assert [path.name for path in out.iterdir()] == ["c.txt"]
    do(tagger, inputs, out)  # jsonl: another place
    (inputs / "e.txt").write_text("p53")
    (out / "e.jsonl").write_text("precious")
    with pytest.raises(DataError, match=r"e\.jsonl: the result is there already"):
        do(tagger, inputs, out)
    assert (out / "e.jsonl").read_text() == "precious"


def test_two_processes_do_not_write_to_one_folder(tagger, inputs, tmp_path):
    with run.Journal.claim(tmp_path / "out", {}), pytest.raises(ConfigError, match="another process writes to"):
        do(tagger, inputs, tmp_path / "out")
