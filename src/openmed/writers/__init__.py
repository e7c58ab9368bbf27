"""One writer per format: the inverse of `openmed.readers`.

write_jsonl(documents, "predictions/dev.jsonl")
"""

from openmed.writers.atomic import atomic_path
from openmed.writers.jsonl import document_json, prediction_json, write_jsonl

__all__ = ["atomic_path", "document_json", "prediction_json", "write_jsonl"]
