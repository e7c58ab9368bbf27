"""How much each row of `make bench` does: enough for steady numbers, little enough for 20 minutes on two cores.

sizes = Sizes()                        # as published
sizes = Sizes.for_machine(1.2e11)      # on a machine that multiplies matrices at 0.12 TFLOP/s: less of what takes long
sizes = Sizes.tiny()                   # to see that everything runs
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from benchmarks.marks import WARMUP_STEPS

PUBLISHED_RATE = 3.5e11
"""FLOP/s of the machine that the sizes were chosen on, in the arithmetic that it trains in."""
LEAST = 0.2
"""Share of the sizes that is worth timing at all."""


@dataclass(frozen=True)
class Sizes:
    """Sizes of the rows.

    Attributes:
        runs: of each side, in turns.
        pieces: text pieces of a timed training of ours: within an epoch, so that no evaluation falls into it.
        peer_steps: of a timed Trainer, whose batches are drawn at random: another seed in each run, since 15 batches of
            32 sentences have a share of padding that is off by 5% as a rule (5 batches: by 10%).
        grouped_steps: the same where they are grouped by length. Behind the warm-up stand 42, which is how many batches
            `group_by_length` sorts together at a time on NCBI (a 4 * 32nd of its 5,424 sentences): so its long and its
            short ones are all in.
        equal_steps: whose losses are compared before a training is timed.
        tagger_steps: optimiser steps of the model that is used for prediction.
        documents: raw abstracts that are tagged, dev's 100 first.
        documents_of_all: of them those that are tagged by several models in one pass.
        trial_documents: on which the pipeline's batch size and arithmetic are chosen.
        dapt_steps, dapt_peer_steps: of a timed pre-training, 8 rows of 256 pieces each.
        build_megabytes: of raw text that is built.
        growth: how many times the corpus is repeated.
        growth_pieces: text pieces of a timed training on it.
        products: matrix products timed at a time, at most.
    """

    runs: int = 3
    pieces: int = 45_000
    peer_steps: int = WARMUP_STEPS + 15
    grouped_steps: int = WARMUP_STEPS + 42
    equal_steps: int = 14
    tagger_steps: int = 150
    documents: int = 110
    documents_of_all: int = 32
    trial_documents: int = 16
    dapt_steps: int = WARMUP_STEPS + 12
    dapt_peer_steps: int = WARMUP_STEPS + 4
    build_megabytes: float = 3.0
    growth: tuple[int, ...] = (1, 10, 100)
    growth_pieces: int = 15_000
    products: int = 40

    @classmethod
    def for_machine(cls, flops_per_second: float) -> Sizes:
        """Shorter timings on a slower machine, so that it needs no more than twice the time; never longer ones.

        Args:
            flops_per_second: that it multiplies matrices at, in the arithmetic that it trains in.
        """
        sizes = cls()
        share = min(1.0, max(LEAST, flops_per_second / PUBLISHED_RATE))

        def behind_warmup(steps: int) -> int:
            return WARMUP_STEPS + max(3, round(share * (steps - WARMUP_STEPS)))

        return replace(
            sizes,
            pieces=round(share * sizes.pieces),
            dapt_steps=behind_warmup(sizes.dapt_steps),
            dapt_peer_steps=behind_warmup(sizes.dapt_peer_steps),
            growth_pieces=round(share * sizes.growth_pieces),
        )

    @classmethod
    def tiny(cls) -> Sizes:
        """The least that runs; its numbers mean nothing."""
        return cls(
            runs=1,
            pieces=2_000,
            peer_steps=WARMUP_STEPS + 2,
            grouped_steps=WARMUP_STEPS + 2,
            equal_steps=2,
            tagger_steps=5,
            documents=110,
            documents_of_all=8,
            trial_documents=4,
            dapt_steps=WARMUP_STEPS + 1,
            dapt_peer_steps=WARMUP_STEPS + 1,
            build_megabytes=0.5,
            growth=(1, 2),
            growth_pieces=2_000,
            products=2,
        )
