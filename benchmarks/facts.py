"""What results were measured on: machine, versions (the peers' too), threads, commit.

facts = machine_facts()
"""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks.process import in_ready_process
from openmed.tracking.environment import git_commit, hardware, versions

OTHERS = ("accelerate", "datasets", "spacy", "onnxruntime")
"""Beside those that a training names: of the peers, and of the exports."""


def machine_facts() -> dict[str, Any]:
    """{hardware, versions, threads, git_commit}."""
    return {
        "hardware": hardware(),
        "versions": versions() | {package: metadata.version(package) for package in OTHERS},
        "threads": in_ready_process(_num_threads),
        "git_commit": git_commit(Path(__file__).parent),
    }


def _num_threads() -> int:
    import torch

    return torch.get_num_threads()
