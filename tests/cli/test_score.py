"""`openmed score`: two files in, one table or one line of JSON out; a clean subset leaves out what was seen."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from openmed.analysis.leakage import Seen, clean_subset
from openmed.readers import read
from openmed.writers import write

SEEN = "Aspirin relieves the headache of most patients who take it ."
LINES = [
    {"id": "1", "text": SEEN, "gold": [[0, 7, "Chemical"]], "entities": [[0, 7, "Chemical"]]},
    {"id": "2", "text": "Tamoxifen helps .", "gold": [[0, 9, "Chemical"]], "entities": [[10, 15, "Chemical"]]},
]


def mentions(ranges: list) -> list[dict]:
    return [dict(zip(("start", "end", "label"), range_, strict=True)) for range_ in ranges]


@pytest.fixture
def predictions(tmp_path: Path) -> Path:
    """As a run's predictions/test.jsonl: both sides in one file."""
    path = tmp_path / "test.jsonl"
    lines = ({**line, "gold": mentions(line["gold"]), "entities": mentions(line["entities"])} for line in LINES)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_a_runs_predictions_are_scored_against_their_own_gold(openmed, predictions):
    result = openmed("score", str(predictions), str(predictions), "--json")
    assert result.code == 0, result.err
    answer = json.loads(result.out)
    assert set(answer) >= {"precision", "recall", "f1", "tp", "fp", "fn", "per_type", "interval"}
    assert (answer["tp"], answer["fp"], answer["fn"], answer["f1"]) == (1, 1, 1, 0.5)
    assert answer["per_type"]["Chemical"]["f1"] == 0.5
    assert answer["interval"] == [0, 1]


def test_other_formats_say_the_same(openmed, predictions, tmp_path):
    gold = list(read(predictions))
    write(gold, tmp_path / "gold", format="brat")
    write(read(predictions, mentions="entities"), tmp_path / "pred.xml")
    answer = json.loads(openmed("score", str(tmp_path / "gold"), str(tmp_path / "pred.xml"), "--json").out)
    assert (answer["tp"], answer["fp"], answer["fn"]) == (1, 1, 1)


def test_a_clean_subset_leaves_out_what_was_seen(openmed, predictions, tmp_path):
    seen = Seen()
    seen.add("train", [next(iter(read(predictions)))])
    clean_subset("mine", "test", list(read(predictions)), seen, files={}).write(tmp_path / "clean.json")
    result = openmed("score", str(predictions), str(predictions), "--clean", str(tmp_path / "clean.json"))
    assert result.code == 0, result.err
    assert "1 of 2 texts left out" in result.out
    row = next(line for line in result.out.splitlines() if "│ all" in line)
    assert [cell.strip() for cell in row.split("│")[2:7]] == ["0.0", "0.0", "0.0", "1", "1"]


def test_texts_that_differ_are_one_paragraph(openmed, predictions, tmp_path):
    (tmp_path / "other.jsonl").write_text(predictions.read_text().replace("Tamoxifen", "Tamoxifin"))
    result = openmed("score", str(predictions), str(tmp_path / "other.jsonl"))
    assert result.code == 1
    assert "differ in their text from character 7" in result.err
    assert "Traceback" not in result.err
