"""Which mentions a tagger met in training: the split that tells finding from remembering.

forms, why_not = train_forms(runs)      # frozenset of surface forms, or None and the reason
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from openmed.analysis.compare.run_files import read_config
from openmed.analysis.compare.runs import Run
from openmed.corpora import CorpusSpec, is_here, load_split
from openmed.errors import DataError, OpenMedError


def surface(text: str) -> str:
    """What is compared of a mention: its letters, case folded, white space as single spaces."""
    return " ".join(text.casefold().split())


def train_forms(runs: Sequence[Run]) -> tuple[frozenset[str] | None, str]:
    """The surface forms of all mentions of train, of whatever type; None and why where it cannot be read here.

    Nothing is fetched for it, and nothing else than what the runs were trained on will do (by its digests).
    """
    config = read_config(runs[0].folder)["dataset"]
    if any(_about_train(run) != _about_train(runs[0]) for run in runs):
        return None, "the runs were not trained on the same texts"
    try:
        spec = _spec(config)
        if not is_here(spec, spec.train):
            return None, f"{spec.train} is not on this machine"
        train = load_split(spec, "train")
    except (OpenMedError, OSError) as error:
        return None, str(error)
    altered = [name for name, digest in train.hashes.items() if runs[0].files.get(name, digest) != digest]
    if altered:
        return None, f"{altered[0]} is not the file that the runs were trained on"
    return frozenset(surface(doc.mention(span)) for doc in train.documents for span in doc.spans), ""


def _spec(config: Mapping[str, Any]) -> CorpusSpec:
    """What the runs say of their corpus.

    Raises:
        DataError, ConfigError: it is no corpus's.
    """
    problem = "the dataset of config.yaml is not that of a corpus"
    if not isinstance(config.get("train"), str):
        raise DataError(f"{problem}: train is {config.get('train')!r:.60}")
    try:
        return CorpusSpec.from_mapping(config)
    except (TypeError, AttributeError, LookupError) as error:  # a value of a kind that no run writes
        raise DataError(f"{problem}: {error}") from error


def _about_train(run: Run) -> list[tuple[str, object]]:
    return sorted((key, value) for key, value in run.settings.items() if key.startswith("dataset."))
