"""The DataModule of every NER corpus: verified files -> documents -> tokenised once -> batches.

A file of `conf/dataset/` gives its arguments, so `dataset=ncbi` *is* that corpus's DataModule. From Python:

    datamodule = openmed.datamodule("ncbi", backbone="minilm")
    datamodule.setup("fit")
    datamodule.info.types, len(datamodule.train_dataloader())
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import lightning as L

from openmed.corpora import CorpusSpec, Split, fetch_all
from openmed.data.loaders import EvaluationLoader, TrainingLoader, TrainingPlan
from openmed.data.splits import Splits
from openmed.encoding import VIEWS, SpecialTokens, TaggingInfo, Units
from openmed.errors import ConfigError
from openmed.networks import BackboneSpec
from openmed.spans import Document


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
        self._splits = Splits(self.spec, self.backbone, max_pieces=max_pieces, overlap=overlap, cache=cache)
        self._plan = TrainingPlan(max_tokens, max_sentences)
        self._eval_max_tokens = eval_max_tokens
        self._seed = seed
        self._start: tuple[int, int] = (0, 0)

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
        epoch = self.trainer.current_epoch if self.trainer else 0
        start_epoch, start_batch = self._start
        return TrainingLoader(
            self._splits.encode("train"),
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
        return self._splits.documents(split)

    def split(self, name: str) -> Split:
        """A split as it was read: documents, counts, losses, hashes of its files."""
        return self._splits.read(name)

    def describe(self) -> dict[str, Any]:
        """What `result.json` says of the data: {files: {path: hash}, counts: {split: ...}, losses: {split: ...}}."""
        return self._splits.describe()

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
        encoded = self._splits.encode(split)
        special = SpecialTokens.of(self.tokenizer)
        return [
            EvaluationLoader(
                Units(self._splits.documents(split), encoded, view),
                special,
                self.info,
                max_tokens=self._eval_max_tokens,
            )
            for view in VIEWS
        ]
