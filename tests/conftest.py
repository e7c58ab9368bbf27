"""Settings of hypothesis for all tests, and the tokenizers, each built once a session."""

from __future__ import annotations

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
