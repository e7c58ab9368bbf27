"""A named-entity recogniser with spaCy's CNN, trained from nothing: blank English, default `ner`, words given.

The peer that has no pretrained encoder; the loop is the one of spaCy's own documentation.

python -m benchmarks.peers.spacy_cnn --train train.tsv --dev devel.tsv --marks marks.json
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path
from typing import Any

import spacy
from spacy.tokens import Doc
from spacy.training import Example, biluo_tags_to_spans, iob_to_biluo
from spacy.util import fix_random_seed, minibatch
from thinc.api import compounding

from benchmarks.marks import Marks
from benchmarks.peers.conll import read_conll

DROPOUT = 0.1
BATCH_SIZES = (4.0, 32.0, 1.001)
"""Sentences of the first batch, of the largest, and the factor between neighbours: as spaCy's examples have them."""


def examples(path: Path, vocab: Any) -> list[Example]:
    """A sentence each: the words as they are, and the gold entities."""
    made = []
    for words, tags in read_conll(path):
        gold = Doc(vocab, words=words)
        gold.ents = biluo_tags_to_spans(gold, iob_to_biluo(tags))
        made.append(Example(Doc(vocab, words=words), gold))
    return made


def main() -> None:
    """Train, scoring dev after each epoch."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--dev", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--marks", type=Path, required=True)
    options = parser.parse_args()
    fix_random_seed(options.seed)
    nlp = spacy.blank("en")
    nlp.add_pipe("ner")
    train, dev = examples(options.train, nlp.vocab), examples(options.dev, nlp.vocab)
    optimizer = nlp.initialize(lambda: train)
    marks = Marks(options.marks)
    sizes = compounding(*BATCH_SIZES)
    for epoch in range(1, options.epochs + 1):
        random.shuffle(train)
        for batch in minibatch(train, size=sizes):
            nlp.update(batch, drop=DROPOUT, sgd=optimizer)
        marks.evaluation(epoch=epoch, f1=nlp.evaluate(dev)["ents_f"])


if __name__ == "__main__":
    main()
