"""`python -m benchmarks.cost`: hours and money to tag abstracts, worked out from a speed; nothing is measured.

    python -m benchmarks.cost --documents-per-second 30.8 --price 0.10
    python -m benchmarks.cost --model-flops 6e10 --peak 989e12 --utilisation 0.3 --host 5000 --nodes 8 --price 3

The speed of a node is measured (`--documents-per-second`), or that of arithmetic: FLOP a second over FLOP an abstract,
where the node's processors can read, tokenise and write as many (`--host`). All nodes work alike; shipping goes first.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

LINE = 125e6
"""Bytes a second: a gigabit."""


@dataclass(frozen=True)
class Plan:
    """Attributes:
    rate: documents a second of a node.
    abstracts: to be tagged.
    start_seconds: until a node tags: waiting, starting, loading the model.
    shipped_bytes: in and out, all together, over a line of `LINE`.
    """

    rate: float
    abstracts: float = 1e6
    nodes: int = 1
    start_seconds: float = 60.0
    shipped_bytes: float = 0.0

    @property
    def hours(self) -> float:
        """From beginning to end."""
        tagging = self.abstracts / (self.rate * self.nodes)
        return (self.start_seconds + tagging + self.shipped_bytes / LINE) / 3600

    @property
    def node_hours(self) -> float:
        """What is paid: all nodes from beginning to end."""
        return self.hours * self.nodes


def rate_of_arithmetic(model_flops: float, peak: float, utilisation: float, host: float) -> float:
    """Documents a second: what the accelerator can compute, or what the host can feed to it, whichever is less."""
    return min(peak * utilisation / model_flops, host)


def main(arguments: list[str] | None = None) -> None:
    """Print the plan."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cost", description=(__doc__ or "").splitlines()[0])
    add = parser.add_argument
    speed = parser.add_mutually_exclusive_group(required=True)
    speed.add_argument("--documents-per-second", type=float, help="of a node, measured")
    speed.add_argument(
        "--model-flops", type=float, help="FLOP of an abstract: 2 * encoder parameters * pieces, and more"
    )
    add("--peak", type=float, help="FLOP/s of a node's accelerators, by their data sheet")
    add("--utilisation", type=float, help="share of the peak that is reached: an assumption (0 to 1)")
    add("--host", type=float, default=float("inf"), help="documents a second that a node reads, tokenises and writes")
    add("--abstracts", type=float, default=1e6)
    add("--nodes", type=int, default=1)
    add("--start-seconds", type=float, default=Plan.start_seconds, help="until a node tags")
    add("--bytes-per-abstract", type=float, default=0.0, help="shipped, in and out")
    add("--price", type=float, help="of a node for an hour, in whatever money")
    given = parser.parse_args(arguments)
    if (rate := given.documents_per_second) is None:
        if given.peak is None or given.utilisation is None:
            parser.error("--model-flops needs --peak and --utilisation")
        rate = rate_of_arithmetic(given.model_flops, given.peak, given.utilisation, given.host)
    plan = Plan(rate, given.abstracts, given.nodes, given.start_seconds, given.bytes_per_abstract * given.abstracts)
    money = "" if given.price is None else f", {plan.node_hours * given.price:.2f} at {given.price:g} an hour"
    print(f"{rate:,.1f} documents/s a node, {plan.hours:.2f} h, {plan.node_hours:.2f} node hours{money}")


if __name__ == "__main__":
    main()
