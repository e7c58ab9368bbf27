"""The DataModule of every NER corpus: verified files -> documents -> tokenised once -> batches.

A file of `conf/dataset/` gives its arguments, so `dataset=ncbi` *is* that corpus's DataModule. From Python:

    datamodule = openmed.datamodule("ncbi", backbone="minilm")
    datamodule.setup("fit")
    datamodule.info.types, len(datamodule.train_dataloader())
"""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import lightning as L

from openmed.corpora import SPLITS, CorpusSpec, Split, cache_folder, fetch_all, load_split
from openmed.data.cache import cache_key, cached
from openmed.data.loaders import EvaluationLoader, TrainingLoader, TrainingPlan
from openmed.encoding import (
    VIEWS,
    EncodedCorpus,
    PieceEncoder,
    SpecialTokens,
    TaggingInfo,
    Units,
    choose_splitter,
    encode_documents,
)
from openmed.errors import ConfigError, DataError
from openmed.networks import BackboneSpec, load_tokenizer
from openmed.spans import Document

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Prepared:
    split: Split
    encoded: EncodedCorpus


class NerDataModule(L.LightningDataModule):
    """One corpus, ready to train and score on.

    Args:
        backbone: the backbone's spec as a dict: its tokenizer cuts the text.
        max_pieces: window length in pieces, special tokens included.
        overlap: pieces that neighbouring windows of a long document share.
        max_tokens: padded pieces per training batch.
        eval_max_tokens: the same for evaluation.
        max_sentences: training windows are runs of 1 to this many neighbouring sentences (1: single sentences).
        seed: of the order of training data.
        cache: keep tokenised splits in the user's cache folder.
        corpus: all fields of `openmed.corpora.CorpusSpec`, as in the corpus's YAML.

    Raises:
        ConfigError, DataError: see `CorpusSpec` and `openmed.corpora.load_split`.
    """

    def __init__(
        self,
        *,
        backbone: Mapping[str, Any],
        max_pieces: int,
        overlap: int,
        max_tokens: int,
        eval_max_tokens: int,
        max_sentences: int,
        seed: int,
        cache: bool = True,
        **corpus: Any,
    ) -> None:
        super().__init__()
        for name, value in (("max_tokens", max_tokens), ("eval_max_tokens", eval_max_tokens)):
            if value < 1:
                raise ConfigError(f"batch.{name}={value} must be at least 1")
        if max_sentences < 1:
            raise ConfigError(f"window.max_sentences={max_sentences} must be at least 1")
        self.spec = CorpusSpec.from_mapping(corpus)
        self.backbone = BackboneSpec.from_mapping(backbone)
        self._window = {"max_pieces": max_pieces, "overlap": overlap}
        TaggingInfo(types=("_",), splitter="punctuation", **self._window)  # refuses a bad window before any work
        self._plan = TrainingPlan(max_tokens, max_sentences)
        self._eval_max_tokens = eval_max_tokens
        self._seed = seed
        self._cache = cache
        self._start: tuple[int, int] = (0, 0)
        self._splits: dict[str, Split] = {}
        self._prepared: dict[str, _Prepared] = {}
        self._info: TaggingInfo | None = None
        self._tokenizer = None

    @property
    def tokenizer(self):
        if self._tokenizer is None:
            self._tokenizer = load_tokenizer(self.backbone)
        return self._tokenizer

    @property
    def info(self) -> TaggingInfo:
        """Types, tags, splitter and window; learnt from the training split."""
        if self._info is None:
            documents = self._read("train").documents
            labels = {span.label for document in documents for span in document.spans}
            types = tuple(sorted({*self.spec.type_names, *labels}))
            if not labels:
                raise _nothing_to_learn(self.spec, self._read("train").source_types)
            self._info = TaggingInfo(types=types, splitter=choose_splitter(documents), **self._window)
        return self._info

    def prepare_data(self) -> None:
        """Fetch and verify the files, once per machine."""
        fetch_all(self.spec)

    def setup(self, stage: str) -> None:
        """Read and tokenise what the stage needs: "fit" and "validate" never touch test."""
        wanted = {"fit": ("train", "dev"), "validate": ("dev",), "test": ("test",)}.get(stage, ())
        for split in wanted:
            self._prepare(split)

    def train_dataloader(self) -> TrainingLoader:
        epoch = self.trainer.current_epoch if self.trainer else 0
        start_epoch, start_batch = self._start
        return TrainingLoader(
            self._prepare("train").encoded,
            SpecialTokens.of(self.tokenizer),
            self.info,
            plan=self._plan,
            seed=self._seed,
            epoch=epoch,
            start=start_batch if epoch == start_epoch else 0,
            share=self._share,
        )

    def val_dataloader(self) -> list[EvaluationLoader]:
        """The dev split, one loader per view (sentences, documents)."""
        return self._views("dev")

    def test_dataloader(self) -> list[EvaluationLoader]:
        """The test split, one loader per view."""
        return self._views("test")

    def documents(self, split: str) -> list[Document]:
        return self._read(split).documents

    def split(self, name: str) -> Split:
        """A split as it was read: documents, counts, losses, hashes of its files."""
        return self._read(name)

    def describe(self) -> dict[str, Any]:
        """What `result.json` says of the data: {files: {path: hash}, counts: {split: ...}, losses: {split: ...}}."""
        files: dict[str, str] = {}
        losses: dict[str, dict[str, int]] = {}
        for name, prepared in self._prepared.items():
            files |= prepared.split.hashes
            lost = Counter(prepared.split.losses) + Counter(prepared.encoded.losses)
            losses[name] = dict(sorted(lost.items()))
        counts = {name: dict(prepared.split.counts) for name, prepared in self._prepared.items()}
        return {"files": dict(sorted(files.items())), "counts": counts, "losses": losses}

    def state_dict(self) -> dict[str, int]:
        """Where training stands: the epoch, and how many of its batches are done."""
        assert self.trainer is not None
        progress = self.trainer.fit_loop.epoch_loop.batch_progress
        done = 0 if progress.is_last_batch else progress.current.ready
        return {"epoch": self.trainer.current_epoch, "batch": done, "seed": self._seed}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Go on where a checkpoint stood.

        Raises:
            ConfigError: the seed changed, so that the rest of the epoch would be another.
        """
        if state_dict["seed"] != self._seed:
            raise ConfigError(
                f"the checkpoint was made with seed={state_dict['seed']}, not {self._seed}",
                mend="resume with the run's own settings",
            )
        self._start = (state_dict["epoch"], state_dict["batch"])

    @property
    def _share(self) -> tuple[int, int]:
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)

    def _views(self, split: str) -> list[EvaluationLoader]:
        """Every process scores the whole split: dev sets are small, and the devices' numbers of batches stay equal."""
        prepared = self._prepare(split)
        special = SpecialTokens.of(self.tokenizer)
        return [
            EvaluationLoader(
                Units(prepared.split.documents, prepared.encoded, view),
                special,
                self.info,
                max_tokens=self._eval_max_tokens,
            )
            for view in VIEWS
        ]

    def _read(self, split: str) -> Split:
        if split not in self._splits:
            self._splits[split] = load_split(self.spec, split)
        return self._splits[split]

    def _prepare(self, split: str) -> _Prepared:
        if split not in self._prepared:
            assert split in SPLITS
            read = self._known_labels(self._read(split))
            self._prepared[split] = _Prepared(read, self._encode(read))
        return self._prepared[split]

    def _known_labels(self, split: Split) -> Split:
        """Refuse a dev or test split with types that train never shows: no tagger could learn them."""
        unseen = sorted({span.label for document in split.documents for span in document.spans} - set(self.info.types))
        if unseen:
            raise DataError(
                f"the {split.name} split of {self.spec.name!r} has types that train lacks: {', '.join(unseen)}",
                path=self.spec.split_file(split.name),
                mend="map or drop them with dataset.types, or give a training split that has them",
            )
        return split

    def _encode(self, split: Split) -> EncodedCorpus:
        def make() -> EncodedCorpus:
            return encode_documents(
                split.documents,
                encoder=PieceEncoder(self.tokenizer),
                splitter=self.info.splitter,
                tags=self.info.tag_ids,
                max_word_pieces=self.info.max_word_pieces,
            )

        if not self._cache or not split.hashes:
            return make()
        tokenizer_json = self.tokenizer.backend_tokenizer.to_str()
        key = cache_key(
            {
                "files": dict(split.hashes),
                "reading": {
                    "format": self.spec.format,
                    "options": dict(self.spec.options),
                    "types": dict(self.spec.types or {}),
                    "other_types": self.spec.other_types,
                    "groups": repr(self.spec.groups),
                    "ids": repr(self.spec.ids),
                    "split": [split.name, self.spec.makes_dev, self.spec.dev_fraction, self.spec.split_seed],
                },
                "tokenizer": hashlib.sha256(tokenizer_json.encode()).hexdigest(),
                "splitter": self.info.splitter,
                "tags": list(self.info.tags),
                "max_word_pieces": self.info.max_word_pieces,
            }
        )
        return cached(cache_folder() / "encoded", key, make)


def _nothing_to_learn(spec: CorpusSpec, source_types: frozenset[str]) -> DataError:
    if source_types:
        problem = f"dataset.types leaves nothing to learn of {spec.name!r}"
        mend = f"train has {', '.join(sorted(source_types))}: name one of these"
    else:
        problem = f"the train split of {spec.name!r} has no entities"
        mend = (
            "a tagger needs annotated text: check dataset.format and, in dataset.options, what holds the annotations "
            "(tag_column of token files, mentions of JSONL)"
        )
    return DataError(problem, path=spec.train, mend=mend)
