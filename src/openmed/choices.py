"""The choices of `conf/`: a group is a folder, a choice a YAML in it (`dataset=ncbi` is `conf/dataset/ncbi.yaml`).

What reads one without Hydra reads it here.

    choice_names("backbone"), read_choice("backbone", "minilm")
"""

from __future__ import annotations

from importlib.resources import files as package_files
from pathlib import Path
from typing import Any

from openmed.errors import ConfigError, nearest


def conf_folder() -> Path:
    """The folder `conf/`: inside the installed package, or at the top of the checkout."""
    packaged = Path(str(package_files("openmed"))) / "conf"
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "conf"


def choice_names(group: str) -> list[str]:
    """The choices of a group, sorted."""
    return sorted(path.stem for path in (conf_folder() / group).glob("*.yaml"))


def read_choice(group: str, name: str) -> dict[str, Any]:
    """What the YAML of a choice says.

    Raises:
        ConfigError: no such choice.
    """
    import yaml

    if name not in choice_names(group):
        raise ConfigError(f"unknown {group} {name!r}", mend=nearest(name, choice_names(group)))
    return yaml.safe_load(choice_text(group, name))


def choice_text(group: str, name: str) -> str:
    """The YAML of a choice that there is."""
    return (conf_folder() / group / f"{name}.yaml").read_text(encoding="utf-8")
