"""What every source gives, and how running text is found again in the layouts that they come in.

RawText("pubmed:29768149", "Title.\\n\\nBACKGROUND: ...", pmid="29768149")
paragraphs("hard-wrapped\\nlines\\n\\nand more")  # ["hard-wrapped lines", "and more"]
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

_BREAK = re.compile(r"[ \t]*(?:\r\n?|\n)[ \t\r\n]*")
_LINE_END = re.compile(r"\r\n?|\n")


@dataclass(frozen=True, slots=True)
class RawText:
    """A text as its source has it.

    Args:
        id: unique in its source, such as "pubmed:29768149" or "nct:NCT00023673".
        text: paragraphs with an empty line between them; nothing is normalised but what the format demands.
        pmid: the PubMed identifier where known: NER corpora name their documents by it.
    """

    id: str
    text: str
    pmid: str | None = None


def paragraphs(text: str, opening: re.Pattern[str] | None = None) -> list[str]:
    """The paragraphs of hard-wrapped text, each in one line: an empty line ends one, hard line breaks become spaces.

    Args:
        opening: a line that it matches at its start opens a paragraph, too.
    """
    found: list[list[str]] = []
    is_open = False
    for line in _LINE_END.split(text):
        stripped = line.strip()
        if not stripped:
            is_open = False
        elif is_open and not (opening and opening.match(line)):
            found[-1].append(stripped)
        else:
            found.append([stripped])
            is_open = True
    return [" ".join(lines) for lines in found]


def unwrapped(text: str) -> str:
    """The text in one line: each line break, with the blanks about it, becomes a space."""
    return _BREAK.sub(" ", text).strip()


def file_stem(path: str | PathLike[str]) -> str:
    """The file's name up to its suffixes: "abstracts" of "text/abstracts.jsonl.xz"."""
    path = Path(path)
    return Path(path.stem).stem if path.suffix in (".gz", ".xz") else path.stem
