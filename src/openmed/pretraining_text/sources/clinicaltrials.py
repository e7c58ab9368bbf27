"""ClinicalTrials.gov: studies in JSON (API v2, and the API before it) or classic XML, told by the content.

    for text in read_clinicaltrials("NCT00023673.xml", losses=losses, fields=["brief_summary"]): ...

JSON: one study, a list, JSON lines, or pages {"studies": [...]}. Each list item of a study is a paragraph of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from os import PathLike
from typing import NamedTuple

from openmed.errors import ConfigError, DataError, nearest
from openmed.pretraining_text.sources.losses import NO_TEXT
from openmed.pretraining_text.sources.opened import JSON_OPENINGS, XML_OPENINGS, opened
from openmed.pretraining_text.sources.raw_text import RawText, paragraphs
from openmed.pretraining_text.sources.studies_json import json_studies
from openmed.pretraining_text.sources.xml_records import xml_records

FIELDS = ("brief_title", "official_title", "brief_summary", "detailed_description", "eligibility")
DEFAULT_FIELDS = ("brief_title", "brief_summary", "detailed_description", "eligibility")
"""Without the official title, a longer wording of the brief one."""

_XML_PLACES = {
    ("clinical_study", "brief_title"): "brief_title",
    ("clinical_study", "official_title"): "official_title",
    ("brief_summary", "textblock"): "brief_summary",
    ("detailed_description", "textblock"): "detailed_description",
    ("criteria", "textblock"): "eligibility",
}
_XML_ID = ("id_info", "nct_id")
_XML_ROOTS = frozenset({"clinical_study"})
_XML_MEND = "classic XML is <clinical_study><id_info><nct_id/></id_info><brief_title/><brief_summary/>..."


class _Study(NamedTuple):
    nct: str
    fields: Mapping[str, list[str]]
    """Paragraphs under the names of `FIELDS`."""


def read_clinicaltrials(
    path: str | PathLike[str], *, losses: Counter[str], fields: Sequence[str] = DEFAULT_FIELDS
) -> Iterator[RawText]:
    """Stream the studies of a file (`.gz`, `.xz` or plain).

    Args:
        losses: counts studies without any text in these fields.
        fields: of `FIELDS`; the text has them in this order.

    Raises:
        ConfigError: an unknown field.
        DataError: neither XML nor JSON, not well-formed, cut off, a study without its NCT number.
    """
    fields = (fields,) if isinstance(fields, str) else tuple(fields)
    for field in fields:
        if field not in FIELDS:
            raise ConfigError(f"studies have no field {field!r}", mend=nearest(field, FIELDS))
    return _texts(path, losses, fields)


def _texts(path: str | PathLike[str], losses: Counter[str], fields: Sequence[str]) -> Iterator[RawText]:
    for study in _studies(path):
        text = "\n\n".join(paragraph for field in fields for paragraph in study.fields.get(field, ()))
        if text:
            yield RawText(f"nct:{study.nct}", text)
        else:
            losses[NO_TEXT] += 1


def _studies(path: str | PathLike[str]) -> Iterator[_Study]:
    head, blocks = opened(path, mend="check that the download is complete")
    if head.startswith(XML_OPENINGS):
        yield from _xml_studies(blocks, path)
    elif head.startswith(JSON_OPENINGS):
        for nct, fields in json_studies(blocks, path):
            yield _Study(nct, fields)
    else:
        raise DataError(
            "neither XML nor JSON",
            path=path,
            text=head[:60].decode("utf-8", errors="replace"),
            mend="studies begin with < (XML), { or [ (JSON)",
        )


def _xml_studies(blocks: Iterator[bytes], path: str | PathLike[str]) -> Iterator[_Study]:
    places = {*_XML_PLACES, _XML_ID}
    for record in xml_records(blocks, path, roots=_XML_ROOTS, records=_XML_ROOTS, fields=places, mend=_XML_MEND):
        nct = record.first(_XML_ID)
        if nct is None or not nct.text.strip():
            raise DataError("a study without <nct_id>", path=path, line=record.line, mend=_XML_MEND)
        found: dict[str, list[str]] = {}
        for field in record.fields:
            if name := _XML_PLACES.get(field[:2]):
                found.setdefault(name, []).extend(paragraphs(field.text))
        yield _Study(nct.text.strip(), found)
