"""A hundred runs of NCBI's size: in seconds, and with no more memory than their counts need."""

from __future__ import annotations

import time
import tracemalloc

import pytest
from tests.analysis.compare.made import documents, write_run, write_sweep

from openmed.analysis.compare import compare_runs

pytestmark = pytest.mark.slow


def test_a_hundred_runs_are_compared_in_seconds(tmp_path):
    """A thousand took 14 s of a processor's time: a hundred may take four times their share."""
    write_sweep(tmp_path, {rank: 0.2 for rank in range(1, 51)}, seeds=(1, 2), gold=documents(100, 9))
    began = time.process_time()
    comparison = compare_runs([tmp_path])
    assert time.process_time() - began < 6
    assert (len(comparison.standings), comparison.num_runs) == (50, 100)


def test_a_run_more_costs_the_memory_of_its_counts(tmp_path):
    gold = documents(100, 9)
    for rank in range(1, 21):
        write_run(tmp_path / f"{rank}", settings={"lora.rank": rank}, gold=gold, splits=("test",))
    held = []
    for number in (2, 20):
        tracemalloc.start()
        comparison = compare_runs([tmp_path / f"{rank}" for rank in range(1, number + 1)], num_resamples=100)
        held.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
        assert comparison.num_runs == number
    assert (held[1] - held[0]) / 18 < 30_000  # a run's predictions are 400 kB
