"""How far an export finds what its model finds: spans against spans, on texts, and against gold where there is some.

reference = Reference(artefact, NetworkScorer(...), texts, view="documents")
reference.compared(folder / "model.onnx").spans     # 1.0: the same in all texts
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike

from openmed.artefact import Artefact
from openmed.metrics import score_spans
from openmed.predicting import EntityTagger, Model, Scorer
from openmed.predicting.onnx_scorer import OnnxScorer
from openmed.serving.export.texts import Texts
from openmed.spans import Span


@dataclass(frozen=True)
class Agreement:
    """Two taggers on the same texts.

    Attributes:
        num_documents, num_same: documents, and those in which both found exactly the same.
        spans: F1 of the one's spans against the other's.
        f1, reference_f1: of each against gold, None where there is none.
    """

    num_documents: int
    num_same: int
    spans: float
    f1: float | None
    reference_f1: float | None


class Reference:
    """What the float32 network finds in the texts of the check, asked once.

    Args:
        score: the network.
        view: what it and the export decode as one, "documents" or "sentences".
    """

    def __init__(self, artefact: Artefact, score: Scorer, check: Texts, view: str) -> None:
        self._artefact = artefact
        self._check = check
        self._view = view
        self._found = self._spans(score)

    def compared(self, graph: str | PathLike[str] | bytes) -> Agreement:
        """The graph, a file or its bytes, on the same texts."""
        found = self._spans(OnnxScorer(graph))
        gold = [document.spans for document in self._check.documents] if self._check.has_gold else None
        return Agreement(
            len(found),
            sum(set(one) == set(other) for one, other in zip(found, self._found, strict=True)),
            _f1(self._found, found),
            None if gold is None else _f1(gold, found),
            None if gold is None else _f1(gold, self._found),
        )

    def _spans(self, score: Scorer) -> list[tuple[Span, ...]]:
        tagger = EntityTagger([Model("model", self._artefact.info, self._artefact.tokenizer, score)], view=self._view)
        return [document.spans for document in tagger.tag(self._check.documents)]


def _f1(gold: Sequence[Sequence[Span]], found: Sequence[Sequence[Span]]) -> float:
    """Of spans against spans; where neither has any, they agree."""
    counts = score_spans(gold, found).micro
    return counts.f1 if counts.tp or counts.fp or counts.fn else 1.0
