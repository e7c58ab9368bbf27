"""What the files of a run folder are called: what training writes there, and comparing and reproducing read.

(folder / RESULT).read_text(), (folder / PREDICTIONS / "dev.jsonl").open()
"""

RESULT = "result.json"
CONFIG = "config.yaml"
"""The composed configuration: the authority when the run is resumed."""
PREDICTIONS = "predictions"
"""A folder with one file a split, one text a line."""
HISTORY = "history.jsonl"
"""A line for each evaluation on dev."""
