"""What the keys of a mix's YAML may hold: said before anything is made of them.

given = checked({"min_tokens": 20}, PASSAGE_FORMS, "passage of mix.yaml")
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from openmed.errors import ConfigError, nearest


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _are_texts(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(map(_is_text, value))


def _has_names(value: Any) -> bool:
    return isinstance(value, Mapping) and all(map(_is_text, value))


def _are_replacements(value: Any) -> bool:
    return _has_names(value) and all(isinstance(other, str) for other in value.values())


def _is_integer(value: Any) -> bool:
    return type(value) is int  # no bool


def _is_count(value: Any) -> bool:
    return _is_integer(value) and value >= 1


Forms = Mapping[str, tuple[Callable[[Any], bool], str]]
"""Key -> whether a value will do, and one that does."""
SOURCE_FORMS: Forms = {
    "name": (_is_text, "name: notes"),
    "format": (_is_text, "format: jsonl"),
    "path": (_is_text, "path: text/notes.jsonl"),
    "options": (_has_names, "options: {text: abstract}"),
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
    "name": (_is_text, "name: mine"),
    "sources": (lambda value: isinstance(value, list), "sources: [{name: notes, format: text, path: notes.txt}]"),
    "backbones": (_are_texts, "backbones: [minilm]"),
    "passage": (_has_names, "passage: {min_tokens: 50, max_tokens: 256}"),
    "near_duplicates": (_has_names, "near_duplicates: {buckets: 14}"),
    "decontaminate_ngram": (_is_count, "decontaminate_ngram: 13"),
    "heldout_fraction": (lambda value: type(value) in (int, float), "heldout_fraction: 0.01"),
    "seed": (_is_integer, "seed: 1"),
}


def checked(values: Any, forms: Forms, where: str) -> dict[str, Any]:
    """What is given, keys without a value left out.

    Args:
        where: it stands, for errors.

    Raises:
        ConfigError: not keys and values, an unknown key, a value of another form.
    """
    if not isinstance(values, Mapping):
        examples = "; ".join(example for _, example in forms.values())
        raise ConfigError(f"{where} is {values!r:.80}, not keys and values", mend=f"write {examples}")
    for key, value in values.items():
        if key not in forms:
            raise ConfigError(f"unknown key {key!r} in {where}", mend=nearest(str(key), forms))
        will_do, example = forms[key]
        if value is not None and not will_do(value):
            raise ConfigError(f"{where}: {key} cannot be {value!r:.80}", mend=f"write it like {example}")
    return {key: value for key, value in values.items() if value is not None}
