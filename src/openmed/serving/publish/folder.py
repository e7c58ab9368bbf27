"""The folder that is published: the model, a manifest without anything of this machine, and the card.

written = write_folder(read_facts(model), Path("published/OpenMed-NER-..."), Wanted(repo="me/OpenMed-NER-..."))
written.files, written.left_out
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from openmed.artefact import MANIFEST, load_artefact
from openmed.artefact.model import FULL, GRAPHS, NEAR
from openmed.errors import PublishError
from openmed.serving.export.hf import write_merged
from openmed.serving.publish.card import write_card
from openmed.serving.publish.facts import Facts
from openmed.serving.publish.metadata import Form
from openmed.serving.publish.scan import PICKLES, Secrets, check_folder, refuse_suffix
from openmed.serving.publish.scores import score_run
from openmed.writers import atomic_path

CARD = "README.md"
UNPUBLISHED = "unpublished"
"""Stands for a base that was a folder: a whole model does without it."""


@dataclass(frozen=True)
class Wanted:
    """What to publish as what.

    Args:
        repo: owner/name.
        merged: of an adapter the base with the adapter in it, loadable by transformers alone.
        licence: as the hub abbreviates it; None leaves it open, and the card says so.
        datasets: ids of the corpora on the hub.
    """

    repo: str
    merged: bool = False
    licence: str | None = None
    datasets: tuple[str, ...] = ()


@dataclass(frozen=True)
class Written:
    """What lies in the folder.

    Attributes:
        files: names -> bytes.
        left_out: files of the model folder that are no part of the model.
        split: whose scores the card has.
    """

    folder: Path
    files: Mapping[str, int]
    left_out: tuple[str, ...]
    split: str


def write_folder(facts: Facts, out: Path, wanted: Wanted) -> Written:
    """Write it whole or not at all.

    Raises:
        PublishError: `out` holds something; a graph; a base that nobody else has; something that must not be published.
        ArtefactError, BackboneError: the base for merging is not what it was, or not there.
        DataError: the predictions are not those of the run.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise PublishError(f"{out} is there already", mend="choose another --out, or delete it")
    if facts.manifest.kind in GRAPHS:
        raise PublishError(
            f"{facts.model} is an ONNX export: only safetensors are published, with the scores of the very weights",
            mend="publish the model that it was made from; whoever wants a graph makes it: openmed export",
        )
    left_out = _left_out(facts)
    form = Form.ADAPTER if facts.is_adapter and not wanted.merged else Form.WHOLE
    if form is Form.ADAPTER and facts.is_base_local:
        raise PublishError(
            "the adapter belongs to an encoder in a folder of this machine, so nobody else could load it",
            mend="publish all weights in one: --merged",
        )
    scored = score_run(facts, facts.split)
    card = write_card(facts, scored, form, repo=wanted.repo, licence=wanted.licence, datasets=wanted.datasets)
    with atomic_path(out) as temporary:
        temporary.mkdir(parents=True)
        if facts.is_adapter and wanted.merged:
            write_merged(load_artefact(facts.model), temporary)
        else:
            for name in facts.manifest.files:
                shutil.copyfile(facts.model / name, temporary / name)
        _write_manifest(facts, temporary)
        (temporary / CARD).write_text(card, encoding="utf-8")  # after the manifest, so that it can be edited on the hub
        check_folder(temporary, Secrets.of_this_machine(facts.model, facts.run.folder), allowed=wanted.repo)
        files = {path.name: path.stat().st_size for path in sorted(temporary.iterdir())}
    return Written(out, files, left_out, scored.split)


def _left_out(facts: Facts) -> tuple[str, ...]:
    """Files beside the model's own.

    Raises:
        PublishError: weights among them that can run code.
    """
    beside = sorted(path.name for path in facts.model.iterdir() if path.name not in (*facts.manifest.files, MANIFEST))
    for name in (*facts.manifest.files, *(name for name in beside if Path(name).suffix in PICKLES)):
        refuse_suffix(name)
    return tuple(beside)


def _write_manifest(facts: Facts, folder: Path) -> None:
    """As the model's own, without the places of this machine, and with digests of what is here."""
    (folder / MANIFEST).unlink(missing_ok=True)
    provenance = {key: value for key, value in facts.manifest.provenance.items() if key != NEAR}
    if export := provenance.get("export"):  # whose check names the files of its texts
        provenance["export"] = {key: value for key, value in export.items() if key != "check"}
    changed = replace(
        facts.manifest,
        backbone=_public(facts),
        kind=FULL if (folder / "config.json").is_file() else facts.manifest.kind,
        provenance=provenance,
    )
    changed.write(folder)


def _public(facts: Facts) -> dict[str, Any]:
    backbone = {**facts.manifest.backbone, "tokenizer": None}  # its name can be a folder's, and the model has a copy
    if facts.is_base_local:
        backbone |= {"weights": facts.base.weights or UNPUBLISHED, "revision": facts.base.revision}
    return backbone
