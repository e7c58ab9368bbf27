"""What a run was made with: package versions, the code's commit, the machine. Goes into result.json and the W&B
config.

Nothing heavy is imported for it: versions come from package metadata, the GPU only from a torch that is already
there.

    facts = {"versions": versions(), "git_commit": git_commit(folder), "hardware": hardware()}
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = ("torch", "transformers", "peft", "lightning", "openmed-ner")


def versions() -> dict[str, str | None]:
    """Version of Python and of each package in `PACKAGES`; None for one that is not installed."""
    return {"python": platform.python_version()} | {package: _version(package) for package in PACKAGES}


def git_commit(path: str | os.PathLike[str], *, timeout_seconds: float = 5.0) -> str | None:
    """The full hash of the commit that holds the folder `path`, with `-dirty` when tracked files differ from it.

    None where git, a repository or a commit is missing, git is too slow, or `path` holds no file of the repository
    (a virtual environment inside a checkout says nothing on the checkout's commit).
    """
    head = _git(path, timeout_seconds, "rev-parse", "--verify", "HEAD")
    if not head or not _git(path, timeout_seconds, "ls-files", "--", "."):
        return None
    changes = _git(path, timeout_seconds, "status", "--porcelain", "--untracked-files=no")
    if changes is None:
        return None
    return f"{head}-dirty" if changes else head


def hardware() -> dict[str, Any]:
    """CPU model, cores this process may use, memory in GiB, and the GPUs when torch is loaded and sees any."""
    gpu, num_gpus = _gpu()
    return {
        "cpu": _cpu_model(),
        "num_cores": _num_cores(),
        "memory_gib": _memory_gib(),
        "gpu": gpu,
        "num_gpus": num_gpus,
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _git(path: str | os.PathLike[str], timeout_seconds: float, *arguments: str) -> str | None:
    environment = os.environ | {"GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    try:
        done = subprocess.run(
            ["git", "-C", os.fspath(path), *arguments],
            capture_output=True,
            text=True,
            timeout=timeout_seconds,
            env=environment,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _cpu_model() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _num_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory_gib() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (AttributeError, OSError, ValueError):
        return None


def _gpu() -> tuple[str | None, int]:
    torch = sys.modules.get("torch")
    try:
        if torch is None or not torch.cuda.is_available():
            return None, 0
        return torch.cuda.get_device_name(), torch.cuda.device_count()
    except Exception:  # a driver at odds with torch must not end a training over a log entry
        return None, 0
