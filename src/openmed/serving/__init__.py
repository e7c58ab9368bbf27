"""Using a trained model on files: reading them, tagging, writing the results.

for document in annotate(tagger, read_inputs(["notes/"])): ...
run_job(tagger, expand_inputs(["notes/"]), Path("tagged"), to="brat")
"""

from openmed.serving.annotate import annotate, annotate_each
from openmed.serving.inputs import Reading, decode_text, expand_inputs, read_input, read_inputs, read_sound, stem
from openmed.serving.job import JobSummary, run_job

__all__ = [
    "JobSummary",
    "Reading",
    "annotate",
    "annotate_each",
    "decode_text",
    "expand_inputs",
    "read_input",
    "read_inputs",
    "read_sound",
    "run_job",
    "stem",
]
