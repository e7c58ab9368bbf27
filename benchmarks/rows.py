"""A row of the results: ours against a peer, how many times better ours is, and whether that meets the goal.

row = make_row("train", "text pieces/s", ours=[8_100, 8_000, 8_050], peer_name="Trainer", peer=[980, 990, 970],
               goal=8, settings={...})
row["ratio"], row["met"]
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

Row = dict[str, Any]
T = TypeVar("T")
NUM_RUNS = 3
MORE_IS_BETTER = "more"
LESS_IS_BETTER = "less"


def make_row(
    name: str,
    unit: str,
    *,
    ours: Sequence[float],
    peer_name: str | None,
    peer: Sequence[float],
    goal: float | None,
    settings: Mapping[str, Any],
    better: str = MORE_IS_BETTER,
    note: str | None = None,
) -> Row:
    """{name, unit, ours, peer_name, peer, ratio, goal, met, settings, runs}, and `note` where there is one.

    Args:
        ours, peer: one value per run; the row's are their medians. Empty: not measured, so null.
        better: "more" for rates, "less" for seconds and bytes.
        goal: the ratio that ours should reach; None where there is none.
    """
    middle_ours, middle_peer = _median(ours), _median(peer)
    ratio = times_better(middle_ours, middle_peer, better=better)
    row: Row = {
        "name": name,
        "unit": unit,
        "ours": middle_ours,
        "peer_name": peer_name,
        "peer": middle_peer,
        "ratio": ratio,
        "goal": goal,
        "met": is_met(ratio, goal),
        "settings": dict(settings),
        "runs": {"ours": list(ours), "peer": list(peer)},
    }
    return row | {"note": note} if note else row


def not_measured(name: str, unit: str, *, peer_name: str, goal: float | None, why: str) -> Row:
    """A row without numbers."""
    return make_row(
        name, unit, ours=(), peer_name=peer_name, peer=(), goal=goal, settings={}, note=f"not measured: {why}"
    )


def times_better(ours: float | None, peer: float | None, *, better: str) -> float | None:
    """ours / peer where more is better, peer / ours where less is; None where either is lacking.

    Raises:
        ValueError: `better` is neither "more" nor "less", a value is below 0, or the one to divide by is 0.
    """
    if better not in (MORE_IS_BETTER, LESS_IS_BETTER):
        raise ValueError(f"better={better!r} is neither {MORE_IS_BETTER!r} nor {LESS_IS_BETTER!r}")
    if ours is None or peer is None:
        return None
    above, below = (ours, peer) if better == MORE_IS_BETTER else (peer, ours)
    if above < 0 or below <= 0:
        raise ValueError(f"{ours} against {peer}: no ratio")
    return above / below


def is_met(ratio: float | None, goal: float | None) -> bool | None:
    """Whether the ratio reaches the goal; None where there is no goal, or nothing was measured."""
    return None if ratio is None or goal is None else ratio >= goal


def interleaved(
    folder: Path, measurements: Mapping[str, Callable[[Path], T]], *, num_runs: int = NUM_RUNS
) -> dict[str, list[T]]:
    """Each measurement's results, taken in turns (a, b, a, b, ...), so that a machine's bad minute hits all alike.

    Args:
        folder: below it each run gets a new folder of its own.
        measurements: name -> what is done with such a folder.
    """
    results: dict[str, list[T]] = {name: [] for name in measurements}
    for number in range(num_runs):
        for place, (name, measure) in enumerate(measurements.items()):
            own = folder / f"{place}-{number}"
            own.mkdir(parents=True)
            results[name].append(measure(own))
    return results


def _median(values: Sequence[float]) -> float | None:
    return statistics.median(values) if values else None
