"""LightningDataModules.

`dataset=ncbi` names a YAML whose `_target_` is `NerDataModule`: the corpus *is* its
DataModule. `dataset=dapt_mix` is a `TextDataModule`: text to pre-train on.

datamodule = openmed.datamodule("ncbi")
"""

from openmed.data.ner import NerDataModule
from openmed.data.text import TextDataModule

__all__ = ["NerDataModule", "TextDataModule"]
