"""Prediction: raw abstracts tagged a second, ours against transformers' pipeline, the same weights.

    rows = predict(scratch, Sizes())

A LoRA model is trained shortly for it. The pipeline gets its merged weights in transformers' own format and runs at its
best: the batch size and arithmetic that were fastest on a part of the texts, bfloat16 only where training uses it. Ours
tags with the weights as they are, with their export in 8 bits, and with three models in one pass. F1 is counted on dev.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.inputs import inputs
from benchmarks.process import in_ready_process
from benchmarks.rows import LESS_IS_BETTER, Row, interleaved, make_row
from benchmarks.sizes import Sizes
from benchmarks.tagging import (
    AGGREGATION,
    CORPUS,
    dev_f1,
    tag_one_and_all,
    tag_ours,
    tag_pipeline,
    try_pipeline,
    write_copies,
    write_int8,
    write_merged,
    write_texts,
)
from benchmarks.trainings import ours_marks

BATCH_SIZES = (1, 8, 32)
DTYPES = ("float32", "bfloat16")
INT8_SLACK = 0.003
"""F1 that 8 bits may cost."""
NUM_MODELS = 3


class NotAsGood(AssertionError):
    """Ours finds less than the peer with the same weights, so that a ratio of their speeds would mean nothing."""


def predict(scratch: Path, sizes: Sizes) -> list[Row]:
    """Three rows: documents a second of ours and of ours in 8 bits, and seconds of three models against one's."""
    ran = scratch / "training"
    ours_marks(ran, f"trainer.max_steps={sizes.tagger_steps}")
    dtypes = DTYPES if inputs().bf16 else DTYPES[:1]
    return compare_taggers(ran / "run" / "model", scratch, sizes, dtypes=dtypes)


def compare_taggers(model: Path, scratch: Path, sizes: Sizes, *, dtypes: Sequence[str] = DTYPES) -> list[Row]:
    """The rows of `predict`, with a LoRA model of NCBI.

    Args:
        dtypes: arithmetic that the pipeline is tried with.

    Raises:
        NotAsGood: ours has a lower F1 than the pipeline, or in 8 bits than in float32.
    """
    merged, small, texts = scratch / "merged", scratch / "int8", scratch / "texts.json"
    number = sizes.documents
    num_words = in_ready_process(write_texts, texts, number)
    in_ready_process(write_merged, model, merged)
    left_out = in_ready_process(write_int8, model, small)
    copies = in_ready_process(write_copies, model, scratch / "copies", NUM_MODELS)
    trials = in_ready_process(try_pipeline, merged, texts, sizes.trial_documents, dtypes, BATCH_SIZES)
    dtype, batch_size = max(trials, key=lambda setting: trials[setting])
    measurements: dict[str, Callable[[Path], Any]] = {
        "pipeline": lambda folder: in_ready_process(tag_pipeline, merged, texts, number, dtype, batch_size),
        "ours": lambda folder: in_ready_process(tag_ours, model, texts, number),
        "int8": lambda folder: in_ready_process(tag_ours, small, texts, number),
        "models": lambda folder: in_ready_process(tag_one_and_all, copies, texts, sizes.documents_of_all),
    }
    runs = interleaved(scratch / "runs", measurements, num_runs=sizes.runs)
    seconds = runs.pop("models")
    found = {name: results[-1][1] for name, results in runs.items()}
    found["float32"] = in_ready_process(tag_ours, model, texts, number, "float32")[1]
    f1 = in_ready_process(dev_f1, found)
    check_f1(f1)
    settings = {
        "corpus": f"{CORPUS}, dev and train",
        "documents": number,
        "words_per_document": num_words / number,
        "training_steps": sizes.tagger_steps,
        "dev_f1": f1,
        "pipeline": {"dtype": dtype, "batch_size": batch_size, "aggregation_strategy": AGGREGATION},
        "pipeline_trials": {f"{name}, batches of {size}": speed for (name, size), speed in trials.items()},
        "int8": {"left_in_float32": left_out},
    }
    speeds = {name: [speed for speed, _ in results] for name, results in runs.items()}
    return [*_against_pipeline(speeds, f1, settings), _models_row(seconds, sizes.documents_of_all)]


def _against_pipeline(
    speeds: Mapping[str, Sequence[float]], f1: Mapping[str, float], settings: Mapping[str, Any]
) -> list[Row]:
    points = {name: f"{100 * value:.2f}" for name, value in f1.items()}
    notes = {
        "ours": f"dev F1 of the same weights: ours {points['ours']}, pipeline {points['pipeline']}",
        "int8": f"dev F1 {points['int8']}, of the same weights in float32 {points['float32']}",
    }
    return [
        make_row(
            name,
            "documents/s",
            ours=speeds[side],
            peer_name="transformers pipeline",
            peer=speeds["pipeline"],
            goal=goal,
            settings=settings,
            note=notes[side],
        )
        for name, side, goal in (("prediction, raw abstracts", "ours", 5.0), ("prediction, 8 bits", "int8", 4.0))
    ]


def _models_row(seconds: Sequence[tuple[float, float]], num_documents: int) -> Row:
    return make_row(
        f"prediction, {NUM_MODELS} models over one pass",
        "s",
        ours=[of_all for _, of_all in seconds],
        peer_name="one model",
        peer=[of_one for of_one, _ in seconds],
        goal=1 / 2.5,
        settings={"corpus": CORPUS, "documents": num_documents, "models": "one, with other names of types each time"},
        better=LESS_IS_BETTER,
    )


def check_f1(f1: Mapping[str, float]) -> None:
    """Raises:
    NotAsGood: ours has a lower F1 on dev than the pipeline, or in 8 bits one that is lower than in float32 by more than
        `INT8_SLACK`.
    """
    if f1["ours"] < f1["pipeline"]:
        raise NotAsGood(f"dev F1: ours {f1['ours']:.4f}, pipeline {f1['pipeline']:.4f}")
    if f1["int8"] < f1["float32"] - INT8_SLACK:
        raise NotAsGood(f"dev F1: 8 bits {f1['int8']:.4f}, float32 {f1['float32']:.4f}")
