"""One shape, measured: equal losses, then training; equal mentions, then prediction. Rows come as they are ready.

for row in measure_shape(work, rating=rate_device("cuda"), budget=Budget(minutes=2)): ...
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

from benchmarks.gpu.device import Rating
from benchmarks.gpu.ours import Work, train_ours
from benchmarks.gpu.peer import align, train_peer
from benchmarks.gpu.predict import Comparison, compare_predictions
from benchmarks.gpu.shapes import Shape
from benchmarks.gpu.timing import NUM_ROUNDS, Budget, NotMeasured, Outcome, OutputsDiffer, Run, Training, take_turns
from benchmarks.rows import LESS_IS_BETTER, Row, make_row, not_measured

GOAL = 2.5
TRAINER = "Trainer + PEFT"
PIPELINE = "pipeline"
UNITS = {"train": "tokens/s", "FLOP utilisation": "share of peak", "peak memory": "GiB", "predict": "documents/s"}
"""What is measured of each shape, in this order."""
PEFT_ERRORS = 2.0
ERROR_FLOOR = 0.005
"""How far our losses may be from float32: so many times as far as PEFT's own forward in bfloat16, and this relative
difference on top."""


def row_name(kind: str, shape: Shape, lengths: str) -> str:
    """Such as "train, bert_base, full rows"."""
    return f"{kind}, {shape.name}, {lengths} rows"


def left_out(shape: Shape, lengths: str, *, done: int, why: str) -> list[Row]:
    """Rows without numbers for what is left of a shape, after so many that have them."""
    return [
        not_measured(
            row_name(kind, shape, lengths),
            unit,
            peer_name=PIPELINE if kind == "predict" else TRAINER,
            goal={"train": GOAL, "predict": GOAL, "FLOP utilisation": shape.utilisation_goal}.get(kind),
            why=why,
        )
        for kind, unit in list(UNITS.items())[done:]
    ]


def measure_shape(work: Work, *, rating: Rating, budget: Budget) -> Iterator[Row]:
    """Rows of one shape, in the order of `UNITS`.

    Raises:
        OutputsDiffer: the sides do not compute the same.
        NotMeasured: no memory or no time is left.
    """
    losses = check_losses(work)
    outcomes = _train_in_turns(work, budget)
    yield from _training_rows(work, outcomes, rating, losses)
    if budget.left_seconds() <= 0:
        raise NotMeasured("no time left")
    _, run_folder = train_ours(work, work.learning())
    yield _prediction_row(work, compare_predictions(work, run_folder / "model", budget))


def check_losses(work: Work) -> dict[str, float]:
    """Our bfloat16 losses against PEFT's own forward in float32, beside what bfloat16 alone makes of that forward.

    Returns:
        {ours, peft, allowed}: the largest relative difference of a step's loss.

    Raises:
        OutputsDiffer: ours is further off than allowed.
    """

    def losses(*, fast: bool, precision: str) -> tuple[float, ...]:
        training, folder = train_ours(work, work.parity(fast=fast, precision=precision))
        shutil.rmtree(folder.parent)
        return training.losses

    exact = losses(fast=False, precision="32-true")
    ours = loss_difference(losses(fast=True, precision="bf16-mixed"), exact)
    peft = loss_difference(losses(fast=False, precision="bf16-mixed"), exact)
    found = {"ours": ours, "peft": peft, "allowed": PEFT_ERRORS * peft + ERROR_FLOOR}
    if not ours <= found["allowed"]:
        raise OutputsDiffer(f"our losses leave those of PEFT's forward: {found}")
    return found


def loss_difference(losses: tuple[float, ...], exact: tuple[float, ...]) -> float:
    """The largest relative difference of a step's loss; infinite where a loss is no number."""
    assert len(losses) == len(exact) > 1, "two trainings of different lengths"
    differences = [abs(loss - wanted) / wanted for loss, wanted in zip(losses, exact, strict=True)]
    return max(difference if difference == difference else float("inf") for difference in differences)


def _train_in_turns(work: Work, budget: Budget) -> dict[str, Outcome]:
    """Facts of the runs: their `Training`."""
    features = align(work)

    def peer(num_rows: int) -> Run:
        training = train_peer(work, features, num_rows=num_rows)
        return Run(training.tokens_per_second, training)

    def ours(num_rows: int) -> Run:
        training, folder = train_ours(work, work.timed(num_rows))
        shutil.rmtree(folder.parent)
        return Run(training.tokens_per_second, training)

    outcomes = take_turns(
        {
            side: {f"{rows} rows": lambda _, rows=rows, train=train: train(rows) for rows in work.sizes.batches}
            for side, train in (("peer", peer), ("ours", ours))
        },
        budget=budget,
    )
    counts = {side: _trainings(outcome)[0].num_trainable for side, outcome in outcomes.items()}
    if counts["ours"] != counts["peer"]:
        raise OutputsDiffer(f"the sides train different numbers of parameters: {counts}")
    return outcomes


def _trainings(outcome: Outcome) -> list[Training]:
    return [run.facts for run in outcome.runs]


def _training_rows(work: Work, outcomes: dict[str, Outcome], rating: Rating, losses: dict[str, float]) -> Iterator[Row]:
    ours, peer = (_trainings(outcomes[side]) for side in ("ours", "peer"))
    num_parameters = work.shape.num_encoder_parameters()
    batches = {side: outcome.setting for side, outcome in outcomes.items()}
    trained = {"lora": work.lora, "num_trainable": ours[0].num_trainable, "batch": batches}

    def row(kind: str, values: list[list[float]], *, goal: float | None, settings: dict[str, Any], **more: Any) -> Row:
        return make_row(
            row_name(kind, work.shape, work.lengths),
            UNITS[kind],
            ours=values[0],
            peer_name=TRAINER,
            peer=values[1],
            goal=goal,
            settings={**trained, **settings},
            **more,
        )

    rates = [[training.tokens_per_second for training in side] for side in (ours, peer)]
    tried = {side: outcome.others for side, outcome in outcomes.items()}
    steps = {"ours": [training.steps for training in ours], "peer": [training.steps for training in peer]}
    few = _few_runs(len(ours))
    settings = {"loss_difference": losses, "other_batches": tried, "steps": steps, "max_tokens": work.sizes.num_pieces}
    yield row("train", rates, goal=GOAL, settings=settings, note=few)
    shares = [[4 * num_parameters * rate / rating.flops for rate in side] for side in rates]
    goal = work.shape.utilisation_goal
    settings = {"goal_is_for": "ours", "encoder_parameters": num_parameters, "peak": rating.flops, "of": rating.source}
    use = row("FLOP utilisation", shares, goal=goal, settings=settings, note=few)
    yield use | {"met": use["ours"] >= goal}
    peaks = [[side.peak_bytes / 2**30 for side in sides if side.peak_bytes is not None] for sides in (ours, peer)]
    note = few if peaks[0] else "not measured: no GPU"
    yield row("peak memory", peaks, goal=None, settings={}, better=LESS_IS_BETTER, note=note)


def _prediction_row(work: Work, found: Comparison) -> Row:
    ours, peer = found.outcomes["ours"], found.outcomes["peer"]
    return make_row(
        row_name("predict", work.shape, work.lengths),
        UNITS["predict"],
        ours=[run.rate for run in ours.runs],
        peer_name=PIPELINE,
        peer=[run.rate for run in peer.runs],
        goal=GOAL,
        settings={
            "num_documents": work.sizes.num_documents,
            "document_tokens": work.sizes.num_pieces,
            "batch": {"ours": ours.setting, "peer": peer.setting},
            "other_batches": {"ours": ours.others, "peer": peer.others},
            "agreement_f1": found.agreement,
            "gold_f1": found.gold_f1,
        },
        note=_few_runs(len(ours.runs)),
    )


def _few_runs(number: int) -> str | None:
    return None if number == NUM_ROUNDS else f"{number} of {NUM_ROUNDS} runs: no time for more"
