"""arXiv's snapshot: categories, paragraphs, lines that are no records."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from openmed.errors import ConfigError, DataError
from openmed.pretraining_text.sources import RawText, read_source


def record(
    id: str, categories: str = "q-bio.BM", abstract: object = "  About\nit.\n", title: str = "A\n  title"
) -> str:
    return json.dumps({"id": id, "title": title, "abstract": abstract, "categories": categories, "license": None})


def read(path: Path, *lines: str, losses: Counter[str] | None = None, **options: object) -> list[RawText]:
    path = path / "x.json"
    path.write_text("\n".join(lines))
    return list(read_source(path, format="arxiv", losses=losses, **options))


def test_line_breaks_are_joined_and_latex_is_kept(tmp_path):
    abstract = "  The $\\alpha$-helix\nof {\\it E. coli}.\n  A second\nparagraph.\n"
    text = "A title\n\nThe $\\alpha$-helix of {\\it E. coli}.\n\nA second paragraph."
    assert read(tmp_path, record("0704.0001", abstract=abstract)) == [RawText("arxiv:0704.0001", text)]


def test_categories_by_default_and_told(tmp_path):
    kinds = ("q-bio.BM", "cs.LG q-bio", "physics.med-ph", "physics.optics", "stat.AP", "q-fin.ST")
    lines = [record(kind, kind) for kind in kinds]
    losses: Counter[str] = Counter()
    assert [text.id[6:] for text in read(tmp_path, *lines, losses=losses)] == list(kinds[:3])
    assert losses == {"record_of_another_category": 3}
    assert [text.id[6:] for text in read(tmp_path, *lines, categories=["physics", "stat.AP"])] == list(kinds[2:5])
    assert [text.id[6:] for text in read(tmp_path, *lines, categories="stat.AP")] == ["stat.AP"]


def test_an_empty_abstract_is_counted(tmp_path):
    losses: Counter[str] = Counter()
    assert read(tmp_path, record("1", abstract=" \n"), losses=losses) == []
    assert losses == {"record_without_abstract": 1}


def test_an_unknown_archive_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"no archive for 'qbio.BM'.*'q-bio'"):
        read(tmp_path, record("1"), categories=["qbio.BM"])


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{", "not a record"),
        ("[]", "a line must be an object"),
        ('{"id": "1"}', "'title' is missing"),
        (record("1", abstract=None), "abstract must be a string, not None"),
        (record("1", abstract="\ud800"), "surrogates not allowed"),
    ],
)
def test_a_line_that_is_no_record_is_named(tmp_path, line, problem):
    path = tmp_path / "x.json"
    path.write_text(f"{record('1')}\n\n{line}\n")
    texts = read_source(path, format="arxiv")
    assert next(texts).id == "arxiv:1"
    with pytest.raises(DataError) as caught:
        next(texts)
    assert problem in str(caught.value)
    assert caught.value.line == 3


def test_an_empty_file_is_refused(tmp_path):
    with pytest.raises(DataError, match="the file is empty"):
        read(tmp_path, "")
