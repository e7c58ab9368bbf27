"""Do passages that share a row disturb one another? `python -m benchmarks.boundaries RUN [TEXT]`.

RUN is the folder of a finished pre-training; TEXT the built text, where that is no longer in the folder that RUN read.
The run's encoder guesses hidden pieces of the held-out text, the same as in the run's own validation, in three ways, in
float32:

    packed      the rows of training: passages end to end, every piece attends to its whole row
    kept apart  the same rows, attention kept within each passage (a block-diagonal mask)
    alone       each passage in a row of its own, between a start and an end token

Where a row cuts a passage, each way has the part in that row. Kept apart, a row's start token is seen by its first
passage alone, and its end token by its last.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from omegaconf import DictConfig, OmegaConf
from torch.nn.functional import cross_entropy

from openmed.data import TextDataModule
from openmed.data.text import SPLITS
from openmed.encoding import SpecialTokens
from openmed.encoding.masking import MaskedBatch
from openmed.errors import RunError
from openmed.networks.backbone import load_masked_lm
from openmed.networks.masked_lm import MaskedLM
from openmed.pretraining_text.packed import PackedText
from openmed.training.build import build_text_datamodule

PACKED, APART, ALONE = WAYS = ("packed", "kept apart", "alone")
Z95 = 1.96


@dataclass(frozen=True)
class Row:
    """Pieces (L,), where each stood in the flattened batch (-1: it is new), and its place for the position table."""

    ids: np.ndarray
    source: np.ndarray
    places: np.ndarray


@dataclass(frozen=True)
class Losses:
    """Of each hidden piece: its row of training, and what it costs in nats, by way. Parts of passages, how many."""

    rows: np.ndarray
    nats: dict[str, np.ndarray]
    num_parts: int


class Placed(MaskedLM):
    """A masked language model whose pieces stand at given places."""

    places_BL: torch.Tensor | None = None

    def encode(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        encoder = self.transformer.base_model
        return encoder(input_ids, attention_mask=attention_mask, position_ids=self.places_BL).last_hidden_state


def main(run: str, text: str | None = None) -> None:
    """Print the loss and the perplexity of each way, and how it differs from that of packed rows."""
    found = measure(Path(run), text)
    packed = found.nats[PACKED]
    print(f"{len(packed):,} hidden pieces in {found.rows.max() + 1:,} rows, {found.num_parts:,} parts of passages")
    print("            loss (nats)  perplexity  more than packed (95% interval, rows being chance)")
    for way, nats in found.nats.items():
        mean, margin = difference(nats - packed, found.rows)
        more = "" if way == PACKED else f"  {mean:+.4f} ({mean - margin:+.4f} to {mean + margin:+.4f})"
        print(f"{way:11}{nats.mean():12.4f}{math.exp(nats.mean()):12.3f}{more}")


def measure(run: Path, text: str | None = None) -> Losses:
    """The losses of a finished run's encoder on its held-out text, or on that of another build.

    Raises:
        RunError: a folder that holds no finished pre-training.
    """
    network, data = _load(run, text)
    held_out = PackedText.open(data.packed, SPLITS["dev"])
    special = SpecialTokens.of(data.tokenizer)
    loader = data.val_dataloader()
    rows: list[np.ndarray] = []
    nats: dict[str, list[np.ndarray]] = {way: [] for way in WAYS}
    num_rows = num_parts = 0
    for (_, firsts), batch in zip(loader.batches, loader, strict=True):
        length = batch.input_ids.shape[1]
        parts = [part for row, first in enumerate(firsts) for part in cut(row, first, length, held_out)]
        rows.append(num_rows + batch.positions.numpy() // length)
        num_rows, num_parts = num_rows + len(firsts), num_parts + len(parts)
        nats[PACKED].append(_losses(network, batch))
        nats[APART].append(_losses(network, *rearranged(batch, kept_apart(batch, parts), special.pad)))
        nats[ALONE].append(_losses(network, *rearranged(batch, alone(batch, parts, special), special.pad)))
    return Losses(np.concatenate(rows), {way: np.concatenate(found) for way, found in nats.items()}, num_parts)


def difference(nats: np.ndarray, rows: np.ndarray) -> tuple[float, float]:
    """The mean over pieces, and half its 95% interval: pieces of a row are not independent, rows are taken to be."""
    mean = nats.mean()
    of_rows = np.bincount(rows, nats - mean)
    return float(mean), float(Z95 * math.sqrt((of_rows**2).sum()) / len(nats))


def cut(row: int, first: int, length: int, text: PackedText) -> Iterator[tuple[int, int, int]]:
    """(row, begin, end) of each passage of a row that begins with the text's token `first`.

    The row's start and end token belong to its first and last passage.
    """
    tokens = (first + np.arange(length - 2)) % text.num_tokens
    begins = 1 + np.flatnonzero(np.isin(tokens, text.starts))
    bounds = [0, *begins[begins > 1].tolist(), length]
    for begin, end in pairwise(bounds):
        yield row, begin, end


def kept_apart(batch: MaskedBatch, parts: Sequence[tuple[int, int, int]]) -> list[Row]:
    """Each part by itself at its places: what a block-diagonal mask lets it see."""
    flat, length = batch.input_ids.flatten().numpy(), batch.input_ids.shape[1]
    made = []
    for row, begin, end in parts:
        source = row * length + np.arange(begin, end)
        made.append(Row(flat[source], source, np.arange(begin, end)))
    return made


def alone(batch: MaskedBatch, parts: Sequence[tuple[int, int, int]], special: SpecialTokens) -> list[Row]:
    """Each part by itself, between a start and an end token, at the places from 0 on."""
    flat, length = batch.input_ids.flatten().numpy(), batch.input_ids.shape[1]
    made = []
    for row, begin, end in parts:
        source = row * length + np.arange(max(begin, 1), min(end, length - 1))
        has_end = flat[source[-1]] == special.end  # the separator behind a passage that is whole
        ids = [special.start, *flat[source], *([] if has_end else [special.end])]
        source = np.array([-1, *source, *([] if has_end else [-1])])
        made.append(Row(np.array(ids), source, np.arange(len(ids))))
    return made


def rearranged(batch: MaskedBatch, rows: Sequence[Row], pad: int) -> tuple[MaskedBatch, torch.Tensor]:
    """The same hidden pieces, in the same order, in other rows; and the places (B, L) of all pieces."""
    shape = (len(rows), max(len(row.ids) for row in rows))
    ids, mask, places = np.full(shape, pad), np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    moved = np.full(batch.num_tokens, -1)
    for number, row in enumerate(rows):
        size = len(row.ids)
        ids[number, :size], mask[number, :size], places[number, :size] = row.ids, 1, row.places
        old = row.source >= 0
        moved[row.source[old]] = number * shape[1] + np.flatnonzero(old)
    positions = moved[batch.positions.numpy()]
    assert (positions >= 0).all()
    arrays = map(torch.from_numpy, (ids, mask, positions))
    return MaskedBatch(*arrays, labels=batch.labels, num_tokens=ids.size), torch.from_numpy(places)


@torch.inference_mode()
def _losses(network: Placed, batch: MaskedBatch, places_BL: torch.Tensor | None = None) -> np.ndarray:
    network.places_BL = places_BL
    return cross_entropy(network(batch), batch.labels, reduction="none").double().numpy()


def _load(run: Path, text: str | None) -> tuple[Placed, TextDataModule]:
    encoder = run / "encoder"
    if not (encoder / "config.json").is_file() or not (run / "config.yaml").is_file():
        raise RunError(f"{run} holds no encoder/ and config.yaml", mend="give the folder of a finished pre-training")
    config = OmegaConf.load(run / "config.yaml")
    assert isinstance(config, DictConfig)
    config.backbone.weights = str(encoder)
    if text is not None:
        config.dataset.folder = text
    data = build_text_datamodule(config)
    data.setup("validate")
    model, trained_head = load_masked_lm(data.backbone)
    assert trained_head
    return Placed(model).eval(), data


if __name__ == "__main__":
    main(*sys.argv[1:])
