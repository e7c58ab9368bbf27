"""Read a split of a corpus: verified file -> reader -> the split's documents chosen -> types mapped -> grouped into
documents -> dev set aside where it has no file -> counts checked.

split = load_split(load_spec("ncbi"), "dev")
split.documents, split.losses, split.hashes
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from openmed.corpora.entity_types import map_types, noting_types
from openmed.corpora.files import corpus_file
from openmed.corpora.grouping import group_by_native, group_in_runs
from openmed.corpora.holdout import held_out
from openmed.corpora.identity import identities, identity
from openmed.corpora.spec import SPLITS, CorpusSpec, Grouping, Selection
from openmed.errors import DataError
from openmed.readers import detect_format, read
from openmed.readers.lines import numbered_lines
from openmed.spans import Document

DUPLICATE_ID = "duplicate_id"
ID_NOT_FOUND = "id_not_found"
"""A document that the split's list names and the corpus does not hold."""


@dataclass(frozen=True)
class Split:
    """One split, read.

    Attributes:
        documents: abstracts (or whatever the corpus's documents are), with sentences where known.
        counts: documents, sentences, words (of tokenised corpora), entities, and entities per type.
        losses: what reading had to leave out, by kind; of a file that several splits are read from, with the first.
        hashes: path (as in the YAML) -> "sha256:<hex>", of a folder "git-tree:<hex>".
        source_types: the types of the files read, before `dataset.types` renamed or dropped them.
    """

    name: str
    documents: list[Document]
    counts: Mapping[str, int]
    losses: Mapping[str, int]
    hashes: Mapping[str, str]
    source_types: frozenset[str] = frozenset()


def load_split(spec: CorpusSpec, split: str) -> Split:
    """Read and check one split.

    Raises:
        DataError: missing or altered files, malformed content, counts other than expected, an empty split.
    """
    name = _split_file(spec, split)
    path = corpus_file(spec, name)
    of_reading: Counter[str] = Counter()
    losses: Counter[str] = Counter()
    source_types: set[str] = set()
    format = spec.format or detect_format(path)
    documents = noting_types(read(path, format=format, losses=of_reading, **spec.options), source_types)
    if spec.ids is not None:
        documents = _chosen(spec, spec.ids, split, documents, losses)
    if spec.types is not None:
        documents = map_types(documents, spec.types, spec.other_types, path, losses)
    if spec.groups is not None:
        documents = _grouped(spec, spec.groups, split, documents, losses)
    elif format == "conll":  # token files come as bare sentences
        documents = group_in_runs(documents, max_words=Grouping().max_words)
    documents = list(_unique(documents, losses))
    if spec.makes_dev and split != "test":
        documents = _without_dev(spec, documents, path) if split == "train" else _dev_of(spec, documents, path)
    if not documents:
        raise DataError(
            f"the {split} split of {spec.name!r} is empty", path=path, mend="give a file with documents in it"
        )
    if not any(spec.split_file(earlier) == name for earlier in SPLITS[: SPLITS.index(split)]):
        losses += of_reading  # those of a file that several splits are read from are told once, with the first
    if spec.makes_dev and split == "dev":
        losses.clear()  # of all that train and dev were before they were parted
    counts = count(documents)
    _check_counts(spec, split, counts, path)
    return Split(split, documents, counts, dict(losses), split_hashes(spec, split), frozenset(source_types))


def split_hashes(spec: CorpusSpec, split: str) -> dict[str, str]:
    """What the split is made of: name in the YAML -> digest, as in `Split.hashes`, without reading it.

    Raises:
        DataError: as `load_split` of a file that is missing or altered.
    """
    name = _split_file(spec, split)
    path = corpus_file(spec, name)
    hashes = identities(name, path, spec.format or detect_format(path), spec.options)
    others = [getattr(spec.ids, of) for of in SPLITS] if spec.ids is not None else []
    if spec.groups is not None and spec.groups.format is not None:
        others.append(_native_file(spec, spec.groups, split))
    return hashes | {other: identity(corpus_file(spec, other)) for other in others if other}


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


def _split_file(spec: CorpusSpec, split: str) -> str:
    name = spec.split_file(split)
    if name is None:
        raise DataError(f"dataset {spec.name!r} has no {split} split", mend=f"set dataset.{split}=<file>")
    return name


def _grouped(
    spec: CorpusSpec, groups: Grouping, split: str, documents: Iterable[Document], losses: Counter[str]
) -> Iterator[Document]:
    if groups.format is None:
        return group_in_runs(documents, max_words=groups.max_words)
    path = corpus_file(spec, _native_file(spec, groups, split))
    native = read(path, format=groups.format)  # of its mentions nothing is kept, so its losses do not matter
    return group_by_native(documents, native, losses, max_words=groups.max_words)


def _native_file(spec: CorpusSpec, groups: Grouping, split: str) -> str:
    name = groups.train if split == "dev" and spec.makes_dev else getattr(groups, split)
    if name is None:
        raise DataError(f"dataset {spec.name!r} names no native file for {split}", mend=f"set dataset.groups.{split}")
    return name


def _chosen(
    spec: CorpusSpec, ids: Selection, split: str, documents: Iterable[Document], losses: Counter[str]
) -> Iterator[Document]:
    """The documents that the split's list names, in the order of the corpus; ids found nowhere are counted.

    Without a list of its own, a split has the documents that no other's list names. A dev split that is yet to be made
    of train has train's.
    """
    split = "train" if split == "dev" and spec.makes_dev else split
    listed = {name: _read_ids(spec, file) for name in SPLITS if (file := getattr(ids, name))}
    wanted = listed.pop(split, None)
    others = set().union(*listed.values())
    found: set[str] = set()
    for document in documents:
        if document.id in wanted if wanted is not None else document.id not in others:
            found.add(document.id)
            yield document
    if wanted is not None and (missing := len(wanted - found)):
        losses[ID_NOT_FOUND] += missing


def _read_ids(spec: CorpusSpec, name: str) -> set[str]:
    return {line.strip() for _, line in numbered_lines(corpus_file(spec, name)) if line.strip()}


def _dev_of(spec: CorpusSpec, documents: list[Document], path: Path) -> list[Document]:
    dev = held_out(documents, fraction=spec.dev_fraction, seed=spec.split_seed)
    if not dev and not any(document.spans for document in documents):
        raise DataError(
            f"{spec.name!r} has no mentions, so no dev split can be set aside",
            path=path,
            mend="check dataset.format, dataset.options and dataset.types",
        )
    if not dev:
        raise DataError(
            f"no dev split can be set aside from the {len(documents)} documents of {spec.name!r}: each holds the only "
            "mentions of some type, or none",
            path=path,
            mend="give more documents, or say dataset.dev=<file>",
        )
    return [document for document in documents if document.group in dev]


def _without_dev(spec: CorpusSpec, documents: list[Document], path: Path) -> list[Document]:
    dev = {document.id for document in _dev_of(spec, documents, path)}
    return [document for document in documents if document.id not in dev]


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
