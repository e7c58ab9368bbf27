"""Pre-training: text pieces a second of masked language modelling, ours against `run_mlm.py`'s recipe with PEFT.

    rows = dapt(scratch, Sizes())

Both read BC5CDR's abstracts in rows of 256 pieces, 8 a step as is `run_mlm.py`'s default, with LoRA of rank 16 on query
and value. Ours trains a head of the language model beside them, the peer's stays as it was made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.inputs import BACKBONE, inputs
from benchmarks.marks import measured_rate, read_marks
from benchmarks.process import in_ready_process, run_ready
from benchmarks.rows import Row, interleaved, make_row
from benchmarks.sizes import Sizes
from benchmarks.throughput import EQUAL_LOSS, NotEqual
from benchmarks.trainings import MARKS, ours_marks

CORPUS = "bc5cdr_documents"
PEER = "run_mlm + PEFT"
LENGTH, ROWS = 256, 8
LORA = ("lora=paper", "lora.dropout=0.05")


def dapt(scratch: Path, sizes: Sizes) -> list[Row]:
    """One row."""
    given = inputs()
    text = scratch / "texts.txt"
    in_ready_process(_write, text, scratch / "text")
    settings = (
        "module=dapt",
        *LORA,
        f"dataset.folder={scratch / 'text'}",
        f"window.max_pieces={LENGTH}",
        f"batch.max_tokens={ROWS * LENGTH}",
    )

    def mine(folder: Path) -> Mapping[str, Any]:
        return ours_marks(folder, *settings, dataset="dapt_mix", stop_after_steps=sizes.dapt_steps)

    def peer(folder: Path) -> Mapping[str, Any]:
        marks = folder / MARKS
        arguments = [
            *("-m", "benchmarks.peers.mlm", "--text", str(text), "--backbone", str(given.backbone)),
            *("--targets", "query", "value", "--rank", "16", "--rows", str(ROWS), "--length", str(LENGTH)),
            *("--max-steps", str(sizes.dapt_peer_steps), "--out", str(folder / "out"), "--marks", str(marks)),
            *([] if given.bf16 else ["--float32"]),
        ]
        run_ready(arguments, log=folder / "mlm.log")
        return read_marks(marks)

    difference = _loss_difference(scratch / "equal", settings, num_steps=sizes.equal_steps // 2)
    if difference > EQUAL_LOSS:
        raise NotEqual(f"losses differ by {difference:.4f} from those of transformers' and PEFT's own forward")
    measurements: dict[str, Callable[[Path], Mapping[str, Any]]] = {"ours": mine, PEER: peer}
    runs = interleaved(scratch, measurements, num_runs=sizes.runs)
    rates = {name: [measured_rate(run).pieces_per_second for run in marks] for name, marks in runs.items()}
    return [
        make_row(
            "pre-train, query+value r16",
            "text pieces/s",
            ours=rates["ours"],
            peer_name=PEER,
            peer=rates[PEER],
            goal=3.0,
            settings={
                "corpus": CORPUS,
                "backbone": BACKBONE,
                "rows": ROWS,
                "length": LENGTH,
                "arithmetic": "bfloat16" if given.bf16 else "float32",
                "largest_loss_difference": difference,
            },
        )
    ]


def _loss_difference(folder: Path, settings: tuple[str, ...], *, num_steps: int) -> float:
    """Largest difference between the losses of our forward and of PEFT's and transformers' own, step by step."""
    still = (*settings, "lora.dropout=0", "backbone.dropout=0", f"trainer.max_steps={num_steps}")
    curves = [
        [
            step["loss"]
            for step in ours_marks(
                folder / fast, *still, f"module.fast={fast}", dataset="dapt_mix", stop_after_steps=num_steps
            )["steps"]
        ]
        for fast in ("true", "false")
    ]
    return max(abs(a - b) for a, b in zip(*curves, strict=True))


def _write(text: Path, folder: Path) -> None:
    """The corpus as a text a line, and packed for ours."""
    from openmed.corpora import load_spec, load_split
    from openmed.encoding.backend import plain_twin
    from openmed.networks import BackboneSpec, load_tokenizer
    from openmed.pretraining_text.packed import PackedIndex
    from openmed.pretraining_text.shards import Packing, write_shard

    spec = load_spec(CORPUS)
    texts = [
        " ".join(document.text.split())
        for split in ("train", "dev", "test")
        for document in load_split(spec, split).documents
    ]
    text.parent.mkdir(parents=True, exist_ok=True)
    text.write_text("\n".join(texts) + "\n", encoding="utf-8")
    tokenizer = load_tokenizer(BackboneSpec.named(BACKBONE))
    place = folder / "packed" / BACKBONE
    place.mkdir(parents=True)
    encodings = plain_twin(tokenizer.backend_tokenizer).encode_batch(texts, add_special_tokens=False)
    ids = [encoding.ids for encoding in encodings]
    parts = {"train": ids[50:], "heldout": ids[:50]}
    packing = Packing.of(tokenizer)
    shards = {split: [write_shard(place, split, part, packing)] for split, part in parts.items()}
    PackedIndex.of(BACKBONE, packing, shards).write(place)
