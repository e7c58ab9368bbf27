"""A DataModule from names alone, for notebooks and scripts that do without Hydra.

make_datamodule("ncbi", backbone="minilm", max_tokens=2048)
"""

from __future__ import annotations

from typing import Any

import yaml

from openmed.corpora import conf_folder, corpus_names
from openmed.data.ner import NerDataModule
from openmed.errors import ConfigError, nearest


def make_datamodule(name: str, *, backbone: str, **settings: Any) -> NerDataModule:
    """See `openmed.datamodule`. The defaults are those of `conf/train.yaml`."""
    conf = conf_folder()
    defaults = yaml.safe_load((conf / "train.yaml").read_text(encoding="utf-8"))
    corpus = _group(name, "dataset", corpus_names())
    corpus.pop("_target_", None)
    backbones = [path.stem for path in (conf / "backbone").glob("*.yaml")]
    values = {
        **corpus,
        **defaults["window"],
        **defaults["batch"],
        "seed": defaults["seed"],
        "backbone": _group(backbone, "backbone", backbones),
    }
    return NerDataModule(**{**values, **settings})


def _group(name: str, group: str, known: list[str]) -> dict[str, Any]:
    if name not in known:
        raise ConfigError(f"unknown {group} {name!r}", mend=nearest(name, known))
    return yaml.safe_load((conf_folder() / group / f"{name}.yaml").read_text(encoding="utf-8"))
