"""transformers' own pipeline on an exported model, against ours on the same weights: where they differ, and why.

differences = compare_with_pipeline(artefact, NetworkScorer(...), folder, documents)
differences.num_same, differences.reasons

The pipeline takes each word's tag by itself, so that an I- that continues nothing opens an entity; it cuts its windows
and puts its words together by rules of its own. Wherever none of these matters, it finds the same spans.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from openmed.artefact import Artefact
from openmed.networks.loading import quiet_loading
from openmed.predicting import EntityTagger, Model, Scorer
from openmed.serving.export.batches import Cut
from openmed.spans import Document
from openmed.tagging import spans_from_tags

AGGREGATION = "first"
"""A word gets the tag of its first piece, as in training; inner pieces were never trained."""

ILLEGAL = "illegal sequence"
"""A stray I-: the pipeline opens an entity with it, our decoding takes the best legal sequence."""
WINDOWS = "window boundary"
"""The text is longer than a window, and the two cut it in different places."""
PIECES = "other pieces"
"""The tokenizer cuts the whole text otherwise than word by word (a piece that crosses a word's edge)."""
WORDS = "other words"
"""The pipeline puts pieces together to other words than ours: "(p53)" is one word to it where words end at spaces."""
REASONS = (ILLEGAL, WINDOWS, PIECES, WORDS)


@dataclass(frozen=True)
class Differences:
    """Attributes:
    num_documents, num_same: documents compared, and those in which both found exactly the same.
    num_spans: found by both alike.
    reasons: spans that only one of them found, by reason.
    num_longer: documents longer than a window, which the pipeline cuts off unless it is given a `stride`.
    num_other_pieces: documents in which the tokenizer's own pieces are not ours.
    stride: that was given.
    """

    num_documents: int
    num_same: int
    num_spans: int
    reasons: dict[str, int]
    num_longer: int
    num_other_pieces: int
    stride: int

    def as_dict(self) -> dict[str, Any]:
        return {
            "num_documents": self.num_documents,
            "num_same": self.num_same,
            "num_spans": self.num_spans,
            "differing_spans": self.reasons,
            "num_longer": self.num_longer,
            "num_other_pieces": self.num_other_pieces,
            "pipeline": {"aggregation_strategy": AGGREGATION, "stride": self.stride},
        }


def compare_with_pipeline(
    artefact: Artefact, score: Scorer, folder: Path, documents: Sequence[Document]
) -> Differences:
    """Both on the bare texts.

    Args:
        score: the artefact's network, in float32.
        folder: from `write_merged`.
    """
    ours = EntityTagger([Model("model", artefact.info, artefact.tokenizer, score)])
    theirs = _pipeline(folder, stride=artefact.info.overlap)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where words end at spaces the pipeline says that it guesses: counted here
        texts = [_compared(artefact, score, ours, theirs, document.text) for document in documents]
    reasons = sum((text.reasons for text in texts), Counter())
    return Differences(
        num_documents=len(texts),
        num_same=sum(not text.reasons for text in texts),
        num_spans=sum(text.num_spans for text in texts),
        reasons={reason: reasons[reason] for reason in REASONS},
        num_longer=sum(text.is_longer for text in texts),
        num_other_pieces=sum(text.has_other_pieces for text in texts),
        stride=artefact.info.overlap,
    )


class _Text(NamedTuple):
    """One text: see `Differences`."""

    reasons: Counter[str]
    num_spans: int
    is_longer: bool
    has_other_pieces: bool


def _compared(artefact: Artefact, score: Scorer, ours: EntityTagger, theirs: Any, text: str) -> _Text:
    own = {(span.start, span.end, span.label) for span in ours(text).spans}
    found = {(hit["start"], hit["end"], hit["entity_group"]) for hit in theirs(text)}
    cut = Cut(artefact, [Document("text", text)])
    pieces = theirs.tokenizer(text, add_special_tokens=False, truncation=False, padding=False).input_ids
    is_longer = len(pieces) > artefact.info.capacity
    has_other_pieces = pieces != cut.encoded.piece_ids.tolist()
    # Our own scores, each word's best tag for itself: what both would find if they differed in that alone.
    tags = [artefact.info.tags[tag] for tag in cut.scores(score).argmax(axis=1).tolist()]
    words = cut.encoded.word_ranges.tolist()
    loose = {(words[a][0], words[b - 1][1], label) for a, b, label in spans_from_tags(tags, "iob2-lenient")}
    by_decoding = ((found - own) & loose) | ((own - found) - loose)
    others = (own ^ found) - by_decoding
    rest = WINDOWS if is_longer else PIECES if has_other_pieces else WORDS
    reasons = +Counter({ILLEGAL: len(by_decoding), rest: len(others)})
    return _Text(reasons, len(own & found), is_longer, has_other_pieces)


def _pipeline(folder: Path, *, stride: int) -> Any:
    import torch
    from transformers import pipeline

    with quiet_loading():
        return pipeline(
            "token-classification",
            model=str(folder),
            aggregation_strategy=AGGREGATION,
            stride=stride,
            dtype=torch.float32,
            device="cpu",
        )
