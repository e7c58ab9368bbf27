"""One benchmark that fails loses no other; a child's failure shows its last words, a success its seconds and memory."""

from __future__ import annotations

import resource
import sys

import benchmarks.__main__ as program
import pytest
from benchmarks.process import ROOT, ChildFailed, run_command, run_ready
from benchmarks.rows import make_row
from benchmarks.sizes import Sizes


def test_a_benchmark_that_fails_loses_no_other(tmp_path, monkeypatch):
    def broken(scratch, sizes):
        raise RuntimeError(f"no such thing in {scratch}")

    def whole(scratch, sizes):
        return [make_row("row", "s", ours=[2.0], peer_name="peer", peer=[1.0], goal=None, settings={})]

    monkeypatch.setattr(program, "BENCHMARKS", {"broken": broken, "whole": whole})
    rows, failures, seconds = program.measure(["broken", "whole"], tmp_path, Sizes.tiny())
    assert [row["name"] for row in rows] == ["row"]
    assert failures == {"broken": "RuntimeError: no such thing in SCRATCH/broken"}
    assert list(seconds) == ["whole"]


def test_a_child_is_timed_and_its_memory_measured(tmp_path):
    """More than this process ever held, which the kernel counts too until the child's program starts."""
    unit = 1 if sys.platform == "darwin" else 1024
    held = 300 * 2**20 + resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    done = run_command(["-c", f"import time; held = bytearray({held}); time.sleep(0.3)"], log=tmp_path / "log")
    assert 0.3 <= done.seconds < 60
    assert held <= done.peak_bytes < held + 100 * 2**20


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells")
def test_the_pages_of_a_mapped_file_are_not_memory_of_its_own(tmp_path):
    mapped, held = tmp_path / "mapped", 80 * 2**20
    mapped.write_bytes(bytes(200 * 2**20))
    program = (
        f"import mmap, time; held = bytearray(b'x') * {held}; file = open({str(mapped)!r}, 'rb'); "
        "pages = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ); sum(pages[::4096]); time.sleep(0.5)"
    )
    done = run_command(["-c", program], log=tmp_path / "log")
    assert done.peak_own_bytes is not None
    assert held <= done.peak_own_bytes < held + 40 * 2**20
    assert done.peak_bytes >= done.peak_own_bytes + 190 * 2**20


def test_a_child_that_fails_shows_what_it_said_last(tmp_path):
    with pytest.raises(ChildFailed, match=r"exited with 3:\nhere is why"):
        run_command(["-c", "print('here is why'); raise SystemExit(3)"], log=tmp_path / "log")


def test_a_ready_process_runs_a_program_as_python_does(tmp_path):
    """Its arguments, its log and its folder; torch is there before it begins."""
    program = tmp_path / "program.py"
    program.write_text(
        "import os, sys\nprint(__name__, sys.argv[1:], os.getcwd(), 'torch' in sys.modules, flush=True)\nos._exit(0)\n",
        encoding="utf-8",
    )
    run_ready([str(program), "--steps", "3"], log=tmp_path / "log")
    assert (tmp_path / "log").read_text() == f"__main__ ['--steps', '3'] {ROOT} True\n"


def test_a_ready_process_runs_a_module_and_tells_its_failure(tmp_path):
    with pytest.raises(ChildFailed, match=r"exited with 2:\n(.|\n)*--text"):
        run_ready(["-m", "benchmarks.peers.mlm", "--rows", "8"], log=tmp_path / "log")
