"""Exact histograms: a `Counter` from value to how many items have it. They add up with `+`, and lose nothing.

summary(Counter({3: 10, 4: 2}))["median"]    # 3
"""

from __future__ import annotations

import math
from collections import Counter

QUANTILES = {"median": 0.5, "p95": 0.95, "p99": 0.99}
STATISTICS = ("min", "median", "mean", "p95", "p99", "max")


def quantile(values: Counter[int], share: float) -> int:
    """The smallest value that at least `share` (0 to 1) of the items do not exceed; always a value that occurs.

    Raises:
        ValueError: no items.
    """
    if not values.total():
        raise ValueError("no items have no quantile")
    # 0.07 * 100 is a little more than 7 in floating point; the seventh item is meant.
    rank = max(1, math.ceil(share * values.total() - 1e-9))
    for value in sorted(values):
        rank -= values[value]
        if rank <= 0:
            return value
    raise AssertionError(f"share {share} is above 1")


def mean(values: Counter[int]) -> float:
    """The items' arithmetic mean.

    Raises:
        ZeroDivisionError: no items.
    """
    return sum(value * count for value, count in values.items()) / values.total()


def summary(values: Counter[int]) -> dict[str, float | None]:
    """Each of `STATISTICS`, in the unit of the values; None where there are no items."""
    if not values.total():
        return dict.fromkeys(STATISTICS)
    found = {"min": min(values), "mean": mean(values), "max": max(values)}
    found |= {name: quantile(values, share) for name, share in QUANTILES.items()}
    return {name: found[name] for name in STATISTICS}
