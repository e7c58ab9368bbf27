"""The merged model as transformers has it: any program that knows `AutoModelForTokenClassification` can load it.

write_merged(load_artefact("outputs/.../model"), folder)
"""

from __future__ import annotations

from pathlib import Path

from openmed.artefact import Artefact


def write_merged(artefact: Artefact, folder: Path) -> None:
    """config.json, model.safetensors (adapters merged, float32) and the tokenizer.

    The tokenizer's `model_max_length` is the window that the model was trained on: so long are the windows that
    transformers' pipeline cuts when it is given a `stride`.
    """
    model, tokenizer = artefact.network.transformer, artefact.tokenizer
    model.config.id2label = dict(enumerate(artefact.info.tags))
    model.config.label2id = artefact.info.tag_ids
    model.save_pretrained(folder)
    before = tokenizer.model_max_length
    tokenizer.model_max_length = artefact.info.max_pieces
    try:
        tokenizer.save_pretrained(folder)
    finally:
        tokenizer.model_max_length = before
