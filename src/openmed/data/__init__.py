"""LightningDataModules.

`dataset=ncbi` names a YAML whose `_target_` is `NerDataModule`: the corpus *is* its
DataModule.

datamodule = openmed.datamodule("ncbi")
"""

from openmed.data.ner import NerDataModule

__all__ = ["NerDataModule"]
