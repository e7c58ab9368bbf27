"""Text as a tokenizer should see it: one form of each character, one kind of space, nothing of the source's own marks.

normalise("Pt \\u2009seen on [**2101-10-20**]")     # "Pt seen on DATE"
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

_PARAGRAPH = re.compile(r"[ \t]*\n[ \t]*\n\s*")
_BREAK = re.compile("\r\n|[\r\v\f\x1c-\x1f\x85\u2028\u2029]")
"""What ends a line or a page elsewhere."""
_SPACE = re.compile(r"\s+")
_INVISIBLE = re.compile(
    r"[\ud800-\udfff\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2064\ufeff\ufffd]|[^\S\n]*[\x00-\x08\x0b-\x1f\x7f-\x9f]"
)
_DEIDENTIFIED = re.compile(r"\[\*\*(.*?)\*\*\]", re.DOTALL)
"""MIMIC's marks in place of what was taken out: `[**Known lastname 123**]`, `[**2101-10-20**]`."""
_KINDS = (
    (
        re.compile(r"hospital|location|street|address|state|country|university|company|ward|po box", re.IGNORECASE),
        "PLACE",
    ),
    (
        re.compile(r"^\s*(\d{1,4}[-/]\d{1,2}([-/]\d{1,4})?|\d{4})\s*$|date|month|year|day|holiday", re.IGNORECASE),
        "DATE",
    ),
    (
        re.compile(r"phone|telephone|fax|pager|number|numeric|identifier|mrn|unit|job|clip|serial", re.IGNORECASE),
        "NUMBER",
    ),
    (re.compile(r"name|initial|dictator|attending|md |provider", re.IGNORECASE), "NAME"),
    (re.compile(r"age over", re.IGNORECASE), "AGE"),
)


def normalise(text: str, replace: Mapping[str, str] | None = None) -> list[str]:
    """The paragraphs of a text.

    Unicode in NFC (letters and accents in one; NFKC would turn exponents into digits), invisible and control
    characters gone, each run of white space one space, de-identification marks as one word each.

    Args:
        replace: a source's own marks -> what stands for them, such as {"<dig>": "0"}.
    """
    for mark, instead in (replace or {}).items():
        text = text.replace(mark, instead)
    text = _DEIDENTIFIED.sub(lambda mark: _kind(mark[1]), text)
    text = _INVISIBLE.sub("", unicodedata.normalize("NFC", _BREAK.sub("\n", text)))
    found = (_SPACE.sub(" ", paragraph).strip() for paragraph in _PARAGRAPH.split(text))
    return [paragraph for paragraph in found if paragraph]


def _kind(inside: str) -> str:
    return next((kind for pattern, kind in _KINDS if pattern.search(inside)), "NUMBER" if inside.strip() else "NAME")
