"""Using a trained model on files: reading them, tagging, writing the results.

for document in annotate(tagger, read_inputs(["notes/"])): ...
run_job(tagger, expand_inputs(["notes/"]), Path("tagged"), to="brat")
"""

from openmed.serving.annotate import annotate
from openmed.serving.inputs import Reading, decode_text, expand_inputs, read_input, read_inputs, stem
from openmed.serving.job import JobSummary, run_job

__all__ = [
    "JobSummary",
    "Reading",
    "annotate",
    "decode_text",
    "expand_inputs",
    "read_input",
    "read_inputs",
    "run_job",
    "stem",
]
