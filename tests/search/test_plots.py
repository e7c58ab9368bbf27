"""Pictures of a search: whatever the settings are called, the names of the axes can be read."""

from __future__ import annotations

from itertools import combinations

import pytest
from matplotlib.text import Text

from openmed.analysis.report.drawing import drawing
from openmed.search.plots import Line, draw_lines, parallel_coordinates

SEVEN = ["optim.lr", "lora.rank", "lora.targets", "lora.dropout", "module.classifier_dropout", "optim.warmup_fraction"]
SEVEN += ["dev F1 (%)"]


def lines(number: int) -> list[Line]:
    return [Line([*(10.0 ** (trial % 4) + place for place in range(number))], trial % 5 == 0) for trial in range(1, 20)]


@pytest.mark.parametrize(
    "columns",
    [SEVEN, [*SEVEN[:2], "dev F1 (%)"], SEVEN[4:5] * 6 + SEVEN[-1:]],
    ids=["seven", "three", "long"],
)
def test_no_two_names_of_axes_overlap(columns):
    with drawing(height_inches=3.8) as (canvas, axes):
        names = draw_lines(axes, columns, [False] * len(columns), lines(len(columns)))
        canvas.draw_without_rendering()
        boxes = [Text.get_window_extent(name) for name in names]  # without the line that leads there
        whole = canvas.bbox
    assert len(boxes) == len(columns)
    for one, other in combinations(boxes, 2):
        assert not one.overlaps(other)
    assert all(whole.x0 <= box.x0 and box.x1 <= whole.x1 and box.y0 >= whole.y0 for box in boxes)


def test_values_have_the_page_behind_them():
    figure = parallel_coordinates(SEVEN, [False] * 7, lines(7), "")
    assert "var(--paper, Canvas)" in figure.svg
    assert "#fdfdfc" not in figure.svg


def test_few_values_are_the_ticks_and_many_are_parted_evenly():
    trials = [Line([2**place, 1024 + place, 10.0**-place, 0.7], False) for place in range(2, 9)]
    ranks = [Line([rank, 0.7], False) for rank in (4, 8, 32)]
    with drawing(height_inches=3.8) as (_, axes):
        names = draw_lines(axes, ["lora.rank", "dev F1"], [True, False], ranks)
        assert [text.get_text() for text in axes.texts if text not in names] == ["4", "8", "32", "0.7"]
    with drawing(height_inches=3.8) as (_, axes):
        names = draw_lines(axes, ["a", "b", "c", "d"], [True, False, True, False], trials)
        ticks = [text.get_text() for text in axes.texts if text not in names]
    assert ticks[:5] == ["4", "11.3", "32", "90.5", "256"]
    assert ticks[5:10] == ["1026", "1028", "1029", "1030", "1032"]
    assert ticks[10:15] == ["1e-08", "3.16e-07", "1e-05", "0.000316", "0.01"]
