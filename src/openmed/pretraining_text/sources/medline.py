"""PubMed/MEDLINE XML: baseline and update files, and sets from efetch: title, abstract and PMID of each record.

    for text in read_medline("pubmed24n0001.xml.gz", losses=losses): ...

A structured abstract's sections become paragraphs "LABEL: text". What a list of deletions names is not given: of the
same file or, in an order of file names, a later one, as PubMed's update files take records of earlier files back. Such
a list stands at the end of its file, so files are gone through once before for them.

    deleted = last_deletions(files)
    for text in read_medline(files[0], losses=losses, deleted=deleted): ...
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import NamedTuple

from openmed.errors import DataError
from openmed.pretraining_text.sources.losses import (
    DELETED,
    NO_ABSTRACT,
    NO_TEXT,
    OLDER_VERSION,
    OTHER_ABSTRACT,
)
from openmed.pretraining_text.sources.opened import XML_OPENINGS, opened
from openmed.pretraining_text.sources.raw_text import RawText, unwrapped
from openmed.pretraining_text.sources.xml_records import XmlRecord, xml_records
from openmed.readers.lines import byte_blocks

_ROOTS = {"PubmedArticleSet", "MedlineCitationSet"}
"""Today's, and that of baseline files before 2016."""
_RECORDS = {"MedlineCitation", "BookDocument"}
_PMIDS = (("MedlineCitation", "PMID"), ("BookDocument", "PMID"))
_TITLES = (("Article", "ArticleTitle"), ("BookDocument", "ArticleTitle"), ("Book", "BookTitle"))
_ABSTRACT = ("Abstract", "AbstractText")
_OTHER = ("MedlineCitation", "OtherAbstract")
_MEND = "MEDLINE XML is <PubmedArticleSet><PubmedArticle><MedlineCitation><PMID/><Article><ArticleTitle/><Abstract/>..."

_TAIL = 200
"""Bytes of a file's end."""
_CLOSINGS = tuple(f"</{root}>".encode() for root in sorted(_ROOTS))
_DELETIONS = (b"<DeleteCitation", b"</DeleteCitation>")
_DELETED_PMID = re.compile(rb"<PMID[^>]*>\s*(\d+)\s*</PMID>")


class _Citation(NamedTuple):
    pmid: str
    version: int
    title: str
    abstract: list[str]
    """Its paragraphs."""
    num_others: int
    """Abstracts under OtherAbstract."""


def read_medline(
    path: str | PathLike[str], *, losses: Counter[str], titles: bool = False, deleted: Mapping[str, str] | None = None
) -> Iterator[RawText]:
    """Stream the records of a file (`.gz`, `.xz` or plain).

    Args:
        losses: counts records without an abstract, deleted ones, older versions (where they stand next to the later
            one, as PubMed has them), other abstracts.
        titles: give records without an abstract, too: their title.
        deleted: PMID -> name of the last file whose deletions name it (`last_deletions`), this file's among them; None:
            those of this file alone.

    Raises:
        DataError: not MEDLINE XML, not well-formed, cut off; a record without PMID.
    """
    name = Path(path).name
    if deleted is None:
        deleted = last_deletions([path])
    for citation in _latest(_citations(path), losses):
        losses.update({OTHER_ABSTRACT: citation.num_others} if citation.num_others else {})
        if deleted.get(citation.pmid, "") >= name:
            losses[DELETED] += 1
        elif not (citation.abstract or citation.title):
            losses[NO_TEXT] += 1
        elif not (citation.abstract or titles):
            losses[NO_ABSTRACT] += 1
        else:
            text = "\n\n".join(part for part in (citation.title, *citation.abstract) if part)
            yield RawText(f"pubmed:{citation.pmid}", text, pmid=citation.pmid)


def last_deletions(files: Iterable[str | PathLike[str]], *, check: bool = False) -> dict[str, str]:
    """PMID -> name of the last of the files, by their names, whose deletions name it.

    Args:
        check: read a file through where its end is not seen to be whole, so that it tells what is wrong; otherwise a
            damaged file counts as far as it goes.

    Raises:
        DataError: as `read_medline`, with `check`.
    """
    found: dict[str, str] = {}
    for path in files:
        deleted, whole = _deletions(path)
        if check and not whole:
            deque(_citations(path), maxlen=0)
        for pmid in deleted:
            found[pmid] = max(found.get(pmid, ""), Path(path).name)
    return found


def _citations(path: str | PathLike[str]) -> Iterator[_Citation]:
    head, blocks = opened(path, mend="check that the download is complete")
    if not head.startswith(XML_OPENINGS):
        raise DataError("not XML", path=path, text=head[:60].decode("utf-8", errors="replace"), mend=_MEND)
    fields = {*_PMIDS, *_TITLES, _ABSTRACT, _OTHER}
    for record in xml_records(blocks, path, roots=_ROOTS, records=_RECORDS, fields=fields, mend=_MEND):
        yield _citation(record, path)


def _citation(record: XmlRecord, path: str | PathLike[str]) -> _Citation:
    pmid, title = record.first(*_PMIDS), record.first(*_TITLES)
    version = pmid.attributes.get("Version", "1") if pmid else ""
    if pmid is None or not pmid.text.strip().isdecimal() or not version.isdecimal():
        text = f"{pmid.text} (version {version})" if pmid else None
        raise DataError(f"<{record.tag}> without a PMID in digits", path=path, line=record.line, text=text, mend=_MEND)
    abstract = (
        _paragraph(field.attributes.get("Label", ""), unwrapped(field.text))
        for field in record.fields
        if field[:2] == _ABSTRACT
    )
    return _Citation(
        pmid=pmid.text.strip(),
        version=int(version),
        title=unwrapped(title.text) if title else "",
        abstract=[paragraph for paragraph in abstract if paragraph],
        num_others=sum(field[:2] == _OTHER for field in record.fields),
    )


def _paragraph(label: str, text: str) -> str:
    """PubMed says UNLABELLED where an abstract's sections have labels and this one has none."""
    label = label.strip().rstrip(":")
    return f"{label}: {text}" if text and label and label != "UNLABELLED" else text


def _latest(citations: Iterator[_Citation], losses: Counter[str]) -> Iterator[_Citation]:
    """Of neighbours with the same PMID the one of the highest version."""
    held: _Citation | None = None
    try:
        for citation in citations:
            if held and held.pmid == citation.pmid:
                losses[OLDER_VERSION] += 1
                held = max(held, citation, key=lambda each: each.version)
                continue
            if held:
                yield held
            held = citation
    except DataError:
        if held:  # it came whole, before the mistake
            yield held
        raise
    if held:
        yield held


def _deletions(path: str | PathLike[str]) -> tuple[set[str], bool]:
    """The PMIDs that the file's lists of deletions name, as far as it can be read; whether its end was seen."""
    found: set[str] = set()
    rest = tail = b""
    opening, closing = _DELETIONS
    try:
        for block in byte_blocks(path):
            tail = (tail + block)[-_TAIL:]
            rest += block
            while (start := rest.find(opening)) >= 0 and (end := rest.find(closing, start)) >= 0:
                found.update(pmid.decode() for pmid in _DELETED_PMID.findall(rest, start, end))
                rest = rest[end:]
            rest = rest[start:] if start >= 0 else rest[-len(opening) :]
    except DataError:
        return found, False
    return found, any(root in tail for root in _CLOSINGS)
