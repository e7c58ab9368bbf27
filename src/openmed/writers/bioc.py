"""BioC, XML or JSON, as `openmed.readers.bioc` reads it: a passage a document, an annotation a span.

    write_bioc(documents, "predicted.xml")

The document is built once, with the keys of BioC JSON, and XML is written from that. What BioC has no element for
(sentences beside spans that cross them, groups) stands in the document's infons `openmed.sentences` and
`openmed.group`, which others pass over. Words are not kept.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple
from xml.sax.saxutils import escape, quoteattr

from openmed.errors import ConfigError, DataError
from openmed.spans import Document, Span
from openmed.writers.atomic import atomic_path
from openmed.writers.losses import WORDS_NOT_WRITTEN, count_not_written

Entry = dict[str, Any]

# No clock: the same documents give the same bytes.
_COLLECTION = {"source": "openmed", "date": "", "key": "openmed.key"}


def write_bioc(
    documents: Iterable[Document],
    path: str | PathLike[str],
    *,
    to: str | None = None,
    losses: Counter[str] | None = None,
) -> int:
    """Write documents one after the other; returns how many. The file appears only when whole.

    What `read_bioc` reads back is the same document without words; fragments that touch read back as one.

    Args:
        to: "xml" or "json"; None goes by the path's suffix.
        losses: counts documents whose words are not written.

    Raises:
        ConfigError: the suffix tells neither, another `to`, or a compressed file.
        DataError: a character that XML 1.0 cannot hold (most control characters), or, in JSON, half a surrogate pair.
    """
    losses = Counter() if losses is None else losses
    form = _form(Path(path), to)
    number = 0
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        file.write(form.head)
        for number, document in enumerate(documents, start=1):
            _check(document, form, path)
            count_not_written(document, losses, WORDS_NOT_WRITTEN)
            file.write((form.separator if number > 1 else "") + form.written(_entry(document)))
        file.write(form.tail)
    return number


class _Form(NamedTuple):
    """XML or JSON: what stands around and between documents, and what cannot stand in them."""

    head: str
    written: Callable[[Entry], str]
    separator: str
    tail: str
    illegal: re.Pattern[str]


def _form(path: Path, to: str | None) -> _Form:
    name = path.suffix.lower().removeprefix(".")
    if name == "gz":
        raise ConfigError(f"BioC is not written compressed ({path})", mend="leave out .gz, and compress it afterwards")
    if (to or name) not in _FORMS:
        problem = f"unknown form of BioC {to!r}" if to else f"the suffix of {path} does not tell the form of BioC"
        raise ConfigError(problem, mend="end the path in .xml or .json, or say to='xml' or to='json'")
    return _FORMS[to or name]


def _check(document: Document, form: _Form, path: str | PathLike[str]) -> None:
    """Raises: DataError for a character that the file cannot hold."""
    for what, value in _strings(document):
        if found := form.illegal.search(value):
            half = "\ud800" <= found[0] <= "\udfff"
            raise DataError(
                f"document {document.id!r}: its {what} holds U+{ord(found[0]):04X} at character {found.start()}, which "
                + ("is half a surrogate pair and no character" if half else "XML cannot hold"),
                path=path,
                text=value[max(found.start() - 20, 0) : found.end() + 20],
                mend="remove it" if half else "write BioC JSON instead, which holds all characters",
            )


def _strings(document: Document) -> Iterator[tuple[str, str]]:
    yield from (("id", document.id), ("group", document.group), ("text", document.text))
    for span in document.spans:
        yield "type", span.label
        yield "identifier", span.identifier or ""


def _entry(document: Document) -> Entry:
    infons = {}
    if document.group != document.id:
        infons["openmed.group"] = document.group
    if document.sentences is not None:
        infons["openmed.sentences"] = " ".join(f"{start}-{end}" for start, end in document.sentences)
    annotations = [_annotation(document, span, number) for number, span in enumerate(document.spans, start=1)]
    passage = {"infons": {}, "offset": 0, "text": document.text, "sentences": [], "annotations": annotations}
    return {
        "id": document.id,
        "infons": infons,
        "passages": [passage | {"relations": []}],
        "annotations": [],
        "relations": [],
    }


def _annotation(document: Document, span: Span, number: int) -> Entry:
    infons = {"type": span.label}
    if span.identifier:
        infons["identifier"] = span.identifier
    if span.score is not None:
        infons["score"] = repr(float(span.score))
    if span.model:
        infons["model"] = span.model
    ranges = span.fragments or ((span.start, span.end),)
    return {
        "id": f"T{number}",
        "infons": infons,
        "text": " ".join(document.text[start:end] for start, end in ranges),
        "locations": [{"offset": start, "length": end - start} for start, end in ranges],
    }


def _xml_document(entry: Entry) -> str:
    lines = ["<document>", _element("id", entry["id"]), *_infons(entry)]
    for passage in entry["passages"]:
        lines += ["<passage>", _element("offset", str(passage["offset"])), _element("text", passage["text"])]
        for annotation in passage["annotations"]:
            lines += [f"<annotation id={quoteattr(annotation['id'])}>", *_infons(annotation)]
            lines += [f'<location offset="{at["offset"]}" length="{at["length"]}"/>' for at in annotation["locations"]]
            lines += [_element("text", annotation["text"]), "</annotation>"]
        lines.append("</passage>")
    return "\n".join([*lines, "</document>"])


def _infons(entry: Entry) -> list[str]:
    return [f"<infon key={quoteattr(key)}>{_escape(value)}</infon>" for key, value in entry["infons"].items()]


def _element(name: str, text: str) -> str:
    return f"<{name}>{_escape(text)}</{name}>"


def _escape(text: str) -> str:
    # Parsers make a line feed of a carriage return that stands as it is.
    return escape(text, {"\r": "&#13;"})


def _json_text(entry: Entry) -> str:
    return json.dumps(entry, ensure_ascii=False)


_FORMS = {
    "xml": _Form(
        head="<?xml version='1.0' encoding='UTF-8'?>\n<!DOCTYPE collection SYSTEM 'BioC.dtd'>\n<collection>\n"
        + "".join(f"{_element(name, text)}\n" for name, text in _COLLECTION.items()),
        written=_xml_document,
        separator="\n",
        tail="\n</collection>\n",
        illegal=re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"),
    ),
    "json": _Form(
        head=_json_text(_COLLECTION | {"infons": {}})[:-1] + ', "documents": [\n',
        written=_json_text,
        separator=",\n",
        tail="\n]}\n",
        illegal=re.compile("[\ud800-\udfff]"),
    ),
}
"""By name, which is also the suffix of a path."""
