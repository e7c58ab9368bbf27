"""How long the runs of a plan take, by those that are done.

forecast(plan, read_results(place), cell_keys(plan))     # {"ner/minilm/none/ncbi/2": 412.0, ...}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from openmed.corpora import load_spec
from openmed.reproduce.cells import DAPT, Cell, list_cells
from openmed.reproduce.keys import is_done
from openmed.reproduce.plan import Plan
from openmed.reproduce.results import Results
from openmed.training.compose import compose


def forecast(plan: Plan, done: Results, keys: Mapping[str, str]) -> dict[str, float | None]:
    """Cell -> seconds: what it took, or about what its like of the same backbone did; None: none is done.

    From start to end of its process where that was measured in one go, else of the training alone. A pre-training whose
    length is given in steps goes by pieces and the time of each: in the plan's others or, before there is one, in those
    that the file has of other plans; without steps it is like the plan's others. A tagger is like those on the same
    corpus or, before there is one, on others, by the words of the training splits.
    """
    cells = list_cells(plan)
    finished = [cell for cell in cells if is_done(done, cell.name, keys)]
    taken = {cell.name: _taken(done[cell.name]) for cell in finished}
    words = {corpus: load_spec(corpus).counts.get("train", {}).get("words") for corpus in plan.corpora}

    def pretraining(cell: Cell) -> float | None:
        beginning = f"{DAPT}/{cell.backbone}/"
        own = [other.name for other in finished if other.name.startswith(beginning)]
        alike = own or [name for name in done if name.startswith(beginning)]
        pieces = _planned_pieces(cell) if alike else None
        if pieces is None:
            return _mean([taken[name] for name in own])
        return _mean([pieces * _taken(done[name]) / done[name]["train"]["tokens"] for name in alike])

    def tagger(cell: Cell) -> float | None:
        assert cell.corpus is not None
        alike = [other for other in finished if (other.kind, other.backbone) == (cell.kind, cell.backbone)]
        found = _mean([taken[other.name] for other in alike if other.corpus == cell.corpus])
        if found is not None or not (size := words[cell.corpus]):
            return found
        return _mean([size * taken[other.name] / n for other in alike if other.corpus and (n := words[other.corpus])])

    def expected(cell: Cell) -> float | None:
        return pretraining(cell) if cell.kind == DAPT else tagger(cell)

    return {cell.name: taken[cell.name] if cell.name in taken else expected(cell) for cell in cells}


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _taken(record: Mapping[str, Any]) -> float:
    return record.get("wall_seconds") or record["train"]["seconds"]


def _planned_pieces(cell: Cell) -> int | None:
    """What a pre-training reads at most; None where its length is not given in steps."""
    config = compose(cell.overrides)
    steps = config.trainer.max_steps
    return steps * config.trainer.accumulate_grad_batches * config.batch.max_tokens if steps > 0 else None
