"""The learning rate as a function of progress alone, so that a resumed run needs no scheduler state.

factor(0.05, warmup_fraction=0.1, schedule="cosine")    # 0.5
"""

from __future__ import annotations

import math

from openmed.errors import ConfigError, nearest

SCHEDULES = ("cosine", "linear", "constant")


def check_schedule(schedule: str, warmup_fraction: float) -> None:
    """Raises:
    ConfigError: an unknown schedule, or a warm-up outside 0..1.
    """
    if schedule not in SCHEDULES:
        raise ConfigError(f"unknown optim.schedule {schedule!r}", mend=nearest(schedule, SCHEDULES))
    if not 0 <= warmup_fraction < 1:
        raise ConfigError(f"optim.warmup_fraction={warmup_fraction} is outside 0..1", mend="0.1 is usual")


def factor(progress: float, *, warmup_fraction: float, schedule: str) -> float:
    """What the peak learning rate is multiplied by.

    Args:
        progress: share of the training that is done, 0..1.
        warmup_fraction: share of the training over which the rate rises linearly from 0.
        schedule: "cosine" or "linear" down to 0, or "constant".
    """
    progress = min(max(progress, 0.0), 1.0)
    if progress < warmup_fraction:
        return progress / warmup_fraction
    rest = (progress - warmup_fraction) / (1 - warmup_fraction)
    if schedule == "cosine":
        return 0.5 * (1 + math.cos(math.pi * rest))
    return 1 - rest if schedule == "linear" else 1.0
