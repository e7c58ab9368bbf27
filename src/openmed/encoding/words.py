"""Words of raw text. A tagger labels words, and raw text has none until somebody splits it.

Two splitters, each a pure function of the text, named in the model's `openmed.json` so that prediction splits as
training did. Every non-space character belongs to exactly one word.

    split_words("IL-2-induced (10 mg).", "punctuation")  # IL - 2 - induced ( 10 mg ) .
    split_words("IL-2-induced (10 mg).", "edges")        # IL-2-induced ( 10 mg ) .
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from openmed.errors import ConfigError, nearest
from openmed.spans import Document, Range

# A letter or digit with the combining marks that follow it; anything else that is not a space stands alone.
_PUNCTUATION = re.compile(r"[^\W_]+(?:[\u0300-\u036f]+[^\W_]*)*|\S")
_CHUNK = re.compile(r"\S+")
_EDGE = re.compile(r"[^\w\s\u0300-\u036f]|_")
_SENTENCE_END = re.compile(r"[.!?][\"')\]]*\s+(?=[\"'(\[]*[A-Z0-9])")
_SENTENCE_END_OF_ANY_CASE = re.compile(r"[.!?][\"')\]]*\s+(?=[\"'(\[]*[^\W_])")
_CAPITALISED = re.compile(r"[A-Z][a-z]")
_ABBREVIATIONS = r"vs|cf|e\.g|i\.e|et al|Fig|Figs|approx|Dr|No|spp?|subsp|var|St|ca|resp|[A-Z]"
"""At most `_LONGEST` letters each, with the dot."""
_ABBREVIATION = re.compile(rf"\b(?:{_ABBREVIATIONS})\.$")
_LOWER_ABBREVIATION = re.compile(rf"\b(?:{_ABBREVIATIONS}|pv|ssp)\.$", re.IGNORECASE)
"""In lower-cased text "no." is one, too: a sentence that ends in the word "no" is rarer than a number."""
_LONGEST = 8


def split_on_punctuation(text: str) -> list[Range]:
    """Runs of letters and digits; every other non-space character a word of its own (as in BERT and MTL's corpora)."""
    return list(map(re.Match.span, _PUNCTUATION.finditer(text)))


def split_at_edges(text: str) -> list[Range]:
    """Whitespace chunks with punctuation cut off both ends, inner punctuation kept (as in GENIA and JNLPBA)."""
    words: list[Range] = []
    for chunk in _CHUNK.finditer(text):
        start, end = chunk.span()
        inner_start, inner_end = start, end
        while inner_start < inner_end and _EDGE.match(text, inner_start):
            inner_start += 1
        while inner_end > inner_start and _EDGE.match(text, inner_end - 1):
            inner_end -= 1
        words += [(i, i + 1) for i in range(start, inner_start)]
        if inner_start < inner_end:
            words.append((inner_start, inner_end))
        words += [(i, i + 1) for i in range(inner_end, end)]
    return words


SPLITTERS: dict[str, Callable[[str], list[Range]]] = {"punctuation": split_on_punctuation, "edges": split_at_edges}


def split_words(text: str, splitter: str) -> list[Range]:
    """Character ranges of the words of `text`.

    Raises:
        ConfigError: no such splitter.
    """
    if splitter not in SPLITTERS:
        raise ConfigError(f"unknown word splitter {splitter!r}", mend=nearest(splitter, SPLITTERS))
    return SPLITTERS[splitter](text)


def words_of(document: Document, splitter: str) -> Sequence[Range]:
    """The corpus's own words where it has them, else those of the splitter."""
    return document.words if document.words is not None else split_words(document.text, splitter)


def choose_splitter(documents: Iterable[Document], *, max_words: int = 20_000) -> str:
    """The splitter that best reproduces a tokenised corpus's own words; "punctuation" for raw text.

    Of the first `max_words` words, those with inner punctuation speak for "edges"; hyphens and slashes that stand as
    words between two others speak for "punctuation", since running text has no spaces around them. (That a splitter
    leaves words whole proves nothing by itself: "edges" leaves whole whatever "punctuation" does.)
    """
    kept = cut = seen = 0
    for document in documents:
        words = [document.text[start:end] for start, end in document.words or ()]
        kept += sum(len(split_at_edges(word)) == 1 < len(split_on_punctuation(word)) for word in words)
        cut += sum(
            word in ("-", "/") and before[-1].isalnum() and after[0].isalnum()
            for before, word, after in zip(words, words[1:], words[2:], strict=False)
        )
        seen += len(words)
        if seen >= max_words:
            break
    return "edges" if kept > cut else "punctuation"


def is_lower_cased(text: str) -> bool:
    """Whether no word of it begins with a capital and goes on in small letters."""
    return _CAPITALISED.search(text) is None


def split_sentences(text: str, *, lower_cased: bool = False) -> tuple[Range, ...]:
    """Sentences of raw text by rule: an end mark, then space, then a capital or digit; common abbreviations kept.

    Used only where the corpus marks no sentences, to cut training windows at natural places.

    Args:
        lower_cased: capitals have been taken out of it, so a small letter may begin a sentence as well.
    """
    ends, abbreviation = _SENTENCE_END, _ABBREVIATION
    if lower_cased:
        ends, abbreviation = _SENTENCE_END_OF_ANY_CASE, _LOWER_ABBREVIATION
    starts = [0]
    for match in ends.finditer(text):
        mark_end = match.start() + 1
        if not abbreviation.search(text, max(0, mark_end - _LONGEST), mark_end):
            starts.append(match.end())
    ranges = []
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        stripped = text[start:end]
        left = len(stripped) - len(stripped.lstrip())
        right = len(stripped.rstrip())
        if left < right:
            ranges.append((start + left, start + right))
    return tuple(ranges)
