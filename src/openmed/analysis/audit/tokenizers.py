"""How a backbone's tokenizer meets the corpus: pieces per word, unknown pieces, mentions that its pieces cannot show.

Two ways of tokenising are compared. Ours gives each word pieces of its own (`openmed.encoding`), so a mention made of
words is never lost. Most tools tokenise the raw text as a whole, and a mention whose edge falls inside a piece cannot
be labelled exactly there ("unalignable").

    finding = tokenizer_fit("minilm", splits)
"""

from __future__ import annotations

import copy
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np

from openmed.analysis.audit.finding import KEPT_EXAMPLES, Finding, Splits, Weight, number, percent, quote
from openmed.analysis.audit.losses import noted
from openmed.analysis.report.blocks import Cell, Table
from openmed.encoding import NUM_SPECIAL, EncodedCorpus, PieceEncoder, choose_splitter, encode_documents
from openmed.encoding.corpus import LONG_WORD
from openmed.encoding.info import MAX_WORD_PIECES
from openmed.errors import BackboneError
from openmed.networks import BackboneSpec, load_tokenizer
from openmed.spans import Document, Range, Span
from openmed.tagging import CUT_BY_WORD, DISCONTINUOUS, NESTED, NO_WORD, tag_names

WINDOW = 256
_CHUNK = 200


def tokenizer_fit(name: str, splits: Splits) -> Finding:
    """What the backbone's tokenizer makes of all splits; a verdict that says so when it is not on this machine.

    Raises:
        ConfigError: no such backbone.
    """
    title = f"The tokenizer of {name}"
    try:
        tokenizer = load_tokenizer(BackboneSpec.named(name))
    except BackboneError as error:
        verdict = f"Not available here, so not looked at: {error.problem}."
        return Finding(f"tokenizer_{name}", title, Weight.NOTE, verdict, counts={"available": False})
    documents = list(chain.from_iterable(splits.values()))
    counts, rows = measure(tokenizer, documents)
    kept_from_training = counts["mentions_lost"] + counts["words_cut"]
    return Finding(
        name=f"tokenizer_{name}",
        title=title,
        weight=Weight.TRAINING if kept_from_training else Weight.NOTE if _any_trouble(counts) else Weight.NOTHING,
        verdict=_verdict(counts),
        counts={"available": True, **counts},
        tables=[_table(counts)],
        examples=[Table(("document", "mention", "edge inside"), rows, "Unalignable mentions")] if rows else [],
    )


def measure(tokenizer, documents: Sequence[Document]) -> tuple[dict[str, Any], list[list[Cell]]]:
    """Counts over documents, and examples of unalignable mentions.

    Args:
        tokenizer: a fast Hugging Face tokenizer.
    """
    types = sorted({span.label for document in documents for span in document.spans})
    encoded = encode_documents(
        documents,
        encoder=PieceEncoder(tokenizer),
        splitter=choose_splitter(documents),
        tags={tag: index for index, tag in enumerate(tag_names(types))},
        max_word_pieces=MAX_WORD_PIECES,
    )
    lengths = np.diff(encoded.word_starts)
    sentences = np.diff(encoded.word_starts[encoded.sentence_starts])
    unknown = _unknown_words(encoded, tokenizer.unk_token_id)
    unalignable = list(_unalignable(tokenizer, documents))
    losses = dict(encoded.losses)
    counts = {
        "words": encoded.num_words,
        "mentions": sum(len(document.spans) for document in documents),
        "pieces_per_word": round(float(lengths.mean()), 3) if len(lengths) else 0.0,
        "words_in_several_pieces": int((lengths > 1).sum()),
        "words_with_unknown_piece": int(unknown.sum()),
        "mentions_with_unknown_piece": _mentions_with(encoded, unknown),
        "words_cut": losses.get(LONG_WORD, 0),
        "unalignable_mentions": len(unalignable),
        "mentions_lost": sum(losses.get(kind, 0) for kind in (DISCONTINUOUS, NESTED, NO_WORD)),
        "mentions_changed": losses.get(CUT_BY_WORD, 0),
        "long_sentences": int((sentences + NUM_SPECIAL > WINDOW).sum()),
        "longest_sentence": int(sentences.max(initial=0)),
        "losses": losses,
    }
    rows: list[list[Cell]] = [
        [document.id, quote(document.mention(span)), quote(piece)] for document, span, piece in unalignable
    ]
    return counts, rows[:KEPT_EXAMPLES]


def _unknown_words(encoded: EncodedCorpus, unknown_id: int | None) -> np.ndarray:
    """(num_words,) bool: whether a word has an unknown piece."""
    flags = np.zeros(encoded.num_words, dtype=bool)
    places = np.flatnonzero(encoded.piece_ids == (-1 if unknown_id is None else unknown_id))
    flags[np.searchsorted(encoded.word_starts, places, side="right") - 1] = True
    return flags


def _mentions_with(encoded: EncodedCorpus, words: np.ndarray) -> int:
    """How many tagged mentions have one of the words. In `tag_names`' order 0 is O, odd numbers are B-, even I-."""
    inside = encoded.tag_ids > 0
    mention = np.cumsum(inside & (encoded.tag_ids % 2 == 1))
    return len(np.unique(mention[inside & words]))


def _unalignable(tokenizer, documents: Sequence[Document]) -> Iterator[tuple[Document, Span, str]]:
    """Mentions with an edge inside a piece, when the text is tokenised as a whole; with that piece."""
    backend = copy.deepcopy(tokenizer.backend_tokenizer)
    backend.no_padding()
    backend.no_truncation()
    backend.encode_special_tokens = True
    with_spans = [document for document in documents if document.spans]
    for start in range(0, len(with_spans), _CHUNK):
        block = with_spans[start : start + _CHUNK]
        encodings = backend.encode_batch([document.text for document in block], add_special_tokens=False)
        for document, encoding in zip(block, encodings, strict=True):
            pieces = encoding.offsets  # a new list at each access
            for span in document.spans:
                edges = (_around(edge, pieces, document.text) for edge in (span.start, span.end))
                if piece := next(filter(None, edges), None):
                    yield document, span, piece


def _around(edge: int, pieces: Sequence[Range], text: str) -> str | None:
    """The piece that the edge lies inside, None where it lies between pieces. Leading space belongs to no piece."""
    index = bisect_left(pieces, edge, key=lambda piece: piece[0]) - 1
    if index < 0 or pieces[index][1] <= edge:
        return None
    start, end = pieces[index]
    piece = text[start:end]
    return piece.strip() if start + len(piece) - len(piece.lstrip()) < edge else None


def _any_trouble(counts: Mapping[str, Any]) -> bool:
    kinds = ("words_with_unknown_piece", "unalignable_mentions", "mentions_changed", "long_sentences")
    return any(counts[kind] for kind in kinds)


def _table(counts: Mapping[str, Any]) -> Table:
    words = {
        "pieces_per_word": "pieces per word",
        "words_in_several_pieces": "words in several pieces",
        "words_with_unknown_piece": "words with an unknown piece",
        "mentions_with_unknown_piece": "mentions with an unknown piece",
        "words_cut": f"words cut at {MAX_WORD_PIECES} pieces",
        "unalignable_mentions": "mentions with an edge inside a piece of the whole text",
        "mentions_lost": "mentions that our own encoding loses",
        "mentions_changed": "mentions that it widens or narrows to whole words",
        "long_sentences": f"sentences longer than a window of {WINDOW} pieces",
        "longest_sentence": "pieces of the longest sentence",
    }
    rows: list[list[Cell]] = [[text, counts[kind]] for kind, text in words.items() if counts[kind]]
    note = f"What our own encoding met: {noted(counts['losses'])}." if counts["losses"] else ""
    return Table(("", "all splits"), rows, note=note)


def _verdict(counts: Mapping[str, Any]) -> str:
    parts = [f"{counts['pieces_per_word']:.2f} pieces per word."]
    if unknown := counts["words_with_unknown_piece"]:
        parts.append(
            f"{number(unknown, 'word')} {'has' if unknown == 1 else 'have'} an unknown piece, which the tagger cannot "
            f"read ({number(counts['mentions_with_unknown_piece'], 'mention')} with such a word)."
        )
    if unalignable := counts["unalignable_mentions"]:
        parts.append(
            f"{number(unalignable, 'mention')} ({percent(unalignable, counts['mentions'])}) would not fit the pieces "
            "of a tool that tokenises the text as a whole; here each word has pieces of its own."
        )
    if lost := counts["mentions_lost"]:
        parts.append(f"{number(lost, 'mention')} cannot be said in word tags and {'is' if lost == 1 else 'are'} lost.")
    if long := counts["long_sentences"]:
        parts.append(f"{number(long, 'sentence')} {'needs' if long == 1 else 'need'} more than one window of {WINDOW}.")
    if len(parts) == 1:
        parts.append("Every mention can be tagged, and every word read.")
    return " ".join(parts)
