"""LightningModules: how a network learns. They never import `openmed.data`.

module = NerModule(backbone={...}, lora={...}, optim={...}, info=datamodule.info.as_dict())
"""

from openmed.modules.ner import NerModule

__all__ = ["NerModule"]
