"""Names, ids, and whether a run is online: without W&B, from the environment and files alone."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from openmed.errors import ConfigError
from openmed.tracking import artefact_name, find_run_id, has_api_key, resolve_mode, run_name, summary_metrics

KEY = "0" * 40


@pytest.mark.parametrize(
    ("lora", "lr", "expected"),
    [
        (16, 1e-3, "ncbi-minilm-r16-lr1e-3-s1"),
        (8, 2.5e-5, "ncbi-minilm-r8-lr2.5e-5-s1"),
        (None, 2e-4, "ncbi-minilm-full-lr2e-4-s1"),
        ("none", 0.002, "ncbi-minilm-full-lr2e-3-s1"),
        (0, 0.1, "ncbi-minilm-full-lr1e-1-s1"),
        ("paper", 1.0, "ncbi-minilm-paper-lr1e0-s1"),
        (16, 12.0, "ncbi-minilm-r16-lr1.2e1-s1"),
        (16, 0.0, "ncbi-minilm-r16-lr0-s1"),
    ],
)
def test_run_names(lora: int | str | None, lr: float, expected: str) -> None:
    assert run_name(dataset="ncbi", backbone="minilm", lora=lora, lr=lr, seed=1) == expected


def test_run_names_have_no_slashes_or_spaces() -> None:
    name = run_name(dataset="my corpus", backbone="org/model", lora=4, lr=1e-3, seed=2, extra=["dapt", ""])
    assert name == "my_corpus-org_model-r4-lr1e-3-dapt-s2"
    assert artefact_name("ab/c d") == "model-ab-c-d"


def environ(tmp_path: Path, **more: str) -> dict[str, str]:
    return {"WANDB_CONFIG_DIR": str(tmp_path), "NETRC": str(tmp_path / "netrc")} | more


def test_without_a_key_auto_is_offline(tmp_path: Path) -> None:
    assert resolve_mode("auto", environ=environ(tmp_path)) == "offline"


def test_with_a_key_auto_is_online(tmp_path: Path) -> None:
    assert resolve_mode("auto", environ=environ(tmp_path, WANDB_API_KEY=KEY)) == "online"


@pytest.mark.parametrize(
    ("told", "mode"), [("offline", "offline"), ("dryrun", "offline"), ("disabled", "disabled"), ("what", "online")]
)
def test_auto_heeds_wandb_mode(tmp_path: Path, told: str, mode: str) -> None:
    told_and_key = environ(tmp_path, WANDB_MODE=told, WANDB_API_KEY=KEY)
    assert resolve_mode("auto", environ=told_and_key) == mode
    assert resolve_mode("online", environ=told_and_key) == "online"


def test_online_without_a_key_is_offline_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert resolve_mode("online", environ=environ(tmp_path, WANDB_MODE="online")) == "offline"
    assert "wandb login" in caplog.text


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"'on'.*auto, online, offline, disabled"):
        resolve_mode("on")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("machine", "url", "found"),
    [
        ("api.wandb.ai", "", True),
        ("api.wandb.ai", "https://wandb.example.org", False),
        ("wandb.example.org", "https://wandb.example.org", True),
        ("wandb.example.org", "", False),
    ],
)
def test_the_key_in_netrc_must_be_for_the_server(tmp_path: Path, machine: str, url: str, found: bool) -> None:
    (tmp_path / "netrc").write_text(f"machine {machine}\n  login user\n  password {KEY}\n")
    assert has_api_key(environ=environ(tmp_path, WANDB_BASE_URL=url)) is found


def test_settings_files_tell_mode_and_server(tmp_path: Path) -> None:
    (tmp_path / "settings").write_text("[default]\nbase_url = https://wandb.example.org\nmode = disabled\n")
    (tmp_path / "netrc").write_text(f"machine wandb.example.org login user password {KEY}\n")
    assert has_api_key(environ=environ(tmp_path))
    assert resolve_mode("auto", environ=environ(tmp_path)) == "disabled"


@pytest.mark.parametrize("broken", ["machine", "machine a password\x00 \xff", ""])
def test_broken_files_are_no_key(tmp_path: Path, broken: str) -> None:
    (tmp_path / "netrc").write_text(broken, encoding="latin-1")
    (tmp_path / "settings").write_text(broken, encoding="latin-1")
    assert not has_api_key(environ=environ(tmp_path))


def test_the_latest_run_of_a_folder_is_found(tmp_path: Path) -> None:
    assert find_run_id(tmp_path) is None
    for name, run_id in [("offline-run-20260101_000000-old", "old"), ("run-20260102_000000-new-1", "new")]:
        (tmp_path / "wandb" / name).mkdir(parents=True)
        (tmp_path / "wandb" / name / f"run-{run_id}.wandb").touch()
    assert find_run_id(tmp_path) == "new"


def test_the_summary_has_numbers_only() -> None:
    result = {"status": "done", "dev": {"f1": 0.5, "note": "x", "ok": True}, "test": None, "train": {"steps": 3}}
    assert summary_metrics(result) == {"dev/f1": 0.5, "train/steps": 3}


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = "import sys, openmed.tracking as t; t.versions(); t.hardware(); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"wandb", "lightning", "torch", "hydra", "omegaconf", "transformers"} & set(loaded)
