"""What is shipped: metadata, the tested set of versions, the wheel, the sdist, and no trace of anyone's machine.

python -m pytest tests/test_packaging.py -m ''
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from email.parser import Parser
from importlib import metadata
from pathlib import Path, PurePosixPath

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
NAME = "openmed-ner"

MACHINE_PATHS = re.compile(
    r"/(?:home|Users)/(?!you\b|me\b|user\b|alice\b)[a-z][\w.-]*/"  # somebody's home, placeholders aside
    r"|[A-Z]:\\Users\\(?!you\b|me\b|user\b|alice\b)\w"
    r"|/roo[t]/|/wor[k]/(?:main|shared)\b|/op[t]/(?:wheels|pypi)\b|/tm[p]/(?:bash_jobs|pytest-of)"
)


def _constraints() -> dict[str, Requirement]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    requirements = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(requirement.name): requirement for requirement in requirements}


def _declared() -> Iterator[Requirement]:
    extras = PROJECT["optional-dependencies"].values()
    for text in [*PROJECT["dependencies"], *(text for extra in extras for text in extra)]:
        requirement = Requirement(text)
        if requirement.name != NAME:  # an extra that includes another
            yield requirement


# ---- quick: what is written down


def test_installed_metadata_is_what_pyproject_says() -> None:
    distribution = metadata.distribution(NAME)
    assert distribution.version == PROJECT["version"]
    assert set(distribution.metadata.get_all("Provides-Extra") or ()) == set(PROJECT["optional-dependencies"])
    scripts = {entry.name: entry.value for entry in distribution.entry_points if entry.group == "console_scripts"}
    assert scripts == {"openmed": "openmed.cli:main"}


@pytest.mark.parametrize("requirement", list(_declared()), ids=str)
def test_the_tested_set_meets_every_declared_bound(requirement: Requirement) -> None:
    pins = _constraints()
    assert canonicalize_name(requirement.name) in pins, f"{requirement.name} is missing from constraints.txt"
    (pin,) = pins[canonicalize_name(requirement.name)].specifier
    assert requirement.specifier.contains(pin.version), (
        f"constraints.txt pins {pin.version}, pyproject says {requirement}"
    )


def test_constraints_are_exact_and_installable_anywhere() -> None:
    for name, requirement in _constraints().items():
        (pin,) = requirement.specifier
        assert pin.operator == "==", f"{name} is not pinned"
        assert Version(pin.version).local is None, f"{name}: a local build cannot be had from the registry"
        assert requirement.url is None
    assert Version(next(iter(_constraints()["xxhash"].specifier)).version) < Version("4")  # datatrove 0.10 breaks on 4


def test_no_tracked_file_names_a_path_of_a_machine() -> None:
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    names = [name for name in listing.stdout.split("\0") if name]
    if listing.returncode != 0 or not names:
        pytest.skip("not a git checkout, or nothing tracked yet")
    found = []
    for name in names:
        data = (ROOT / name).read_bytes() if (ROOT / name).is_file() else b""
        if b"\0" in data:  # binary
            continue
        for number, line in enumerate(data.decode("utf-8", errors="replace").splitlines(), start=1):
            if match := MACHINE_PATHS.search(line):
                found.append(f"{name}:{number}: {match.group()}")
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("line", "is_machine"),
    [
        ("see /home/" + "jane/src", True),
        ("cache in /ro" + "ot/.cache", True),
        ("data at /wo" + "rk/shared/corpora", True),
        ("weights in /home/you/models", False),
        ("OPENMED_DATA=../shared/corpora", False),
        ("https://example.org/home/page", False),
    ],
)
def test_machine_paths_are_told_from_others(line: str, is_machine: bool) -> None:
    assert bool(MACHINE_PATHS.search(line)) is is_machine


# ---- slow: what is built


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and the wheel built from that sdist (so the sdist is known to suffice)."""
    pytest.importorskip("build")
    pytest.importorskip("hatchling")
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


@pytest.fixture(scope="module")
def wheel(built: Path) -> zipfile.ZipFile:
    (path,) = built.glob("*.whl")
    return zipfile.ZipFile(path)


def _sources(folder: str) -> set[str]:
    """Files under ROOT/folder that should be shipped, relative to it."""
    paths = (path for path in (ROOT / folder).rglob("*") if path.is_file())
    return {path.relative_to(ROOT / folder).as_posix() for path in paths if "__pycache__" not in path.parts}


@pytest.mark.slow
def test_wheel_carries_the_package_its_configs_and_its_assets(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    assert "openmed/py.typed" in names
    assert {f"openmed/{name}" for name in _sources("src/openmed")} <= names
    assert {f"openmed/conf/{name}" for name in _sources("conf")} <= names
    assert any(name.startswith("openmed/assets/") for name in names)
    tops = {PurePosixPath(name).parts[0] for name in names}
    assert tops <= {"openmed", "hydra_plugins", f"openmed_ner-{PROJECT['version']}.dist-info"}


@pytest.mark.slow
def test_wheel_metadata(wheel: zipfile.ZipFile) -> None:
    info = f"openmed_ner-{PROJECT['version']}.dist-info"
    head = Parser().parsestr(wheel.read(f"{info}/METADATA").decode())
    assert (head["Name"], head["Version"]) == (NAME, PROJECT["version"])
    assert head["License-Expression"] == "Apache-2.0"
    assert set((head["Requires-Python"] or "").split(",")) == {">=3.11", "<3.14"}
    assert {"demo", "dev"} <= set(head.get_all("Provides-Extra") or ())
    assert f"{info}/licenses/LICENSE" in wheel.namelist()


@pytest.mark.slow
def test_sdist_holds_the_sources_and_nothing_a_run_left_behind(built: Path) -> None:
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {PurePosixPath(name).relative_to(f"openmed_ner-{PROJECT['version']}") for name in archive.getnames()}
    tops = {name.parts[0] for name in names if name.parts}
    assert {"src", "conf", "tests", "pyproject.toml", "constraints.txt", "LICENSE", "README.md", "PKG-INFO"} <= tops
    assert not tops & {"outputs", "multirun", "wandb", "lightning_logs", ".venv", ".git", "dist", "build"}
    assert not {name for name in names if name.suffix in {".ckpt", ".pyc"}}


@pytest.mark.slow
def test_installed_wheel_finds_its_configs_far_from_the_repository(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    site, elsewhere = tmp_path / "site", tmp_path / "elsewhere"
    elsewhere.mkdir()
    wheel.extractall(site)
    code = "import openmed, sys; print(openmed.__file__, file=sys.stderr); from openmed.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "corpora", "list", "--json"],
        cwd=elsewhere,
        env={**os.environ, "PYTHONPATH": str(site)},  # ahead of the editable install
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert str(site) in done.stderr
    assert "demo" in done.stdout
    assert "ncbi" in done.stdout
