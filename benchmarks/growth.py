"""Cost as the work grows: speed, memory and set-up of training on the corpus 1, 10 and 100 times over. Ours alone.

    rows = growth(scratch, Sizes())

The first run of each size tokenises it, the others find that cached; so a median of three is of a cached one, and the
settings tell the first one's memory and set-up, too.
All rows compare the largest corpus with the corpus itself; a step must cost the same, and memory must not grow. Peak
memory counts the tokenised corpus, as far as its pages were touched; it is mapped from its file, so the kernel may take
them back: the row of a program's own memory leaves them out.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.inputs import CORPUS, inputs
from benchmarks.marks import measured_rate
from benchmarks.rows import LESS_IS_BETTER, Row, interleaved, make_row
from benchmarks.sizes import Sizes
from benchmarks.trainings import Ran, ours

FLAT = 0.9
MEBIBYTE = 2**20


def growth(scratch: Path, sizes: Sizes) -> list[Row]:
    """Text pieces a second, peak memory, and that without mapped files (on Linux); all sizes in their settings."""
    given = inputs()
    once = given.train.read_text(encoding="utf-8").rstrip("\n") + "\n\n"

    def on(times: int) -> Callable[[Path], Ran]:
        repeated = scratch / f"train_{times}.tsv"
        with repeated.open("w", encoding="utf-8") as file:
            for _ in range(times):
                file.write(once)
        files = (f"dataset.train={repeated}", f"dataset.dev={given.dev}")
        # Tokenised copies of a repeated corpus are of no use to anyone: not into the user's cache.
        cache = {"OPENMED_CACHE": str(scratch / "cache")}
        return lambda folder: ours(
            folder, *files, dataset="custom", environment=cache, stop_after_pieces=sizes.growth_pieces
        )

    scratch.mkdir(parents=True, exist_ok=True)
    measurements = {str(times): on(times) for times in sizes.growth}
    runs = interleaved(scratch, measurements, num_runs=sizes.runs)
    speeds = {times: [measured_rate(ran.marks).pieces_per_second for ran in rans] for times, rans in runs.items()}
    peaks = {times: [ran.process.peak_bytes / MEBIBYTE for ran in rans] for times, rans in runs.items()}
    own = {times: [(ran.process.peak_own_bytes or 0) / MEBIBYTE for ran in rans] for times, rans in runs.items()}
    settings = {
        "corpus": f"{CORPUS}, repeated",
        "pieces": sizes.growth_pieces,
        "sizes": {
            times: {
                "pieces_per_second": statistics.median(speeds[times]),
                "peak_mebibytes": statistics.median(peaks[times]),
                "set_up_seconds_uncached": rans[0].first_step_seconds,
                "peak_mebibytes_uncached": peaks[times][0],
                "set_up_seconds": min(ran.first_step_seconds for ran in rans),
            }
            for times, rans in runs.items()
        },
    }
    rows = [
        _row("growth, speed", "text pieces/s", speeds, settings),
        _row("growth, peak memory", "MiB", peaks, settings, better=LESS_IS_BETTER),
    ]
    if all(value for values in own.values() for value in values):
        rows.append(_row("growth, own memory", "MiB", own, settings, better=LESS_IS_BETTER))
    return rows


def _row(name: str, unit: str, values: Mapping[str, Sequence[float]], settings: dict[str, Any], **better: str) -> Row:
    smallest, *_, largest = values
    return make_row(
        f"{name}, {largest} times the corpus",
        unit,
        ours=values[largest],
        peer_name=f"ours, {smallest} times",
        peer=values[smallest],
        goal=FLAT,
        settings=settings,
        **better,
    )
