"""`python -m benchmarks`: run every benchmark, print ratios with machine and versions, write benchmarks/results/.

Medians of interleaved runs; equal outputs are checked before a ratio is printed.
"""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.encode import measure
from openmed.tracking import hardware, versions

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Measure, print, write."""
    rows = [measure()]
    facts = {"hardware": hardware(), "versions": versions()}
    machine = facts["hardware"]
    print(f"{machine['cpu']}, {machine['num_cores']} cores, GPU {machine['gpu'] or 'none'}; {facts['versions']}")
    for row in rows:
        print(
            f"{row['name']}: ours {row['ours']:,.0f}, {row['peer_name']} {row['peer']:,.0f}: {row['ratio']:.1f} times"
        )
    RESULTS.mkdir(exist_ok=True)
    target = RESULTS / "cpu.json"
    target.write_text(json.dumps({**facts, "rows": rows}, indent=2) + "\n", encoding="utf-8")
    print(target)


if __name__ == "__main__":
    main()
