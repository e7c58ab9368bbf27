"""One run from configuration to artefact. The only place that instantiates what Hydra composes.

python train.py dataset=ncbi backbone=minilm test=true        # a shim over openmed.training.main
python -m openmed.training dataset=ncbi                       # the same without a checkout
"""

from openmed.training.main import main

__all__ = ["main"]
