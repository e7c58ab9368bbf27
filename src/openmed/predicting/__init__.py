"""Tag text with a saved model: torch and transformers only, no Lightning, no Hydra, no corpus.

tagger = load("outputs/.../model")
tagger("Aspirin relieves headache.").spans
"""

from openmed.predicting.tagger import EntityTagger, load

__all__ = ["EntityTagger", "load"]
