"""The score of a masked language model: sums that add up, exact over many pieces, on devices without float64 too."""

from __future__ import annotations

import pickle

import pytest
import torch
from torch.nn.functional import cross_entropy
from torch.utils._python_dispatch import TorchDispatchMode

from openmed.metrics.masked_lm import MaskedLMScore

NUM_PIECES, SIZE = 600, 40


@pytest.fixture
def batches() -> list[tuple[torch.Tensor, torch.Tensor]]:
    rng = torch.Generator().manual_seed(1)
    return [
        (torch.randn(NUM_PIECES, SIZE, generator=rng) * 3, torch.randint(SIZE, (NUM_PIECES,), generator=rng))
        for _ in range(5)
    ]


def scored(batches) -> MaskedLMScore:
    score = MaskedLMScore()
    for logits, labels in batches:
        score.update(logits, labels)
    return score


class NoFloat64(TorchDispatchMode):
    """A device that has no float64."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor) and result.dtype == torch.float64:
            raise TypeError("no float64 here")
        return result


def test_it_is_that_of_all_pieces_at_once(batches):
    logits, labels = (torch.cat(parts) for parts in zip(*batches, strict=True))
    loss = cross_entropy(logits.double(), labels)
    found = scored(batches).compute()
    assert found["loss"].item() == pytest.approx(loss.item(), rel=1e-6)
    assert found["perplexity"].item() == pytest.approx(loss.exp().item(), rel=1e-5)
    assert found["accuracy"].item() == pytest.approx((logits.argmax(-1) == labels).double().mean().item(), abs=1e-12)
    assert found["masked"].item() == len(labels)


def test_states_of_processes_add_up(batches):
    whole, parts = scored(batches), [scored(batches[:2]), scored(batches[2:])]
    merged = MaskedLMScore()
    merged.update(*batches[0])
    for name in merged.metric_state:
        setattr(merged, name, sum(getattr(part, name) for part in parts))
    for name, value in whole.compute().items():
        assert merged.compute()[name].item() == pytest.approx(value.item(), rel=1e-6)


def test_the_sum_of_a_hundred_million_losses_is_exact():
    """In plain float32 it is not."""
    score, num_batches = MaskedLMScore(), 5_000
    logits, labels = torch.tensor([[240_001.1, 0.0]]), torch.tensor([1])  # what 20,000 pieces lose at 12 nats each
    of_batch = cross_entropy(logits, labels, reduction="sum")
    plain = torch.zeros(())
    for _ in range(num_batches):
        score.update(logits, labels)
        plain += of_batch
    assert score.compute()["loss"].item() == pytest.approx(of_batch.item(), rel=1e-9)
    assert plain.item() != pytest.approx(num_batches * of_batch.item(), rel=1e-6)


def test_a_device_without_float64_will_do(batches):
    with NoFloat64():
        score = scored(batches)
        score.reset()
        score.update(*batches[0])
    assert all(state.dtype != torch.float64 for state in score.metric_state.values())
    assert score.compute()["masked"].item() == NUM_PIECES


def test_a_loss_that_is_no_number_stays_none(batches):
    logits, labels = batches[0]
    score = scored([*batches, (logits * float("nan"), labels), *batches])
    assert score.compute()["loss"].isnan()


def test_it_is_copied_with_what_it_holds(batches):
    score = scored(batches)
    assert pickle.loads(pickle.dumps(score)).compute() == score.compute()
