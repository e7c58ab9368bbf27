"""What a text to pre-train on is made of: one YAML, such as `conf/pretrain_text/at_hand.yaml`.

mix = Mix.read("conf/pretrain_text/at_hand.yaml")
mix.sources[0].path, mix.passage.max_tokens
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar

import yaml

from openmed.corpora import CorpusSpec, data_folder
from openmed.errors import ConfigError, nearest
from openmed.forms import Forms, checked
from openmed.pretraining_text.forms import MIX_FORMS, NEAR_FORMS, PASSAGE_FORMS, SOURCE_FORMS
from openmed.pretraining_text.sources import SOURCES, list_files
from openmed.pretraining_text.sources.corpus import CORPUS, corpus_spec

BYTES_PER_PART = 4_000_000
"""A source is read in about so many bytes a part: parts are what workers share, and what a broken-off build keeps."""
MAX_PARTS = 32
"""Of a source: each part of a single file reads all of it."""
MAX_TASKS = 256
"""Parts of all sources together: one step holds up to three files of each open, and many systems allow 1,024."""
T = TypeVar("T")


@dataclass(frozen=True)
class Source:
    """One source of text.

    Args:
        name: in reports, unique.
        format: of `openmed.pretraining_text.sources.SOURCES`.
        path: file, folder or archive; relative ones lie in the data folder (OPENMED_DATA). Of the format "corpus" the
            name of a corpus, whose training split is meant.
        options: of the format's reader.
        passages: how many to take (chosen by chance, by `seed`); None takes all.
        replace: the source's own marks -> what stands for them.
        parts: in how many parts it is read, at most `MAX_PARTS`; None goes by its size on disk, and is 1 for a corpus.
        min_stop_words: different ones of the commonest English words that a passage must have; notes have few.

    Raises:
        ConfigError: an unknown format or corpus, options of a corpus, a number below 1, too many parts.
    """

    name: str
    format: str
    path: str
    options: Mapping[str, Any] = field(default_factory=dict)
    passages: int | None = None
    replace: Mapping[str, str] = field(default_factory=dict)
    parts: int | None = None
    min_stop_words: int = 2

    def __post_init__(self) -> None:
        if self.format not in SOURCES:
            raise ConfigError(
                f"source {self.name!r}: unknown format {self.format!r}", mend=nearest(self.format, SOURCES)
            )
        for key in ("passages", "parts"):
            value = getattr(self, key)
            if value is not None and value < 1:
                raise ConfigError(f"source {self.name!r}: {key}={value} must be at least 1")
        if self.parts is not None and self.parts > MAX_PARTS:
            raise ConfigError(f"source {self.name!r}: parts={self.parts} must be at most {MAX_PARTS}")
        if self.format == CORPUS:
            self._check_corpus()

    def _check_corpus(self) -> None:
        if self.options:
            raise ConfigError(
                f"source {self.name!r}: a corpus has no options, such as {next(iter(self.options))!r}",
                mend="its training split is taken, whole: dev and test splits may not be pre-trained on",
            )
        try:
            corpus_spec(self.path)
        except ConfigError as error:
            raise ConfigError(f"source {self.name!r}: {error.problem}", mend=error.mend) from error

    @property
    def corpus(self) -> CorpusSpec | None:
        """The corpus whose training split the source is; None where it is of files."""
        return corpus_spec(self.path) if self.format == CORPUS else None

    @property
    def place(self) -> Path:
        """Where it is on this machine; of a corpus its name."""
        path = Path(self.path).expanduser()
        if self.format == CORPUS:
            return path
        return path if path.is_absolute() or path.exists() else data_folder() / path

    def num_parts(self, most: int = MAX_PARTS) -> int:
        """`parts`, or by the size of what is there, at most `most`; the same for any number of workers.

        A folder has at most as many as it has files, so that each file is read once.
        """
        if self.parts is not None:
            return self.parts
        place = self.place
        if self.format == CORPUS or not place.exists():  # the latter: a place within an archive
            return 1
        files = list_files(place)
        size = sum(file.stat().st_size for file in files)
        return max(1, min(-(-size // BYTES_PER_PART), most, len(files) if place.is_dir() else most))


@dataclass(frozen=True)
class PassageSpec:
    """Tokens of a passage, counted by the first backbone's tokenizer."""

    min_tokens: int = 50
    max_tokens: int = 256


@dataclass(frozen=True)
class NearDuplicates:
    """MinHash: passages are near duplicates if `hashes_per_bucket` hashes agree in any of `buckets`.

    With runs of 5 words, 14 buckets of 8 hashes find nine in ten pairs that share four fifths of their runs.
    """

    ngram: int = 5
    buckets: int = 14
    hashes_per_bucket: int = 8


@dataclass(frozen=True)
class Mix:
    """A text to build.

    Args:
        name: in reports.
        sources: what it is made of.
        backbones: whose tokenizers pack it; the first one's counts the tokens of passages.
        passage: their size.
        near_duplicates: how they are found.
        decontaminate_ngram: words in a row that a passage must not share with a dev or test split.
        heldout_fraction: share of the texts (not of the passages: those of one text stay together) that is held out.
        seed: of every choice.

    Raises:
        ConfigError: no sources, two of one name, a fraction of no sense.
    """

    name: str
    sources: tuple[Source, ...]
    backbones: tuple[str, ...] = ("minilm",)
    passage: PassageSpec = PassageSpec()
    near_duplicates: NearDuplicates = NearDuplicates()
    decontaminate_ngram: int = 13
    heldout_fraction: float = 0.01
    seed: int = 1

    def __post_init__(self) -> None:
        names = [source.name for source in self.sources]
        if not names:
            raise ConfigError(f"mix {self.name!r} has no sources", mend="see conf/pretrain_text/at_hand.yaml")
        for name in names:
            if names.count(name) > 1:
                raise ConfigError(f"mix {self.name!r} has two sources named {name!r}")
        if not self.backbones:
            raise ConfigError(f"mix {self.name!r} names no backbone", mend="backbones: [minilm]")
        if not 0 < self.heldout_fraction < 0.5:
            raise ConfigError(f"heldout_fraction={self.heldout_fraction} must lie between 0 and 0.5", mend="say 0.01")

    @classmethod
    def read(cls, path: str | PathLike[str]) -> Mix:
        """Read a YAML.

        Raises:
            ConfigError: no such file, no YAML, an unknown or missing key, a value of another form, what a mix refuses.
        """
        try:
            content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigError(f"{path} cannot be read ({error.strerror})", mend="give a mix's YAML") from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path} is no YAML: {str(error).splitlines()[0]}") from error
        given = checked(content, MIX_FORMS, str(path))
        given["sources"] = tuple(
            _make(Source, entry, SOURCE_FORMS, f"entry {number} of sources in {path}")
            for number, entry in enumerate(given.get("sources", ()), start=1)
        )
        for key, kind, forms in (
            ("passage", PassageSpec, PASSAGE_FORMS),
            ("near_duplicates", NearDuplicates, NEAR_FORMS),
        ):
            if key in given:
                given[key] = _make(kind, given[key], forms, f"{key} in {path}")
        if "backbones" in given:
            given["backbones"] = tuple(given["backbones"])
        return _made(cls, given, MIX_FORMS, str(path))

    def num_parts(self) -> list[int]:
        """In how many parts each source is read.

        Raises:
            ConfigError: more than `MAX_TASKS` in all.
        """
        most = max(1, min(MAX_PARTS, MAX_TASKS // len(self.sources)))
        parts = [source.num_parts(most) for source in self.sources]
        if sum(parts) > MAX_TASKS:
            raise ConfigError(
                f"mix {self.name!r} has {sum(parts)} parts of sources, more than {MAX_TASKS}",
                mend="give the sources fewer parts, or lay files of one format in one folder as one source",
            )
        return parts

    def content(self) -> dict[str, Any]:
        """All that decides which passages come out, as in JSON; of the backbones the first, which counts tokens."""
        content = asdict(self) | {"backbones": self.backbones[:1]}
        return json.loads(json.dumps(content, default=str))

    def digest(self) -> str:
        """Of `content`."""
        return hashlib.sha256(json.dumps(self.content(), sort_keys=True).encode()).hexdigest()


def _make(kind: type[T], values: Any, forms: Forms, where: str) -> T:
    return _made(kind, checked(values, forms, where), forms, where)


def _made(kind: type[T], given: Mapping[str, Any], forms: Forms, where: str) -> T:
    """A dataclass of what is given, if that is all it needs."""
    for entry in fields(kind):  # pyright: ignore[reportArgumentType]
        if entry.name not in given and entry.default is MISSING and entry.default_factory is MISSING:
            raise ConfigError(f"{where} lacks {entry.name!r}", mend=f"write {forms[entry.name][1]}")
    try:
        return kind(**given)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error.problem}", mend=error.mend) from None
