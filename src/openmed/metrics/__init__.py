"""Exact-match entity scores: counts that add up (`counts`), and the same as a torchmetrics metric (`entity_f1`).

score = Counts.of(gold_spans, predicted_spans) + Counts.of(more_gold, more_predicted)
score.f1
"""

from openmed.metrics.counts import Counts, ScoreTable, score_spans

__all__ = ["Counts", "ScoreTable", "score_spans"]
