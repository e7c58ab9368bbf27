"""What a run prints at its end is what is in its result, and it says so where the tagger finds nothing."""

from __future__ import annotations

from collections.abc import Sequence
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from openmed.metrics import score_spans
from openmed.spans import Document, Span
from openmed.training.evaluate import Evaluation
from openmed.training.summary import print_summary

TEXT = "Aspirin relieves pain. Fever stays."
GOLD = Document("1", TEXT, (Span(0, 7, "Chemical"), Span(17, 21, "Disease")), sentences=((0, 22), (23, 35)))


def printed(found: Sequence[Span], folder: Path) -> str:
    table = score_spans([GOLD.spans], [found])
    evaluation = Evaluation("documents", {"documents": table}, [GOLD], [tuple(found)])
    train = {"epochs": 1, "steps": 4, "seconds": 2.0, "tokens_per_second": 1234.5, "padding_fraction": 0.05}
    params = {"trainable": 10, "total": 200, "trainable_percent": 5.0}
    console = Console(file=StringIO(), width=120)
    result = {"dev": evaluation.as_dict(), "test": None, "train": train, "params": params}
    print_summary(result, evaluation, folder, console)
    return console.file.getvalue()  # pyright: ignore


def test_scores_speed_an_example_and_the_next_command(tmp_path):
    shown = printed([GOLD.spans[0]], tmp_path / "run")
    (row,) = [line for line in shown.splitlines() if "Chemical" in line and "│" in line]
    assert [cell.strip() for cell in row.split("│")[1:-1]] == ["Chemical", "100.0", "100.0", "100.0", "1", "1"]
    assert "trained 10 of 200 parameters (5.00%) for 1 epochs, 4 steps, 2 s at 1,234 tokens/s (5% padding)" in shown
    assert "• Aspirin Chemical relieves pain." in shown
    assert f"openmed predict {tmp_path / 'run' / 'model'} FILE.txt" in shown.replace("\n", "")


@pytest.mark.parametrize(
    ("found", "told"),
    [([], True), ([Span(23, 28, "Disease")], True), ([GOLD.spans[1]], False)],
    ids=["none", "wrong", "one"],
)
def test_a_tagger_that_finds_no_mention_is_told_of(tmp_path, found, told):
    shown = printed(found, tmp_path)
    assert ("No mention of dev was found" in shown) == told
    assert ("optim.warmup_fraction" in shown) == told
