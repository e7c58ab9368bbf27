"""A real tagger without a network: each piece of its vocabulary has scores of its own, drawn once.

tagger = drawn_tagger(wordpiece)        # finds mentions everywhere, the same in the same word every time
"""

from __future__ import annotations

import numpy as np
from tests.backbones import INFO
from transformers import PreTrainedTokenizerFast

from openmed.encoding import Batch
from openmed.predicting import EntityTagger, Model


def drawn_tagger(
    tokenizer: PreTrainedTokenizerFast,
    *,
    temperature: float = 1.0,
    table: np.ndarray | None = None,
    **settings,
) -> EntityTagger:
    """Args:
    table: (vocabulary, tags), each piece's scores.
    settings: of `EntityTagger`.
    """
    if table is None:
        table = np.random.default_rng(0).normal(size=(len(tokenizer), len(INFO.tags))).astype(np.float32)

    def score(batch: Batch) -> np.ndarray:
        return table[batch.input_ids.flatten()[batch.positions].numpy()]

    return EntityTagger([Model("drawn", INFO, tokenizer, score, temperature, "d")], **settings)
