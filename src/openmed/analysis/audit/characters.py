"""Characters that tools read differently, and words and sentences of unusual length.

finding_characters, finding_lengths = characters(splits), lengths(splits)
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from html.entities import html5

from openmed.analysis.audit.finding import KEPT_EXAMPLES, Finding, Splits, Weight, by_split, number, quote
from openmed.analysis.leakage import sentences_of
from openmed.analysis.leakage.passages import SPLITTER
from openmed.analysis.report.blocks import Cell, Table
from openmed.encoding.words import words_of

CONTROL = "invisible_character"
NOT_NFC = "not_nfc"
ENTITY = "html_entity"
REPLACEMENT = "replacement_character"
KINDS = {
    CONTROL: "control, format and private-use characters",
    NOT_NFC: "documents not in Unicode's form NFC",
    ENTITY: "HTML entities",
    REPLACEMENT: "replacement characters (U+FFFD)",
}
LONG_WORD_LETTERS = 50
LONG_SENTENCE_WORDS = 100
_ENTITY = re.compile(r"&\s?(?:[A-Za-z]{2,8}|#\s?[0-9]{1,7}|#\s?[xX][0-9A-Fa-f]{1,6})\s?;")
_INVISIBLE = ("Cc", "Cf", "Co", "Cs")
_USUAL = "\t\n\r"


def characters(splits: Splits) -> Finding:
    """counts: split -> kind (see `KINDS`) -> number of characters, entities or documents."""
    counts: dict[str, dict[str, int]] = {}
    rows: list[list[Cell]] = []
    for split, documents in splits.items():
        found: Counter[str] = Counter()
        for document in documents:
            for kind, shown in _odd(document.text):
                found[kind] += 1
                if found[kind] <= 3:
                    rows.append([split, document.id, KINDS[kind], shown])
        counts[split] = {kind: found[kind] for kind in KINDS if found[kind]}
    total = sum(sum(part.values()) for part in counts.values())
    verdict = "No control characters, HTML entities or replacement characters; all text is in form NFC."
    if total:
        totals = {kind: sum(part.get(kind, 0) for part in counts.values()) for kind in KINDS}
        told = "; ".join(f"{KINDS[kind]} ({count:,})" for kind, count in totals.items() if count)
        verdict = (
            f"There are {told}. Tokenizers differ on them (some drop them), and tools that normalise text may shift "
            "offsets; here offsets stay those of the file."
        )
    return Finding(
        name="characters",
        title="Unusual characters",
        weight=Weight.NOTE if total else Weight.NOTHING,
        verdict=verdict,
        counts=counts,
        tables=[by_split(counts, KINDS)] if total else [],
        examples=[Table(("split", "document", "what", "shown"), rows[:KEPT_EXAMPLES], "Examples")] if rows else [],
    )


def lengths(splits: Splits) -> Finding:
    """counts: split -> {long_words, longest_word (letters), long_sentences, longest_sentence (words)}."""
    counts: dict[str, dict[str, int]] = {}
    rows: list[list[Cell]] = []
    for split, documents in splits.items():
        letters: list[int] = []
        for document in documents:
            for start, end in words_of(document, SPLITTER):
                letters.append(end - start)
                if end - start >= LONG_WORD_LETTERS:
                    rows.append([split, document.id, end - start, f"{document.text[start : start + 40]} …"])
        sizes = [sentence.num_words for document in documents for sentence in sentences_of(document)]
        counts[split] = {
            "long_words": sum(length >= LONG_WORD_LETTERS for length in letters),
            "longest_word": max(letters, default=0),
            "long_sentences": sum(size > LONG_SENTENCE_WORDS for size in sizes),
            "longest_sentence": max(sizes, default=0),
        }
    words = {
        "long_words": f"words of {LONG_WORD_LETTERS} or more characters",
        "longest_word": "characters of the longest word",
        "long_sentences": f"sentences of more than {LONG_SENTENCE_WORDS} words",
        "longest_sentence": "words of the longest sentence",
    }
    any_long = any(part["long_words"] or part["long_sentences"] for part in counts.values())
    rows.sort(key=lambda row: -int(row[2] or 0))
    return Finding(
        name="lengths",
        title="Long words and sentences",
        weight=Weight.NOTE if any_long else Weight.NOTHING,
        verdict=_length_verdict(counts),
        counts=counts,
        tables=[by_split(counts, words)] if any_long else [],
        examples=[Table(("split", "document", "characters", "begins"), rows[:KEPT_EXAMPLES], "Longest words")]
        if rows
        else [],
    )


def _length_verdict(counts: dict[str, dict[str, int]]) -> str:
    long_words = sum(part["long_words"] for part in counts.values())
    long_sentences = sum(part["long_sentences"] for part in counts.values())
    parts = [f"No word of {LONG_WORD_LETTERS} or more characters."]
    if long_words:
        parts = [
            f"{number(long_words, 'word')} of {LONG_WORD_LETTERS} or more characters (sequences, chemical names, or "
            "text that was not split)."
        ]
    if long_sentences:
        parts.append(
            f"{number(long_sentences, 'sentence')} of more than {LONG_SENTENCE_WORDS} words (lists and tables, or "
            "sentence ends that were missed)."
        )
    else:
        parts.append(f"No sentence of more than {LONG_SENTENCE_WORDS} words.")
    return " ".join(parts)


def _odd(text: str) -> Iterator[tuple[str, str]]:
    """(kind, what to show) of each find in a text."""
    if not text.isascii():
        if not unicodedata.is_normalized("NFC", text):
            yield NOT_NFC, quote(_first_not_nfc(text))
        yield from ((REPLACEMENT, "U+FFFD") for character in text if character == "\ufffd")
    if not text.isprintable():
        for character in text:
            if unicodedata.category(character) in _INVISIBLE and character not in _USUAL:
                yield CONTROL, f"U+{ord(character):04X}"
    for match in _ENTITY.finditer(text):
        plain = "".join(match[0].split())
        if plain[1] == "#" or plain[1:] in html5:
            yield ENTITY, plain


def _first_not_nfc(text: str) -> str:
    return next((word for word in text.split() if not unicodedata.is_normalized("NFC", word)), "")
