"""Plans, and what their tables say of outcomes made by hand."""

from __future__ import annotations

import base64
import zlib

import numpy as np
import pytest

from openmed.errors import ConfigError, DataError
from openmed.reproduce.cells import list_cells
from openmed.reproduce.intervals import Estimate
from openmed.reproduce.outcome import group_counts
from openmed.reproduce.plan import Plan, plan_names
from openmed.reproduce.table import difference, tables

CONTENT = {
    "name": "p",
    "backbones": ["tiny"],
    "corpora": ["demo", "ncbi"],
    "seeds": [1, 2],
    "baseline": "none",
    "pretrain": ["seed=5"],
    "train": ["test=true"],
    "encoders": {"none": None, "head": {"overrides": ["a=1"], "taggers": False}, "lora": {"overrides": ["b=2"]}},
}


def plan(**changes) -> Plan:
    return Plan.from_mapping({**CONTENT, **changes})


def test_cells_are_the_encoders_then_every_tagger():
    cells = {cell.name: cell for cell in list_cells(plan())}
    taggers = {f"ner/tiny/{e}/{c}/{s}" for e in ("none", "lora") for c in ("demo", "ncbi") for s in (1, 2)}
    assert set(cells) == {"dapt/tiny/head", "dapt/tiny/lora"} | taggers
    assert cells["dapt/tiny/lora"].overrides == ("module=dapt", "backbone=tiny", "seed=5", "b=2")
    assert cells["ner/tiny/lora/ncbi/2"].overrides == ("dataset=ncbi", "backbone=tiny", "test=true", "seed=2")
    assert cells["ner/tiny/lora/ncbi/2"].parent == "dapt/tiny/lora"
    assert cells["ner/tiny/none/ncbi/2"].parent is None
    names = list(cells)
    assert all(names.index(cell.parent) < names.index(name) for name, cell in cells.items() if cell.parent)


def test_a_pretraining_may_start_from_another():
    encoders = {"none": None, "head": {"overrides": [], "taggers": False}, "lora": {"overrides": [], "start": "head"}}
    cells = {cell.name: cell for cell in list_cells(plan(encoders=encoders))}
    assert cells["dapt/tiny/head"].parent is None
    assert cells["dapt/tiny/lora"].parent == "dapt/tiny/head"
    assert cells["ner/tiny/lora/ncbi/1"].parent == "dapt/tiny/lora"


def test_one_pretraining_may_serve_taggers_of_several_kinds():
    half = {"of": "lora", "train": ["backbone.interpolation=0.5"]}
    cells = {cell.name: cell for cell in list_cells(plan(encoders={**CONTENT["encoders"], "half": half}))}
    assert [name for name in cells if name.startswith("dapt/")] == ["dapt/tiny/head", "dapt/tiny/lora"]
    for encoder, own in (("lora", ()), ("half", ("backbone.interpolation=0.5",))):
        cell = cells[f"ner/tiny/{encoder}/ncbi/1"]
        assert cell.parent == "dapt/tiny/lora"
        assert cell.overrides == ("dataset=ncbi", "backbone=tiny", "test=true", *own, "seed=1")
    sections = tables(plan(encoders={**CONTENT["encoders"], "half": half}), {})
    assert [row[0] for row in sections[0].blocks[0].rows] == ["head", "lora"]
    assert sections[1].blocks[0].columns == ("corpus", "none", "lora", "lora - none", "half", "half - none")


def test_some_encoders_alone_bring_the_baseline_and_what_they_start_from():
    encoders = {
        **CONTENT["encoders"],
        "further": {"overrides": ["c=3"], "start": "lora"},
        "half": {"of": "further", "train": ["backbone.interpolation=0.5"]},
        "full": {"overrides": ["d=4"]},
    }
    whole = plan(encoders=encoders)
    cells = [cell.name for cell in list_cells(whole.of_encoders(["half"]))]
    assert [name for name in cells if name.startswith("dapt/")] == ["dapt/tiny/lora", "dapt/tiny/further"]
    assert {name.split("/")[2] for name in cells if name.startswith("ner/")} == {"none", "half"}
    everything = {cell.name: cell for cell in list_cells(whole)}
    assert all(cell == everything[cell.name] for cell in list_cells(whole.of_encoders(["half", "full"])))
    assert whole.of_encoders(list(encoders)) == whole
    with pytest.raises(ConfigError, match=r"plan 'p' has no encoder 'ful'.*full"):
        whole.of_encoders(["ful"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"encoders": {"none": {}, "a": {"of": "none"}}}, "'a' cannot be that of 'none'.*stands first, with overrides"),
        ({"encoders": {"none": {}, "a": {"of": "b"}, "b": {"overrides": []}}}, "'a' cannot be that of 'b'"),
        ({"encoders": {"none": {}, "b": {"overrides": []}, "a": {"of": "b", "overrides": []}}}, "takes no overrides"),
        ({"encoders": {"none": {"train": "a=1"}}}, r"train cannot be 'a=1'.*train: \["),
        ({"encoders": {"none": {"start": "none"}}}, "encoder 'none' cannot start from 'none'.*need overrides"),
        ({"encoders": {"none": {}, "a": {"overrides": [], "start": "none"}}}, "'a' cannot start from 'none'"),
        (
            {"encoders": {"none": {}, "a": {"overrides": [], "start": "b"}, "b": {"overrides": []}}},
            "'a' cannot start from 'b'.*stands first",
        ),
        ({"backbones": ["mini"]}, "unknown backbone 'mini'"),
        ({"corpora": ["ncbl"]}, "unknown corpus 'ncbl'"),
        ({"corpora": []}, "names no corpus"),
        ({"baseline": "nothing"}, "unknown baseline"),
        ({"seeds": []}, "no seed"),
        ({"seed": 1}, "unknown key 'seed'"),
        ({"encoders": {"none": {"override": []}}}, "unknown key 'override' in encoders.none"),
        ({"encoders": {"none": {"override": []}}}, "in encoders.none of the plan"),
        ({"name": ""}, "lacks 'name'"),
        ({"name": 5}, "name cannot be 5.*name: mine"),
        ({"corpora": "ncbi"}, r"the plan: corpora cannot be 'ncbi'\. Write it like corpora: \[ncbi, s800\]"),
        ({"corpora": {"ncbi": None}}, "corpora cannot be"),
        ({"backbones": [None]}, r"backbones cannot be \[None\]"),
        ({"seeds": 3}, r"seeds cannot be 3\. Write it like seeds: \[1, 2, 3\]"),
        ({"seeds": [-1]}, r"seeds cannot be \[-1\]"),
        ({"seeds": ["1"]}, "seeds cannot be"),
        ({"seeds": [True]}, "seeds cannot be"),
        ({"seeds": [1, 2, 1]}, "seeds names 1 twice"),
        ({"corpora": ["ncbi", "ncbi"]}, "corpora names 'ncbi' twice"),
        ({"encoders": ["none", "lora"]}, "encoders cannot be.*Write it like encoders: {none"),
        ({"encoders": {False: {}}}, "encoders cannot be {False"),
        ({"encoders": {"none": "lora=none"}}, "encoders.none of the plan is 'lora=none', not keys and values"),
        ({"encoders": {"none": {"overrides": "a=1"}}}, r"overrides cannot be 'a=1'.*overrides: \["),
        ({"encoders": {"none": {"overrides": [{"optim.lr": 1}]}}}, "overrides cannot be"),
        ({"encoders": {"none": {"taggers": "no"}}}, "taggers cannot be 'no'.*taggers: false"),
        ({"train": "test=true"}, "train cannot be 'test=true'"),
        ({"baseline": ["none"]}, "baseline cannot be"),
    ],
)
def test_mistakes_in_a_plan_are_explained(changes, message):
    with pytest.raises(ConfigError, match=message):
        plan(**changes)


@pytest.mark.parametrize("name", plan_names())
def test_the_plans_that_come_along_are_sound(name):
    assert list_cells(Plan.read(name))


def test_a_plan_of_ones_own(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        Plan.read(str(tmp_path / "no.yaml"))
    with pytest.raises(ConfigError, match="unknown plan 'dapt-efect'"):
        Plan.read("dapt-efect")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"- ncbi\n- s800\n", r"plan.yaml is \['ncbi', 's800'\], not keys and values\. Write name: mine; backbones"),
        (b"dapt-effect\n", "plan.yaml is 'dapt-effect', not keys and values"),
        (b"", "plan.yaml is None"),
        (b"name: p\ncorpora: ncbi\n", "plan.yaml: corpora cannot be 'ncbi'"),
        (
            b"name: p\nbaseline: none\ncorpora: [ncbl]\nbackbones: [tiny]\n",
            "plan.yaml: plan 'p': unknown corpus 'ncbl'",
        ),
        (b"name: p\n", "plan.yaml lacks 'baseline'. Write baseline: none"),
        (b"name: [\n", "plan.yaml cannot be read"),
        (b"name: \xff\n", "plan.yaml cannot be read"),
    ],
)
def test_mistakes_in_a_file_name_the_file(tmp_path, content, message):
    place = tmp_path / "plan.yaml"
    place.write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        Plan.read(str(place))


def record(counts: np.ndarray) -> dict:
    packed = base64.b64encode(zlib.compress(counts.astype("<u2").tobytes())).decode()
    tp, fp, fn = counts.sum(0)
    scores = {"f1": 2 * tp / (2 * tp + fp + fn)}
    return {"groups": {"dev": packed, "test": packed}, "dev": scores, "test": scores}


def outcomes(base: np.ndarray, other: np.ndarray) -> dict:
    found = {}
    for corpus in ("demo", "ncbi"):
        for seed in (1, 2):
            found[f"ner/tiny/none/{corpus}/{seed}"] = record(base)
            found[f"ner/tiny/lora/{corpus}/{seed}"] = record(other)
    return found


COUNTS = np.random.default_rng(0).integers(0, 20, size=(60, 3))


def test_counts_come_back():
    assert np.array_equal(group_counts(record(COUNTS), "dev"), COUNTS)


def test_no_difference_has_an_interval_of_nothing():
    found = difference(plan(), outcomes(COUNTS, COUNTS), "tiny", "lora", ["demo", "ncbi"], "dev")
    assert found == Estimate(0, 0, 0, over_seeds=True)


def test_a_gain_everywhere_is_found_with_an_interval_beside_it():
    better = COUNTS.copy()
    better[:, 0] += 2  # two that were missed are found in each group
    better[:, 2] = np.maximum(better[:, 2] - 2, 0)
    found = difference(plan(), outcomes(COUNTS, better), "tiny", "lora", ["demo"], "dev")
    assert found is not None
    tp, fp, fn = COUNTS.sum(0)
    a, b, c = better.sum(0)
    assert found.mean == pytest.approx(2 * a / (2 * a + b + c) - 2 * tp / (2 * tp + fp + fn))
    assert 0 < found.low < found.mean < found.high
    lost = difference(plan(), outcomes(better, COUNTS), "tiny", "lora", ["demo"], "dev")
    assert lost is not None
    assert lost.mean == pytest.approx(-found.mean)


def test_runs_on_different_texts_are_no_pair():
    done = outcomes(COUNTS, COUNTS) | {"ner/tiny/lora/demo/1": record(COUNTS[:50])}
    with pytest.raises(DataError, match=r"different texts.*ner/tiny/lora/demo/1': 50"):
        difference(plan(), done, "tiny", "lora", ["demo"], "dev")


def pretrained(text_tokens: int = 4_000_000) -> dict:
    return {
        "dev": {"perplexity": 12.345, "accuracy": 0.5},
        "train": {"tokens": 2e6, "seconds": 90.0},
        "params": {"trainable_percent": 3.0},
        "counts": {"train": {"tokens": text_tokens}},
    }


def test_tables_leave_open_what_is_not_done():
    done = outcomes(COUNTS, COUNTS)
    for name in ("lora/ncbi/2", "lora/demo/1", "lora/demo/2"):
        del done[f"ner/tiny/{name}"]
    done["dapt/tiny/head"] = pretrained()
    perplexities, dev, test = tables(plan(), done)
    assert perplexities.blocks[0].rows == [
        ("head", "12.35", "50.0%", "3.0%", "4.0 M", "2.0 M", "2 min"),
        ("lora", "open", "", "", "", "", ""),
    ]
    assert len(perplexities.blocks) == 1
    assert dev.blocks[0].columns == ("corpus", "none", "lora", "lora - none")
    (demo, ncbi, mean) = dev.blocks[0].rows
    assert demo[2:] == ("open", "open")
    assert ncbi[2].endswith("(1 of 2 seeds)")
    assert ncbi[3] == "+0.0 (+0.0 to +0.0)*"
    assert mean[3] == "open"
    assert "3 runs are not done; a gain is of the seeds that both sides have" in dev.blocks[1].text
    assert "* One seed, or none that all corpora share" in dev.blocks[1].text
    assert "chance in pre-training itself is not in the intervals" in dev.blocks[1].text
    assert test.title.endswith("test")


def test_a_repeated_pretraining_is_told():
    done = outcomes(COUNTS, COUNTS)
    for name, found in done.items():
        found["parents"] = ["first"] if "/lora/" in name else []
    once, twice = "Each encoder was pre-trained once", "Of an encoder whose pre-training was repeated"
    text = tables(plan(), done)[1].blocks[1].text
    assert once in text
    assert twice not in text
    done["ner/tiny/lora/demo/2"]["parents"] = ["second"]
    text = tables(plan(), done)[1].blocks[1].text
    assert once not in text
    assert twice in text


def test_perplexities_on_other_texts_are_said_not_to_compare():
    for tokens, num_notes in ((4_000_000, 0), (5_000_000, 1)):
        done = {"dapt/tiny/head": pretrained(), "dapt/tiny/lora": pretrained(tokens)}
        _, *notes = tables(plan(), done)[0].blocks
        assert len(notes) == num_notes
        assert all("do not compare" in note.text for note in notes)


def test_nothing_done_is_a_table_too():
    perplexities, dev = tables(plan(), {})
    assert [row[:2] for row in perplexities.blocks[0].rows] == [("head", "open"), ("lora", "open")]
    assert all(set(row[1:]) <= {"open", ""} for row in dev.blocks[0].rows)
    unchanged = plan(encoders={"none": None, "same": None})
    perplexities, dev = tables(unchanged, {})
    assert perplexities.blocks[0].text == "This plan pre-trains no encoder."
    assert "pre-trained once" not in dev.blocks[1].text


def test_a_plan_without_test_scores_has_a_table_of_dev_alone():
    searched = Plan.read("dapt-search")
    assert not any(override.startswith("test=") for override in searched.train)
    done = {"dapt/minilm/lora": pretrained()}
    for cell in list_cells(searched):
        if cell.corpus:
            done[cell.name] = record(COUNTS)
            del done[cell.name]["test"], done[cell.name]["groups"]["test"]
    perplexities, dev = tables(searched, done)
    assert len(perplexities.blocks[0].rows) == 1
    assert dev.title == "Taggers on minilm: dev"
    assert "open" not in str(dev.blocks[0].rows)
    assert "not done" not in dev.blocks[1].text
