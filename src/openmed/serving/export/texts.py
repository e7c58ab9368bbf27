"""Texts to calibrate on and to check with: those the user names, else those of the corpus the model was trained on.

calibration = named_texts(["notes/"])
dev = corpus_texts(manifest, "dev")      # None where the corpus is not at hand
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from openmed.artefact import Manifest
from openmed.corpora import load_spec, load_split
from openmed.errors import DataError, OpenMedError
from openmed.serving.inputs import read_inputs
from openmed.spans import Document

MAX_DOCUMENTS = 200
"""Of a corpus so many are enough; they are taken from all over it."""
DEMO = "demo"


@dataclass(frozen=True)
class Texts:
    """Attributes:
    source: what they are, to be told.
    has_gold: whether the documents' spans are the right ones.
    """

    documents: list[Document]
    source: str
    has_gold: bool = False

    def without(self, every: int) -> Texts:
        """Without every n-th document."""
        kept = [document for number, document in enumerate(self.documents, start=1) if number % every]
        return Texts(kept, f"{self.source}, but every {every}th", self.has_gold)

    def only(self, every: int) -> Texts:
        """Every n-th document alone."""
        return Texts(self.documents[every - 1 :: every], f"every {every}th of {self.source}", self.has_gold)


def named_texts(paths: Iterable[str | Path]) -> Texts:
    """The texts of files and folders, as `openmed predict` reads them.

    Raises:
        DataError: nothing there, or no text in it.
    """
    names = [str(path) for path in paths]
    # Texts alone: what mentions and words they come with is not known to be right.
    documents = [Document(document.id, document.text, group=document.group) for document in read_inputs(names)]
    documents = [document for document in documents if document.text.strip()]
    if not documents:
        raise DataError("no text in it", path=names[0], mend="name files with texts like those to be tagged")
    return Texts(_spread(documents), ", ".join(Path(name).name for name in names))


def corpus_texts(manifest: Manifest, split: str) -> Texts | None:
    """A split of the corpus that the model was trained on, with its gold; None where it is not at hand."""
    name = manifest.provenance.get("dataset", {}).get("name")
    if not name:
        return None
    try:
        documents = load_split(load_spec(name), split).documents
    except (OpenMedError, OSError):  # a corpus of the user's own, or files that are not here
        return None
    return Texts(_spread(documents), f"{split} of {name}", has_gold=True)


def demo_texts() -> Texts:
    """The embedded corpus: always at hand, but of no model's own types for certain."""
    return Texts(load_split(load_spec(DEMO), "dev").documents, f"dev of {DEMO}")


def _spread(documents: Sequence[Document]) -> list[Document]:
    """At most `MAX_DOCUMENTS` of them, evenly."""
    step = max(1, -(-len(documents) // MAX_DOCUMENTS))
    return list(documents[::step])
