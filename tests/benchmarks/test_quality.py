"""Whole trainings: which jobs are still open, what is kept of one, and the rows made of those that are done."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
from benchmarks import quality, quality_jobs
from benchmarks.process import ChildFailed, Finished
from benchmarks.quality_jobs import JOBS, make_record, open_jobs, read_records
from benchmarks.quality_rows import quality_rows, seconds_until
from benchmarks.trainings import Ran

FACTS = {"git_commit": "abc", "threads": 2}


def ran(*evaluations, peak_bytes=2**30):
    """(seconds, dev F1) each; the process began at 1000."""
    marks = {
        "steps": [{"at": 1001.0, "pieces": 9, "tokens": 10, "padded": 12, "loss": 1.0}],
        "evaluations": [
            {"at": 1000.0 + seconds, "epoch": epoch, "step": epoch, "dev_f1": dev_f1}
            for epoch, (seconds, dev_f1) in enumerate(evaluations, start=1)
        ],
    }
    return Ran(Finished(began=1000.0, seconds=500.0, peak_bytes=peak_bytes, peak_own_bytes=None), marks)


def record(name, *evaluations, peak_bytes=2**30, result=None):
    done = ran(*evaluations, peak_bytes=peak_bytes)
    return make_record(name, JOBS[name], done, result=result, facts=FACTS)


def records(**of_jobs):
    made = {name.replace("_", "-"): found for name, found in of_jobs.items()}
    return {name: record(name, *made[name]) for name in JOBS if name in made}


def rows(found):
    return {row["name"]: row for row in quality_rows(found)}


def test_a_record_counts_seconds_from_the_start_of_the_process():
    result = {"status": "finished", "dev": {"f1": 0.8}, "test": {"f1": 0.7}, "config_sha256": "beyond what is kept"}
    made = record("ours-seed1", (20.0, 0.5), (40.0, 0.8), (60.0, 0.7), result=result)
    assert [evaluation["seconds"] for evaluation in made["evaluations"]] == [20.0, 40.0, 60.0]
    assert (made["best_dev_f1"], made["seconds_to_best"], made["seconds"]) == (0.8, 40.0, 500.0)
    assert made["result"] == {
        "status": "finished",
        "dev": {"f1": 0.8},
        "test": {"f1": 0.7},
        "params": None,
        "train": None,
    }
    assert made["git_commit"] == "abc"
    assert made["trained"] == {"pieces": 9, "tokens": 10, "padded": 12}
    assert "test=true" in made["settings"]["overrides"]
    assert json.loads(json.dumps(made)) == made


def test_a_training_that_never_scored_dev_is_an_error():
    with pytest.raises(ValueError, match="spacy: dev was never scored"):
        record("spacy")


def test_jobs_that_are_done_are_skipped():
    assert open_jobs([], []) == list(JOBS)
    assert open_jobs([], ["ours-seed1", "spacy"])[0] == "peer-seed1"
    assert "spacy" not in open_jobs([], ["spacy"])
    assert open_jobs(["spacy", "ours-seed1"], ["spacy"]) == ["ours-seed1"]
    assert open_jobs([], list(JOBS)) == []


def test_redo_takes_a_job_up_again_and_no_other():
    assert open_jobs([], ["ours-seed1", "spacy"], redo=["spacy"]) == ["spacy"]
    assert open_jobs(["ours-short-seed1"], ["spacy"], redo=["spacy"]) == ["spacy", "ours-short-seed1"]


@pytest.fixture
def counted(monkeypatch):
    """The jobs' names as they run; `peer-seed1` fails, nothing is trained or plotted."""
    runs = []

    def run(name):
        def trained(folder):
            runs.append(name)
            if name == "peer-seed1":
                raise ChildFailed(f"exited with 1 in {folder}")
            return ran((10.0, 0.8))

        return trained

    jobs = {name: replace(job, run=run(name)) for name, job in JOBS.items()}
    monkeypatch.setattr(quality_jobs, "JOBS", jobs)
    monkeypatch.setattr(quality, "in_fresh_process", lambda *arguments: None)
    return runs


def test_a_job_that_fails_loses_no_other_and_stays_open(tmp_path, counted):
    done = tmp_path / "quality"
    failures = quality.train(["ours-seed1", "peer-seed1", "spacy"], done, FACTS)
    assert counted == ["ours-seed1", "peer-seed1", "spacy"]
    assert list(failures) == ["peer-seed1"]
    assert str(tmp_path) not in failures["peer-seed1"]
    assert list(read_records(done)) == ["ours-seed1", "spacy"]
    assert open_jobs(["ours-seed1", "peer-seed1", "spacy"], read_records(done)) == ["peer-seed1"]
    written = json.loads((tmp_path / "quality.json").read_text(encoding="utf-8"))
    assert written["jobs"] == ["ours-seed1", "spacy"]
    assert "peer-seed1" in written["open"]


def test_trainings_of_two_machines_are_not_set_side_by_side():
    here = {"hardware": {"cpu": "a", "instructions": ["avx2"]}}
    other = {"hardware": {"cpu": "a", "instructions": ["avx2", "avx512_bf16"]}}
    kept = {"spacy": here, "ours-seed1": other}
    assert quality.of_another_machine({"spacy": here}, here) is None
    assert "ours-seed1 were measured on another machine" in (quality.of_another_machine(kept, here) or "")
    assert quality.of_another_machine(kept, here, redo=["ours-seed1"]) is None
    untold = {"spacy": {"hardware": {"cpu": "a"}}}
    assert quality.of_another_machine(untold, here) is not None


def test_seconds_until_a_score_are_those_of_the_first_evaluation_that_has_it():
    made = record("ours-seed1", (20.0, 0.5), (40.0, 0.8), (60.0, 0.7), (80.0, 0.9))
    assert seconds_until(made, 0.8) == 40.0
    assert seconds_until(made, 0.81) == 80.0
    assert math.isinf(seconds_until(made, 0.95))


def test_ours_must_pass_the_best_of_all_the_peers_seeds():
    found = records(
        ours_seed1=[(20.0, 0.7), (30.0, 0.8)],
        ours_seed2=[(20.0, 0.7), (50.0, 0.8)],
        ours_seed3=[(20.0, 0.7), (40.0, 0.8)],
        ours_short_seed1=[(35.0, 0.79)],
        peer_seed1=[(100.0, 0.6), (200.0, 0.7)],
        peer_seed2=[(100.0, 0.6), (240.0, 0.79)],
        peer_seed3=[(100.0, 0.6), (360.0, 0.75)],
    )
    row = rows(found)["time to the peer's best dev F1"]
    assert row["settings"]["dev_f1"] == 0.79
    assert row["settings"]["recipe"] == "ours, 3 epochs"
    assert (row["ours"], row["peer"], row["met"]) == (35.0, 240.0, False)
    assert row["settings"]["seconds_by_job"] == {
        **{"ours-seed1": 30.0, "ours-short-seed1": 35.0, "ours-seed2": 50.0, "ours-seed3": 40.0},
    }


def test_a_score_never_reached_is_a_goal_missed_not_a_row_left_out():
    found = records(ours_seed1=[(20.0, 0.7)], peer_seed1=[(100.0, 0.8)], peer_grouped=[(60.0, 0.8)])
    row = rows(found)["time to the peer's best dev F1"]
    assert (row["ours"], row["ratio"], row["met"]) == (None, None, False)
    assert row["settings"]["seconds_by_job"] == {"ours-seed1": None}
    assert row["note"].startswith("ours never got there; without ours-quick-seed1, ")
    assert rows(found)["time to the peer's best dev F1, grouped"]["met"] is None
    json.dumps(row, allow_nan=False)


def test_rows_whose_trainings_are_not_done_say_so():
    for row in quality_rows({}):
        assert row["note"] == "not measured: make bench-quality"
        assert row["ratio"] is None
    assert rows(records(ours_seed1=[(20.0, 0.7)]))["dev F1, mean of seeds"]["met"] is None


def test_spacy_is_passed_where_it_ends_not_where_it_was_best():
    found = records(spacy=[(50.0, 0.75), (280.0, 0.7)], ours_seed1=[(30.0, 0.72)])
    row = rows(found)["time to spaCy's dev F1 at its end"]
    assert (row["ours"], row["peer"], row["met"]) == (30.0, 280.0, True)
    assert row["ratio"] == pytest.approx(280 / 30)


def test_dev_f1_is_a_mean_with_its_spread():
    found = records(
        ours_seed1=[(1.0, 0.80)], ours_seed2=[(1.0, 0.84)], ours_seed3=[(1.0, 0.70)], peer_seed1=[(1.0, 0.79)]
    )
    row = rows(found)["dev F1, mean of seeds"]
    assert row["ours"] == pytest.approx(0.78)
    assert row["met"] is False
    assert row["runs"]["ours"] == [0.80, 0.84, 0.70]
    spread = row["settings"]["standard_deviation"]
    assert spread["ours"] == pytest.approx(0.0721, abs=1e-4)
    assert spread["Trainer + PEFT, query+value r16"] is None
    assert row["note"] == "without peer-seed2, peer-seed3 (make bench-quality)"


def test_peak_memory_is_compared_for_each_recipe():
    found = {
        "ours-seed1": record("ours-seed1", (1.0, 0.8), peak_bytes=2**30),
        "peer-seed1": record("peer-seed1", (1.0, 0.8), peak_bytes=3 * 2**30),
        "ours-query-value": record("ours-query-value", (1.0, 0.8), peak_bytes=2 * 2**30),
    }
    made = rows(found)
    assert made["peak memory, whole training, ours"]["ours"] == 1024
    assert made["peak memory, whole training, ours"]["met"] is True
    assert made["peak memory, whole training, ours, query+value r16"]["ratio"] == 1.5
