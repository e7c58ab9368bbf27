"""Sentences tokenised and labelled per second: ours against the alignment loop of the usual training scripts.

The peer is what token-classification scripts do inside `datasets.map(batched=True)`: the tokenizer on ready-made words,
then a Python loop over `word_ids` that puts a word's label on its first piece. Same corpus and tokenizer, one process.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

import openmed
from openmed.encoding import PieceEncoder, encode_documents
from openmed.spans import Document
from openmed.tagging import encode_document

NUM_RUNS = 5
REPEATS = 20
"""The demo corpus is small: it is read this many times over. Both sides see each sentence as often."""
IGNORED = -100


def measure() -> dict[str, Any]:
    """One row: {name, unit, ours, peer_name, peer, ratio, settings}."""
    datamodule = openmed.datamodule("demo", cache=False)
    tokenizer, info = datamodule.tokenizer, datamodule.info
    documents = _tokenised(datamodule.documents("train"), info.splitter) * REPEATS
    num_sentences = sum(len(document.sentences or ()) for document in documents)
    _check_equal(documents, tokenizer, info)
    ours, peer = [], []
    for _ in range(NUM_RUNS):
        ours.append(num_sentences / _seconds(lambda: _ours(documents, tokenizer, info)))
        peer.append(num_sentences / _seconds(lambda: _peer(documents, tokenizer, info.tag_ids)))
    return {
        "name": "encode, sentences/s",
        "ours": statistics.median(ours),
        "peer_name": "tokenizer + word_ids loop",
        "peer": statistics.median(peer),
        "ratio": statistics.median(a / b for a, b in zip(ours, peer, strict=True)),
        "settings": {"corpus": "demo/train", "repeats": REPEATS, "sentences": num_sentences, "runs": NUM_RUNS},
    }


def _ours(documents: list[Document], tokenizer: Any, info: Any) -> Any:
    return encode_documents(documents, encoder=PieceEncoder(tokenizer), splitter=info.splitter, tags=info.tag_ids)


def _peer(documents: list[Document], tokenizer: Any, tag_ids: dict[str, int]) -> list[list[int]]:
    labels: list[list[int]] = []
    for start in range(0, len(documents), 1000):
        block = documents[start : start + 1000]
        words = [[document.text[a:b] for a, b in document.words or ()] for document in block]
        tags = [
            [tag_ids[tag] for tag in encode_document(document.words or (), document.spans)[0]] for document in block
        ]
        encoded = tokenizer(words, is_split_into_words=True, truncation=True, max_length=512)
        for row in range(len(block)):
            aligned, before = [], None
            for word in encoded.word_ids(batch_index=row):
                aligned.append(IGNORED if word is None or word == before else tags[row][word])
                before = word
            labels.append(aligned)
    return labels


def _check_equal(documents: list[Document], tokenizer: Any, info: Any) -> None:
    """Both label the same words with the same tags."""
    ours = _ours(documents, tokenizer, info).tag_ids.tolist()
    peer = [label for row in _peer(documents, tokenizer, info.tag_ids) for label in row if label != IGNORED]
    assert ours == peer, "the two encodings differ"


def _tokenised(documents: list[Document], splitter: str) -> list[Document]:
    """Raw text with its words made beforehand, so that both sides start from the same words."""
    from dataclasses import replace

    from openmed.encoding import split_words

    return [replace(document, words=tuple(split_words(document.text, splitter))) for document in documents]


def _seconds(work: Any) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
