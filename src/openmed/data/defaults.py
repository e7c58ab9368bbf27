"""A DataModule from names alone, for notebooks and scripts that do without Hydra.

make_datamodule("ncbi", backbone="minilm", max_tokens=2048)
"""

from __future__ import annotations

from typing import Any

import yaml

from openmed.choices import conf_folder, read_choice
from openmed.corpora import corpus_names
from openmed.data.ner import NerDataModule
from openmed.errors import ConfigError, nearest


def make_datamodule(name: str, *, backbone: str, **settings: Any) -> NerDataModule:
    """See `openmed.datamodule`. The defaults are those of `conf/train.yaml`."""
    defaults = yaml.safe_load((conf_folder() / "train.yaml").read_text(encoding="utf-8"))
    if name not in corpus_names():
        raise ConfigError(f"unknown dataset {name!r}", mend=nearest(name, corpus_names()))
    corpus = read_choice("dataset", name)
    corpus.pop("_target_", None)
    values = {
        **corpus,
        **defaults["window"],
        **defaults["batch"],
        "seed": defaults["seed"],
        "backbone": read_choice("backbone", backbone),
    }
    return NerDataModule(**{**values, **settings})
