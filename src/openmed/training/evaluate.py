"""The last word on a run: scores of both views and predictions, from the best checkpoint.

evaluation = collect(module, loaders)       # after trainer.validate or trainer.test
evaluation.scores, evaluation.lines
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from openmed.data.loaders import EvaluationLoader
from openmed.encoding import VIEWS
from openmed.metrics import ScoreTable, score_spans
from openmed.modules import NerModule
from openmed.spans import Document, Span


@dataclass(frozen=True)
class Evaluation:
    """One split, scored.

    Attributes:
        unit: the corpus's own view.
        tables: view -> counts per type.
        gold: the units of the corpus's own view, as documents of their own.
        predicted: their predicted spans, in the same offsets.
    """

    unit: str
    tables: dict[str, ScoreTable]
    gold: list[Document]
    predicted: list[tuple[Span, ...]]

    def as_dict(self) -> dict[str, Any]:
        """{precision, recall, f1, tp, fp, fn, per_type, views: {view: {precision, recall, f1}}}."""
        views = {
            view: {name: value for name, value in table.as_dict().items() if name in ("precision", "recall", "f1")}
            for view, table in self.tables.items()
        }
        return {**self.tables[self.unit].as_dict(), "views": views}


def collect(module: NerModule, loaders: Sequence[EvaluationLoader]) -> Evaluation:
    """Score what the module decoded in its last evaluation."""
    tables: dict[str, ScoreTable] = {}
    gold_units: list[Document] = []
    predicted_units: list[tuple[Span, ...]] = []
    for view, loader in zip(VIEWS, loaders, strict=True):
        units = loader.units
        predicted = module.predicted(view)
        if not predicted:  # a debug run that left this view out
            predicted = [()] * len(units)
        gold = [units.gold(unit) for unit in range(len(units))]
        tables[view] = score_spans(gold, predicted)
        if view == module.unit:
            gold_units = [units.document(unit) for unit in range(len(units))]
            predicted_units = [
                tuple(span.shifted(-units.range(unit)[0]) for span in spans) if view != "documents" else spans
                for unit, spans in enumerate(predicted)
            ]
    return Evaluation(module.unit, tables, gold_units, predicted_units)
