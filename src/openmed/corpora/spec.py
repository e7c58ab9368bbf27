"""What a corpus is: one declarative YAML in `conf/dataset/`, read into a `CorpusSpec` that refuses unknown keys.

spec = load_spec("ncbi")
spec.files["ner/NCBI-disease/train.tsv"].hashes
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from openmed.choices import choice_names, choice_text, read_choice
from openmed.errors import ConfigError, nearest

SPLITS = ("train", "dev", "test")
UNITS = ("sentences", "documents")
ALL_VIEWS, OWN_VIEW = "all", "own"
"""Scored in: both units, and on raw text where that is at hand; the corpus's own unit alone."""
CORPUS_TARGET = "openmed.data.NerDataModule"
"""What the YAML of a corpus is instantiated as (`_target_`)."""
PRIVATE_KEYS = ("_target_",)
OTHER_TYPES = ("refuse", "keep", "drop")
MISSING = "???"
"""What Hydra writes where a value must be given."""
_HASH = re.compile(r"sha256:[0-9a-f]{64}|git-(?:blob|tree):[0-9a-f]{40}")


@dataclass(frozen=True)
class SourceFile:
    """One file of a corpus, one archive, or one folder.

    Args:
        url: where it comes from, at a full commit.
        hashes: accepted digests, `sha256:<64 hex>`, `git-blob:<40 hex>` or, of a folder, `git-tree:<40 hex>`; any one
            of them will do.
        by_hand: what to get from where, when it may not be fetched.
        inside: where `url` is an archive (.tar.gz, .zip, ...) of which only one file or folder is wanted: its path in
            the archive, with `/` between the parts. The hashes are then those of that part, not of the archive.
    """

    url: str | None = None
    hashes: tuple[str, ...] = ()
    by_hand: str | None = None
    inside: str | None = None


@dataclass(frozen=True)
class Grouping:
    """Which sentences make one document (an abstract), where the corpus itself does not say.

    Args:
        format: format of the native files that hold the documents; None makes runs of `max_words` words.
        train, dev, test: the native file of each split.
        max_words: length of a run of sentences taken as one document.
    """

    format: str | None = None
    train: str | None = None
    dev: str | None = None
    test: str | None = None
    max_words: int = 250


@dataclass(frozen=True)
class Selection:
    """Which documents of a file make a split, where one file (or folder) holds several.

    Args:
        train, dev, test: files that list document ids, one a line; None takes the documents that no list names.
    """

    train: str | None = None
    dev: str | None = None
    test: str | None = None


@dataclass(frozen=True)
class CorpusSpec:
    """A corpus, as its YAML states it.

    Args:
        name: as in `dataset=<name>`.
        train, dev, test: file or folder of each split, relative to the data folder (or a path of the user's own, or
            `package:<file under openmed/assets>`); it may lead into an archive. A test split may be missing; a missing
            dev split is made of train (`openmed.corpora.holdout`).
        format: name of a reader; None detects it.
        options: passed to the reader (tag scheme, default type).
        ids: which documents of a file make a split, where several splits share one.
        dev_fraction: the share of train that becomes dev, where there is no dev file.
        split_seed: of that choice.
        types: type in the file -> type here, or None to leave its mentions out. None as a whole keeps the file's own
            and learns them from train.
        other_types: what to do with types that `types` does not name: "refuse", "keep" or "drop" them.
        unit: what the corpus's papers score as one: "sentences" or "documents".
        raw: name of the corpus that holds the same documents as raw text with offsets; a tagger trained on tokenised
            text is scored on it too.
        groups: how sentences are joined to documents.
        files: path -> where it comes from and its accepted hashes.
        counts: split -> {documents, sentences, words, entities, <type>: ...} expected; checked on load.
        title, licence, citation, homepage, quirks: for people.

    Raises:
        ConfigError: an unknown unit or other_types, counts of an unknown split, or a dev_fraction that is not between 0
            and 0.5.
    """

    name: str
    train: str
    dev: str | None = None
    test: str | None = None
    format: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    ids: Selection | None = None
    dev_fraction: float = 0.1
    split_seed: int = 1
    types: Mapping[str, str | None] | None = None
    other_types: str = "refuse"
    unit: str = "sentences"
    raw: str | None = None
    groups: Grouping | None = None
    files: Mapping[str, SourceFile] = field(default_factory=dict)
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    title: str = ""
    licence: str = ""
    citation: str = ""
    homepage: str = ""
    quirks: str = ""

    def __post_init__(self) -> None:
        if self.unit not in UNITS:
            raise ConfigError(f"unknown dataset.unit {self.unit!r}", mend=nearest(str(self.unit), UNITS))
        if self.other_types not in OTHER_TYPES:
            mend = nearest(str(self.other_types), OTHER_TYPES)
            raise ConfigError(f"unknown dataset.other_types {self.other_types!r}", mend=mend)
        if not 0 < self.dev_fraction < 0.5:
            raise ConfigError(f"dataset.dev_fraction={self.dev_fraction} must lie between 0 and 0.5", mend="say 0.1")
        for split in self.counts:
            if split not in SPLITS:
                raise ConfigError(f"unknown split dataset.counts.{split}", mend=nearest(str(split), SPLITS))

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> CorpusSpec:
        """From a plain dict, such as a parsed YAML.

        Raises:
            ConfigError: an unknown key, a split without a file, or a hash of another form.
        """
        values = {key: value for key, value in values.items() if key not in PRIVATE_KEYS}
        _refuse_unknown(values, cls, "dataset")
        values = {key: value for key, value in values.items() if value not in (None, MISSING)}
        for key in ("name", "train"):
            if not values.get(key):
                raise ConfigError(
                    f"dataset.{key} is missing",
                    mend=f"say dataset.{key}=<file> to train.py, or write it in a YAML of conf/dataset/ "
                    "(docs/add_a_corpus.md)",
                )
        for key, kind in (("groups", Grouping), ("ids", Selection)):
            if key in values:
                _refuse_unknown(values[key], kind, f"dataset.{key}")
                values[key] = kind(**values[key])
        if "files" in values:
            values["files"] = {path: _source_file(path, entry) for path, entry in values["files"].items()}
        return cls(**values)

    def split_file(self, split: str) -> str | None:
        """The file of a split, as written in the YAML; of a dev split that is made of train, train's.

        Raises:
            ConfigError: not train, dev or test.
        """
        if split not in SPLITS:
            raise ConfigError(f"unknown split {split!r}", mend=nearest(split, SPLITS))
        return self.train if split == "dev" and self.dev is None else getattr(self, split)

    @property
    def makes_dev(self) -> bool:
        """Whether dev is set aside from train, for want of a file."""
        return self.dev is None

    @property
    def type_names(self) -> list[str]:
        """The types that the YAML names, sorted; empty where they are learnt from train."""
        return sorted({name for name in (self.types or {}).values() if name is not None})

    @property
    def splits(self) -> tuple[str, ...]:
        return tuple(split for split in SPLITS if self.split_file(split))


def corpus_names() -> list[str]:
    """Names of all corpora with a YAML; texts to pre-train on, which stand beside them, are none."""
    return [name for name in choice_names("dataset") if CORPUS_TARGET in choice_text("dataset", name)]


def load_spec(name: str) -> CorpusSpec:
    """The spec of a named corpus.

    Raises:
        ConfigError: no such corpus.
    """
    if name not in corpus_names():
        raise ConfigError(f"unknown dataset {name!r}", mend=nearest(name, corpus_names()))
    return CorpusSpec.from_mapping(read_choice("dataset", name))


def _source_file(path: str, entry: Mapping[str, Any]) -> SourceFile:
    _refuse_unknown(entry, SourceFile, f"dataset.files.{path}")
    hashes = tuple(entry.get("hashes", ()))
    for value in hashes:
        if not _HASH.fullmatch(value):
            raise ConfigError(
                f"dataset.files.{path}.hashes has {value!r}",
                mend="write sha256:<64 hex digits>, git-blob:<40 hex digits> or, of a folder, git-tree:<40 hex digits>",
            )
    return SourceFile(**{**entry, "hashes": hashes})


def _refuse_unknown(values: Mapping[str, Any], kind: type, where: str) -> None:
    known = [f.name for f in fields(kind)]
    if not isinstance(values, Mapping):
        raise ConfigError(f"{where} must hold keys and values, not {values!r}", mend=f"Known: {', '.join(known)}")
    for key in values:
        if key not in known:
            raise ConfigError(f"unknown key {where}.{key}", mend=nearest(str(key), known))
