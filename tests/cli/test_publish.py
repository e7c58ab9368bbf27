"""`openmed publish`: the folder, the name, the push; faults in one paragraph."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.backbones import backbone_spec, local_spec
from tests.finished_run import DATASET, write_run
from tests.loopback_hub import TOKEN, loopback_hub

from openmed.networks import LoraSpec

REPO = "me/OpenMed-NER-Test"


@pytest.fixture(scope="module")
def model(tmp_path_factory, bert) -> Path:
    return write_run(tmp_path_factory.mktemp("publish") / "run", local_spec(bert), lora=None)


def test_a_dry_run_writes_the_folder_and_asks_nobody(openmed, model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with loopback_hub() as hub, hub.in_this_process(token=None):
        result = openmed("publish", model, "--repo", REPO, "--dry-run")
        assert hub.requests == []
    assert result.code == 0, result.err
    assert "ready for me/OpenMed-NER-Test; nothing was sent" in result.out
    folder = tmp_path / "published" / "OpenMed-NER-Test"
    assert (folder / "README.md").read_text().startswith("---\n")
    again = openmed("publish", model, "--repo", REPO, "--dry-run")
    assert again.code == 1
    assert "is there already" in again.err


def test_a_push_leaves_no_folder_and_says_where_it_is(openmed, model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with loopback_hub() as hub, hub.in_this_process():
        result = openmed("publish", model, "--repo", REPO, "--private", "--json")
        assert result.code == 0, result.err
        answer = json.loads(result.out)
        assert answer["folder"] is None
        assert answer["pushed"]["url"] == f"{hub.url}/{REPO}"
        assert answer["split"] == "test"
        assert set(answer["files"]) == set(hub.repos[REPO].files) - {".gitattributes"}
        assert hub.repos[REPO].private
        assert TOKEN not in result.out + result.err
    assert list(tmp_path.iterdir()) == []


def test_what_is_published_loads_from_what_the_hub_holds(openmed, model, tmp_path):
    from openmed.predicting import load

    with loopback_hub() as hub, hub.in_this_process():
        assert openmed("publish", model, "--repo", REPO).code == 0
        for name, data in hub.repos[REPO].files.items():
            (tmp_path / name).write_bytes(data)
    text = "Aspirin (100 mg) relieved headache in 12 patients."
    assert load(tmp_path, dtype="float32")(text).spans == load(model, dtype="float32")(text).spans


def test_the_papers_name_is_made_of_corpus_and_backbone(openmed, hub, tmp_path):
    dataset = {**DATASET, "name": "ncbi"}
    model = write_run(tmp_path / "run", backbone_spec("pubmedbert"), lora=LoraSpec(rank=4, alpha=8), dataset=dataset)
    result = openmed(
        "publish", model, "--repo", "me", "--name-scheme", "paper", "--dry-run", "--out", tmp_path / "out", "--json"
    )
    assert result.code == 0, result.err
    assert json.loads(result.out)["repo"] == "me/OpenMed-NER-PathologyDetect-PubMed-109M"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--repo", "NoOwner"), "is no OWNER/NAME"),
        (("--repo", "me/../x"), "is no OWNER/NAME"),
        (("--repo", REPO, "--name-scheme", "paper"), "is no owner"),
        (("--repo", "me", "--name-scheme", "paper"), "has no name for the corpus 'demo'"),
    ],
)
def test_names_that_the_hub_or_the_paper_has_not_are_refused(openmed, model, arguments, told):
    result = openmed("publish", model, *arguments, "--dry-run")
    assert result.code == 1
    assert told in result.err
    assert result.err.startswith("error: ")
    assert result.err.count("\n") == 1


def test_test_scores_that_are_missing_are_told(openmed, tmp_path, bert):
    model = write_run(tmp_path / "run", local_spec(bert), lora=None, test=False)
    result = openmed("publish", model, "--repo", REPO, "--dry-run", "--out", tmp_path / "out")
    assert result.code == 0, result.err
    assert "dev scores only" in result.out


@pytest.mark.slow
def test_a_process_of_its_own_pushes_by_the_environment_alone(model, tmp_path):
    """As a user has it: HF_ENDPOINT and HF_TOKEN."""
    with loopback_hub() as hub:
        done = subprocess.run(
            [Path(sys.executable).parent / "openmed", "publish", model, "--repo", REPO],
            env={**os.environ, **hub.environment()},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert f"{hub.url}/{REPO} (commit " in done.stdout
        assert "model.safetensors" in hub.repos[REPO].files
