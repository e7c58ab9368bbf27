"""Encoding: sentences turned into labelled windows a second, ours against the `datasets.map` of the usual scripts.

    rows = measure()

The peer is what token-classification scripts of Hugging Face do: the tokenizer on ready-made words, then a loop over
`word_ids` that puts each word's label on its first piece. Same sentences and tokenizer, one process, both from memory.
Ours also makes the tags from the spans and cuts what is longer than a window, where the peer truncates.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import openmed
from benchmarks.rows import NUM_RUNS, Row, make_row
from openmed.encoding import (
    NUM_SPECIAL,
    EncodedCorpus,
    PieceEncoder,
    TaggingInfo,
    Window,
    encode_documents,
    epoch_rng,
    training_windows,
)
from openmed.spans import Document
from openmed.tagging import encode_document

CORPUS = "bc5cdr"
RAW_CORPUS = "bc5cdr_documents"
BACKBONE = "minilm"
MAX_PIECES = 256
IGNORED = -100
"""Label of a piece that no loss is taken for, in the peer's scripts."""


class NotEqual(AssertionError):
    """The two sides made different pieces or labels, so that a ratio of their speeds would mean nothing."""


def measure() -> list[Row]:
    """Two rows: sentences a second with words given (against the peer), and of raw text (ours alone).

    Raises:
        NotEqual: the two sides' pieces or labels differ.
    """
    documents, tokenizer, info = _corpus(CORPUS)
    dataset = _as_dataset(documents, info)
    num_truncated = _check_equal(_ours(documents, tokenizer, info)[0], _peer(dataset, tokenizer))
    raw, _, raw_info = _corpus(RAW_CORPUS)
    num_raw = _ours(raw, tokenizer, raw_info)[0].num_sentences  # also warms up
    ours, peer, ours_raw = [], [], []
    for _ in range(NUM_RUNS):
        ours.append(len(dataset) / _seconds(lambda: _ours(documents, tokenizer, info)))
        peer.append(len(dataset) / _seconds(lambda: _peer(dataset, tokenizer)))
        ours_raw.append(num_raw / _seconds(lambda: _ours(raw, tokenizer, raw_info)))
    common = {
        "backbone": BACKBONE,
        "max_pieces": MAX_PIECES,
        "processes": 1,
        "threads": "the tokenizers library's default, on both sides",
    }
    return [
        make_row(
            "encode, words given",
            "sentences/s",
            ours=ours,
            peer_name="datasets.map, word_ids",
            peer=peer,
            goal=5.0,
            settings=common
            | {"corpus": f"{CORPUS}/train", "sentences": len(dataset), "truncated_by_peer": num_truncated},
        ),
        make_row(
            "encode, raw text",
            "sentences/s",
            ours=ours_raw,
            peer_name=None,
            peer=(),
            goal=None,
            settings=common | {"corpus": f"{RAW_CORPUS}/train", "sentences": num_raw},
        ),
    ]


def _corpus(name: str) -> tuple[Sequence[Document], Any, TaggingInfo]:
    data = openmed.datamodule(name, backbone=BACKBONE, max_pieces=MAX_PIECES, cache=False)
    return data.documents("train"), data.tokenizer, data.info


def _ours(documents: Sequence[Document], tokenizer: Any, info: TaggingInfo) -> tuple[EncodedCorpus, list[Window]]:
    """Windows of one sentence each, as the peer's rows. The encoder is new: it remembers nothing of the run before."""
    encoded = encode_documents(
        documents,
        encoder=PieceEncoder(tokenizer),
        splitter=info.splitter,
        tags=info.tag_ids,
        max_word_pieces=info.max_word_pieces,
    )
    windows = training_windows(
        encoded, capacity=info.capacity, overlap=info.overlap, max_sentences=1, rng=epoch_rng(1, 0)
    )
    return encoded, windows


def _as_dataset(documents: Sequence[Document], info: TaggingInfo) -> Any:
    """A `datasets.Dataset` of sentences: their words, and the ids of these words' tags."""
    from datasets import Dataset, disable_progress_bars

    disable_progress_bars()
    columns: dict[str, list[list[Any]]] = {"tokens": [], "ner_tags": []}
    for document in documents:
        ranges = document.words or ()
        words = [document.text[start:end] for start, end in ranges]
        tags = [info.tag_ids[tag] for tag in encode_document(ranges, document.spans)[0]]
        for start, end in document.sentences or ():
            chosen = slice(bisect_left(ranges, (start, 0)), bisect_left(ranges, (end, 0)))
            columns["tokens"].append(words[chosen])
            columns["ner_tags"].append(tags[chosen])
    return Dataset.from_dict(columns)


def _peer(dataset: Any, tokenizer: Any) -> Any:
    """As in the usual scripts: input_ids, attention_mask and labels of each sentence."""

    def tokenize_and_align(examples: Any) -> Any:
        encoded = tokenizer(examples["tokens"], truncation=True, is_split_into_words=True, max_length=MAX_PIECES)
        labels = []
        for row, tags in enumerate(examples["ner_tags"]):
            before = None
            aligned = []
            for word in encoded.word_ids(batch_index=row):
                aligned.append(IGNORED if word is None or word == before else tags[word])
                before = word
            labels.append(aligned)
        encoded["labels"] = labels
        return encoded

    return dataset.map(tokenize_and_align, batched=True, num_proc=None, load_from_cache_file=False)


def _check_equal(encoded: EncodedCorpus, peer: Any) -> int:
    """Same sentences, pieces and labels, except behind the peer's truncation. Returns how many it truncated.

    Raises:
        NotEqual: else.
    """
    if encoded.num_sentences != len(peer):
        raise NotEqual(f"{encoded.num_sentences} sentences, the peer has {len(peer)}")
    num_truncated = 0
    for sentence, row in enumerate(peer):
        first, last = encoded.sentence_starts[sentence : sentence + 2]
        ids = encoded.piece_ids[encoded.word_starts[first] : encoded.word_starts[last]]
        tags = encoded.tag_ids[first:last]
        num_truncated += (truncated := len(ids) + NUM_SPECIAL > MAX_PIECES)
        labels = [label for label in row["labels"] if label != IGNORED]
        if truncated:
            ids, tags = ids[: MAX_PIECES - NUM_SPECIAL], tags[: len(labels)]
        if not (np.array_equal(row["input_ids"][1:-1], ids) and np.array_equal(labels, tags)):
            raise NotEqual(f"sentence {sentence} has other pieces or labels")
    return num_truncated


def _seconds(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
