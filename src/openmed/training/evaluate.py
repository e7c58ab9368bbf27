"""The last word on a run: scores of each view and predictions, from the best checkpoint, and how far to believe them.

evaluation = collect(module, loaders)       # after trainer.validate or trainer.test
evaluation.scores, evaluation.lines
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from openmed.data.loaders import EvaluationLoader
from openmed.encoding import Units, decode_unit, legal_matrix, log_softmax
from openmed.metrics import ScoreTable, score_spans
from openmed.metrics.calibration import MIN_ENTITIES, calibration_error, fit_temperature
from openmed.modules import NerModule
from openmed.spans import Document, Span


@dataclass(frozen=True)
class Calibration:
    """How well the scores of the entities found say how often they are right.

    Attributes:
        temperature: fitted on the entities found on dev.
        fitted: False where these were too few (`MIN_ENTITIES`): the temperature is 1, and scores are not calibrated.
        entities: found, that is, scored.
        error_before, error_after: expected calibration error over ten bins, with temperature 1 and with this one; None
            where nothing was found.
    """

    temperature: float
    fitted: bool
    entities: int
    error_before: float | None
    error_after: float | None


@dataclass(frozen=True)
class Evaluation:
    """One split, scored.

    Attributes:
        unit: the corpus's own view.
        tables: view -> counts per type.
        gold: the units of the corpus's own view, as documents of their own.
        predicted: their predicted spans, in the same offsets, with calibrated scores.
        calibration: None where the corpus's own view was left out (a debug run).
    """

    unit: str
    tables: dict[str, ScoreTable]
    gold: list[Document]
    predicted: list[tuple[Span, ...]]
    calibration: Calibration | None = None

    def as_dict(self) -> dict[str, Any]:
        """{precision, recall, f1, tp, fp, fn, per_type, views: {view: {precision, recall, f1}}, calibration}."""
        views = {
            view: {name: value for name, value in table.as_dict().items() if name in ("precision", "recall", "f1")}
            for view, table in self.tables.items()
        }
        calibration = asdict(self.calibration) if self.calibration else None
        return {**self.tables[self.unit].as_dict(), "views": views, "calibration": calibration}


def collect(module: NerModule, loaders: Sequence[EvaluationLoader], *, dev: Evaluation | None = None) -> Evaluation:
    """Score what the module decoded in its last evaluation.

    Args:
        dev: for other splits, whose scores get its temperature; None fits one on this split.
    """
    calibration = None
    tables: dict[str, ScoreTable] = {}
    gold_units: list[Document] = []
    predicted_units: list[tuple[Span, ...]] = []
    for loader in loaders:
        units = loader.units
        view = units.view
        predicted = module.predicted(view)
        if not predicted:  # a debug run that left this view out
            predicted = [()] * len(units)
        gold = [units.gold(unit) for unit in range(len(units))]
        tables[view] = score_spans(gold, predicted)
        if view == module.unit:
            calibration, predicted = _calibrate(module, units, gold, predicted, dev)
            gold_units = [units.document(unit) for unit in range(len(units))]
            predicted_units = [
                tuple(span.shifted(-units.range(unit)[0]) for span in spans) if view != "documents" else spans
                for unit, spans in enumerate(predicted)
            ]
    return Evaluation(module.unit, tables, gold_units, predicted_units, calibration)


def _calibrate(
    module: NerModule,
    units: Units,
    gold: Sequence[Sequence[Span]],
    predicted: list[tuple[Span, ...]],
    dev: Evaluation | None,
) -> tuple[Calibration | None, list[tuple[Span, ...]]]:
    """How far the scores are right before and after, and the same spans with calibrated scores."""
    emissions_NC = module.emissions()
    if emissions_NC is None:
        return None, predicted
    correct_E = [span in right for right, found in zip(gold, predicted, strict=True) for span in found]
    if dev is None:
        temperature = _fitted(emissions_NC, units, module.info.tags, correct_E)
        fitted = len(correct_E) >= MIN_ENTITIES
    else:
        told = dev.calibration
        temperature, fitted = (told.temperature, told.fitted) if told else (1.0, False)
    log_probs_NC, legal = log_softmax(emissions_NC / temperature), legal_matrix(module.info.tags)
    calibrated = [
        units.decode(unit, log_probs_NC[first:last], module.info.tags, legal)
        for unit, (first, last) in enumerate(units.bounds.tolist())
    ]
    before, after = (calibration_error(_scores(spans), correct_E) for spans in (predicted, calibrated))
    return Calibration(temperature, fitted, len(correct_E), before, after), calibrated


def _fitted(emissions_NC: np.ndarray, units: Units, tags: Sequence[str], correct_E: Sequence[bool]) -> float:
    """The temperature that fits the entities decoded from these emissions, in their order."""
    log_probs_NC, legal = log_softmax(emissions_NC), legal_matrix(tags)
    # Units lie end to end, and each path is legal: an entity is a B- and all that follows up to the next O or B-.
    path_N = np.concatenate([decode_unit(log_probs_NC[first:last], legal)[0] for first, last in units.bounds])
    begins_N = np.array([tag.startswith("B-") for tag in tags])[path_N]
    found_N = path_N != tags.index("O")
    entities_W = (np.cumsum(begins_N) - 1)[found_N]
    return fit_temperature(emissions_NC[found_N], path_N[found_N], entities_W, correct_E)


def _scores(predicted: Sequence[Sequence[Span]]) -> list[float]:
    return [span.score or 0.0 for spans in predicted for span in spans]
