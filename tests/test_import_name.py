"""The unrelated PyPI package `openmed` has our import name: it is noticed and named."""

from __future__ import annotations

import importlib
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

import openmed

ROOT = Path(__file__).parents[1]


def pretend_installed(folder: Path, name: str) -> None:
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")


def test_the_other_package_beside_ours_is_warned_of(tmp_path, monkeypatch):
    pretend_installed(tmp_path, "openmed")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.warns(UserWarning, match="pip uninstall openmed"):
        importlib.reload(openmed)


def test_without_it_there_is_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        importlib.reload(openmed)


def test_the_other_package_in_our_place_is_named(tmp_path):
    (tmp_path / "openmed").mkdir()
    (tmp_path / "openmed" / "__init__.py").touch()
    (tmp_path / "train.py").write_text((ROOT / "train.py").read_text())
    done = subprocess.run(
        [sys.executable, str(tmp_path / "train.py")], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 1
    assert "pip uninstall openmed" in done.stderr
    assert "Traceback" not in done.stderr
