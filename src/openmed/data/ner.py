"""The DataModule of every NER corpus: verified files -> documents -> tokenised once -> batches.

A file of `conf/dataset/` gives its arguments, so `dataset=ncbi` *is* that corpus's DataModule. From Python:

    datamodule = openmed.datamodule("ncbi", backbone="minilm")
    datamodule.setup("fit")
    datamodule.info.types, len(datamodule.train_dataloader())
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from openmed.corpora import CorpusSpec, Split, fetch_all
from openmed.corpora.spec import ALL_VIEWS, OWN_VIEW
from openmed.data.loaders import EvaluationLoader, TrainingLoader, TrainingPlan
from openmed.data.resumable import ResumableDataModule
from openmed.data.splits import Splits
from openmed.encoding import VIEWS, SpecialTokens, TaggingInfo, Units
from openmed.errors import ConfigError
from openmed.networks import BackboneSpec
from openmed.spans import Document


class NerDataModule(ResumableDataModule):
    """One corpus, ready to train and score on.

    Args:
        backbone: the backbone's spec as a dict: its tokenizer cuts the text.
        max_pieces: window length in pieces, special tokens included.
        overlap: pieces that neighbouring windows of a long document share.
        max_tokens: padded pieces per training batch.
        eval_max_tokens: the same for evaluation.
        max_sentences: training windows are runs of 1 to this many neighbouring sentences (1: single sentences).
        seed: of the order of training data.
        views: "all", or "own": dev and test are given in the corpus's own unit alone.
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
        views: str = ALL_VIEWS,
        cache: bool = True,
        **corpus: Any,
    ) -> None:
        super().__init__(seed=seed)
        for name, value in (("max_tokens", max_tokens), ("eval_max_tokens", eval_max_tokens)):
            if value < 1:
                raise ConfigError(f"batch.{name}={value} must be at least 1")
        if max_sentences < 1:
            raise ConfigError(f"window.max_sentences={max_sentences} must be at least 1")
        if views not in (ALL_VIEWS, OWN_VIEW):
            raise ConfigError(f"unknown views={views!r}", mend=f"choose one of {ALL_VIEWS}, {OWN_VIEW}")
        self.spec = CorpusSpec.from_mapping(corpus)
        self._views = VIEWS if views == ALL_VIEWS else (self.spec.unit,)
        self.backbone = BackboneSpec.from_mapping(backbone)
        self._splits = Splits(self.spec, self.backbone, max_pieces=max_pieces, overlap=overlap, cache=cache)
        self._plan = TrainingPlan(max_tokens, max_sentences)
        self._eval_max_tokens = eval_max_tokens

    @property
    def tokenizer(self) -> Any:
        """The backbone's, of transformers."""
        return self._splits.tokenizer

    @property
    def info(self) -> TaggingInfo:
        """Types, tags, splitter and window; learnt from the training split."""
        return self._splits.info

    def prepare_data(self) -> None:
        """Fetch and verify the files, once per machine."""
        fetch_all(self.spec)

    def setup(self, stage: str) -> None:
        """Read and tokenise what the stage needs: "fit" and "validate" never touch test."""
        wanted = {"fit": ("train", "dev"), "validate": ("dev",), "test": ("test",)}.get(stage, ())
        for split in wanted:
            self._splits.encode(split)

    def train_dataloader(self) -> TrainingLoader:
        return TrainingLoader(
            self._splits.encode("train"),
            SpecialTokens.of(self.tokenizer),
            self.info,
            plan=self._plan,
            seed=self.seed,
            epoch=self.epoch,
            start=self.first_batch,
            share=self.share,
        )

    def val_dataloader(self) -> list[EvaluationLoader]:
        """The dev split, one loader per view (sentences, documents)."""
        return self._evaluated("dev")

    def test_dataloader(self) -> list[EvaluationLoader]:
        """The test split, one loader per view."""
        return self._evaluated("test")

    def documents(self, split: str) -> list[Document]:
        return self._splits.documents(split)

    def split(self, name: str) -> Split:
        """A split as it was read: documents, counts, losses, hashes of its files."""
        return self._splits.read(name)

    def remember(
        self, what: str, splits: Sequence[str], make: Callable[[], dict[str, Any]], *, makers: Sequence[str]
    ) -> dict[str, Any]:
        """Something JSON-like made of these splits, made once; see `openmed.data.splits.Splits.remember`."""
        return self._splits.remember(what, splits, make, makers=makers)

    def describe(self) -> dict[str, Any]:
        """What `result.json` says of the data: {files: {path: hash}, counts: {split: ...}, losses: {split: ...}}."""
        return self._splits.describe()

    def _evaluated(self, split: str) -> list[EvaluationLoader]:
        """Every process scores the whole split: dev sets are small, and the devices' numbers of batches stay equal."""
        encoded = self._splits.encode(split)
        special = SpecialTokens.of(self.tokenizer)
        return [
            EvaluationLoader(
                Units(self._splits.documents(split), encoded, view),
                special,
                self.info,
                max_tokens=self._eval_max_tokens,
            )
            for view in self._views
        ]
