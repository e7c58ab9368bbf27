"""All that a card says, read from one run folder and checked to belong together: nothing is guessed.

facts = read_facts(Path("outputs/2026-01-01/12-00-00/model"))
facts.split, facts.base.weights, facts.result["energy"]
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openmed.analysis.compare.run_files import read_config
from openmed.analysis.compare.runs import Run, find_runs
from openmed.artefact import Manifest
from openmed.artefact.model import LORA, NEAR
from openmed.errors import ArtefactError, DataError
from openmed.networks.weights import LINEAGE, PACKAGE
from openmed.run_folder import RESULT


@dataclass(frozen=True)
class Base:
    """The pretrained encoder that others must have, or could get.

    Attributes:
        weights: hub id, or `package:<import name>/<folder>`; None where it is known only as a folder of this machine.
        revision: commit on the hub.
        licence: as its authors state it.
        pretraining: what each run of pre-training between it and the tagger says of itself, the first run first.
    """

    weights: str | None
    revision: str | None
    licence: str
    pretraining: tuple[Mapping[str, Any], ...] = ()

    @property
    def hub_id(self) -> str | None:
        return None if self.weights is None or self.weights.startswith(PACKAGE) else self.weights


@dataclass(frozen=True)
class Facts:
    """A finished run of a tagger and its model.

    Attributes:
        model: the verified folder.
        run: as comparisons see it.
        result, config: result.json and config.yaml.
        is_adapter: whether it needs the weights of a base.
        is_base_local: whether these weights are a folder that nobody else has.
    """

    model: Path
    manifest: Manifest
    run: Run
    result: Mapping[str, Any]
    config: Mapping[str, Any]
    base: Base
    is_adapter: bool
    is_base_local: bool

    @property
    def split(self) -> str:
        """What the card's scores are of: test where it was scored, else dev."""
        return "test" if self.result["test"] else "dev"

    @property
    def types(self) -> tuple[str, ...]:
        return tuple(self.manifest.info["types"])

    @property
    def corpus(self) -> Mapping[str, Any]:
        """The corpus as its YAML stated it when the model was trained: title, licence, citation, homepage, quirks."""
        return self.config["dataset"]


def read_facts(model: Path) -> Facts:
    """From a run's model/ folder.

    Raises:
        ArtefactError: it was altered, or does not lie in the folder of the run that made it.
        DataError: a result.json, config.yaml or run that is not whole.
    """
    manifest = Manifest.read(model)
    folder = model.absolute().parent
    if not (folder / RESULT).is_file():
        raise ArtefactError(
            f"{model} does not lie in a run folder: there is no {folder / RESULT}, of which the card is made",
            mend="give the model/ inside the folder of the run that made it; --merged does what export --to hf does",
        )
    found = find_runs([folder])
    if found.left_out:
        raise DataError(f"not a finished run of a tagger: {found.left_out[0].reason}", path=folder)
    result = json.loads((folder / RESULT).read_text(encoding="utf-8"))
    if manifest.provenance.get("run_id") != result["run_id"]:
        raise ArtefactError(
            f"{model} was made by run {manifest.provenance.get('run_id')}, but {folder / RESULT} is of run "
            f"{result['run_id']}",
            mend="give the model/ inside the folder of the run that made it",
        )
    return Facts(
        model=model,
        manifest=manifest,
        run=found.runs[0],
        result=result,
        config=read_config(folder),
        base=_base(manifest, model),
        is_adapter=manifest.kind == LORA,
        is_base_local=is_local(manifest.backbone),
    )


def is_local(backbone: Mapping[str, Any]) -> bool:
    """Whether its weights are a folder, there or not. `owner/name` can be one, but what the hub gave has a commit."""
    weights = backbone["weights"]
    if weights.startswith(PACKAGE):
        return False
    looks_local = weights.startswith((".", "/", "~")) or weights.count("/") > 1
    return looks_local or backbone["revision"] is None or Path(weights).expanduser().is_dir()


def _base(manifest: Manifest, model: Path) -> Base:
    """Down from encoder to encoder, as long as they tell what they were trained from."""
    told: list[Mapping[str, Any]] = []
    seen: set[str] = set()
    backbone = manifest.backbone
    folder = Path(backbone["weights"]).expanduser()
    if NEAR in manifest.provenance and not folder.is_dir():  # named from elsewhere, or moved along with the model
        folder = model.absolute() / manifest.provenance[NEAR]
    while is_local(backbone):
        place = folder / LINEAGE
        if not place.is_file() or str(place) in seen:
            return Base(None, None, str(backbone.get("licence") or ""), tuple(told))
        seen.add(str(place))
        content = json.loads(place.read_text(encoding="utf-8"))
        told.insert(0, content.get("provenance") or {})
        backbone = content["backbone"]
        folder = Path(backbone["weights"]).expanduser()
    return Base(backbone["weights"], backbone["revision"], str(backbone.get("licence") or ""), tuple(told))
