"""Runs for tests: the composed configuration of `python train.py ...`, small and quick, in this process.

config = compose("dataset=demo", folder=tmp_path / "run")
score = train(config, tmp_path / "run")
"""

from __future__ import annotations

import signal
from pathlib import Path

import hydra
import lightning as L
from omegaconf import DictConfig, OmegaConf

from openmed.choices import conf_folder

QUICK = ("backbone=tiny", "logger=none", "trainer.precision=32-true", "batch.max_tokens=2048", "trainer.max_epochs=2")


def compose(*overrides: str, folder: Path, quick: bool = True) -> DictConfig:
    """The configuration that these overrides give, with `paths.run` set as Hydra would."""
    with hydra.initialize_config_dir(str(conf_folder()), version_base="1.3"):
        return hydra.compose("train", [f"paths.run={folder}", *(QUICK if quick else ()), *overrides])


def write_corpus(folder: Path) -> dict[str, str]:
    """A token corpus of our own with three splits; {split: path}."""
    folder.mkdir(parents=True, exist_ok=True)
    sentences = {
        "train": [
            "Aspirin/B-Chemical relieves/O headache/B-Disease ./O",
            "Severe/O breast/B-Disease cancer/I-Disease responds/O to/O tamoxifen/B-Chemical ./O",
            "No/O drug/O was/O given/O ./O",
            "Metformin/B-Chemical lowers/O glucose/B-Chemical in/O type/B-Disease 2/I-Disease diabetes/I-Disease ./O",
        ]
        * 4,
        "dev": ["Ibuprofen/B-Chemical relieves/O fever/B-Disease ./O", "Nothing/O helped/O ./O"] * 2,
        "test": ["Tamoxifen/B-Chemical in/O breast/B-Disease cancer/I-Disease ./O"],
    }
    paths = {}
    for split, lines in sentences.items():
        blocks = ["\n".join(pair.replace("/", "\t") for pair in line.split()) for line in lines]
        path = folder / f"{split}.tsv"
        path.write_text("\n\n".join(blocks) + "\n", encoding="utf-8")
        paths[split] = str(path)
    return paths


def custom(folder: Path) -> list[str]:
    """Overrides for `dataset=custom` over `write_corpus`."""
    return ["dataset=custom", *(f"dataset.{split}={path}" for split, path in write_corpus(folder).items())]


def without(config: DictConfig, callback: str) -> DictConfig:
    """The same configuration less a callback that a test added."""
    copy = OmegaConf.create(OmegaConf.to_container(config, resolve=False))
    assert isinstance(copy, DictConfig)
    OmegaConf.set_struct(copy, False)
    del copy.callbacks[callback]
    return copy


class SignalAt(L.Callback):
    """Sends this process a signal when a given optimiser step begins, so many times."""

    def __init__(self, step: int, name: str = "SIGTERM", times: int = 1) -> None:
        self.step, self.times = step, times
        self.number = getattr(signal, name)

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx) -> None:
        if trainer.global_step == self.step:
            for _ in range(self.times):
                signal.raise_signal(self.number)


class SpoilAt(L.Callback):
    """Makes the trained weights NaN when a given optimiser step begins."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx) -> None:
        if trainer.global_step == self.step:
            for parameter in pl_module.parameters():
                if parameter.requires_grad:
                    parameter.data.fill_(float("nan"))


class FailAt(L.Callback):
    """Dies when a given optimiser step begins, as by kill -9: nothing is saved."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx) -> None:
        if trainer.global_step == self.step:
            raise MemoryError("the test's own failure")
