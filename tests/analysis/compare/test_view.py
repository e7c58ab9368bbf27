"""What a comparison looks like: a short terminal, a page with pictures, rows for a spreadsheet."""

from __future__ import annotations

import csv
import io
import json

import pytest
from rich.console import Console
from tests.analysis.compare.made import documents, write_run, write_sweep

from openmed.analysis.compare import Comparison, compare_runs, full_report, overview, write_csv
from openmed.analysis.compare.history import read_history
from openmed.analysis.compare.plots import Row, curves, forest, heat, stacked
from openmed.analysis.report.blocks import Figure, Section
from openmed.analysis.report.page import render_page
from openmed.analysis.report.terminal import print_sections
from openmed.errors import DataError

HOSTILE = "<script>alert(1)</script> $x$ " + "y" * 60


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    folder = tmp_path_factory.mktemp("runs")
    write_sweep(folder, {4: 0.9, 8: 0.1, 16: 0.2}, gold=documents(30))
    write_run(folder / "failed", seed=9, changes={"status": "failed", "error": HOSTILE})
    for seed in (1, 2):
        points = [{"epoch": n, "tokens": 1000 * n, "dev/f1": 0.1 * n} for n in (1, 2, 3)]
        (folder / f"8_{seed}" / "history.jsonl").write_text("".join(json.dumps(point) + "\n" for point in points))
    return compare_runs([folder], num_resamples=300)


def terminal(sections: list[Section]) -> str:
    out = io.StringIO()
    print_sections(sections, Console(file=out, width=140, color_system=None))
    return out.getvalue()


def figures(sections: list[Section]) -> dict[str, Figure]:
    return {block.title: block for section in sections for block in section.blocks if isinstance(block, Figure)}


def test_the_terminal_says_who_leads_and_how_sure_that_is(comparison):
    shown = terminal(overview(comparison))
    best = comparison.standings[0]
    assert f"{best.setting.label} is the best with {100 * best.f1:.2f} ± {100 * best.sd:.2f} (3 runs)" in shown
    for words in ("worse", "Holm", "wrong boundary", "wrong type", "spurious", "failed: <script>"):
        assert words in shown


def test_of_equal_settings_none_is_called_the_best(tmp_path):
    write_sweep(tmp_path, {4: 1.0, 8: 1.0}, seeds=(1,))
    shown = terminal(overview(compare_runs([tmp_path], num_resamples=300)))
    assert "lora.rank=4 is level with 1 other in the first place with 0.00" in shown
    assert "the best" not in shown


def test_the_page_has_all_pictures_and_is_safe(comparison):
    title, subtitle, sections = full_report(comparison)
    mentions = sum(len(document.spans) for document in documents(30))
    assert subtitle == f"9 runs of 3 settings on made, test: {mentions} mentions in 30 groups (abstracts)"
    assert set(figures(sections)) == {
        "F1 on test",
        f"Points of F1 against {comparison.base.setting.label}",
        "What goes wrong",
        "F1 by type",
        "F1 by length",
        "F1 on dev while training",
    }
    page = render_page(title, subtitle, sections)
    assert "<script" not in page
    assert "Which mentions train holds is not known here: nowhere/train.tsv is not on this machine" in page
    assert "7 of 9 runs kept no history.jsonl and are not drawn" in page


def test_types_taken_for_each_other_are_named(comparison):
    _, _, sections = full_report(comparison)
    text = terminal(sections)
    assert "Types taken for each other" in text
    assert "Gene" in text


def test_the_csv_has_a_row_for_each_setting(comparison, tmp_path):
    write_csv(comparison, tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["setting"] for row in rows] == [standing.setting.label for standing in comparison.standings]
    assert rows[-1]["lora.rank"] == "4"
    assert rows[-1]["seeds"] == "1 2 3"
    assert float(rows[-1]["difference"]) == pytest.approx(float(rows[-1]["f1"]) - float(rows[0]["f1"]))
    assert rows[0]["p"] == ""


def test_one_run_alone_makes_a_page_without_a_test(tmp_path):
    title, subtitle, sections = full_report(compare_runs([write_run(tmp_path)], num_resamples=300))
    assert subtitle.startswith("One run of 1 setting on made")
    assert "Is it more than chance?" not in [section.title for section in sections]
    assert "None of the runs kept the course of its training" in render_page(title, subtitle, sections)


def test_pictures_show_any_label_and_an_empty_one_says_so():
    for figure in (
        forest([Row(HOSTILE, 1, (0, 2), wide=(-1, 3), dots=[0.5], colour=None)], "t", "u", zero=True),
        stacked([HOSTILE], {HOSTILE: [3.0]}, "t", "u", ""),
        heat([HOSTILE, "b"], [HOSTILE], [[1.0], [1.0]], "t", ""),
        curves({HOSTILE: [[(0, 1), (1, 2)]]}, "t", "x", "y", ""),
    ):
        assert "<script" not in figure.svg
        assert "&lt;script&gt;alert(1)" in figure.svg
    for figure in (forest([], "t", "u"), stacked([], {}, "t", "u", ""), heat([], [], [], "t", "")):
        assert "nothing to show" in figure.svg


def test_only_the_first_of_many_settings_are_drawn_and_it_is_said(tmp_path):
    write_sweep(tmp_path, {rank: rank / 100 for rank in range(1, 36)}, seeds=(1,))
    comparison = compare_runs([tmp_path], num_resamples=100)
    drawn = figures(full_report(comparison)[2])["F1 on test"]
    assert drawn.note.endswith("Shown are 30 of 35; all are in --json.")
    assert "Shown are 20 of 35" in terminal(overview(comparison))


def test_a_broken_history_is_refused_by_line(tmp_path):
    (tmp_path / "history.jsonl").write_text('{"tokens": 1, "dev/f1": 0.5}\n{"tokens": 2}\n')
    with pytest.raises(DataError, match=r"history.jsonl:2: not an evaluation: 'dev/f1' is missing"):
        read_history(tmp_path)
    assert read_history(tmp_path / "nowhere") == []
