"""Do a model's spans depend on batch size, order or padding? `python -m benchmarks.invariance MODEL DATASET`.

Tags the dev texts of a corpus three ways, in float32 and in bfloat16, and counts the spans that differ from the first.
"""

from __future__ import annotations

import sys
from pathlib import Path

from openmed.corpora import load_spec, load_split
from openmed.predicting import EntityTagger, open_models
from openmed.predicting.loading import DTYPES
from openmed.spans import Document

WAYS = ((8192, 256, 1), (256, 1, 1), (2048, 7, -1))
"""Tokens a batch, documents taken together, order."""


def main(model: str, dataset: str) -> None:
    """Print one line per arithmetic."""
    documents = [Document(d.id, d.text) for d in load_split(load_spec(dataset), "dev").documents]
    for name in DTYPES:
        found = []
        for max_tokens, chunk, order in WAYS:
            models = open_models([Path(model)], device="cpu", dtype=name)
            tagger = EntityTagger(models, max_tokens=max_tokens, chunk=chunk)
            found.append({d.id: set(d.spans) for d in tagger.tag(documents[::order])})
        differing = [sum(len(way[key] ^ found[0][key]) for key in way) for way in found[1:]]
        print(f"{name}: {sum(map(len, found[0].values()))} spans, differing in the other ways: {differing}")


if __name__ == "__main__":
    main(*sys.argv[1:])
