"""openmed: train, compare and use domain-adapted, parameter-efficient biomedical named-entity taggers.

    import openmed

    tagger = openmed.load("outputs/.../model")        # a trained model: tagger("Aspirin relieves headache.").spans
    datamodule = openmed.datamodule("ncbi")           # a corpus as a LightningDataModule

Importing this costs nothing: what is heavy is imported when it is called.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, distribution
from os import PathLike
from typing import TYPE_CHECKING, Any

from openmed.errors import OpenMedError
from openmed.spans import Document, Span

if TYPE_CHECKING:
    from openmed.data import NerDataModule
    from openmed.predicting import EntityTagger

DISTRIBUTION = "openmed-ner"

try:
    __version__ = distribution(DISTRIBUTION).version
except PackageNotFoundError:  # run from a checkout that is not installed
    __version__ = "0+unknown"

try:
    distribution("openmed")
except PackageNotFoundError:
    pass
else:
    warnings.warn(
        "the unrelated package 'openmed' is installed beside 'openmed-ner'; both have the import name openmed, and "
        "each overwrites files of the other. Mend: pip uninstall openmed openmed-ner, then install openmed-ner again.",
        stacklevel=2,
    )


def load(model: str | PathLike[str] | Sequence[str | PathLike[str]], **settings: Any) -> EntityTagger:
    """A tagger from a run's `model/` folder, or from several in one pass; settings: see `openmed.predicting.load`.

    Raises:
        ArtefactError: the folder is incomplete, altered or of another version.
        BackboneError: its base weights cannot be found.
    """
    from openmed.predicting import load as load_tagger

    return load_tagger(model, **settings)


def datamodule(name: str, *, backbone: str = "minilm", **settings: Any) -> NerDataModule:
    """The DataModule of a corpus, with the default window and batches of `conf/train.yaml`.

    Args:
        name: as in `dataset=<name>`.
        backbone: whose tokenizer cuts the text, as in `backbone=<name>`.
        settings: arguments of `NerDataModule`, or fields of the corpus, that differ.

    Raises:
        ConfigError: no such corpus or backbone.
    """
    from openmed.data.defaults import make_datamodule

    return make_datamodule(name, backbone=backbone, **settings)


__all__ = ["Document", "OpenMedError", "Span", "__version__", "datamodule", "load"]
