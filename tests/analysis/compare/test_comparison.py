"""From run folders to a comparison: what is grouped, ranked and tested, and what is refused."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from tests.analysis.compare.made import documents, tagged, write_run, write_sweep

from openmed.analysis.compare import as_json, compare_runs
from openmed.analysis.compare.breakdown import confusion_of, f1_by, mistakes_of
from openmed.analysis.compare.comparison import Comparison
from openmed.analysis.compare.significance import holm
from openmed.errors import ConfigError, DataError
from openmed.metrics.mistakes import Kind
from openmed.spans import Document, Span
from openmed.writers import write_jsonl


def compared(*folders: Path, **more) -> Comparison:
    return compare_runs(folders, **{"num_resamples": 300, **more})


def labels(comparison: Comparison) -> list[str]:
    return [standing.setting.label for standing in comparison.standings]


def test_runs_are_grouped_by_setting_ranked_and_tested(tmp_path):
    write_sweep(tmp_path / "deep" / "below", {4: 0.9, 8: 0.1}, gold=documents(30))
    write_sweep(tmp_path / "deep", {16: 0.1}, seeds=(1, 2, 4), gold=documents(30))
    comparison = compared(tmp_path)
    assert comparison.split == "test"
    assert labels(comparison)[-1] == "lora.rank=4"
    assert {tuple(run.seed for run in one.setting.runs) for one in comparison.standings} == {(1, 2, 3), (1, 2, 4)}
    verdicts = {difference.standing.setting.label: difference.verdict for difference in comparison.differences}
    assert verdicts.pop("lora.rank=4") == "worse"
    assert list(verdicts.values()) == ["not told apart"]


def test_ps_are_corrected_for_their_number(tmp_path):
    write_sweep(tmp_path, {4: 0.5, 8: 0.4, 16: 0.1}, gold=documents(30))
    differences = compared(tmp_path).differences
    assert [difference.p_holm for difference in differences] == holm([difference.p for difference in differences])
    assert differences[0].p_holm > differences[0].p


def test_what_lies_inside_a_run_is_no_run(tmp_path):
    write_run(write_run(tmp_path / "1") / "model", seed=2)
    assert compared(tmp_path).num_runs == 1


def test_scores_are_those_of_result_json(tmp_path):
    write_sweep(tmp_path, {8: 0.3}, seeds=(1, 2))
    (standing,) = compared(tmp_path).standings
    told = [json.loads((tmp_path / f"8_{seed}" / "result.json").read_text())["test"] for seed in (1, 2)]
    assert standing.f1s == pytest.approx([scores["f1"] for scores in told])
    assert standing.precision == pytest.approx(sum(scores["precision"] for scores in told) / 2)
    assert standing.recall == pytest.approx(sum(scores["recall"] for scores in told) / 2)
    for label, scores in told[0]["per_type"].items():
        parts = {part.name: part for part in f1_by(compared(tmp_path / "8_1"), "label")}
        assert parts[label].scores[0].mean == pytest.approx(scores["f1"])
        assert parts[label].num_gold == scores["tp"] + scores["fn"]


def test_mistakes_add_up_to_gold_and_predicted(tmp_path):
    write_run(tmp_path, wrong=0.5)
    (standing,) = compared(tmp_path).standings
    (tally,) = standing.setting.tallies
    kinds = {kind: spread.mean for kind, spread in mistakes_of(standing.setting).items()}
    tp, gold = tally.tp_G.sum(), sum(len(document.spans) for document in documents())
    paired = tp + kinds[Kind.TYPE] + kinds[Kind.BOUNDARY] + kinds[Kind.BOTH]
    assert min(kinds[Kind.TYPE], kinds[Kind.BOUNDARY], kinds[Kind.MISSED]) > 0
    assert paired + kinds[Kind.MISSED] == gold
    assert paired + kinds[Kind.SPURIOUS] == tally.predicted_G.sum()
    assert sum(confusion_of(standing.setting).values()) == kinds[Kind.TYPE] + kinds[Kind.BOTH]


def test_parts_are_of_lengths_and_of_what_train_holds(tmp_path):
    train = Document("t", "SEVERE sepsis pain", (Span(0, 13, "Disease"), Span(14, 18, "Chemical")))
    write_jsonl([train], tmp_path / "train.jsonl")
    gold = [
        Document("1", "severe  sepsis and pain", (Span(0, 14, "Disease"), Span(19, 23, "Disease"))),
        Document("2", "fever", (Span(0, 5, "Disease"),)),
    ]
    found = [gold[0].spans[:1], ()]
    corpus = {"train": str(tmp_path / "train.jsonl"), "dev": str(tmp_path / "train.jsonl"), "unit": "documents"}
    write_run(tmp_path / "run", gold=gold, predicted=found, dataset=corpus)
    comparison = compared(tmp_path / "run")
    assert not comparison.seen
    assert {part.name: (part.num_gold, part.scores[0].mean) for part in f1_by(comparison, "seen")} == {
        "seen in train": (2, pytest.approx(2 / 3)),
        "not in train": (1, 0),
    }
    assert {part.name: (part.num_gold, part.scores[0].mean) for part in f1_by(comparison, "num_words")} == {
        "1 word": (2, 0),
        "2 words": (1, 1),
    }


def test_without_train_at_hand_it_is_said(tmp_path):
    comparison = compared(write_run(tmp_path))
    assert comparison.seen == "nowhere/train.tsv is not on this machine"
    assert f1_by(comparison, "seen") == []


def test_runs_trained_on_other_texts_have_no_seen_mentions_in_common(tmp_path):
    write_run(tmp_path / "1")
    write_run(tmp_path / "2", dataset={"train": "half.tsv"})
    comparison = compared(tmp_path)
    assert comparison.seen == "the runs were not trained on the same texts"
    assert set(labels(comparison)) == {"dataset.train=nowhere/train.tsv", "dataset.train=half.tsv"}


def test_equal_predictions_share_a_place(tmp_path):
    write_run(tmp_path / "1", settings={"lora.rank": 4})
    write_run(tmp_path / "2", settings={"lora.rank": 8})
    write_run(tmp_path / "3", settings={"lora.rank": 16}, wrong=0.8)
    comparison = compared(tmp_path)
    assert [(standing.rank, standing.tied) for standing in comparison.standings] == [(1, True), (1, True), (3, False)]
    tie = comparison.differences[0]
    assert (tie.f1, tie.p, tie.p_holm, tie.interval) == (0, 1, 1, (0, 0))


@pytest.mark.parametrize(("p", "verdict"), [(0.0499, "better"), (0.05, "not told apart")])
def test_a_difference_counts_below_five_per_cent(tmp_path, p, verdict):
    write_sweep(tmp_path, {4: 0.9, 8: 0.1}, gold=documents(30))
    (difference,) = compared(tmp_path, baseline="lora.rank=4").differences
    assert replace(difference, p_holm=p).verdict == verdict


def test_one_run_has_no_test_and_says_so(tmp_path):
    comparison = compared(write_run(tmp_path))
    assert comparison.differences == []
    assert any("no test is made" in note for note in comparison.notes)
    assert comparison.standings[0].interval is not None


def test_one_abstract_has_neither_test_nor_interval(tmp_path):
    write_sweep(tmp_path, {4: 0.1, 8: 0.9}, seeds=(1,), gold=documents(1))
    comparison = compared(tmp_path)
    assert comparison.differences == []
    assert comparison.standings[0].interval is None
    assert any("single group" in note for note in comparison.notes)


def test_a_split_without_mentions_is_no_error(tmp_path):
    nothing = [Document(str(number), "nothing here") for number in range(4)]
    write_sweep(tmp_path, {4: 0, 8: 0}, seeds=(1,), gold=nothing)
    comparison = compared(tmp_path)
    assert [standing.f1 for standing in comparison.standings] == [0, 0]
    assert comparison.differences[0].p == 1
    assert any("no gold mentions" in note for note in comparison.notes)
    assert f1_by(comparison, "label") == []


def test_a_baseline_by_label_or_by_run(tmp_path):
    write_sweep(tmp_path, {4: 0.9, 8: 0.1}, gold=documents(30))
    for name in ("lora.rank=4", str(tmp_path / "4_2")):
        comparison = compared(tmp_path, baseline=name)
        assert comparison.base.setting.label == "lora.rank=4"
        assert [difference.verdict for difference in comparison.differences] == ["better"]
    with pytest.raises(ConfigError, match=r"Did you mean .*'lora.rank=4'"):
        compared(tmp_path, baseline="lora.rank=5")


def test_what_one_run_alone_shows_is_only_so_as_trained(tmp_path):
    write_sweep(tmp_path, {4: 0.9, 8: 0.1}, seeds=(1,), gold=documents(30))
    (difference,) = compared(tmp_path).differences
    assert difference.verdict == "worse as trained"
    assert difference.effect is None


def test_of_the_same_seed_twice_the_newer_is_kept(tmp_path):
    old, new = write_run(tmp_path / "a", wrong=0.1), write_run(tmp_path / "b", wrong=0.6)
    os.utime(new / "result.json", ns=(2, 2))
    os.utime(old / "result.json", ns=(1, 1))
    comparison = compared(tmp_path)
    assert comparison.num_runs == 1
    assert comparison.standings[0].setting.runs[0].folder == new
    (out,) = comparison.left_out
    assert (out.folder, out.reason) == (old, f"the setting and seed (1) of {new}, which is newer")


def test_a_folder_named_twice_counts_once(tmp_path):
    assert compared(write_run(tmp_path / "a"), tmp_path, tmp_path / "a").num_runs == 1


def test_unfinished_and_other_runs_are_left_out_and_named(tmp_path):
    write_run(tmp_path / "1")
    write_run(tmp_path / "2", seed=2, changes={"status": "failed", "error": "out of memory", "data": None})
    write_run(tmp_path / "3", seed=3, changes={"module": "dapt"})
    reasons = {out.folder.name: out.reason for out in compared(tmp_path).left_out}
    assert reasons == {"2": "failed: out of memory", "3": "a run of module=dapt, which tags nothing"}
    with pytest.raises(DataError, match=r"none of the runs can be compared .*out of memory"):
        compared(tmp_path / "2")


def test_dev_where_not_all_have_test(tmp_path):
    write_run(tmp_path / "1")
    write_run(tmp_path / "2", seed=2, splits=("dev",))
    comparison = compared(tmp_path)
    assert comparison.split == "dev"
    assert any("Dev chose the checkpoint" in note for note in comparison.notes)
    assert not any("Dev chose" in note for note in compared(tmp_path / "1").notes)
    with pytest.raises(DataError, match=r"2: the run was not scored on test. Train it with test=true"):
        compared(tmp_path, split="test")


def test_other_corpora_are_refused(tmp_path):
    write_run(tmp_path / "1")
    write_run(tmp_path / "2", dataset={"name": "other"})
    with pytest.raises(DataError, match=r"different corpora \(made, other\)"):
        compared(tmp_path)


def test_another_version_of_the_corpus_is_refused_by_its_digest(tmp_path):
    write_run(tmp_path / "1")
    write_run(tmp_path / "2", seed=2, files={"made.tsv": "sha256:bb"})
    with pytest.raises(DataError, match=r"made.tsv is sha256:aa... in .*1 and sha256:bb... in .*2"):
        compared(tmp_path)


def test_other_gold_is_refused_by_its_line(tmp_path):
    write_run(tmp_path / "1")
    gold = documents()
    gold[4] = gold[4].with_spans([Span(0, 3, "Disease")])
    write_run(tmp_path / "2", seed=2, gold=gold)
    with pytest.raises(DataError, match=r"2/predictions/test.jsonl:5: its text or gold mentions are not those of .*1/"):
        compared(tmp_path)


def test_the_same_gold_written_otherwise_is_the_same(tmp_path):
    write_run(tmp_path / "1")
    write_run(tmp_path / "2", seed=2)
    path = tmp_path / "2" / "predictions" / "test.jsonl"
    entries = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(dict(reversed(entry.items())), indent=None) + "\n" for entry in entries))
    assert compared(tmp_path).num_runs == 2


def cut_line(path: Path) -> None:
    path.write_text(path.read_text()[:-30])


def drop_lines(path: Path) -> None:
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-2]))


def add_line(path: Path) -> None:
    path.write_text(path.read_text() + path.read_text().splitlines()[0] + "\n")


def edit(path: Path, **changes) -> None:
    lines = path.read_text().splitlines()
    place = next(place for place, line in enumerate(lines) if json.loads(line)["entities"])
    entry = json.loads(lines[place])
    entry["entities"][0] |= changes
    path.write_text("\n".join([*lines[:place], json.dumps(entry), *lines[place + 1 :]]) + "\n")


@pytest.mark.parametrize("run", ["1", "2"])
@pytest.mark.parametrize(
    ("harm", "told"),
    [
        pytest.param(Path.unlink, r"the predictions are missing", id="no file"),
        pytest.param(lambda path: path.write_text(""), r"0 lines", id="empty"),
        pytest.param(cut_line, r"test.jsonl:24: not a prediction", id="a line cut off"),
        pytest.param(drop_lines, r"22 lines", id="lines missing"),
        pytest.param(add_line, r"more than the 24 lines|its (tp|fn|fp) are", id="lines too many"),
        pytest.param(lambda path: edit(path, start=3, end=5, text=None), r"its (tp|fn|fp) are", id="another mention"),
        pytest.param(lambda path: edit(path, text="other"), r"'other' does not stand at", id="another text"),
        pytest.param(lambda path: edit(path, end=999, text=None), r"is no place in a text", id="outside the text"),
        pytest.param(lambda path: edit(path, start="0", text=None), r"not a prediction", id="no number"),
        pytest.param(lambda path: edit(path, label=None), r"None is to be a string", id="no type"),
    ],
)
def test_predictions_that_were_harmed_are_refused_by_file(tmp_path, harm, told, run):
    write_run(tmp_path / "1")
    write_run(tmp_path / "2", seed=2)
    path = tmp_path / run / "predictions" / "test.jsonl"
    harm(path)
    with pytest.raises(DataError, match=told) as raised:
        compared(tmp_path)
    assert str(path) in str(raised.value)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"status": "finished"}'])
def test_a_broken_result_is_refused_by_file(tmp_path, text):
    (write_run(tmp_path / "1") / "result.json").write_text(text)
    with pytest.raises(DataError, match=r"1/result.json.*not the result of a run"):
        compared(tmp_path)


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("data", {}, "data.files is missing, not the digests of files"),
        ("data", None, "data.files is missing"),
        ("data", {"files": {"a.tsv": 1}}, r"data.files is \{'a.tsv': 1\}"),
        ("data", {"files": {}, "counts": {}}, r"data.counts.test.documents is missing, not a whole number"),
        ("data", {"files": {}, "counts": {"test": 24}}, r"data.counts.test.documents is missing"),
        ("test", {"f1": 1.0}, "test.tp is missing, not a whole number"),
        ("test", {}, "test.tp is missing"),
        ("test", "0.9", "test.tp is missing"),
        ("dev", {"tp": 1, "fp": "2", "fn": 0}, "dev.fp is '2', not a whole number"),
        ("seed", "1", "seed is '1', not a whole number"),
        ("seed", None, "seed is missing, not a whole number"),
        ("dataset", ["ncbi"], r"dataset is \['ncbi'\], not a text"),
    ],
)
def test_a_result_that_lacks_something_is_refused_by_name(tmp_path, key, value, told):
    write_run(tmp_path / "1")
    write_run(tmp_path / "2", seed=2, changes={key: value})
    with pytest.raises(DataError, match=rf"2/result.json: not the result of a run: {told}.*[Cc]opy it again"):
        compared(tmp_path)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("seed: 1", "dataset is missing, not the keys of a corpus"),
        ("dataset: ncbi", "dataset is 'ncbi', not the keys of a corpus"),
        ("dataset: {name: made, unit: [1]}", r"dataset.unit is \[1\], none of sentences, documents"),
        ("[", "not YAML"),
        ("when: 2026-13-45", "not YAML: month must be in"),
        ("- 1", "not the configuration of a run"),
    ],
)
def test_a_configuration_that_lacks_something_is_refused_by_name(tmp_path, text, told):
    (write_run(tmp_path / "1") / "config.yaml").write_text(text)
    with pytest.raises(DataError, match=rf"(?s)1/config.yaml: .*{told}.*Copy it from the run again"):
        compared(tmp_path)


@pytest.mark.parametrize("keys", [{"groups": 3}, {"train": 5}, {"files": [1]}, {"counts": {1: 2}}])
def test_a_corpus_that_cannot_be_known_is_told_in_the_report(tmp_path, keys):
    comparison = compared(write_run(tmp_path, dataset=keys))
    assert comparison.seen


def test_odd_values_of_a_configuration_are_settings_like_others(tmp_path):
    write_run(tmp_path / "1", settings={"callbacks.mine": {"_target_": 3}, "module.dates": ["2026-01-01"]})
    write_run(tmp_path / "2")
    path = tmp_path / "1" / "config.yaml"
    path.write_text(path.read_text().replace("'2026-01-01'", "2026-01-01"))
    assert compared(tmp_path).num_runs == 2


def test_a_run_without_its_configuration_is_refused(tmp_path):
    (write_run(tmp_path) / "config.yaml").unlink()
    with pytest.raises(DataError, match=r"config.yaml: it is missing, so the run's settings are not known"):
        compared(tmp_path)


def test_nothing_to_compare(tmp_path):
    with pytest.raises(DataError, match="holds no run"):
        compared(tmp_path)
    with pytest.raises(DataError, match="is not a folder"):
        compared(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="5 resamples say nothing"):
        compared(write_run(tmp_path), num_resamples=5)


def test_a_mention_in_pieces_is_not_found_by_its_ends(tmp_path):
    gold = [Document("1", "sharp and dull pain", (Span(0, 19, "Disease", fragments=((0, 5), (15, 19))),))]
    write_run(tmp_path, gold=gold, predicted=[[Span(0, 19, "Disease")]], dataset={"unit": "documents"})
    (standing,) = compared(tmp_path).standings
    assert standing.f1 == json.loads((tmp_path / "result.json").read_text())["test"]["f1"] == 0
    assert mistakes_of(standing.setting)[Kind.BOUNDARY].mean == 1


def test_too_few_resamples_for_so_many_settings_are_told(tmp_path):
    write_sweep(tmp_path, {rank: 0.2 for rank in range(1, 8)}, seeds=(1,))
    notes = compared(tmp_path, num_resamples=100).notes
    assert any("take --resamples 120 or more" in note for note in notes)


def test_everything_is_json_and_the_same_each_time(tmp_path):
    write_sweep(tmp_path, {4: 0.3, 8: 0.1})
    once, again = (json.dumps(as_json(compared(tmp_path))) for _ in range(2))
    assert once == again
    assert json.loads(once)["standings"][0]["runs"][0]["seed"] == 1


def test_the_tagged_share_is_what_the_helper_says():
    gold = documents()
    assert [tuple(document.spans) for document in gold] == tagged(gold, 0, 1)
