"""Tagging in datatrove's pipelines gives the results of `openmed predict`, whoever runs the tasks."""

from __future__ import annotations

import gzip
import json
import os
import pickle
import sys
from pathlib import Path

import pytest
import torch
from tests.serving.jobs import SENTENCE
from tests.serving.pipelines import entities, found
from tests.serving.test_inputs import MEDLINE

import openmed
from openmed.predicting import Selection, blocks
from openmed.serving import expand_inputs, run_job

pytest.importorskip("datatrove", reason="datatrove (extra: text) is not installed")

from datatrove.data import Document
from datatrove.executor import LocalPipelineExecutor, SlurmPipelineExecutor

from openmed.serving.pipeline import steps


@pytest.mark.parametrize("tasks", [None, 3, 1])
def test_the_results_are_those_of_predict(job, predicted, tmp_path, tasks):
    summary = job(tasks=tasks).run()
    assert found(tmp_path / "out") == predicted
    assert (summary.tasks, summary.tasks_done, summary.documents, summary.failed) == (tasks or 4, tasks or 4, 12, 0)
    assert summary.entities == sum(len(line["entities"]) for lines in predicted.values() for line in lines) > 0


def test_pubmed_groups_and_a_table_without_rows_as_predict_has_them(job, tagger, inputs, tmp_path):
    twice = MEDLINE.replace('"1">8<', '"2">7<')
    (inputs / "pubmed.xml.gz").write_bytes(gzip.compress(twice.encode()))
    (inputs / "group.jsonl").write_text(json.dumps({"id": "1", "group": "g", "text": SENTENCE}))
    (inputs / "none.csv").write_text("id,text\n")
    predicted = run_job(tagger, expand_inputs([inputs]), tmp_path / "predicted")
    summary = job().run()
    assert found(tmp_path / "out") == found(tmp_path / "predicted")
    assert {"pubmed.jsonl", "none.jsonl"} <= found(tmp_path / "out").keys()
    assert found(tmp_path / "out")["group.jsonl"][0]["group"] == "g"
    assert summary.losses["older_version"] == 1
    assert (summary.documents, summary.entities) == (predicted.documents, predicted.entities)


@pytest.mark.slow
def test_two_workers_make_the_same_results_with_half_of_the_threads_each(job, predicted, tmp_path, monkeypatch):
    class Telling(steps.TagDocuments):
        """Of this function, so that it travels to the workers as it stands here."""

        def run(self, data, rank=0, world_size=1):
            for document in super().run(data, rank, world_size):
                (tmp_path / f"threads-{os.getpid()}").write_text(
                    f"{torch.get_num_threads()} {os.environ['RAYON_NUM_THREADS']}"
                )
                yield document

    monkeypatch.setattr(steps, "TagDocuments", Telling)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 6)
    job().run(workers=2)
    assert found(tmp_path / "out") == predicted
    told = [path.read_text() for path in tmp_path.glob("threads-*")]
    assert len(told) >= 2
    assert set(told) == {"3 3"}


def test_the_executors_of_datatrove_take_a_job_as_it_is(job, predicted, tmp_path):
    LocalPipelineExecutor(**job().begin(), workers=1).run()
    assert found(tmp_path / "out") == predicted
    assert job().summary().tasks_done == 4


@pytest.mark.slow
def test_slurm_runs_it(job, predicted, tmp_path, monkeypatch):
    """With an sbatch that runs each task of the array at once, in a process of its own."""
    monkeypatch.chdir(tmp_path)
    commands = tmp_path / "bin"
    commands.mkdir()
    (commands / "sbatch").write_text(
        "#!/bin/bash\nfor script; do :; done\n"
        'if grep -q launch_pickled_pipeline "$script"; then\n'
        '  for task in $(seq $(sed -n "s/^#SBATCH --array=//p" "$script" | tr - " ")); do\n'
        '    SLURM_ARRAY_TASK_ID=$task SLURM_NODELIST=here bash "$script" >> sbatch.log 2>&1 || exit 1\n'
        "  done\nfi\necho Submitted batch job 7\n"
    )
    (commands / "scontrol").write_text("#!/bin/bash\necho here\n")
    for command in commands.iterdir():
        command.chmod(0o755)
    monkeypatch.setenv("PATH", os.pathsep.join([str(commands), str(Path(sys.executable).parent), os.environ["PATH"]]))
    begun = job(tasks=2).begin(threads=1)
    slurm = {"time": "01:00:00", "partition": "cpu", "tasks_per_job": 2, "with_srun": False}
    SlurmPipelineExecutor(**begun, **slurm).run()
    assert job(tasks=2).summary().tasks_done == 2, (tmp_path / "sbatch.log").read_text()
    assert found(tmp_path / "out") == predicted


@pytest.mark.slow
def test_ray_makes_the_same_results(job, predicted, tmp_path):
    """Two workers of a cluster that is this machine alone."""
    ray = pytest.importorskip("ray", reason='ray is not installed (pip install "datatrove[ray]")')
    from datatrove.executor import RayPipelineExecutor

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        RayPipelineExecutor(**job(tasks=2).begin(), workers=2, mem_per_cpu_gb=1).run()
    finally:
        ray.shutdown()
    assert job(tasks=2).summary().tasks_done == 2
    assert found(tmp_path / "out") == predicted


def test_a_model_is_loaded_once_for_all_tasks_of_a_process_and_not_before(job, monkeypatch):
    loaded = []

    def counting(models, **settings):
        loaded.append(models)
        return openmed.load(models, **settings)

    monkeypatch.setattr(steps, "load", counting)
    steps._tagger.cache_clear()
    begun = job().begin()
    assert loaded == []
    LocalPipelineExecutor(**begun, workers=1).run()
    assert len(loaded) == 1


def test_steps_travel_without_the_model_also_when_they_were_used(model_folder, tagger):
    step = steps.TagDocuments([str(model_folder)], dtype="float32")
    texts = [SENTENCE.format(n) for n in range(3)]

    def run(step) -> list:
        documents = [Document(text=text, id=str(n)) for n, text in enumerate(texts)]
        return [document.metadata["entities"] for document in step(documents)]

    first = run(step)
    sent = pickle.dumps(step)
    assert len(sent) < 5_000
    assert run(pickle.loads(sent)) == first == [entities(tagger, text) for text in texts]


def test_a_step_holds_no_more_than_a_block(model_folder, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_CHARACTERS", 2 * len(SENTENCE) + 1)
    taken = []

    def documents():
        for number in range(100):
            taken.append(number)
            yield Document(text=SENTENCE, id=str(number))

    assert next(steps.TagDocuments([str(model_folder)])(documents())).id == "0"
    assert taken == [0, 1, 2]


def test_a_selection_is_made_and_counted(job, inputs, tmp_path):
    everything = job().run()
    chosen = job(out=tmp_path / "chosen", selection=Selection(threshold=0.5)).run()
    assert chosen.dropped == {"below_threshold": everything.entities - chosen.entities}
    assert chosen.dropped["below_threshold"] > 0
