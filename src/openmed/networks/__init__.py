"""Plain `nn.Module`s: a pretrained encoder, its LoRA adapters and a linear head. No Lightning here.

network = build_tagger(backbone_spec, lora_spec, num_tags=3)
emissions_NC = network(batch)
"""

from openmed.networks.backbone import load_tokenizer
from openmed.networks.lora import LoraSpec
from openmed.networks.spec import BackboneSpec
from openmed.networks.tagger import Tagger, build_tagger
from openmed.networks.weights import locate_weights

__all__ = [
    "BackboneSpec",
    "LoraSpec",
    "Tagger",
    "build_tagger",
    "load_tokenizer",
    "locate_weights",
]
