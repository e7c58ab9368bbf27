"""Settings of hypothesis for all tests, and what is made once a session: tokenizers, a fake hub, a tiny model.

`tests.backbones` needs torch, which takes seconds to import: only fixtures that make a network import it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from transformers import PreTrainedTokenizerFast

from tests.tokenizers import BUILDERS

# No deadline: on a shared machine a slow example is no failure.
settings.register_profile("openmed", deadline=None, max_examples=100)
settings.load_profile("openmed")


@pytest.fixture(scope="session")
def tokenizers_by_family() -> dict[str, PreTrainedTokenizerFast]:
    """{"wordpiece": ..., "byte_bpe": ..., "unigram": ...}: treat them as read-only."""
    return {family: build() for family, build in BUILDERS.items()}


@pytest.fixture(scope="session", params=sorted(BUILDERS))
def tokenizer(request: pytest.FixtureRequest, tokenizers_by_family) -> PreTrainedTokenizerFast:
    """Each family's tokenizer in turn."""
    return tokenizers_by_family[request.param]


@pytest.fixture(scope="session")
def wordpiece(tokenizers_by_family) -> PreTrainedTokenizerFast:
    return tokenizers_by_family["wordpiece"]


@pytest.fixture(scope="session")
def hub_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hub cache with a tiny random checkpoint of each architecture, under a real id: treat it as read-only."""
    from tests.backbones import FAMILIES, fake_hub, hub_ids

    return fake_hub(tmp_path_factory.mktemp("hub"), hub_ids(*FAMILIES))


@pytest.fixture
def hub(hub_cache: Path) -> Iterator[Path]:
    """The test sees that hub, and no other."""
    from tests.backbones import offline_hub

    with offline_hub(hub_cache):
        yield hub_cache


@pytest.fixture(scope="session")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random BERT checkpoint: treat it as read-only."""
    from tests.backbones import build_checkpoint

    return build_checkpoint(tmp_path_factory.mktemp("checkpoint") / "bert", "bert")


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory, bert: Path) -> Path:
    """A run's model/ folder that needs nothing else, and finds mentions everywhere: treat it as read-only."""
    from tests.backbones import local_spec, save_model

    return save_model(tmp_path_factory.mktemp("run") / "model", local_spec(bert))
