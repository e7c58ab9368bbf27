"""What is asked of a record that is kept of a cell."""

from __future__ import annotations

import pytest

from openmed.reproduce.outcome import fault


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_that_is_none_is_a_fault(number):
    """JSON as Python writes it has both."""
    record = {
        "kind": "dapt",
        "key": "1",
        "train": {"seconds": 1.0, "tokens": 10},
        "counts": {"train": {"tokens": 10}},
        "dev": {"perplexity": 2.0, "accuracy": 0.5},
        "params": {"trainable_percent": 1.0},
    }
    assert fault(record) is None
    record["dev"]["perplexity"] = number
    assert fault(record) == "has no number dev.perplexity"
