"""LightningModules: how a network learns. They never import `openmed.data`.

module = NerModule(backbone={...}, lora={...}, optim={...}, info=datamodule.info.as_dict())
module = DaptModule(backbone={...}, lora={...}, optim={...}, max_pieces=256)
"""

from openmed.modules.base import TrainedModule
from openmed.modules.dapt import DaptModule
from openmed.modules.ner import NerModule

__all__ = ["DaptModule", "NerModule", "TrainedModule"]
