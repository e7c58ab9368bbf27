"""JSONL: one document a line, `id`, `text` and its mentions under `gold`, `entities` or `spans`.

Reads what `openmed predict --to jsonl` and a run's `predictions/*.jsonl` hold, and what people write by hand.

    {"id": "1", "text": "Aspirin.", "entities": [{"start": 0, "end": 7, "label": "Chemical"}]}

A mention may be a list [start, end, label] too, and stand under `label`, as in exports of doccano and spaCy.

Optional keys: of a document `group`, `words` and `sentences` ([[start, end], ...]); of a mention `text`, `score`,
`fragments` ([[start, end], ...]), `identifier` and `model`. Others are passed over.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from os import PathLike
from typing import Any, TypeVar

from openmed.errors import DataError
from openmed.readers.lines import numbered_lines
from openmed.readers.losses import MENTION_DIFFERS
from openmed.spans import Document, Range, Span

T = TypeVar("T")
_KINDS = {int: "a whole number", str: "a string", list: "a list [...]", dict: "an object {...}"}

_MEND = 'a line is {"id": "1", "text": "...", "entities": [{"start": 0, "end": 7, "label": "Chemical"}]}'
MENTION_KEYS = ("gold", "entities", "spans")
DOCCANO_KEYS = ("labels", "label")
"""Taken where they hold a list; a single label is the class of a text, and none of our business."""


def read_jsonl(
    path: str | PathLike[str],
    *,
    losses: Counter[str] | None = None,
    mentions: str | Sequence[str] | None = None,
    refused: Callable[[DataError], None] | None = None,
) -> Iterator[Document]:
    """Stream the documents of a JSONL file (`.gz` or not).

    Args:
        losses: counts mentions whose `text` differs from the text at their offsets (the offsets are believed).
        mentions: the key that holds the mentions, or several: of each line the first that it has. None is `gold`,
            `entities`, `spans` (`labels` or `label`, if a list), and lets a line without any of them be a document
            without mentions.
        refused: is told what is wrong with a line, which is then left out; None raises at the first.

    Raises:
        DataError: a line that is not such an object, or has none of the keys told, or offsets outside the text.
    """
    losses = Counter() if losses is None else losses
    told = (mentions,) if isinstance(mentions, str) else mentions
    found = False
    for number, line in numbered_lines(path, refused=refused):
        if not line.strip():
            continue
        found = True
        try:
            yield _document(json.loads(line), number, told, losses)
        except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
            what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
            problem = DataError(f"not a document: {what}", path=path, line=number, text=line, mend=_MEND)
            if refused is None:
                raise problem from error
            refused(problem)
    if not found:
        raise DataError("the file is empty", path=path, mend=_MEND)


def _document(entry: Any, number: int, told: Sequence[str] | None, losses: Counter[str]) -> Document:
    entry = _typed("a line", entry, dict)
    text = _typed("text", entry["text"], str)
    text.encode()  # half a surrogate pair ("\\ud800") would only fail later, in the tokenizer
    keys = told or (*MENTION_KEYS, *(key for key in DOCCANO_KEYS if type(entry.get(key)) is list))
    key = next((key for key in keys if key in entry), "")
    if told and not key:
        raise ValueError(f"its mentions are to stand under {' or '.join(map(repr, told))}, and it has no such key")
    items = [_mention(item) for item in _typed(key, entry.get(key) or [], list)]
    document = Document(
        id=str(entry.get("id") or number),
        text=text,
        spans=tuple(_span(item) for item in items),
        group=str(entry.get("group") or ""),
        words=_ranges("words", entry.get("words")),
        sentences=_ranges("sentences", entry.get("sentences")),
    )
    differing = sum(_differs(item, text) for item in items)
    if differing:
        losses[MENTION_DIFFERS] += differing
    return document


def _differs(item: dict[str, Any], text: str) -> bool:
    """Whether a mention in one piece gives a text that is not the one at its offsets."""
    return not item.get("fragments") and item.get("text") not in (None, text[item["start"] : item["end"]])


def _mention(item: Any) -> dict[str, Any]:
    """A mention as an object; [start, end, label], as doccano and spaCy write it, becomes one."""
    if type(item) is list and len(item) == 3:
        return dict(zip(("start", "end", "label"), item, strict=True))
    return _typed("a mention", item, dict)


def _span(item: dict[str, Any]) -> Span:
    return Span(
        start=_typed("start", item["start"], int),
        end=_typed("end", item["end"], int),
        label=_typed("label", item["label"], str),
        fragments=_ranges("fragments", item.get("fragments") or None) or (),
        identifier=item.get("identifier"),
        score=item.get("score"),
        model=item.get("model"),
    )


def _ranges(key: str, value: Any) -> tuple[Range, ...] | None:
    """[[start, end], ...] as a tuple of pairs; None stays None."""
    if value is None:
        return None
    pairs = [_typed(key, pair, list) for pair in _typed(key, value, list)]
    if any(len(pair) != 2 for pair in pairs):
        raise ValueError(f"{key} must be pairs [start, end], not {value!r}")
    return tuple((_typed(key, start, int), _typed(key, end, int)) for start, end in pairs)


def _typed(what: str, value: Any, kind: type[T]) -> T:
    # Not isinstance: True is no offset.
    if type(value) is not kind:
        raise ValueError(f"{what} must be {_KINDS[kind]}, not {value!r}")
    return value
