"""Tag text with saved models: torch and transformers only, no Lightning, no Hydra, no corpus.

tagger = load("outputs/.../model")
tagger("Aspirin relieves headache.").spans
"""

from openmed.predicting.loading import load, open_models
from openmed.predicting.model import Model, NetworkScorer, Scorer
from openmed.predicting.selection import Selection
from openmed.predicting.tagger import EntityTagger

__all__ = ["EntityTagger", "Model", "NetworkScorer", "Scorer", "Selection", "load", "open_models"]
