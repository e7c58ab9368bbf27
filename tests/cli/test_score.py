"""`openmed score`: two files in, one table or one line of JSON out; a clean subset leaves out what was seen."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from openmed.analysis.leakage import Seen, clean_subset
from openmed.readers import read
from openmed.readers.losses import FILE_PASSED_OVER
from openmed.spans import Document
from openmed.tagging import ILLEGAL_TAG
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
    assert answer["interval_over"] == {"unit": "texts", "number": 2}
    assert answer["losses"] == {"gold": {}, "pred": {}}


def test_a_folder_or_archive_of_predictions_is_scored_against_their_own_gold(openmed, predictions, tmp_path):
    folder = tmp_path / "predictions"
    folder.mkdir()
    predictions.rename(folder / "test.jsonl")
    (folder / "README.md").write_text("About it.")
    with zipfile.ZipFile(tmp_path / "predictions.zip", "w") as archive:
        archive.write(folder / "test.jsonl", "test.jsonl")
    for place, lost in ((folder, {FILE_PASSED_OVER: 1}), (tmp_path / "predictions.zip", {})):
        answer = json.loads(openmed("score", place, place, "--json").out)
        assert (answer["tp"], answer["fp"], answer["fn"]) == (1, 1, 1)
        assert answer["losses"] == {"gold": lost, "pred": lost}


def test_gold_is_never_taken_for_a_prediction(openmed, predictions, tmp_path):
    line = {"id": "1", "text": SEEN, "gold": mentions([[0, 7, "Chemical"]])}
    (tmp_path / "gold.jsonl").write_text(json.dumps(line) + "\n")
    result = openmed("score", tmp_path / "gold.jsonl", tmp_path / "gold.jsonl")
    assert result.code == 1
    assert "its mentions are to stand under 'entities' or 'spans'" in result.err


def test_gold_of_any_scheme_has_all_its_mentions_and_what_predictions_lose_is_shown(openmed, tmp_path):
    (tmp_path / "iob1.tsv").write_text("Aspirin\tI-X\nhelps\tO\n\nIL-2\tI-X\nbinds\tO\n")
    (tmp_path / "iob2.tsv").write_text("Aspirin\tB-X\nhelps\tO\n\nIL-2\tI-X\nbinds\tO\n")
    files = (tmp_path / "iob1.tsv", tmp_path / "iob2.tsv")
    answer = json.loads(openmed("score", *files, "--json").out)
    assert (answer["tp"], answer["fp"], answer["fn"]) == (1, 0, 1)
    assert answer["losses"] == {"gold": {}, "pred": {ILLEGAL_TAG: 1}}
    assert "pred: 1 tags that break the file's own scheme" in openmed("score", *files).out
    told = json.loads(openmed("score", *files, "--scheme", "iob1", "--json").out)
    assert (told["tp"], told["fp"], told["fn"]) == (2, 0, 0)
    assert "unknown tag scheme 'iob3'" in openmed("score", *files, "--scheme", "iob3").err


def test_the_lenient_convention_stands_beside_the_strict_one(openmed, tmp_path):
    (tmp_path / "gold.tsv").write_text("Aspirin\tB-X\nhelps\tO\n\nIL-2\tB-X\nbinds\tO\n")
    (tmp_path / "pred.tsv").write_text("Aspirin\tB-X\nhelps\tI-Y\n\nIL-2\tI-X\nbinds\tO\n")
    files = (tmp_path / "gold.tsv", tmp_path / "pred.tsv")
    answer = json.loads(openmed("score", *files, "--json").out)
    assert (answer["precision"], answer["recall"]) == (1, 0.5)
    lenient = answer["lenient"]
    assert (lenient["precision"], lenient["recall"], lenient["f1"]) == pytest.approx((2 / 3, 1, 0.8))
    assert answer["lenient_absent"] is None
    shown = openmed("score", *files).out
    row = next(line for line in shown.splitlines() if "│ all, lenient" in line)
    assert [cell.strip() for cell in row.split("│")[2:7]] == ["66.7", "100.0", "80.0", "2", "3"]
    assert "a stray I- opens an entity (the convention of seqeval's default mode and of conlleval)" in shown


def test_the_lenient_score_leaves_out_what_was_seen_too(openmed, tmp_path):
    seen_lines = "".join(f"{word}\tO\n" for word in SEEN.split()).replace("Aspirin\tO", "Aspirin\tB-X")
    (tmp_path / "gold.tsv").write_text(f"{seen_lines}\nIL-2\tB-X\nbinds\tO\n")
    (tmp_path / "pred.tsv").write_text((tmp_path / "gold.tsv").read_text().replace("B-X", "I-X"))
    gold = list(read(tmp_path / "gold.tsv"))
    seen = Seen()
    seen.add("train", gold[:1])
    clean_subset("mine", "test", gold, seen, files={}).write(tmp_path / "clean.json")
    files = (tmp_path / "gold.tsv", tmp_path / "pred.tsv")
    found = [
        json.loads(openmed("score", *files, *options, "--json").out)["lenient"]["tp"]
        for options in ((), ("--clean", tmp_path / "clean.json"))
    ]
    assert found == [2, 1]


def test_why_there_is_no_lenient_score_is_said(openmed, predictions, tmp_path):
    answer = json.loads(openmed("score", predictions, predictions, "--json").out)
    assert answer["lenient"] is None
    assert "test.jsonl: tags are needed, and this is no token file" in answer["lenient_absent"]
    assert "lenient: not scored: " in openmed("score", predictions, predictions).out
    (tmp_path / "iobes.tsv").write_text("a\tB-X\nb\tE-X\nc\tS-X\nd\tO\n")
    (tmp_path / "broken.tsv").write_text("a\tB-X\nb\tI-X\nc\tS-X\nd\tO\n")
    whole, broken = (
        json.loads(openmed("score", tmp_path / "iobes.tsv", tmp_path / name, "--scheme", "iobes", "--json").out)
        for name in ("iobes.tsv", "broken.tsv")
    )
    assert (whole["lenient"]["f1"], whole["f1"]) == (1, 1), "legal tags mean the same by both"
    assert broken["tp"] == 1
    assert "broken.tsv: its E- and S- tags break their scheme" in broken["lenient_absent"]


@pytest.mark.parametrize(("group", "said"), [("", "over 3 texts, taken as independent)"), ("g", "over 2 groups)")])
def test_the_interval_says_what_was_drawn(openmed, tmp_path, group, said):
    lines = [{"id": str(n), "text": "IL-2", "group": group if n else "", "entities": []} for n in range(3)]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert said in openmed("score", tmp_path / "a.jsonl", tmp_path / "a.jsonl").out


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
    assert (
        "test of mine without what train holds: removed 1 of the 1 sentences it lists; 1 of 2 texts left out"
        in result.out
    )
    assert not result.err
    row = next(line for line in result.out.splitlines() if "│ all" in line)
    assert [cell.strip() for cell in row.split("│")[2:7]] == ["0.0", "0.0", "0.0", "1", "1"]


def test_a_clean_subset_of_another_corpus_is_warned_of(openmed, predictions, tmp_path):
    other = [Document("7", SEEN.replace("Aspirin", "Ibuprofen"))]
    seen = Seen()
    seen.add("train", other)
    clean_subset("other", "test", other, seen, files={}).write(tmp_path / "clean.json")
    result = openmed("score", predictions, predictions, "--clean", tmp_path / "clean.json", "--json")
    assert result.code == 0
    assert "clean.json removes nothing: is this the corpus and split it was made for?" in result.err
    answer = json.loads(result.out)
    assert answer["clean"] == {"corpus": "other", "split": "test", "against": ["train"], "removed": 0, "listed": 1}
    assert (answer["removed"], answer["documents"]) == (0, 2)


def test_texts_that_differ_are_one_paragraph(openmed, predictions, tmp_path):
    (tmp_path / "other.jsonl").write_text(predictions.read_text().replace("Tamoxifen", "Tamoxifin"))
    result = openmed("score", str(predictions), str(tmp_path / "other.jsonl"))
    assert result.code == 1
    assert "differ in their text from character 7" in result.err
    assert "Traceback" not in result.err


def test_each_side_may_have_a_scheme_and_a_format_of_its_own(openmed, tmp_path):
    gold, pred = tmp_path / "gold.tsv", tmp_path / "pred.tsv"
    gold.write_text("Aspirin\tB-X\nhelps\tO\n\nIL-2\tB-X\nbinds\tI-X\n")
    pred.write_text("Aspirin\tS-X\nhelps\tO\n\nIL-2\tB-X\nbinds\tE-X\n")
    refused = openmed("score", gold, pred)
    assert refused.code == 1
    assert "Say --pred-scheme iobes, or --pred-scheme detect" in refused.err
    for scheme in ("iobes", "detect"):
        assert json.loads(openmed("score", gold, pred, "--pred-scheme", scheme, "--json").out)["f1"] == 1
    both = ("--scheme", "iob2", "--pred-scheme", "iobes")
    assert json.loads(openmed("score", gold, pred, *both, "--json").out)["f1"] == 1
    assert "--scheme iobes" in openmed("score", pred, gold, "--scheme", "iob2").err
    odd = (gold.rename(tmp_path / "gold.xml"), pred.rename(tmp_path / "pred.csv"))
    formats = ("--format", "conll", "--pred-format", "conll", "--pred-scheme", "iobes")
    assert json.loads(openmed("score", *odd, *formats, "--json").out)["f1"] == 1
    (tmp_path / "prose.txt").write_text("No format at all.\n")
    assert "Say --pred-format one of bc2gm" in openmed("score", odd[0], tmp_path / "prose.txt", "--format", "conll").err


def test_a_file_of_iob1_that_was_read_as_iob2_is_told_what_to_pass(openmed, tmp_path):
    path = tmp_path / "iob1.tsv"
    path.write_text("Aspirin\tI-X\nhelps\tO\n\nIL-2\tI-X\nbinds\tI-X\n")
    (note,) = json.loads(openmed("score", path, path, "--json").out)["notes"]
    assert note.endswith("if it is IOB1, pass --pred-scheme iob1")
    assert f"note: {note}" in openmed("score", path, path).out
    for option in ("--scheme", "--pred-scheme"):
        told = json.loads(openmed("score", path, path, option, "iob1", "--json").out)
        assert (told["f1"], told["notes"]) == (1, [])
    (tmp_path / "pred.tsv").write_text("Aspirin\tB-X\nhelps\tO\n\nIL-2\tI-X\nbinds\tI-X\n")
    assert json.loads(openmed("score", path, tmp_path / "pred.tsv", "--json").out)["notes"] == [], "one that errs"
