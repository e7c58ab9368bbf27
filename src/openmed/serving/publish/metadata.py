"""The head of a card, which the hub reads: what the model is, what it was made from, and its scores (`model-index`).

metadata(facts, scored, Form.ADAPTER, name="OpenMed-NER-...", licence=None, datasets=()).to_yaml()
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Any

from openmed.serving.publish.facts import Facts
from openmed.serving.publish.scores import ALL, Scored

TASK = "token-classification"
LANGUAGE = "en"
"""Of all the corpora."""
UNCHOSEN = {"license": "other", "license_name": "not-chosen", "license_link": "README.md#data-and-licences"}
"""Until the publisher names a licence: the card then only tells those of base and corpus."""
_SPLITS = {"test": "test", "dev": "validation"}
"""What the hub calls them."""
_METRICS = ("precision", "recall", "f1")


class Form(StrEnum):
    """What is published."""

    ADAPTER = "adapter"
    WHOLE = "whole"
    """All weights in one, as transformers has them."""


def metadata(
    facts: Facts, scored: Scored, form: Form, *, name: str, licence: str | None, datasets: Sequence[str]
) -> Any:
    """A `huggingface_hub.ModelCardData`.

    Args:
        name: of the model, without its owner.
        licence: as the hub abbreviates it (apache-2.0, ...); None is `UNCHOSEN`.
        datasets: ids on the hub of the corpora that it was trained on; our own names are none.
    """
    from huggingface_hub import ModelCardData

    chosen: dict[str, Any] = dict(UNCHOSEN) if licence is None else {"license": licence}
    if facts.base.hub_id is not None:
        relation = "adapter" if form is Form.ADAPTER else "finetune"
        chosen |= {"base_model": facts.base.hub_id, "base_model_relation": relation}
    if datasets:
        chosen["datasets"] = list(datasets)
    return ModelCardData(
        language=LANGUAGE,
        library_name="peft" if form is Form.ADAPTER else "transformers",
        pipeline_tag=TASK,
        tags=list(_tags(facts, form)),
        model_name=name,
        eval_results=list(_results(facts, scored)),
        **chosen,
    )


def _tags(facts: Facts, form: Form) -> Iterator[str]:
    yield from ("named-entity-recognition", "biomedical", "openmed-ner")
    if form is Form.ADAPTER:
        yield "lora"
    yield from sorted({name.lower() for name in facts.types})


def _results(facts: Facts, scored: Scored) -> Iterator[Any]:
    """Of all types together precision, recall and F1, of each type F1."""
    from huggingface_hub import EvalResult

    for row in reversed(scored.rows):
        for metric in _METRICS if row.label == ALL else ("f1",):
            of = "micro" if row.label == ALL else row.label
            yield EvalResult(
                task_type=TASK,
                task_name="Named entity recognition",
                dataset_type=facts.run.dataset,
                dataset_name=str(facts.corpus.get("title") or facts.run.dataset),
                dataset_split=_SPLITS[scored.split],
                metric_type=metric,
                metric_name=f"{scored.split} {metric.replace('f1', 'F1')} ({of}, exact spans)",
                metric_value=round(getattr(row, metric), 6),
            )
