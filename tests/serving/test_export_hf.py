"""The merged export is the same network in plain transformers, whose pipeline differs for known reasons only."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import pytest
import torch
from tests.backbones import FAMILIES, INFO, backbone_spec, make_batch, save_model

from openmed.artefact import MANIFEST, Manifest, load_artefact
from openmed.errors import ArtefactError, ConfigError, DataError
from openmed.networks import LoraSpec
from openmed.predicting import NetworkScorer, load
from openmed.serving.export import export_model
from openmed.serving.export.pipeline import ILLEGAL, PIECES, WINDOWS, WORDS, compare_with_pipeline
from openmed.serving.export.texts import Texts
from openmed.spans import Document

SHORT = ["", "Aspirin (100 mg) relieved headache.", "IL-2-induced T-cells.", "p53", " ", "Pain, fever and nausea."]
LONG = "Mutations of BRCA1 and BRCA2 predispose to breast cancer, ovarian cancer, and melanoma in 12 patients. "


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory, model_folder: Path) -> Path:
    """Treat it as read-only."""
    out = tmp_path_factory.mktemp("export") / "merged"
    export_model(model_folder, out, to="hf")
    return out


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    path = tmp_path / "texts.jsonl"
    lines = [json.dumps({"id": str(number), "text": text}) for number, text in enumerate(SHORT)]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def exact(document: Document) -> list[tuple[int, int, str]]:
    return [(span.start, span.end, span.label) for span in document.spans]


@pytest.mark.parametrize("name", FAMILIES)
def test_of_each_architecture_transformers_loads_the_same_network(hub, tmp_path, texts, name):
    from transformers import AutoModelForTokenClassification, AutoTokenizer

    model = save_model(tmp_path / "model", backbone_spec(name), lora=LoraSpec(4, 8))
    export_model(model, tmp_path / "merged", to="hf", check=[texts])
    network = load_artefact(model).network
    theirs = AutoModelForTokenClassification.from_pretrained(tmp_path / "merged").eval()
    batch = make_batch(AutoTokenizer.from_pretrained(tmp_path / "merged"), [LONG, "p53"])
    with torch.inference_mode():
        ours_NC = network(batch)
        logits_BLC = theirs(input_ids=batch.input_ids, attention_mask=batch.attention_mask).logits
    assert ours_NC.abs().max() > 0.1
    assert (logits_BLC.flatten(0, 1)[batch.positions] - ours_NC).abs().max() < 1e-5
    assert theirs.config.id2label == dict(enumerate(INFO.tags))
    assert theirs.config.label2id == INFO.tag_ids
    assert theirs.dtype == torch.float32


def test_it_holds_weights_tokenizer_and_lineage_and_nothing_that_runs_code(exported, model_folder):
    assert {path.suffix for path in exported.iterdir()} <= {".safetensors", ".json", ".txt"}
    manifest, parent = Manifest.read(exported), Manifest.read(model_folder)
    facts = manifest.provenance["export"]
    assert facts["parent"] == hashlib.sha256((model_folder / MANIFEST).read_bytes()).hexdigest()
    assert facts["to"] == "hf"
    assert "weights_from_here" not in manifest.provenance
    assert (manifest.info, manifest.labels, manifest.temperature) == (parent.info, parent.labels, parent.temperature)


def test_predict_finds_the_same_with_it(exported, model_folder):
    found, wanted = (load(folder, dtype="float32")([*SHORT, LONG * 5]) for folder in (exported, model_folder))
    assert [exact(document) for document in found] == [exact(document) for document in wanted]
    assert exact(wanted[-1])


def compare(exported: Path, texts: list[str]):
    artefact = load_artefact(exported)
    score = NetworkScorer(load_artefact(exported).network, device="cpu", dtype=torch.float32)
    return compare_with_pipeline(artefact, score, exported, [Document("", text) for text in texts])


def test_where_decoding_is_legal_the_pipeline_finds_the_same(exported):
    """BERT's words are ours, and these texts fit a window: what is left is the decoding."""
    differences = compare(exported, SHORT)
    assert (differences.num_documents, differences.num_longer, differences.num_other_pieces) == (len(SHORT), 0, 0)
    assert differences.num_spans > 0
    assert differences.reasons.pop(ILLEGAL) > 0  # the network is random
    assert set(differences.reasons.values()) == {0}
    assert 0 < differences.num_same < len(SHORT)


def test_texts_longer_than_a_window_are_counted(exported):
    differences = compare(exported, [LONG * 4, "p53"])
    assert differences.num_longer == 1
    assert differences.reasons[WINDOWS] > 0
    assert differences.reasons[WORDS] == differences.reasons[PIECES] == 0


def test_pieces_that_cross_a_words_edge_are_counted(hub, tmp_path, texts):
    model = save_model(tmp_path / "model", backbone_spec("deberta"))
    exported = export_model(model, tmp_path / "merged", to="hf", check=[texts])
    assert exported.check["texts"] == "texts.jsonl"
    reasons = exported.check["differing_spans"]
    assert reasons[WINDOWS] == 0
    assert exported.check["num_other_pieces"] > 0
    assert reasons[PIECES] > 0


# --- what is refused --------------------------------------------------------------------------------------------------


def refused(error: type[Exception], match: str, tmp_path: Path, *arguments, **settings) -> None:
    """...and leaves nothing behind."""
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(error, match=match):
        export_model(*arguments, **settings)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_folder_in_use_is_left_alone(model_folder, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine", encoding="utf-8")
    refused(ConfigError, "is in use", tmp_path, model_folder, tmp_path / "out", to="hf")


def test_an_altered_model_is_refused(model_folder, tmp_path):
    import shutil

    shutil.copytree(model_folder, tmp_path / "model")
    with (tmp_path / "model" / "model.safetensors").open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\x7f")
    refused(ArtefactError, "differs from what was saved", tmp_path, tmp_path / "model", tmp_path / "out", to="hf")


def test_an_unknown_target_is_refused_with_the_nearest(model_folder, tmp_path):
    refused(ConfigError, "Did you mean 'onnx'", tmp_path, model_folder, tmp_path / "out", to="onx")


def test_calibrating_what_is_not_quantised_is_refused(model_folder, tmp_path, texts):
    refused(ConfigError, "calibrate", tmp_path, model_folder, tmp_path / "out", to="hf", calibrate=[texts])


def test_it_is_checked_on_dev_of_the_models_corpus(model_folder, tmp_path, monkeypatch):
    asked = []

    def dev(manifest, split):
        asked.append((manifest, split))
        return Texts([Document("1", SHORT[1])], "dev of mine", has_gold=True)

    monkeypatch.setattr("openmed.serving.export.core.corpus_texts", dev)
    exported = export_model(model_folder, tmp_path / "merged", to="hf")
    assert (exported.check["texts"], exported.check["num_documents"]) == ("dev of mine", 1)
    assert asked == [(Manifest.read(model_folder), "dev")]


def test_a_check_without_text_is_refused(model_folder, tmp_path):
    (tmp_path / "empty.txt").write_text(" \n", encoding="utf-8")
    refused(DataError, "no text", tmp_path, model_folder, tmp_path / "out", to="hf", check=[tmp_path / "empty.txt"])


@pytest.mark.parametrize("to", ["onnx", "onnx-int8"])
def test_without_the_extra_it_is_said_how_to_get_it(model_folder, tmp_path, texts, monkeypatch, to):
    monkeypatch.setitem(sys.modules, "onnx", None)
    settings = {"calibrate": [texts]} if to == "onnx-int8" else {}
    refused(ConfigError, r"openmed-ner\[onnx\]", tmp_path, model_folder, tmp_path / "out", to=to, **settings)


# --- the command ------------------------------------------------------------------------------------------------------


def test_the_command_tells_sizes_and_differences(model_folder, tmp_path, texts):
    from typer.testing import CliRunner

    from openmed.cli.app import app

    def run(out: str, *more: str):
        arguments = ["export", str(model_folder), "--to", "hf", "--out", str(tmp_path / out), "--check", str(texts)]
        result = CliRunner().invoke(app, [*arguments, *more])
        assert result.exit_code == 0, result.output
        return result

    answer = json.loads(run("a", "--json").stdout)
    assert answer["files"].keys() >= {"config.json", "model.safetensors", "tokenizer.json", MANIFEST}
    assert answer["bytes"] == sum(path.stat().st_size for path in (tmp_path / "a").iterdir())
    num_texts = sum(bool(text.strip()) for text in SHORT)  # the others hold nothing to compare
    assert answer["check"]["num_documents"] == num_texts
    shown = run("b").stdout
    assert "MB  model.safetensors" in shown
    assert f"the same in {answer['check']['num_same']} of {num_texts} documents" in shown
    assert f"{answer['check']['differing_spans'][ILLEGAL]} by {ILLEGAL}" in shown
