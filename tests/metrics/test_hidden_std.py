"""The size of hidden states: that of all pieces at once, padding left out, in sums that add up."""

from __future__ import annotations

import pytest
import torch

from openmed.metrics.hidden_std import HiddenStd

SIZE = 8


@pytest.fixture
def batches() -> list[tuple[torch.Tensor, torch.Tensor]]:
    rng = torch.Generator().manual_seed(1)
    shift = torch.arange(SIZE, dtype=torch.float32)  # means that are no part of the size
    return [
        (shift + 3 * torch.randn(4, 10, SIZE, generator=rng), (torch.rand(4, 10, generator=rng) < 0.7).long())
        for _ in range(3)
    ]


def measured(batches) -> HiddenStd:
    std = HiddenStd(SIZE)
    for hidden, mask in batches:
        std.update(hidden, mask)
    return std


def test_it_is_that_of_all_pieces(batches):
    pieces = torch.cat([hidden[mask.bool()] for hidden, mask in batches]).double()
    wanted = pieces.var(0, correction=0).mean().sqrt()
    assert measured(batches).compute().item() == pytest.approx(wanted.item(), rel=1e-5)
    assert 2.5 < wanted < 3.5


def test_padding_counts_for_nothing(batches):
    spoilt = [(hidden.where(mask.bool()[..., None], torch.tensor(1e3)), mask) for hidden, mask in batches]
    assert measured(spoilt).compute() == measured(batches).compute()


def test_states_of_processes_add_up(batches):
    merged, parts = measured(batches[:1]), [measured(batches[:1]), measured(batches[1:])]
    for name in merged.metric_state:
        setattr(merged, name, sum(getattr(part, name) for part in parts))
    assert merged.compute().item() == pytest.approx(measured(batches).compute().item(), rel=1e-6)
