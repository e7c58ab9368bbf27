"""Facts on code and machine: right where they can be had, None where not, never an error."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from openmed.tracking import git_commit, hardware, versions


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "commit.gpgsign=false"]
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q")
    (tmp_path / "code.py").write_text("x = 1\n")
    git(tmp_path, "add", "code.py")
    git(tmp_path, "commit", "-q", "-m", "first")
    return tmp_path


def test_the_commit_is_dirty_exactly_when_a_tracked_file_differs(repository: Path) -> None:
    head = git(repository, "rev-parse", "HEAD")
    (repository / "notes.txt").write_text("untracked")
    assert git_commit(repository) == head
    (repository / "code.py").write_text("x = 2\n")
    assert git_commit(repository) == f"{head}-dirty"


def test_a_folder_that_the_repository_does_not_hold_has_no_commit(repository: Path) -> None:
    (repository / ".venv").mkdir()
    assert git_commit(repository / ".venv") is None


def test_no_repository_no_git_or_a_slow_one_is_no_commit(
    repository: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert git_commit(tmp_path_factory.mktemp("plain")) is None
    assert git_commit(repository / "missing") is None
    tools = tmp_path_factory.mktemp("tools")
    (tools / "git").write_text("#!/bin/sh\nexec sleep 5\n")
    (tools / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}/usr/bin{os.pathsep}/bin")
    assert git_commit(repository, timeout_seconds=0.2) is None
    monkeypatch.setenv("PATH", str(repository))
    assert git_commit(repository) is None


def test_versions_and_hardware_are_json_and_plausible() -> None:
    facts = json.loads(json.dumps({"versions": versions(), "hardware": hardware()}))
    assert facts["versions"]["python"] == ".".join(map(str, sys.version_info[:3]))
    assert set(facts["versions"]) == {"python", "torch", "transformers", "peft", "lightning", "openmed-ner"}
    assert facts["hardware"]["num_cores"] >= 1
    assert facts["hardware"]["cpu"]
    assert facts["hardware"]["num_gpus"] >= 0
