"""Using a trained model on files: reading them, tagging, writing the results.

for document in annotate(tagger, read_inputs(["notes/"])): ...
"""

from openmed.serving.annotate import annotate, decode_text, expand_inputs, read_input, read_inputs, stem

__all__ = ["annotate", "decode_text", "expand_inputs", "read_input", "read_inputs", "stem"]
