"""The same network, computed quicker: adapters, dropout, attention and layer ends with a forward and backward of ours.

`module.fast=false` leaves PEFT's and transformers' own code in place; tests hold that both give the same.

exchange(model.get_base_model())
"""

from openmed.networks.fast.attention import additive_mask
from openmed.networks.fast.exchange import exchange, takes_additive_mask

__all__ = ["additive_mask", "exchange", "takes_additive_mask"]
