"""What all sources share: formats and options checked, folders and archives, constant memory, the real files."""

from __future__ import annotations

import json
import os
import tarfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.memory import consume, peak_memory

from openmed.errors import ConfigError, DataError
from openmed.pretraining_text.sources import SOURCES, read_part, read_source


def test_an_unknown_format_and_option_are_refused_at_once():
    with pytest.raises(ConfigError, match=r"unknown format of text 'medlin'\. Did you mean 'medline'"):
        read_source("nowhere", format="medlin")
    with pytest.raises(ConfigError, match=r"format 'medline' has no option 'title'\. Did you mean 'titles'"):
        read_source("nowhere", format="medline", title=True)


def test_nothing_there_is_refused(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        list(read_source(tmp_path / "nowhere", format="text"))
    with pytest.raises(DataError, match="holds no files"):
        list(read_source(tmp_path, format="text"))


def test_zstandard_is_refused_with_what_to_do(tmp_path):
    (tmp_path / "x.jsonl.zst").write_bytes(b"(\xb5/\xfd")
    with pytest.raises(DataError, match="zstd -d"):
        list(read_source(tmp_path / "x.jsonl.zst", format="jsonl"))


def test_a_folder_and_its_archive_give_the_same(tmp_path):
    folder = tmp_path / "folder"
    (folder / "in").mkdir(parents=True)
    for name in ("b.txt", "in/a.txt", "README", "in/.hidden"):
        (folder / name).write_text(name)
    with tarfile.open(tmp_path / "x.tar.xz", "w:xz") as tar:
        tar.add(folder, arcname="all")
    for place in (folder, tmp_path / "x.tar.xz", tmp_path / "x.tar.xz" / "all"):
        losses: Counter[str] = Counter()
        assert [text.id for text in read_source(place, format="text", losses=losses)] == ["b:1", "a:1"]
        assert losses == {"file_passed_over": 1}


def test_a_fault_within_an_archive_is_named_by_its_place(tmp_path):
    (tmp_path / "x.jsonl").write_text("{\n")
    with tarfile.open(tmp_path / "x.tar", "w") as tar:
        tar.add(tmp_path / "x.jsonl", arcname="in/x.jsonl")
    with pytest.raises(DataError) as caught:
        list(read_source(tmp_path / "x.tar", format="jsonl"))
    assert caught.value.path == str(tmp_path / "x.tar" / "in" / "x.jsonl")


# ---- parts


def write_texts(folder: Path, files: int, lines: int) -> Path:
    """Files of JSON lines, one without text in each, and a README."""
    folder.mkdir()
    for file in range(files):
        texts = [f"text {file} {line}" for line in range(lines)] + [""]
        (folder / f"{file:02d}.jsonl").write_text("\n".join(json.dumps({"text": text}) for text in texts))
    (folder / "README").write_text("about")
    return folder


@pytest.mark.parametrize(("files", "parts"), [(7, 1), (7, 3), (7, 7), (7, 10), (1, 3)])
def test_parts_together_are_the_source_and_its_losses(tmp_path, monkeypatch, files, parts):
    folder = write_texts(tmp_path / "texts", files, lines=150)
    whole: Counter[str] = Counter()
    texts = [text.text for text in read_source(folder, format="jsonl", losses=whole)]
    assert whole == {"file_passed_over": 1, "record_without_text": files}

    opened: Counter[str] = Counter()
    read = SOURCES["jsonl"]

    def reading(path, **settings):
        opened[Path(path).name] += 1
        return read(path, **settings)

    monkeypatch.setitem(SOURCES, "jsonl", reading)
    losses: Counter[str] = Counter()
    of_parts = [
        [text.text for text in read_part(folder, part, parts, format="jsonl", losses=losses)] for part in range(parts)
    ]
    assert sorted(text for part in of_parts for text in part) == sorted(texts)
    assert losses == whole
    assert set(opened.values()) == ({1} if files >= parts else {parts})
    if files == 1:
        assert of_parts[1] == texts[64:128]  # blocks in turn


# ---- constant memory

WORDS = "Aspirin relieves headache in some patients. " * 5
STUDY = {"protocolSection": {"identificationModule": {"nctId": "NCT1", "briefTitle": WORDS}}}
RECORD = {"id": "1", "title": "T", "abstract": WORDS, "categories": "q-bio.BM", "text": WORDS}
ARTICLE = (
    '<PubmedArticle><MedlineCitation><PMID Version="1">{n}</PMID><Article><ArticleTitle>T</ArticleTitle>'
    f"<Abstract><AbstractText>{WORDS}</AbstractText></Abstract></Article></MedlineCitation></PubmedArticle>\n"
)
LARGE = {
    "medline": ("<PubmedArticleSet>", ARTICLE, "</PubmedArticleSet>"),
    "arxiv": ("", json.dumps(RECORD).replace("{", "{{").replace("}", "}}") + "\n", ""),
    "jsonl": ("", json.dumps(RECORD).replace("{", "{{").replace("}", "}}") + "\n", ""),
    "clinicaltrials": ('{"studies": [', json.dumps(STUDY).replace("{", "{{").replace("}", "}}") + ",\n", "{}]}"),
    "mimic": ("ROW_ID,CATEGORY,ISERROR,TEXT\n", f'{{n}},ECG,,"{WORDS}\n{WORDS}"\n', ""),
    "text": ("", f"{WORDS}\n", ""),
}


def _pieces(format: str, size: int) -> Iterator[str]:
    head, body, tail = LARGE[format]
    yield head
    yield from (body.format(n=n) for n in range(1, size))
    last = body.format(n=size)
    yield last.rstrip(",\n") if format == "clinicaltrials" else last
    yield tail.removeprefix("{}")


@pytest.mark.slow
@pytest.mark.parametrize("format", LARGE)
def test_a_file_ten_times_larger_takes_no_more_memory(tmp_path: Path, format: str):
    options: dict[str, Any] = {"unit": "line"} if format == "text" else {}

    def peak(size: int) -> int:
        path = tmp_path / f"{size}.x"
        with path.open("w", encoding="utf-8") as file:
            file.writelines(_pieces(format, size))
        assert sum(1 for _ in read_source(path, format=format, **options)) == size
        return peak_memory(lambda: consume(read_source(path, format=format, **options)))

    # Plain text takes 9 KB in all: there a tenth of it is a handful of objects of the interpreter's own.
    small = peak(1_000)
    assert peak(10_000) < max(1.1 * small, small + 16 * 1024), "the larger file is 2 MB larger"


# ---- the real files: as counted when they were brought here

ARXIV = "arxiv/arxiv-metadata-oai-snapshot.sample200.jsonl"
OTHER = "record_of_another_category"
REAL = [
    ("clinicaltrials/json", "clinicaltrials", {}, 15, 0, {}),
    ("clinicaltrials/xml", "clinicaltrials", {}, 58, 0, {}),
    ("clinicaltrials/leaf-eligibility.jsonl.xz", "jsonl", {"id": "nct"}, 1006, 0, {}),
    ("medline-xml/s800-pubmed-efetch-xml.tar.xz", "medline", {}, 800, 800, {}),
    ("medline-xml/sample", "medline", {}, 5, 5, {}),
    ("medline-xml/pubmed-29768149.xml", "medline", {}, 1, 1, {}),
    (ARXIV, "arxiv", {}, 5, 0, {OTHER: 195}),
    (ARXIV, "arxiv", {"categories": ["physics", "astro-ph"]}, 51, 0, {OTHER: 149}),
    ("mimic-schema/SYNTHETIC_NOTEEVENTS.csv", "mimic", {}, 3, 0, {}),
    ("sumpubmed/abstracts.jsonl.xz", "jsonl", {}, 20_000, 0, {}),
    ("litcovid/abstracts.jsonl.xz", "jsonl", {}, 2500, 2500, {}),
    ("pubmedqa/abstracts.jsonl.xz", "jsonl", {}, 1000, 1000, {}),
    ("hallmarks-of-cancer/abstracts.jsonl.xz", "jsonl", {}, 1852, 1852, {}),
    ("chemical-exposure/abstracts.jsonl.xz", "jsonl", {}, 3661, 3661, {}),
    ("craft-fulltext/articles.jsonl.xz", "jsonl", {}, 97, 97, {}),
]


@pytest.mark.skipif(not os.environ.get("OPENMED_DATA"), reason="OPENMED_DATA does not name a folder of corpora")
@pytest.mark.parametrize(("name", "format", "options", "num_texts", "num_pmids", "expected"), REAL)
def test_the_real_files_give_their_counts(name, format, options, num_texts, num_pmids, expected):
    path = Path(os.environ["OPENMED_DATA"]) / "text" / name
    losses: Counter[str] = Counter()
    texts = list(read_source(path, format=format, losses=losses, **options))
    assert (len(texts), sum(text.pmid is not None for text in texts), losses) == (num_texts, num_pmids, expected)
    assert not any("\r" in text.text or text.text != text.text.strip() for text in texts)
