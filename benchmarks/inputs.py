"""What both sides are given: the corpus's files, the backbone's folder, and the arithmetic of this machine.

given = inputs()
given.train, given.backbone, given.bf16
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from benchmarks.process import in_ready_process

CORPUS = "ncbi"
BACKBONE = "minilm"


@dataclass(frozen=True)
class Inputs:
    """NCBI disease as token files, and MiniLM.

    Attributes:
        train, dev: a word and its tag per line, sentences parted by empty lines.
        backbone: weights, configuration and tokenizer.
        bf16: whether `train.py` computes in bfloat16 here; then the peers are told to.
    """

    train: Path
    dev: Path
    backbone: Path
    bf16: bool


@cache
def inputs() -> Inputs:
    """Find (or fetch) them, in another process: this one stays small.

    Raises:
        DataError, BackboneError: not to be had on this machine.
    """
    return in_ready_process(_find)


def _find() -> Inputs:
    from openmed.corpora import corpus_file, fetch_all, load_spec
    from openmed.data.defaults import make_datamodule
    from openmed.networks import locate_weights
    from openmed.networks.precision import best_precision

    spec = load_spec(CORPUS)
    fetch_all(spec)
    train, dev = (corpus_file(spec, str(spec.split_file(split))) for split in ("train", "dev"))
    backbone = make_datamodule(CORPUS, backbone=BACKBONE).backbone
    return Inputs(train, dev, Path(locate_weights(backbone.weights)), best_precision("cpu") == "bf16-mixed")
