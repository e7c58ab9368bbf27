"""What results were measured on: machine, versions (the peers' too), threads, commit.

facts = machine_facts()
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks.process import in_ready_process
from openmed.tracking.environment import git_commit, hardware, versions

INSTRUCTIONS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "amx_int8")
"""Of those that decide how fast matrices are multiplied, by the names that Linux gives them."""
OTHERS = ("accelerate", "datasets", "spacy", "onnxruntime")
"""Beside those that a training names: of the peers, and of the exports."""


def machine_facts() -> dict[str, Any]:
    """{hardware (and `instructions`, those of `INSTRUCTIONS` that it has), versions, threads, git_commit}."""
    return {
        "hardware": hardware() | {"instructions": _instructions()},
        "versions": versions() | {package: metadata.version(package) for package in OTHERS},
        "threads": in_ready_process(_num_threads),
        "git_commit": git_commit(Path(__file__).parent),
    }


def same_machine(facts: Mapping[str, Any], others: Mapping[str, Any]) -> bool:
    """Whether both were measured on the same kind of machine. One that names no instructions is no known one."""
    return facts.get("hardware") == others.get("hardware")


def _instructions() -> list[str] | None:
    """None where the system does not tell (Linux does)."""
    cpus = Path("/proc/cpuinfo")
    if not cpus.is_file():
        return None
    flags = next((line for line in cpus.read_text(encoding="utf-8").splitlines() if line.startswith("flags")), "")
    return [name for name in INSTRUCTIONS if name in flags.split()]


def _num_threads() -> int:
    import torch

    return torch.get_num_threads()
