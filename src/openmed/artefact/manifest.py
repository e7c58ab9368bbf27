"""`openmed.json`: what a model folder holds, with a digest of every file in it and of itself.

manifest = Manifest.read("outputs/.../model")     # refuses a folder of another version, half written or altered
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from openmed.errors import ArtefactError

MANIFEST = "openmed.json"
SCHEMA_VERSION = 1
_MEND_TRAIN = "copy the whole folder again from the run that made it, or train again"


@dataclass(frozen=True)
class Manifest:
    """Args:
    info: `TaggingInfo` as a dict: types, splitter, window.
    backbone: `BackboneSpec` as a dict, its revision resolved.
    kind: "lora" (an adapter and a head) or "full" (all weights).
    base_digest: sha256 of the pretrained encoder's tensors.
    labels: tag of each output of the head.
    temperature: by which the scores are divided before the softmax, fitted on dev, so that they say how often a mention
        is right; 1 where none was fitted.
    provenance: where it comes from: dataset, seed, scores, versions, parents.
    files: name -> sha256 of every other file of the folder.
    """

    info: Mapping[str, Any]
    backbone: Mapping[str, Any]
    kind: str
    base_digest: str
    labels: tuple[str, ...]
    temperature: float = 1.0
    provenance: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Write it last: it lists the files that are there."""
        files = {path.name: _sha256(path) for path in sorted(folder.iterdir()) if path.name != MANIFEST}
        content = {"schema_version": SCHEMA_VERSION, **asdict(self), "labels": list(self.labels), "files": files}
        content["checksum"] = _checksum(content)
        manifest = folder / MANIFEST
        manifest.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        for name in files:  # safetensors writes for the owner alone, whatever the umask says
            (folder / name).chmod(manifest.stat().st_mode)

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Read and verify.

        Raises:
            ArtefactError: not a model folder, another schema version, a missing, cut or altered file.
        """
        content = _load_json(folder)
        version = content.get("schema_version")
        if version != SCHEMA_VERSION:
            raise ArtefactError(
                f"{folder} has schema version {version}, this openmed reads {SCHEMA_VERSION}",
                mend="use the openmed version named under provenance.versions in its openmed.json, or train again",
            )
        if content.get("checksum") != _checksum(content):
            raise ArtefactError(f"{folder / MANIFEST} was changed after it was written", mend=_MEND_TRAIN)
        for name, digest in content["files"].items():
            path = folder / name
            if not path.is_file():
                raise ArtefactError(f"{folder} lacks {name}", mend=_MEND_TRAIN)
            if _sha256(path) != digest:
                raise ArtefactError(f"{path} differs from what was saved (cut off, or changed since)", mend=_MEND_TRAIN)
        names = ("info", "backbone", "kind", "base_digest", "provenance", "files")
        return cls(
            **{name: content[name] for name in names},
            labels=tuple(content["labels"]),
            temperature=content.get("temperature", 1.0),  # folders older than calibration have none
        )


def _load_json(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    if not folder.is_dir():
        raise ArtefactError(f"{folder} is not a folder", mend="give a run's model/ folder")
    if not path.is_file():
        inside = folder / "model" / MANIFEST
        mend = (
            f"did you mean {inside.parent}?"
            if inside.is_file()
            else "give a run's model/ folder; it has an openmed.json"
        )
        raise ArtefactError(f"{folder} is no model folder, or was only half written: it has no {MANIFEST}", mend=mend)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ArtefactError(f"{path} is not JSON ({error})", mend=_MEND_TRAIN) from error
    if not isinstance(content, dict):
        raise ArtefactError(f"{path} is not a JSON object", mend=_MEND_TRAIN)
    return content


def model_digest(folder: Path) -> str:
    """sha256 of a model's `openmed.json`, which holds the digests of all its other files."""
    return _sha256(folder / MANIFEST)


def _checksum(content: Mapping[str, Any]) -> str:
    without = {key: value for key, value in content.items() if key != "checksum"}
    return hashlib.sha256(json.dumps(without, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
