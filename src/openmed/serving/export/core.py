"""From a model folder to an exported one, checked before it is handed over; whole or not at all.

    exported = export_model("outputs/.../model", "exported", to="onnx-int8", report=print)
    exported.files, exported.check

What is written keeps `openmed.json`, so that `openmed predict exported ...` takes it like any model folder, with the
digest of the model that it came from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from os import PathLike
from pathlib import Path
from typing import Any

import torch

from openmed.artefact import Artefact, Manifest, load_artefact, model_digest
from openmed.artefact.model import FULL, GRAPH, NEAR, ONNX, ONNX_INT8
from openmed.encoding import DOCUMENTS
from openmed.errors import ConfigError, nearest
from openmed.predicting import NetworkScorer
from openmed.serving.export.graph import OPSET, write_graph
from openmed.serving.export.texts import Texts, corpus_texts, demo_texts, named_texts
from openmed.writers.atomic import atomic_path

HF = "hf"
TARGETS = (HF, ONNX, ONNX_INT8)
EVERY = 5
"""Where the same texts have to serve for both, each fifth checks and the others calibrate."""


@dataclass(frozen=True)
class Exported:
    """Attributes:
    to: one of `TARGETS`.
    out: the folder.
    parent: sha256 of the `openmed.json` of the model it was made from.
    files: name -> bytes.
    check: on which texts the export was compared with the model, and what came out.
    quantised: of 8 bits: what was calibrated on, and what stayed in float32; else None.
    """

    to: str
    out: Path
    parent: str
    files: dict[str, int]
    check: dict[str, Any]
    quantised: dict[str, Any] | None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "out": str(self.out), "bytes": sum(self.files.values())}


def export_model(
    model: str | PathLike[str],
    out: str | PathLike[str],
    *,
    to: str,
    calibrate: Sequence[str | Path] = (),
    check: Sequence[str | Path] = (),
    report: Callable[[str], None] = lambda line: None,
) -> Exported:
    """Export a model folder.

    Args:
        to: "hf" (merged weights, for `transformers`), "onnx" (float32) or "onnx-int8".
        calibrate: of "onnx-int8": files of texts like those to be tagged; none: train of the model's corpus.
        check: files of texts to compare on; none: dev of the model's corpus, or of the embedded one.
        report: is told what is being done.

    Raises:
        ConfigError: an unknown target, an `out` that is in use, texts to calibrate where nothing is, a missing extra.
        ArtefactError: the model is incomplete or altered, is an export of ONNX itself, or cannot be expressed.
        BackboneError: its base weights cannot be found.
        DataError: no text to calibrate on.
    """
    out = Path(out)
    if to not in TARGETS:
        raise ConfigError(f"unknown target {to!r}", mend=nearest(to, TARGETS))
    if calibrate and to != ONNX_INT8:
        raise ConfigError(f"--calibrate is for {ONNX_INT8}", mend="leave it out")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"{out} is in use", mend="choose another --out, or delete it")
    artefact = load_artefact(model)
    parent = model_digest(Path(model))
    named = named_texts(check) if check else None
    with atomic_path(out) as temporary:
        temporary.mkdir(parents=True)
        if to == HF:
            compared, quantised = _write_hf(artefact, temporary, named, report), None
        else:
            compared, quantised = _write_onnx(artefact, temporary, to, calibrate, named, report)
        _manifest(artefact.manifest, to, parent, compared, quantised).write(temporary)
        files = {path.name: path.stat().st_size for path in sorted(temporary.iterdir())}
    return Exported(to, out, parent, files, compared, quantised)


def _float32(artefact: Artefact) -> NetworkScorer:
    """The model itself, to compare with. Its network is taken over: write first."""
    return NetworkScorer(artefact.network, device="cpu", dtype=torch.float32)


def _write_hf(artefact: Artefact, folder: Path, named: Texts | None, report: Callable[[str], None]) -> dict[str, Any]:
    from openmed.serving.export.hf import write_merged
    from openmed.serving.export.pipeline import compare_with_pipeline

    write_merged(artefact, folder)
    texts = named or corpus_texts(artefact.manifest, "dev") or demo_texts()
    report(f"comparing transformers' pipeline with openmed predict on {texts.source}")
    differences = compare_with_pipeline(artefact, _float32(artefact), folder, texts.documents)
    return {"texts": texts.source, **differences.as_dict()}


def _write_onnx(
    artefact: Artefact,
    folder: Path,
    to: str,
    calibrate: Sequence[str | Path],
    named: Texts | None,
    report: Callable[[str], None],
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    from openmed.serving.export.agreement import Reference

    manifest = artefact.manifest
    calibration, texts = _texts(manifest, calibrate, named) if to == ONNX_INT8 else (None, named)
    texts = texts or corpus_texts(manifest, "dev") or demo_texts()
    report("exporting the graph")
    whole = folder / (GRAPH if calibration is None else "float32.onnx")
    write_graph(artefact.network, whole)
    artefact.tokenizer.save_pretrained(folder)
    view = (manifest.provenance.get("unit") if texts.has_gold else None) or DOCUMENTS
    report(f"comparing with the model in float32 on {texts.source}")
    reference = Reference(artefact, _float32(artefact), texts, view)
    if calibration is None:
        return {"texts": texts.source, **asdict(reference.compared(whole))}, None
    import onnx

    from openmed.serving.export.int8 import shrink

    report(f"calibrating on {calibration.source}")
    small = shrink(onnx.load(whole), artefact, calibration=calibration, reference=reference, report=report)
    for path in folder.glob(f"{whole.name}*"):  # a large one has its weights in a second file
        path.unlink()
    onnx.save(small.model, folder / GRAPH)
    return {"texts": texts.source, **asdict(small.agreement)}, {"texts": calibration.source, **small.as_dict()}


def _texts(manifest: Manifest, calibrate: Sequence[str | Path], named: Texts | None) -> tuple[Texts, Texts | None]:
    """What to calibrate on and what to check with, which is never the same; None: as for any export."""
    if calibrate:
        calibration = named_texts(calibrate)
        found = named or corpus_texts(manifest, "dev")
        if found is not None or len(calibration.documents) < EVERY:
            return calibration, found
        return calibration.without(EVERY), calibration.only(EVERY)
    calibration = corpus_texts(manifest, "train")
    if calibration is None:
        raise ConfigError(
            "8 bits are calibrated on texts, and those that this model was trained on are not at hand",
            mend="name files of texts like those to be tagged: --calibrate FILE",
        )
    return calibration, named


def _manifest(
    manifest: Manifest, to: str, parent: str, check: Mapping[str, Any], quantised: Mapping[str, Any] | None
) -> Manifest:
    """The parent's, with what became of it. The way to its base weights is dropped: they are part of the export."""
    provenance = {name: value for name, value in manifest.provenance.items() if name != NEAR}
    packages = ("torch", "transformers") if to == HF else ("torch", "transformers", "onnx", "onnxruntime")
    facts: dict[str, Any] = {"to": to, "parent": parent, "versions": {name: version(name) for name in packages}}
    facts["check"] = dict(check)
    if to != HF:
        facts["opset"] = OPSET
    if quantised is not None:
        facts["quantised"] = dict(quantised)
    kind = FULL if to == HF else to
    return replace(manifest, kind=kind, provenance={**provenance, "export": facts}, files={})
