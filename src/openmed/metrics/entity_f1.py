"""The entity score as a `torchmetrics.Metric`: counts per type, summed over batches and over processes.

metric = EntityF1(types=["Disease"])
metric.update(gold_units, predicted_units)
metric.compute()            # {"precision": ..., "recall": ..., "f1": ..., "f1/Disease": ...}
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torchmetrics import Metric

from openmed.metrics.counts import Counts, ScoreTable, score_spans
from openmed.spans import Span


class EntityF1(Metric):
    """Strict, typed, micro-averaged span F1.

    Args:
        types: the entity types to count. A span of another type counts under `OTHER`, never silently nowhere.

    Attributes:
        counts: (num_types + 1, 3) int64: tp, fp, fn; the last row is `OTHER`.
    """

    OTHER = "(other)"
    full_state_update = False
    is_differentiable = False
    higher_is_better = True
    counts: torch.Tensor

    def __init__(self, types: Sequence[str]) -> None:
        super().__init__()
        self.types = [*types, self.OTHER]
        zeros = torch.zeros(len(self.types), 3, dtype=torch.int64)
        self.add_state("counts", default=zeros, dist_reduce_fx="sum")

    def update(self, gold: Iterable[Sequence[Span]], predicted: Iterable[Sequence[Span]]) -> None:
        """Add units: `gold[i]` against `predicted[i]`."""
        row = {name: index for index, name in enumerate(self.types)}
        for name, found in score_spans(gold, predicted).per_type.items():
            added = torch.tensor([found.tp, found.fp, found.fn], device=self.counts.device)
            self.counts[row.get(name, row[self.OTHER])] += added

    def table(self) -> ScoreTable:
        """The counts so far, as plain integers (of this process only until `compute` has synchronised)."""
        rows = self.counts.tolist()
        per_type = {name: Counts(*row) for name, row in zip(self.types, rows, strict=True)}
        if per_type[self.OTHER] == Counts():
            del per_type[self.OTHER]
        return ScoreTable(per_type)

    def compute(self) -> dict[str, float]:
        """precision, recall and f1 over all types, and `f1/<type>` for each."""
        table = self.table()
        micro = table.micro
        scores = {"precision": micro.precision, "recall": micro.recall, "f1": micro.f1}
        return scores | {f"f1/{name}": counts.f1 for name, counts in table.per_type.items()}
