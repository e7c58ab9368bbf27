"""The published folder: it loads, is whole or not there, and holds neither keys, paths of a machine nor pickles."""

from __future__ import annotations

import dataclasses
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from tests.backbones import build_checkpoint, local_spec
from tests.finished_run import DATASET, write_run

from openmed.artefact import Manifest, model_digest
from openmed.errors import ArtefactError, PublishError
from openmed.networks import LoraSpec
from openmed.predicting import load
from openmed.serving.export import export_model
from openmed.serving.publish import Wanted, read_facts, write_folder
from openmed.serving.publish.scan import Secrets, check_folder

LORA = LoraSpec(rank=4, alpha=8)
WANTED = Wanted("me/OpenMed-NER-Test")
TEXT = "Aspirin (100 mg) relieved headache in 12 patients."
HOME = "/home"
"""Apart from what follows it: no file of the project names a whole path of a home."""
SECRETS = Secrets(paths=("/data/anna/runs", "/vault"), keys=("s3cret-value",), user="anna", host="lab-3")


@pytest.fixture(scope="module")
def model(tmp_path_factory, bert) -> Path:
    """Whole weights, made from a checkpoint in a folder."""
    return write_run(tmp_path_factory.mktemp("folder") / "run", local_spec(bert), lora=None)


@pytest.fixture
def own(model, tmp_path) -> Path:
    """A copy to be broken."""
    shutil.copytree(model.parent, tmp_path / "run")
    return tmp_path / "run" / "model"


def test_what_is_published_tags_as_the_model_does(model, tmp_path):
    written = write_folder(read_facts(model), tmp_path / "out", WANTED)
    assert set(written.files) == {"README.md", "config.json", "model.safetensors", "openmed.json", *tokenizer_of(model)}
    assert written.left_out == ()
    assert written.split == "test"
    ours, theirs = (load(folder, dtype="float32")(TEXT) for folder in (model, tmp_path / "out"))
    assert ours.spans
    assert ours.spans == theirs.spans


def tokenizer_of(model: Path) -> set[str]:
    return {path.name for path in model.iterdir() if path.name.startswith("tokenizer")}


def test_its_manifest_knows_nothing_of_this_machine_and_vouches_for_the_rest(model, tmp_path):
    write_folder(read_facts(model), tmp_path / "out", WANTED)
    text = (tmp_path / "out" / "openmed.json").read_text()
    assert str(tmp_path.parent.parent) not in text
    manifest = Manifest.read(tmp_path / "out")
    assert manifest.backbone["weights"] == "unpublished"
    assert manifest.provenance["run_id"] == "1a2b3c4d"
    assert "weights_from_here" in Manifest.read(model).provenance
    assert "weights_from_here" not in manifest.provenance
    assert "README.md" not in manifest.files  # a card may be edited on the hub
    (tmp_path / "out" / "config.json").write_text("{}")
    with pytest.raises(ArtefactError, match="differs"):
        Manifest.read(tmp_path / "out")


def test_an_adapter_on_an_encoder_that_nobody_else_has_is_refused(tmp_path, bert):
    model = write_run(tmp_path / "run", local_spec(bert), lora=LORA)
    with pytest.raises(PublishError, match=r"nobody else could load it.*--merged"):
        write_folder(read_facts(model), tmp_path / "out", WANTED)
    assert not (tmp_path / "out").exists()


def test_merged_it_needs_nobody(tmp_path, bert):
    """The same spans as the adapter on its base, and plain transformers loads it, when that base is gone."""
    from transformers import pipeline

    base = build_checkpoint(tmp_path / "base", "bert")
    model = write_run(tmp_path / "run", local_spec(base), lora=LORA)
    expected = load(model, dtype="float32")(TEXT).spans
    assert expected
    written = write_folder(read_facts(model), tmp_path / "out", replace(WANTED, merged=True))
    assert "adapter_config.json" not in written.files
    shutil.rmtree(base)
    assert load(tmp_path / "out", dtype="float32")(TEXT).spans == expected
    tag = pipeline("token-classification", model=str(tmp_path / "out"))
    assert {found["entity"] for found in tag(TEXT)} <= set(read_facts(model).manifest.labels)
    assert "library_name: transformers" in (tmp_path / "out" / "README.md").read_text()


def test_a_folder_that_holds_something_is_left_alone(model, tmp_path):
    (tmp_path / "out").mkdir()
    write_folder(read_facts(model), tmp_path / "out", WANTED)
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    with pytest.raises(PublishError, match="is there already"):
        write_folder(read_facts(model), tmp_path / "out", WANTED)
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


def test_files_beside_the_model_are_left_out_and_told(own, tmp_path):
    (own / "notes.docx").write_bytes(b"x")
    assert write_folder(read_facts(own), tmp_path / "out", WANTED).left_out == ("notes.docx",)
    assert not (tmp_path / "out" / "notes.docx").exists()


def test_an_onnx_export_is_not_published(own, tmp_path):
    (own / "model.onnx").write_bytes(b"\x08\x0a")
    replace(Manifest.read(own), kind="onnx").write(own)
    with pytest.raises(PublishError, match=r"is an ONNX export: only safetensors.*Publish the model that it was made"):
        write_folder(read_facts(own), tmp_path / "out", WANTED)
    assert not (tmp_path / "out").exists()


def test_an_export_to_hf_is_published_without_the_names_of_the_texts_it_was_checked_on(tmp_path, bert):
    """Made in the run's folder, with files and folders of somebody's."""
    model = write_run(tmp_path / "run", local_spec(bert), lora=LORA)
    (tmp_path / "patients_of_anna.txt").write_text(TEXT)
    export_model(model, tmp_path / "run" / "merged", to="hf", check=[tmp_path / "patients_of_anna.txt"])
    written = write_folder(read_facts(tmp_path / "run" / "merged"), tmp_path / "out", WANTED)
    texts = [(written.folder / name).read_text() for name in written.files if not name.endswith(".safetensors")]
    for told in (str(tmp_path), str(bert), "patients_of_anna"):
        assert not any(told in text for text in texts)
    parent = json.loads((written.folder / "openmed.json").read_text())["provenance"]["export"]["parent"]
    assert parent == model_digest(model)


def test_a_base_that_was_named_from_another_folder_is_no_id_of_the_hub(tmp_path, bert, monkeypatch):
    """`run/encoder` looks like owner/name, and is not there from where the model is published."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").mkdir()
    shutil.copytree(bert, tmp_path / "run" / "encoder")
    spec = replace(local_spec(bert), weights="run/encoder", tokenizer="run/encoder")
    model = write_run(tmp_path / "trained", spec, lora=LORA)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    facts = read_facts(model)
    assert facts.base.hub_id is None
    with pytest.raises(PublishError, match="nobody else could load it"):
        write_folder(facts, tmp_path / "out", WANTED)
    written = write_folder(facts, tmp_path / "out", replace(WANTED, merged=True))
    texts = [(written.folder / name).read_text() for name in written.files if not name.endswith(".safetensors")]
    assert not any("run/encoder" in text for text in texts)


def test_pickled_weights_beside_the_model_are_refused(own, tmp_path):
    (own / "pytorch_model.bin").write_bytes(b"x")
    with pytest.raises(PublishError, match=r"pytorch_model.bin can run code"):
        write_folder(read_facts(own), tmp_path / "out", WANTED)


def test_what_the_run_knows_of_its_machine_stops_the_whole(tmp_path, bert):
    """Here the corpus's own description has it; nothing is left behind."""
    dataset = {**DATASET, "citation": f"see {tmp_path}/notes.txt"}
    model = write_run(tmp_path / "run", local_spec(bert), lora=None, dataset=dataset)
    with pytest.raises(PublishError, match=r"README.md:\d+ holds a path of this machine") as told:
        write_folder(read_facts(model), tmp_path / "out", WANTED)
    assert str(tmp_path) not in str(told.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]


# --- the scan -------------------------------------------------------------------------------------------------------

KEY = "hf_" + "Ab1" * 11


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (f"token: {KEY}", "a key or a password"),
        ("the value is s3cret-value.", "a key or a password"),
        ("WANDB_API_KEY=" + "0a" * 20, "a key or a password"),
        ("wandb_v1_" + "x" * 40, "a key or a password"),
        ("https://anna:hunter22@example.org", "a key or a password"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----", "a key or a password"),
        ("see /data/anna/runs/7/model", "a path of this machine"),
        ('"/data/anna/runs"', "a path of this machine"),
        ("in /vault/x", "a path of this machine"),
        (f"{HOME}/bert/x", "a path of somebody's home"),
        ("C:\\Users\\bert", "a path of somebody's home"),
        ("C:\\\\Users\\\\bert", "a path of somebody's home"),
        ("trained by anna", "the user's name"),
        ("on lab-3.example.org", "the machine's name"),
        ('"base": "/scratch/project7/encoder"', "a path of some machine"),
        ("of (/mnt/x/y.txt)", "a path of some machine"),
    ],
)
def test_each_kind_is_found_and_not_repeated(tmp_path, line, kind):
    (tmp_path / "README.md").write_text(f"one\ntwo\n{line}\n")
    with pytest.raises(PublishError, match=f"README.md:3 holds {kind}") as told:
        check_folder(tmp_path, SECRETS)
    assert line not in str(told.value)


@pytest.mark.parametrize(
    "line",
    [
        "commit " + "0a" * 20,  # as long as a W&B key
        "sha256:" + "0a" * 32,
        "Anna (2014), annals of the annatto",
        "https://x.org/vault/a, a/vault, /vaulted",
        "hf_short",
        "me/OpenMed-NER-anna of anna/model",
        "doi:10.1016/j.jbi.2013.12.006",
        "the API key is in the safe",
        "and/or, a/b/c, 1/2/3, 5 mg /kg, doi:10.1016/j.jbi/x, https://x.org/a/b, package:a/b, //a/b",
        "collab-3",
    ],
)
def test_what_is_like_one_passes(tmp_path, line):
    (tmp_path / "README.md").write_text(line.replace("of anna/model", "of ") + "\n")
    check_folder(tmp_path, SECRETS, allowed="me/OpenMed-NER-anna")


def test_a_vocabulary_may_hold_any_word_but_no_path_of_this_machine(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_text("anna\n/home/bert\nroot\n")
    check_folder(tmp_path, SECRETS)
    path.write_text("anna\n/data/anna/runs/1\n")
    with pytest.raises(PublishError, match=r"vocab.txt:2 holds a path of this machine"):
        check_folder(tmp_path, SECRETS)


def test_paths_in_json_are_found_however_they_are_written(tmp_path):
    (tmp_path / "config.json").write_text('{"a": "\\/data\\/anna\\/runs\\/1"}')
    with pytest.raises(PublishError, match=r"config.json:1 holds a path of this machine"):
        check_folder(tmp_path, SECRETS)


def test_only_safetensors_pass_for_weights(tmp_path):
    save_file({"a": torch.zeros(2)}, tmp_path / "model.safetensors", {"format": "pt"})
    check_folder(tmp_path, SECRETS)
    save_file({"a": torch.zeros(2)}, tmp_path / "model.safetensors", {"made_in": "/data/anna/runs"})
    with pytest.raises(PublishError, match="notes in its header: made_in"):
        check_folder(tmp_path, SECRETS)
    (tmp_path / "model.safetensors").write_bytes(b"\x80\x04pickle")
    with pytest.raises(PublishError, match="no whole safetensors file"):
        check_folder(tmp_path, SECRETS)


def vocabulary(input: bytes) -> bytes:
    """As sentencepiece writes one: pieces, some of which look like much, then what it was trained on."""
    pieces = [b"p53", b"/home/", b"\xe2\x96\x81/home/bert", b"\xe2\x96\x81anna", b"hf_short", b"\xff\xfe"]
    return (
        b"".join(b"\x0a" + bytes([len(p)]) + p + b"\x15\0\0\0\0" for p in pieces)
        + b"\x12\x20\x0a"
        + bytes([len(input)])
        + input
        + b"\x12\x01m"
    )


@pytest.mark.parametrize(
    ("input", "kind"),
    [
        ("/".join(("", "home", "anna", "corpus.txt")).encode(), "a path of somebody's home"),
        (b"C:\\Users\\anna\\corpus.txt", "a path of somebody's home"),
        (b"/data/anna/runs/1/" + b"x" * 50, "a path of this machine"),  # its length is a letter of ASCII
        (b"hf_" + b"a1" * 31, "a key or a password"),
        ("/data/änne/x".encode(), "a path of this machine"),
    ],
)
def test_what_a_sentencepiece_vocabulary_was_trained_on_is_found(tmp_path, input, kind):
    known = dataclasses.replace(SECRETS, paths=(*SECRETS.paths, "/data/änne"))
    (tmp_path / "spiece.model").write_bytes(vocabulary(b"corpus.txt"))
    check_folder(tmp_path, known)
    (tmp_path / "spiece.model").write_bytes(vocabulary(input))
    with pytest.raises(PublishError, match=f"spiece.model holds {kind}") as told:
        check_folder(tmp_path, known)
    assert input.decode() not in str(told.value)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("weights.pt", b"", "can run code"),
        ("spiece.model", b"PK\x03\x04", "holds a pickle"),
        ("run.sh", b"", "no part of a model"),
        ("config.json", b"{", "not what its name says"),
        ("notes.txt", b"\xff", "not what its name says"),
    ],
)
def test_other_files_are_refused(tmp_path, name, content, told):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(PublishError, match=f"{name} .*{told}"):
        check_folder(tmp_path, SECRETS)


def test_links_are_refused(tmp_path):
    (tmp_path / "config.json").symlink_to("/etc/hostname")
    with pytest.raises(PublishError, match=r"config.json is no plain file"):
        check_folder(tmp_path, SECRETS)


def test_this_machines_own_secrets_are_known(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "0123456789abcdef" * 3)
    monkeypatch.setenv("HF_TOKEN", KEY)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".netrc").write_text("machine api.wandb.ai login user password netrc-password\n")
    (tmp_path / ".netrc").chmod(0o600)
    found = Secrets.of_this_machine(tmp_path / "runs")
    assert {"0123456789abcdef" * 3, KEY, "netrc-password"} <= set(found.keys)
    assert {str(tmp_path), str(tmp_path / "runs"), str(Path.cwd())} <= set(found.paths)
    assert "/" not in found.paths


@pytest.mark.parametrize(("name", "host"), [("lab-3.example.org", "lab-3"), ("cancer", None), ("vm1", None)])
def test_a_host_that_is_called_by_a_word_is_no_secret(monkeypatch, name, host):
    """It would stand in many a card."""
    monkeypatch.setattr("socket.gethostname", lambda: name)
    assert Secrets.of_this_machine().host == host


def test_an_encoder_pretrained_here_tells_its_own_base(tmp_path, bert):
    """Down to what stands on the hub, and what was made of it on the way."""
    first = build_checkpoint(tmp_path / "encoder", "bert")
    lineage = {
        "backbone": {**local_spec(bert).as_dict(), "weights": "owner/base", "revision": "a" * 40, "licence": "MIT"},
        "provenance": {"run_id": "77777777", "dataset": {"name": "dapt_mix"}},
    }
    (first / "openmed.json").write_text(json.dumps(lineage))
    facts = read_facts(write_run(tmp_path / "run", local_spec(first), lora=None))
    assert facts.base.hub_id == "owner/base"
    assert facts.base.revision == "a" * 40
    written = write_folder(facts, tmp_path / "out", WANTED)
    card = (written.folder / "README.md").read_text()
    assert "base_model: owner/base" in card
    assert "base_model_relation: finetune" in card
    assert "pre-trained further on dapt\\_mix (run 77777777)" in card
    assert Manifest.read(written.folder).backbone["weights"] == "owner/base"
