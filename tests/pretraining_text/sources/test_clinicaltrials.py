"""ClinicalTrials.gov: every shape of JSON and classic XML give the same text; fields chosen; mistakes named."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from openmed.errors import ConfigError, DataError
from openmed.pretraining_text.sources import RawText, read_source

XML = """<?xml version="1.0"?>
<clinical_study><id_info><org_study_id>7</org_study_id><nct_id>NCT1</nct_id></id_info>
  <brief_title>Brief</brief_title><official_title>Official</official_title>
  <brief_summary><textblock>
      Some hard-wrapped
      text.
  </textblock></brief_summary>
  <arm_group><description><textblock>Not read.</textblock></description></arm_group>
  <detailed_description><textblock>One.

      Two.</textblock></detailed_description>
  <eligibility><criteria><textblock>
          -  Age &gt;= 18
             years
  </textblock></criteria></eligibility>
</clinical_study>"""
TEXT = "Brief\n\nSome hard-wrapped text.\n\nOne.\n\nTwo.\n\n-  Age >= 18 years"


def study(nct: str = "NCT1", **description: Any) -> dict[str, Any]:
    description = description or {"briefSummary": "Some hard-wrapped text.", "detailedDescription": "One.\n\nTwo."}
    return {
        "protocolSection": {
            "identificationModule": {"nctId": nct, "briefTitle": "Brief", "officialTitle": "Official"},
            "descriptionModule": description,
            "eligibilityModule": {"eligibilityCriteria": "-  Age \\>= 18 years"},
        },
        "resultsSection": {"studies": 3, "deep": [{"protocolSection": 1}]},
        "hasResults": False,
    }


def older(study: dict[str, Any]) -> dict[str, Any]:
    """As the API before v2 wrote it: capitals, no backslashes."""
    text = json.dumps(study["protocolSection"]).replace("\\\\>", ">").replace("nctId", "NCTId")
    section = json.loads(
        text, object_pairs_hook=lambda pairs: {key[0].upper() + key[1:]: value for key, value in pairs}
    )
    return {
        "FullStudiesResponse": {"NStudiesFound": 1, "FullStudies": [{"Rank": 1, "Study": {"ProtocolSection": section}}]}
    }


def read(path: Path, content: str, losses: Counter[str] | None = None, **options: object) -> list[RawText]:
    path = path / "x"
    path.write_text(content)
    return list(read_source(path, format="clinicaltrials", losses=losses, **options))


@pytest.mark.parametrize(
    "content",
    [
        XML,
        json.dumps(study()),
        json.dumps([study()], indent=2),
        json.dumps({"totalCount": 1, "studies": [study()], "nextPageToken": "x"}),
        json.dumps(older(study())),
        "\ufeff" + json.dumps(study()),
    ],
    ids=["xml", "one", "list", "page", "API before v2", "BOM"],
)
def test_every_shape_gives_the_same(tmp_path, content):
    assert read(tmp_path, content) == [RawText("nct:NCT1", TEXT)]


def test_json_lines_of_studies_and_pages(tmp_path):
    lines = [study("NCT1"), {"studies": [study("NCT2"), study("NCT3")]}, study("NCT4")]
    texts = read(tmp_path, "\n".join(map(json.dumps, lines)))
    assert [text.id for text in texts] == ["nct:NCT1", "nct:NCT2", "nct:NCT3", "nct:NCT4"]


def test_an_empty_page_has_no_studies(tmp_path):
    assert read(tmp_path, '{"studies": []}') == []


@pytest.mark.parametrize("content", [XML, json.dumps(study())], ids=["xml", "json"])
def test_fields_are_given_in_the_order_asked_for(tmp_path, content):
    assert read(tmp_path, content, fields=["eligibility", "official_title"])[0].text == "-  Age >= 18 years\n\nOfficial"


def test_a_study_without_text_is_counted(tmp_path):
    losses: Counter[str] = Counter()
    section = {"protocolSection": {"identificationModule": {"nctId": "NCT1"}}}
    assert read(tmp_path, json.dumps(section), losses) == []
    assert losses == {"record_without_text": 1}


def test_an_unknown_field_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="Did you mean 'brief_summary'"):
        read(tmp_path, XML, fields=["brief_sumary"])


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "the file is empty"),
        ("#nct_id,title\n", "neither XML nor JSON"),
        (XML[:-10], "not well-formed XML"),
        (XML.replace("nct_id", "id"), "a study without <nct_id>"),
        ("<studies/>", "the outermost element is <studies>"),
        (json.dumps(study())[:-10], "not well-formed JSON"),
        (json.dumps(study(nct="")), "study 1 is of another shape: nctId is missing"),
        (json.dumps(study(briefSummary=3)), "briefSummary must be a string, not 3"),
        ('{"protocolSection": [1]}', "study 1 is of another shape"),
        ('{"protocolSection": {"identificationModule": [1]}}', "study 1 is of another shape"),
        ('{"a": 1, "b": {"studies": []}}', "(text: 'an object with a, b')"),
        ("[1]", "neither a study nor a list of them, but a number"),
        ("[" * 5000, "lists within lists"),
    ],
)
def test_refusals(tmp_path, content, problem):
    with pytest.raises(DataError) as caught:
        read(tmp_path, content)
    assert problem in str(caught.value)
    assert str(tmp_path / "x") in str(caught.value)
    assert caught.value.mend


def test_what_came_before_a_fault_is_given(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_text(json.dumps(study()) + "\n{,}")
    texts = read_source(path, format="clinicaltrials")
    assert next(texts).id == "nct:NCT1"
    with pytest.raises(DataError):
        next(texts)
