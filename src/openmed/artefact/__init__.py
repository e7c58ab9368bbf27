"""The artefact: a run's `model/` folder, enough to tag text without Hydra, Lightning or the corpus.

save_artefact(folder, network, tokenizer, info=info, backbone=spec, provenance={...})
artefact = load_artefact(folder)
"""

from openmed.artefact.encoder import lineage, save_adapter, save_encoder
from openmed.artefact.manifest import MANIFEST, SCHEMA_VERSION, Manifest, model_digest
from openmed.artefact.model import Artefact, load_artefact, save_artefact

__all__ = [
    "MANIFEST",
    "SCHEMA_VERSION",
    "Artefact",
    "Manifest",
    "lineage",
    "load_artefact",
    "model_digest",
    "save_adapter",
    "save_artefact",
    "save_encoder",
]
