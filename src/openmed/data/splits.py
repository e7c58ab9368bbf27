"""The splits of one corpus, read, learnt from and tokenised at most once; from the user's cache where nothing changed.

splits = Splits(spec, backbone, max_pieces=256, overlap=50)
splits.info.types, splits.encode("train"), splits.documents("dev")
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from openmed.corpora import CorpusSpec, Split, cache_folder, load_split
from openmed.corpora.load import split_hashes
from openmed.data.cache import MAKERS, cache_key, cached_corpus, cached_json
from openmed.data.findings import Findings
from openmed.encoding import EncodedCorpus, PieceEncoder, TaggingInfo, encode_documents
from openmed.errors import DataError
from openmed.networks import BackboneSpec, load_tokenizer
from openmed.spans import Document

T = TypeVar("T")


class Splits:
    """Args:
    backbone: whose tokenizer cuts the text.
    max_pieces, overlap: of a window, see `TaggingInfo`.
    cache: keep what was found and tokenised in the user's cache folder.
    """

    def __init__(
        self, spec: CorpusSpec, backbone: BackboneSpec, *, max_pieces: int, overlap: int, cache: bool = True
    ) -> None:
        self.spec = spec
        self._backbone = backbone
        self._window = {"max_pieces": max_pieces, "overlap": overlap}
        TaggingInfo(types=("_",), splitter="punctuation", **self._window)  # refuses a bad window before any work
        self._cache = cache
        self._hashes: dict[str, dict[str, str]] = {}
        self._read: dict[str, Split] = {}
        self._findings: dict[str, Findings] = {}
        self._encoded: dict[str, EncodedCorpus] = {}
        self._info: TaggingInfo | None = None
        self._tokenizer = None

    @property
    def tokenizer(self) -> Any:
        """The backbone's, of transformers."""
        if self._tokenizer is None:
            self._tokenizer = load_tokenizer(self._backbone)
        return self._tokenizer

    @property
    def info(self) -> TaggingInfo:
        """Types, tags, splitter and window; learnt from the training split."""
        if self._info is None:
            train = self.find("train")
            if not train.types:
                raise _nothing_to_learn(self.spec, train.source_types)
            types = tuple(sorted({*self.spec.type_names, *train.types}))
            self._info = TaggingInfo(types=types, splitter=train.splitter, **self._window)
        return self._info

    def documents(self, split: str) -> list[Document]:
        return self.read(split).documents

    def read(self, split: str) -> Split:
        """The split with its documents, read now unless it was before."""
        if split not in self._read:
            self._read[split] = load_split(self.spec, split)
        return self._read[split]

    def find(self, split: str) -> Findings:
        """What reading the split finds, or found: files that are cached as they are need not be read again."""
        if split not in self._findings:
            parts = self._parts_of_reading(split)
            found = self._cached(cached_json, "findings", parts, lambda: Findings.of(self.read(split)).as_dict())
            self._findings[split] = Findings(**found)
        return self._findings[split]

    def encode(self, split: str) -> EncodedCorpus:
        """The split tokenised, with train's tags.

        Raises:
            DataError: see `openmed.corpora.load_split`; types that train lacks; a train split without mentions.
        """
        if split in self._encoded:
            return self._encoded[split]
        info = self.info
        self._refuse_unknown_types(split)

        def make() -> EncodedCorpus:
            return encode_documents(
                self.documents(split),
                encoder=PieceEncoder(self.tokenizer),
                splitter=info.splitter,
                tags=info.tag_ids,
                max_word_pieces=info.max_word_pieces,
            )

        tokenizer_json = self.tokenizer.backend_tokenizer.to_str()
        parts = {
            **self._parts_of_reading(split),
            "tokenizer": hashlib.sha256(tokenizer_json.encode()).hexdigest(),
            "splitter": info.splitter,
            "tags": list(info.tags),
            "max_word_pieces": info.max_word_pieces,
        }
        self._encoded[split] = self._cached(cached_corpus, "encoded", parts, make)
        return self._encoded[split]

    def remember(
        self, what: str, splits: Sequence[str], make: Callable[[], dict[str, Any]], *, makers: Sequence[str]
    ) -> dict[str, Any]:
        """Something JSON-like that is made of these splits: kept as long as nothing that decides it has changed.

        Args:
            what: its name, the folder in the cache.
            makers: modules and folders of the package whose code makes it, beside those that read.
        """
        read = {split: self._parts_of_reading(split) for split in splits}
        files = {name: digest for parts in read.values() for name, digest in parts["files"].items()}
        parts = {"files": files, "name": self.spec.name, "splits": read}
        return self._cached(cached_json, what, parts, make, makers=(*MAKERS, *makers))

    def _cached(
        self,
        keep: Callable[..., T],
        folder: str,
        parts: Mapping[str, Any],
        make: Callable[[], T],
        *,
        makers: tuple[str, ...] = MAKERS,
    ) -> T:
        """`parts["files"]` is empty where a split's files have no hashes: then nothing is kept."""
        if not self._cache or not parts["files"]:
            return make()
        return keep(cache_folder() / folder, cache_key(parts, makers=makers), make)

    def _parts_of_reading(self, split: str) -> dict[str, Any]:
        """All that decides which documents reading gives."""
        if split not in self._hashes:
            self._hashes[split] = split_hashes(self.spec, split)
        spec = self.spec
        reading = {
            "format": spec.format,
            "options": dict(spec.options),
            "types": dict(spec.types or {}),
            "other_types": spec.other_types,
            "groups": repr(spec.groups),
            "ids": repr(spec.ids),
            "split": [split, spec.makes_dev, spec.dev_fraction, spec.split_seed],
            "counts": dict(spec.counts.get(split, {})),
        }
        return {"files": self._hashes[split], "reading": reading}

    def _refuse_unknown_types(self, split: str) -> None:
        """Of a dev or test split with types that train never shows: no tagger could learn them."""
        unseen = sorted(set(self.find(split).types) - set(self.info.types))
        if unseen:
            raise DataError(
                f"the {split} split of {self.spec.name!r} has types that train lacks: {', '.join(unseen)}",
                path=self.spec.split_file(split),
                mend="map or drop them with dataset.types, or give a training split that has them",
            )

    def describe(self) -> dict[str, Any]:
        """{files: {path: hash}, counts: {split: ...}, losses: {split: ...}} of the splits tokenised so far."""
        files: dict[str, str] = {}
        counts: dict[str, dict[str, int]] = {}
        losses: dict[str, dict[str, int]] = {}
        for name, encoded in self._encoded.items():
            found = self.find(name)
            files |= found.hashes
            counts[name] = dict(found.counts)
            losses[name] = dict(sorted((Counter(found.losses) + Counter(encoded.losses)).items()))
        return {"files": dict(sorted(files.items())), "counts": counts, "losses": losses}


def _nothing_to_learn(spec: CorpusSpec, source_types: Sequence[str]) -> DataError:
    if source_types:
        problem = f"dataset.types leaves nothing to learn of {spec.name!r}"
        mend = f"train has {', '.join(source_types)}: name one of these"
    else:
        problem = f"the train split of {spec.name!r} has no entities"
        mend = (
            "a tagger needs annotated text: check dataset.format and, in dataset.options, what holds the annotations "
            "(tag_column of token files, mentions of JSONL)"
        )
    return DataError(problem, path=spec.train, mend=mend)
