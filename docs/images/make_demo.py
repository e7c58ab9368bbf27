"""Draw what a finished demo run printed: `python docs/images/make_demo.py RUN_FOLDER` writes docs/images/demo.svg."""

import json
import sys
from pathlib import Path

from rich.console import Console

import openmed
from openmed.metrics import score_spans
from openmed.readers import read
from openmed.training.evaluate import Evaluation
from openmed.training.summary import print_summary

run = Path(sys.argv[1])
result = json.loads((run / "result.json").read_text(encoding="utf-8"))
datamodule = openmed.datamodule(result["dataset"])
gold = {document.id: document for document in datamodule.documents("dev")}
tagged = list(read(run / "predictions" / "dev.jsonl", mentions="entities"))
documents = [gold[document.id] for document in tagged]
predicted = [document.spans for document in tagged]
table = score_spans([document.spans for document in documents], predicted)
assert table.micro.f1 == result["dev"]["f1"], "these predictions are not those of result.json"

console = Console(record=True, width=100, file=open("/dev/null", "w"))  # noqa: SIM115 (lives as long as the script)
print_summary(result, Evaluation(datamodule.spec.unit, {}, documents, predicted), run, console)
target = Path(__file__).parent / "demo.svg"
console.save_svg(str(target), title="make demo")
print(target)
