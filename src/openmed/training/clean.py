"""The test score without what was seen in training: `result["test"]["clean"]`, beside the score on all of test.

result["test"]["clean"] = clean_scores(evaluations["test"], {"train": train, "dev": dev})
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from openmed.analysis.leakage import Seen, clean_units
from openmed.data import NerDataModule
from openmed.metrics import score_spans
from openmed.spans import Document
from openmed.training.evaluate import Evaluation

log = logging.getLogger(__name__)


def add_clean_scores(result: dict[str, Any], evaluations: Mapping[str, Evaluation], datamodule: NerDataModule) -> None:
    """Put the clean score beside that of all of test, where test was scored.

    It is an extra to a finished run: where it fails (it takes memory on a huge corpus), the log says so and it is null.
    """
    if "test" not in evaluations:
        return
    seen = {split: datamodule.documents(split) for split in ("train", "dev")}
    result["test"]["clean"] = None
    try:
        result["test"]["clean"] = clean_scores(evaluations["test"], seen)
    except Exception as error:
        log.warning("no score on the clean part of test: %s: %s", type(error).__name__, error)


def clean_scores(test: Evaluation, seen_splits: Mapping[str, Iterable[Document]]) -> dict[str, Any]:
    """Scores on the units of test that do not stand, whole or nearly so, in the given splits.

    Args:
        test: the test split's units with what was predicted.
        seen_splits: name of a split -> its documents, usually train and dev.

    Returns:
        {precision, recall, f1, tp, fp, fn, per_type, units, removed, against, rule}: `units` are scored and `removed`
        are not; `rule` says what counts as seen (`openmed.analysis.leakage.Rule`). Where no unit is left, precision,
        recall and f1 are None.
    """
    seen = Seen()
    for split, documents in seen_splits.items():
        seen.add(split, documents)
    keep = clean_units(test.gold, seen, view=test.unit)
    table = score_spans(
        [unit.spans for unit, kept in zip(test.gold, keep, strict=True) if kept],
        [spans for spans, kept in zip(test.predicted, keep, strict=True) if kept],
    )
    nothing = {} if any(keep) else dict.fromkeys(("precision", "recall", "f1"))
    return {
        **table.as_dict(),
        **nothing,
        "units": sum(keep),
        "removed": len(keep) - sum(keep),
        "against": list(seen.splits),
        "rule": seen.rule.as_dict(),
    }
