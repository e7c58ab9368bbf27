"""`openmed predict`: text, files, folders, pipes in; lines of JSON or marked-up text out; faults in one paragraph."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.backbones import build_checkpoint, local_spec, save_model
from tests.serving.jobs import stumble_at

from openmed.networks import LoraSpec
from openmed.predicting import load
from openmed.readers import read_jsonl
from openmed.spans import Document

TEXT = "Aspirin (100 mg) relieved headache in 12 patients."


@pytest.fixture(scope="module")
def expected(model_folder) -> Document:
    document = load(model_folder, dtype="float32")(TEXT)
    assert document.spans
    return document


@pytest.fixture
def predict(openmed, model_folder):
    def run(*arguments: object, stdin: bytes = b""):
        return openmed("predict", model_folder, "--dtype", "float32", *arguments, stdin=stdin)

    return run


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """A folder of two notes and a file to leave alone."""
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "a.txt").write_text(TEXT, encoding="utf-8")
    (folder / "b.txt").write_bytes("Ibuprofen\r\nα".encode())
    (folder / "c.png").write_bytes(b"\xff")
    return folder


def lines(out: str) -> list[dict]:
    return [json.loads(line) for line in out.splitlines()]


def results(out: Path) -> list[str]:
    """Names in a folder of results; what the job keeps for itself is hidden."""
    return sorted(path.name for path in out.iterdir() if not path.name.startswith("."))


def check_failed(result, *parts: str) -> None:
    """A non-zero exit and one paragraph, no traceback, nothing on stdout."""
    assert result.code == 1
    assert result.out == ""
    assert result.err.startswith("error: ")
    assert result.err.count("\n") == 1
    for part in parts:
        assert part in result.err


# --- in and out -----------------------------------------------------------------------------------------------------


def test_piped_text_gives_one_line_of_json_with_exact_offsets(predict, expected):
    result = predict(stdin=TEXT.encode())
    assert result.code == 0
    (entry,) = lines(result.out)
    assert list(entry) == ["id", "text", "entities"]
    assert entry["text"] == TEXT
    assert entry["entities"]
    for entity in entry["entities"]:
        assert list(entity) == ["start", "end", "label", "text", "score"]
        assert TEXT[entity["start"] : entity["end"]] == entity["text"]
    assert [(e["start"], e["end"], e["label"]) for e in entry["entities"]] == [
        (span.start, span.end, span.label) for span in expected.spans
    ]


@pytest.mark.parametrize("arguments", [(), ("-",)], ids=["nothing", "dash"])
def test_piped_text_is_taken_byte_for_byte(predict, arguments):
    text = "\ufeffAspirin\r\nrelieves\rβ😀\n"
    assert [entry["text"] for entry in lines(predict(*arguments, stdin=text.encode()).out)] == [text]


def test_a_text_on_the_command_line_is_shown_marked_up(predict, expected):
    result = predict("--text", TEXT)
    assert result.code == 0
    assert result.out.startswith(f"1  ({len(expected.spans)} mentions)\n")
    first = expected.spans[0]
    assert f"{TEXT[first.start : first.end]} {first.label}" in result.out


def test_a_text_on_the_command_line_as_json(predict):
    assert [entry["text"] for entry in lines(predict("--text", TEXT, "--to", "jsonl").out)] == [TEXT]


def test_an_empty_text_has_no_mentions(predict):
    assert lines(predict("--text", "", "--to", "jsonl").out) == [{"id": "1", "text": "", "entities": []}]


def test_files_and_folders_are_tagged_in_order(predict, notes):
    result = predict(notes / "b.txt", notes)
    assert [(entry["id"], entry["text"]) for entry in lines(result.out)] == [
        ("b", "Ibuprofen\r\nα"),
        ("a", TEXT),
        ("b", "Ibuprofen\r\nα"),
    ]


def test_a_view_heads_each_document_with_its_id_as_it_is(predict, tmp_path):
    """Square brackets and colons are mark-up to rich."""
    (tmp_path / "in.jsonl").write_text(json.dumps({"id": "odd[/bold]:smile:", "text": TEXT}))
    result = predict(tmp_path / "in.jsonl", "--to", "view")
    assert result.code == 0
    assert result.out.startswith("odd[/bold]:smile:  (")


def test_out_writes_one_file_per_input_and_says_so_on_stderr(predict, notes, tmp_path):
    out = tmp_path / "new" / "tagged"
    result = predict(notes, "--out", out)
    assert result.code == 0
    assert result.out == ""
    assert results(out) == ["a.jsonl", "b.jsonl"]
    assert [document.text for document in read_jsonl(out / "a.jsonl")] == [TEXT]
    assert f"{notes / 'a.txt'}: 1 documents -> {out / 'a.jsonl'}" in result.err


def test_jsonl_in_gives_jsonl_out_with_the_same_ids(predict, tmp_path):
    (tmp_path / "in.jsonl").write_text(
        '{"id": "x", "group": "g", "text": "p53", "entities": [{"start": 0, "end": 3, "label": "Gene"}]}\n'
        '{"id": "y", "text": "q"}\n'
    )
    entries = lines(predict(tmp_path / "in.jsonl").out)
    assert [(entry["id"], entry.get("group"), entry["text"]) for entry in entries] == [
        ("x", "g", "p53"),
        ("y", None, "q"),
    ]
    assert "Gene" not in {entity["label"] for entry in entries for entity in entry["entities"]}


# --- faults ---------------------------------------------------------------------------------------------------------


def test_out_never_overwrites(predict, notes, tmp_path):
    out = tmp_path / "tagged"
    out.mkdir()
    (out / "b.jsonl").write_text("precious")
    check_failed(predict(notes, "--out", out), "b.jsonl", "is there already", "Choose another --out")
    assert {path.name: path.read_text() for path in out.iterdir()} == {"b.jsonl": "precious"}


def test_two_inputs_of_one_name_are_not_written_over_each_other(predict, notes, tmp_path):
    (notes / "below").mkdir()
    (notes / "below" / "a.txt").write_text("p53")
    out = tmp_path / "tagged"
    check_failed(
        predict(notes, "--out", out),
        f"{notes / 'below' / 'a.txt'}: it and {notes / 'a.txt'} would both be written to {out / 'a.jsonl'}. ",
        "Rename one of the two, or tag them by two commands, each with an --out of its own",
    )
    assert not out.exists()


def test_an_input_given_twice_is_named(predict, notes, tmp_path):
    result = predict(notes, notes / "b.txt", "--out", tmp_path / "tagged")
    check_failed(result, f"{notes / 'b.txt'}: the input was given twice. Name it")


def test_a_broken_file_is_listed_and_the_others_are_done(predict, notes, tmp_path):
    (notes / "a.txt").write_bytes(b"\xff")
    out = tmp_path / "tagged"
    result = predict(notes, "--out", out)
    assert result.code == 1
    assert results(out) == ["b.jsonl", "errors.jsonl"]
    (error,) = lines((out / "errors.jsonl").read_text())
    assert error["file"] == str(notes / "a.txt")
    assert "not UTF-8: byte 0xff at byte 0" in error["error"]
    assert "1 failed: " in result.err
    (notes / "a.txt").write_text("mended")
    assert predict(notes, "--out", out).code == 0
    assert results(out) == ["a.jsonl", "b.jsonl"]


def test_without_a_folder_a_broken_file_is_told_and_loses_no_other(predict, notes, tmp_path):
    (notes / "b.txt").write_bytes(b"\xff")
    (notes / "c.txt").write_text("p53")
    (notes / "d.jsonl").write_text('{"text": "one"}\n{\n{"text": "three"}\n')
    (notes / "e.csv").write_text("text\n")
    result = predict(notes)
    assert result.code == 1
    assert [entry["text"] for entry in lines(result.out)] == [TEXT, "p53", "one", "three"]
    of_file, of_line = result.err.splitlines()
    assert of_file.startswith(f"error: {notes / 'b.txt'}: not UTF-8")
    assert of_line.startswith(f"error: {notes / 'd.jsonl'}:2: ")


def test_without_a_folder_a_document_that_the_tagger_stumbles_on_loses_itself_alone(predict, tmp_path, monkeypatch):
    stumble_at(monkeypatch)
    (tmp_path / "x.jsonl").write_text("".join(f'{{"text": "{text}"}}\n' for text in ("one", "stumble", "three")))
    result = predict(tmp_path / "x.jsonl")
    assert result.code == 1
    assert [entry["text"] for entry in lines(result.out)] == ["one", "three"]
    assert result.err == "error: document '2' cannot be tagged (RuntimeError: stumbled).\n"


def test_json_sums_up_what_the_folder_holds(predict, notes, tmp_path):
    result = predict(notes, "--out", tmp_path / "tagged", "--to", "csv", "--json", "--threshold", "0.99")
    (summary,) = lines(result.out)
    assert summary["files"] == summary["documents"] == summary["tagged"] == 2
    assert summary["failed"] == 0
    assert summary["dropped"] == {
        "below_threshold": len(lines(predict(notes).out)[0]["entities"]) - summary["entities"]
    }


def test_without_a_folder_json_is_json_lines(predict):
    assert [entry["text"] for entry in lines(predict("--text", TEXT, "--json").out)] == [TEXT]


def test_entities_below_the_threshold_are_dropped_and_counted(predict, expected):
    result = predict("--text", TEXT, "--to", "jsonl", "--threshold", "1")
    assert lines(result.out)[0]["entities"] == []
    assert f"below_threshold {len(expected.spans)}" in result.err


def test_several_models_stand_before_the_inputs(predict, openmed, model_folder, bert, notes, tmp_path):
    other = save_model(tmp_path / "other", local_spec(bert), seed=1)
    (entry,) = lines(predict(other, notes / "a.txt").out)
    assert {entity["model"].split("-")[0] for entity in entry["entities"]} == {"none"}
    assert len({entity["model"] for entity in entry["entities"]}) == 2
    check_failed(predict(notes, other), "the model", "Name all models first")
    check_failed(predict(other, model_folder.parent), "is a run folder", f"Did you mean {model_folder}?")
    check_failed(predict(model_folder), "was given twice")


def test_a_file_whose_format_nothing_tells_wants_it_told(predict, tmp_path):
    (tmp_path / "note").write_text(TEXT)
    result = predict(tmp_path / "note")
    check_failed(result, "neither its suffix nor its first lines tell", "Say --format, one of text, medline, bc2gm")
    (entry,) = lines(predict(tmp_path / "note", "--format", "text").out)
    assert entry["text"] == TEXT


def test_the_column_of_a_table_can_be_told(predict, tmp_path):
    (tmp_path / "x.tsv").write_text(f"pmid\tabstract\n7\t{TEXT}\n")
    result = predict(tmp_path / "x.tsv", "--format", "csv", "--text-column", "abstract", "--id-column", "pmid")
    assert [(entry["id"], entry["text"]) for entry in lines(result.out)] == [("7", TEXT)]
    check_failed(predict(tmp_path / "x.tsv", "--format", "csv"), "has no column 'text'", "Known: abstract, pmid")


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("--text", "a", "b.txt"), "--text and files were both given"),
        (("--out", "x"), "--out needs input files"),
        (("-", "--out", "x"), "--out needs input files"),
        (("a.txt", "--to", "view", "--out", "x"), "--to jsonl"),
        (("a.txt", "--to", "brat"), "--to brat writes files. Say where"),
        (("x", "--out", "x"), "x is an input, too"),
        (("x", "--out", __file__), "test_predict.py is a file. Name a folder"),
        (("--text", "a", "--threshold", "1.5"), "a threshold of 1.5 is outside 0..1"),
        (("--text", "a", "--format", "txet"), "Did you mean 'text'"),
    ],
)
def test_arguments_at_odds_are_refused(predict, arguments, part):
    check_failed(predict(*arguments), part)


@pytest.mark.parametrize("source", ["a file", "a pipe", "--text"])
def test_what_is_not_utf8_is_refused_with_the_place(predict, tmp_path, source):
    path = tmp_path / "latin.txt"
    path.write_bytes("naïve".encode("latin1"))
    if source == "a file":
        result = predict(path)
    elif source == "a pipe":
        result = predict(stdin=path.read_bytes())
    else:
        result = predict("--text", "na\udcefve")  # as Python hands over a byte that is not UTF-8
    check_failed(result, "not UTF-8: byte 0xef at byte 2", "iconv")


def test_a_missing_file_is_named(predict, tmp_path):
    check_failed(predict(tmp_path / "nowhere.txt"), "nowhere.txt: no such file or folder")


def test_a_folder_without_files_to_tag_is_refused(predict, tmp_path):
    check_failed(predict(tmp_path), "holds no file to tag", ".jsonl")


def test_a_model_that_is_none_is_refused(openmed, tmp_path):
    check_failed(openmed("predict", tmp_path / "nowhere", "--text", "a"), "is not a folder", "model/ folder")


def test_the_run_folder_is_pointed_to_its_model(openmed, model_folder):
    check_failed(openmed("predict", model_folder.parent, "--text", "a"), f"Did you mean {model_folder}?")


def test_an_unknown_dtype_is_refused_with_the_nearest(openmed, model_folder):
    result = openmed("predict", model_folder, "--text", "a", "--dtype", "bfloat61")
    check_failed(result, "Did you mean 'bfloat16'")


@pytest.mark.parametrize("device", ["cud", "cuda:x", "cuda:99"])
def test_a_device_that_is_not_there_is_refused(openmed, model_folder, device):
    result = openmed("predict", model_folder, "--text", "a", "--device", device)
    check_failed(result, f"--device {device} cannot be used: ", "Say cpu, or leave it out")


def test_what_reading_could_not_keep_is_told_without_a_folder_too(predict, tmp_path):
    (tmp_path / "x.jsonl").write_text(
        '{"id": "x", "text": "p53", "entities": [{"start": 0, "end": 3, "label": "Gene", "text": "p54"}]}\n'
    )
    assert "not kept: mention_differs_from_text 1" in predict(tmp_path / "x.jsonl").err


def test_weights_that_are_gone_are_named(openmed, tmp_path):
    base = build_checkpoint(tmp_path / "base", "bert")
    model = save_model(tmp_path / "model", local_spec(base), lora=LoraSpec(4, 8))
    base.rename(tmp_path / "moved")
    check_failed(openmed("predict", model, "--text", "a"), str(base), "no longer there")


def test_an_unknown_format_is_a_usage_error(predict):
    result = predict("--text", "a", "--to", "pdf")
    assert result.code == 2
    assert "pdf" in result.err


def test_a_traceback_is_there_when_asked_for(predict, tmp_path, monkeypatch):
    from openmed.errors import DataError

    monkeypatch.setenv("OPENMED_TRACEBACK", "1")
    with pytest.raises(DataError):
        predict(tmp_path / "nowhere.txt")


@pytest.mark.slow
def test_the_console_script_in_a_pipe_prints_json_and_nothing_else(bert, tmp_path):
    """No warning or progress bar of a library either."""
    model = save_model(tmp_path / "model", local_spec(bert), lora=LoraSpec(4, 8))
    script = Path(sys.executable).with_name("openmed")
    done = subprocess.run(
        [script, "predict", model, "--dtype", "float32"], input=TEXT.encode(), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    assert [entry["text"] for entry in lines(done.stdout.decode())] == [TEXT]
    assert done.stderr == b""
