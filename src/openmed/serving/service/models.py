"""What a service needs of a tagger: entities of texts as JSON, and facts on the models that find them.

tagger = load(["outputs/disease/model", "outputs/chemical/model"])
entities_of(tagger, ["Aspirin relieves headache."])       # [[{"start": 0, "end": 7, "label": "Chemical", ...}]]
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from openmed.predicting import EntityTagger
from openmed.spans import Document
from openmed.writers.jsonl import span_json


class Tags(Protocol):
    """`openmed.predicting.EntityTagger` does."""

    def tag(self, documents: Iterable[Document]) -> Iterator[Document]: ...


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """Args:
    name: by which its entities are told from other models'.
    types: of its entities.
    digest: of the model folder: which model it is, wherever it lies.
    """

    name: str
    types: tuple[str, ...]
    digest: str

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def facts_of(tagger: EntityTagger) -> list[ModelFacts]:
    """Its models, in order. Where they lie on this machine is not told: others may ask."""
    return [ModelFacts(model.name, model.info.types, model.digest) for model in tagger.models]


def entities_of(tagger: Tags, texts: Sequence[str]) -> list[list[dict[str, Any]]]:
    """The entities of each text as {start, end, label, text, score}, in order; of several models with `model`, too.

    Offsets count characters (code points). Entities of different models may overlap.
    """
    documents = (Document(str(number), text) for number, text in enumerate(texts, start=1))
    return [[span_json(tagged, span) for span in tagged.spans] for tagged in tagger.tag(documents)]
