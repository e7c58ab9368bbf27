"""Read a split of a corpus: verified file -> reader -> types mapped -> grouped into documents -> counts checked.

split = load_split(load_spec("ncbi"), "dev")
split.documents, split.losses, split.hashes
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from openmed.corpora.files import corpus_file, digest
from openmed.corpora.grouping import group_by_native, group_in_runs
from openmed.corpora.spec import CorpusSpec, Grouping
from openmed.errors import DataError, nearest
from openmed.readers import detect_format, read
from openmed.spans import Document, Span

DUPLICATE_ID = "duplicate_id"
DROPPED_TYPE = "mention_of_dropped_type"


@dataclass(frozen=True)
class Split:
    """One split, read.

    Attributes:
        documents: abstracts (or whatever the corpus's documents are), with sentences where known.
        counts: documents, sentences, words (of tokenised corpora), entities, and entities per type.
        losses: what reading had to leave out, by kind.
        hashes: path (as in the YAML) -> "sha256:<hex>".
    """

    name: str
    documents: list[Document]
    counts: Mapping[str, int]
    losses: Mapping[str, int]
    hashes: Mapping[str, str]


def load_split(spec: CorpusSpec, split: str) -> Split:
    """Read and check one split.

    Raises:
        DataError: missing or altered files, malformed content, counts other than expected, an empty split.
    """
    name = spec.split_file(split)
    if name is None:
        raise DataError(f"dataset {spec.name!r} has no {split} split", mend=f"set dataset.{split}=<file>")
    path = corpus_file(spec, name)
    losses: Counter[str] = Counter()
    hashes = {name: f"sha256:{digest(path)}"} if path.is_file() else {}
    format = spec.format or detect_format(path)
    documents = read(path, format=format, losses=losses, **spec.options)
    if spec.types is not None:
        documents = _map_types(documents, spec.types, path, losses)
    if spec.groups is not None:
        documents = _grouped(spec, spec.groups, split, documents, losses, hashes)
    elif format == "conll":  # token files come as bare sentences
        documents = group_in_runs(documents, max_words=Grouping().max_words)
    documents = list(_unique(documents, losses))
    if not documents:
        raise DataError(
            f"the {split} split of {spec.name!r} is empty", path=path, mend="give a file with documents in it"
        )
    counts = count(documents)
    _check_counts(spec, split, counts, path)
    return Split(split, documents, counts, dict(losses), hashes)


def count(documents: Iterable[Document]) -> dict[str, int]:
    """documents, sentences, words, entities, then each type."""
    totals: Counter[str] = Counter(documents=0, sentences=0, words=0, entities=0)
    types: Counter[str] = Counter()
    for document in documents:
        totals["documents"] += 1
        totals["sentences"] += len(document.sentences or ())
        totals["words"] += len(document.words or ())
        totals["entities"] += len(document.spans)
        types.update(span.label for span in document.spans)
    return {**totals, **dict(sorted(types.items()))}


def _map_types(
    documents: Iterable[Document], types: Mapping[str, str | None], path: Path, losses: Counter[str]
) -> Iterator[Document]:
    for document in documents:
        spans: list[Span] = []
        for span in document.spans:
            if span.label not in types:
                raise DataError(
                    f"document {document.id!r} has a mention of type {span.label!r}, which dataset.types does not name",
                    path=path,
                    text=document.mention(span),
                    mend=f"add it to dataset.types, or map it to null to leave it out. {nearest(span.label, types)}",
                )
            label = types[span.label]
            if label is None:
                losses[DROPPED_TYPE] += 1
            else:
                spans.append(replace(span, label=label))
        yield document.with_spans(spans)


def _grouped(
    spec: CorpusSpec,
    groups: Grouping,
    split: str,
    documents: Iterable[Document],
    losses: Counter[str],
    hashes: dict[str, str],
) -> Iterator[Document]:
    if groups.format is None:
        return group_in_runs(documents, max_words=groups.max_words)
    name = getattr(groups, split)
    if name is None:
        raise DataError(f"dataset {spec.name!r} names no native file for {split}", mend=f"set dataset.groups.{split}")
    path = corpus_file(spec, name)
    hashes[name] = f"sha256:{digest(path)}"
    native = read(path, format=groups.format)  # of its mentions nothing is kept, so its losses do not matter
    return group_by_native(documents, native, losses, max_words=groups.max_words)


def _unique(documents: Iterable[Document], losses: Counter[str]) -> Iterator[Document]:
    """Documents with an id of their own: a repeated id gets a number, and is counted. The group stays."""
    taken: set[str] = set()
    times: Counter[str] = Counter()
    for document in documents:
        id = document.id
        if id in taken:
            losses[DUPLICATE_ID] += 1
        while id in taken:
            times[document.id] += 1
            id = f"{document.id}/{times[document.id] + 1}"
        taken.add(id)
        yield replace(document, id=id)


def _check_counts(spec: CorpusSpec, split: str, found: Mapping[str, int], path: Path) -> None:
    for key, wanted in spec.counts.get(split, {}).items():
        if found.get(key, 0) != wanted:
            raise DataError(
                f"the {split} split of {spec.name!r} has {found.get(key, 0)} {key}, expected {wanted}",
                path=path,
                mend="the file is another version of the corpus: get the one named in the YAML, or correct its counts",
            )
