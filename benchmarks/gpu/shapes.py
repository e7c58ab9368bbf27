"""Encoders of the real sizes with random weights, and tokenizers to go with them: made here, so no hub is needed.

Speed depends on shapes alone, not on what the weights know. Rows of embeddings are as many as in the real models.

    shape = SHAPES["bert_base"]
    make_checkpoint(shape, folder, tokenizer=language.tokenizer, alike=language.alike, device="cuda")
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

SEED = 7
HEAD_SIZE = 64
SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
MAX_POSITIONS = 512

_DEBERTA_V3: dict[str, Any] = {  # what makes a DeBERTa-v2 a v3, as in microsoft/deberta-v3-base and -large
    "relative_attention": True,
    "position_buckets": 256,
    "norm_rel_ebd": "layer_norm",
    "share_att_key": True,
    "pos_att_type": "p2c|c2p",
    "max_relative_positions": -1,
    "position_biased_input": False,
    "type_vocab_size": 0,
    "layer_norm_eps": 1e-7,
}


@dataclass(frozen=True)
class Shape:
    """One encoder's sizes.

    Args:
        name: as on the command line.
        architecture: transformers' name of it.
        backbone: the file of `conf/backbone/` whose LoRA targets and attention it takes.
        utilisation_goal: the share of the device's peak that training should reach.
    """

    name: str
    architecture: str
    backbone: str
    num_layers: int
    hidden_size: int
    vocab_size: int
    utilisation_goal: float

    def tiny(self) -> Shape:
        """The same architecture, small enough to try the program on a CPU."""
        return replace(self, num_layers=2, hidden_size=2 * HEAD_SIZE, vocab_size=8192)

    def config(self) -> Any:
        """transformers' configuration."""
        from transformers import AutoConfig

        return AutoConfig.for_model(
            self.architecture,
            vocab_size=self.vocab_size,
            hidden_size=self.hidden_size,
            num_hidden_layers=self.num_layers,
            num_attention_heads=self.hidden_size // HEAD_SIZE,
            intermediate_size=4 * self.hidden_size,
            max_position_embeddings=MAX_POSITIONS,
            pad_token_id=SPECIAL_TOKENS.index("[PAD]"),
            **(_DEBERTA_V3 if self.architecture == "deberta-v2" else {}),
        )

    def num_encoder_parameters(self) -> int:
        """N: parameters that every token passes through; embeddings (of relative positions too) and pooler left out."""
        from transformers import AutoModel

        with torch.device("meta"):
            model = AutoModel.from_config(self.config())
        return sum(
            parameter.numel()
            for name, parameter in model.named_parameters()
            if "embeddings" not in name and "pooler" not in name
        )


SHAPES = {
    shape.name: shape
    for shape in (
        Shape("bert_base", "bert", "pubmedbert", 12, 768, 30_522, 0.40),
        Shape("deberta_base", "deberta-v2", "deberta", 12, 768, 128_100, 0.25),
        Shape("bert_large", "bert", "pubmedbert_large", 24, 1024, 30_522, 0.40),
        Shape("deberta_large", "deberta-v2", "deberta_large", 24, 1024, 128_100, 0.25),
    )
}
"""In the order in which they are measured: where time runs out, both architectures have been seen."""


def make_tokenizer(architecture: str, words: Sequence[str], syllables: Sequence[str]) -> Any:
    """WordPiece for BERT, sentencepiece-like Unigram for DeBERTa: a fast transformers tokenizer.

    Args:
        words: kept whole.
        syllables: what all other words are cut into.
    """
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    if architecture == "bert":
        pieces = dict.fromkeys([*SPECIAL_TOKENS, *words, *syllables, *(f"##{syllable}" for syllable in syllables)])
        ids = {piece: index for index, piece in enumerate(pieces)}
        backend = Tokenizer(models.WordPiece(ids, unk_token="[UNK]", max_input_chars_per_word=100))
        backend.normalizer = normalizers.BertNormalizer(lowercase=True)
        backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        backend.decoder = decoders.WordPiece()
    else:
        # A piece's score is a log-probability: one long piece beats two short ones.
        scores = dict.fromkeys(SPECIAL_TOKENS, 0.0) | dict.fromkeys([f"▁{word}" for word in words], -9.0)
        scores |= dict.fromkeys([*syllables, *(f"▁{syllable}" for syllable in syllables)], -8.0)
        backend = Tokenizer(models.Unigram(list(scores.items()), unk_id=SPECIAL_TOKENS.index("[UNK]")))
        backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
        backend.decoder = decoders.Metaspace(prepend_scheme="always")
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        special_tokens=[(token, SPECIAL_TOKENS.index(token)) for token in ("[CLS]", "[SEP]")],
    )
    roles = {f"{token[1:-1].lower()}_token": token for token in SPECIAL_TOKENS}
    return PreTrainedTokenizerFast(tokenizer_object=backend, model_max_length=MAX_POSITIONS, **roles)


def make_checkpoint(shape: Shape, folder: Path, *, tokenizer: Any, alike: Sequence[Sequence[int]], device: str) -> Path:
    """config.json, model.safetensors and the tokenizer's files; the same weights each time on one kind of device.

    Args:
        alike: groups of pieces whose embeddings are one and the same.
    """
    from transformers import AutoModel

    assert len(tokenizer) <= shape.vocab_size, "more pieces than rows of embeddings"
    torch.manual_seed(SEED)
    with torch.device(device):
        model = AutoModel.from_config(shape.config())
    embeddings = model.get_input_embeddings().weight.data
    for pieces in alike:
        embeddings[list(pieces)] = embeddings[pieces[0]].clone()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
