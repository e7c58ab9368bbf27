"""A window that the backbone has no positions for is refused before training starts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.backbones import INFO, MAX_POSITIONS, local_spec

from openmed.errors import ConfigError
from openmed.modules import NerModule


def make_module(bert, max_pieces: int) -> NerModule:
    info = replace(INFO, max_pieces=max_pieces)
    return NerModule(
        backbone=local_spec(bert).as_dict(), lora=None, optim={"lr": 1e-3}, info=info.as_dict(), unit="documents"
    )


def test_windows_longer_than_the_backbone_are_refused_with_its_length(bert):
    with pytest.raises(ConfigError, match=r"window\.max_pieces=513 .* 512 positions.*Choose window\.max_pieces=512"):
        make_module(bert, MAX_POSITIONS + 1)


def test_windows_as_long_as_the_backbone_are_fine(bert):
    make_module(bert, MAX_POSITIONS)
