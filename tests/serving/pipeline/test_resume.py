"""A job that is broken off goes on with nothing lost or doubled, and nothing is done again that was done."""

from __future__ import annotations

import os
import signal

import pytest
from tests.serving.jobs import results
from tests.serving.pipelines import Killed, found

from openmed.errors import ConfigError
from openmed.writers import atomic

pytest.importorskip("datatrove", reason="datatrove (extra: text) is not installed")


from openmed.serving.pipeline import steps


def test_a_job_killed_at_any_write_goes_on_with_nothing_lost_or_doubled(job, predicted, tmp_path, monkeypatch):
    left = 0
    move = atomic._move

    def killing(*arguments):
        """Killed just before or just after."""
        nonlocal left
        for step in (lambda: None, lambda: move(*arguments)):
            step()
            left -= 1
            if left == 0:
                raise Killed

    monkeypatch.setattr(atomic, "_move", killing)
    num_killed = 0
    for at in range(1, 100):
        left = at
        one = job(out=tmp_path / f"out{at}", tasks=2)
        try:
            one.run()
        except Killed:
            num_killed += 1
        else:
            break
        left = -1
        assert one.run().documents == 12
        assert found(one.out) == predicted, at
    assert num_killed >= 12  # settings, inputs and four results


def test_what_is_done_is_not_done_again(job, monkeypatch):
    ranks = []
    run = steps.ReadInputs.run

    def noting(self, data=None, rank=0, world_size=1):
        ranks.append(rank)
        if rank == 2 and len(ranks) == 3:
            raise Killed
        return run(self, data, rank, world_size)

    monkeypatch.setattr(steps.ReadInputs, "run", noting)
    with pytest.raises(Killed):
        job().run()
    assert job().run().tasks_done == 4
    job().run()
    assert ranks == [0, 1, 2, 2, 3]


@pytest.mark.slow
def test_a_worker_that_is_killed_is_told_of_and_its_task_is_done_anew(job, predicted, tmp_path, monkeypatch):
    class Dying(steps.WriteResults):
        def run(self, data, rank=0, world_size=1):
            def until_killed():
                for number, document in enumerate(data):
                    if rank == 1 and number == 5:
                        os.kill(os.getpid(), signal.SIGKILL)
                    yield document

            super().run(until_killed(), rank, world_size)

    with monkeypatch.context() as patch:
        patch.setattr(steps, "WriteResults", Dying)
        with pytest.raises(ConfigError, match="a worker was killed by SIGKILL"):
            job(tasks=2).run(workers=2)
    assert "d.jsonl" not in results(tmp_path / "out")  # the third of its documents was on its way
    assert job(tasks=2).run(workers=2).documents == 12
    assert found(tmp_path / "out") == predicted
