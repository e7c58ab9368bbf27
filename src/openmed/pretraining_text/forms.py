"""What the keys of a mix's YAML may hold.

given = checked({"min_tokens": 20}, PASSAGE_FORMS, "passage of mix.yaml")
"""

from __future__ import annotations

from typing import Any

from openmed.forms import Forms, are_texts, have_names, is_text


def _is_filled(value: Any) -> bool:
    return is_text(value) and bool(value)


def _are_filled(value: Any) -> bool:
    return are_texts(value) and all(value)


def _are_replacements(value: Any) -> bool:
    return have_names(value) and are_texts(list(value.values()))


def _is_integer(value: Any) -> bool:
    return type(value) is int  # no bool


def _is_count(value: Any) -> bool:
    return _is_integer(value) and value >= 1


SOURCE_FORMS: Forms = {
    "name": (_is_filled, "name: notes"),
    "format": (_is_filled, "format: jsonl"),
    "path": (_is_filled, "path: text/notes.jsonl"),
    "options": (have_names, "options: {text: abstract}"),
    "passages": (_is_integer, "passages: 1000"),
    "replace": (_are_replacements, 'replace: {"<dig>": "0"}'),
    "parts": (_is_integer, "parts: 4"),
    "min_stop_words": (lambda value: _is_integer(value) and value >= 0, "min_stop_words: 1"),
}
PASSAGE_FORMS: Forms = {
    "min_tokens": (_is_count, "min_tokens: 50"),
    "max_tokens": (_is_count, "max_tokens: 256"),
}
NEAR_FORMS: Forms = {
    "ngram": (_is_count, "ngram: 5"),
    "buckets": (_is_count, "buckets: 14"),
    "hashes_per_bucket": (_is_count, "hashes_per_bucket: 8"),
}
MIX_FORMS: Forms = {
    "name": (_is_filled, "name: mine"),
    "sources": (lambda value: isinstance(value, list), "sources: [{name: notes, format: text, path: notes.txt}]"),
    "backbones": (_are_filled, "backbones: [minilm]"),
    "passage": (have_names, "passage: {min_tokens: 50, max_tokens: 256}"),
    "near_duplicates": (have_names, "near_duplicates: {buckets: 14}"),
    "decontaminate_ngram": (_is_count, "decontaminate_ngram: 13"),
    "heldout_fraction": (lambda value: type(value) in (int, float), "heldout_fraction: 0.01"),
    "seed": (_is_integer, "seed: 1"),
}
