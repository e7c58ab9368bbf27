"""Errors of Hydra, OmegaConf and the operating system as one paragraph with the mend.

explain(error, ["dataset=ncbl"])    # "unknown dataset 'ncbl'. Did you mean 'ncbi'? Known: ..."
"""

from __future__ import annotations

import errno
import re
from pathlib import Path

from hydra.errors import HydraException, InstantiationException, MissingConfigException, OverrideParseException
from omegaconf import OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from openmed.choices import conf_folder
from openmed.errors import OpenMedError, nearest
from openmed.training.axes import PREFIX, part_of_a_list


def explain(error: BaseException, arguments: list[str]) -> str | None:
    """A paragraph for errors that a user can cause; None for all others."""
    for link in _chain(error):
        if isinstance(link, OpenMedError):
            return str(link)
        if isinstance(link, OSError) and link.errno == errno.ENOSPC:
            return "the disk is full: free some space, then go on with python train.py resume=<run folder>."
    if isinstance(error, InstantiationException):
        cause = error.__cause__ or error
        return f"{_first_line(cause)} (while making {_target(error)})."
    if isinstance(error, MissingConfigException):
        return _unknown_choice(arguments) or _first_line(error)
    if isinstance(error, MissingMandatoryValue):
        return f"{_first_line(error)}. Give it on the command line: <key>=<value>."
    if isinstance(error, OverrideParseException) or str(error).startswith("Ambiguous value"):
        return _unreadable(error)
    if isinstance(error, HydraException | OmegaConfBaseException):
        return _unknown_choice(arguments) or _unknown_key(arguments) or _not_composed(error)
    return part_of_a_list(error, arguments)


def _unreadable(error: BaseException) -> str:
    """An argument that Hydra's grammar cannot read, such as a path with = or a comma in it."""
    override = getattr(error, "override", None) or _quoted(error)
    key, _, value = override.partition("=")
    return (
        f"cannot read the argument {override}: a value with any of = , ( ) [ ] {{ }} ~ : in it is quoted twice, as in "
        f"'{key}=\"{value}\"'"
    )


def _not_composed(error: BaseException) -> str:
    """A key that some config file has, but not those chosen here."""
    line = _first_line(error)
    key = _quoted(error)
    if line.startswith("Could not delete") and key.startswith(PREFIX):
        return f"{key} is not in this search's space; +{key}=... adds it."
    return f"{line} Nothing of that name is in this configuration; +{key}=... adds it." if "override" in line else line


def _quoted(error: BaseException) -> str:
    found = re.search(r"'([^']+)'", str(error))
    return found[1] if found else ""


def _chain(error: BaseException):
    link: BaseException | None = error
    while link is not None:
        yield link
        link = link.__cause__ or link.__context__


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _target(error: BaseException) -> str:
    found = re.search(r"full_key: (\S+)", str(error))
    return found[1] if found else "an object of the configuration"


def _unknown_choice(arguments: list[str]) -> str | None:
    """A `group=name` whose file does not exist, such as dataset=ncbl."""
    conf = conf_folder()
    for argument in arguments:
        key, separator, value = argument.lstrip("+~").partition("=")
        group = conf / key
        if not separator or not group.is_dir():
            continue
        known = [path.stem for path in group.glob("*.yaml")]
        for name in value.split(","):
            if name not in known and name not in ("null", ""):
                return f"unknown {key} {name!r}. {nearest(name, known)}."
    return None


def _unknown_key(arguments: list[str]) -> str | None:
    """A key that no config file has, such as optim.lrr=1."""
    known = _all_keys(conf_folder())
    for argument in arguments:
        key = argument.partition("=")[0]
        if "=" in argument and not key.startswith(("+", "~", "hydra.")) and key not in known:
            close = nearest(key, known).split(" Known:")[0]
            hint = close if close.startswith("Did") else "See conf/train.yaml for what there is."
            return f"unknown key {key!r}. {hint} (A leading + adds a key that is new on purpose.)"
    return None


def _all_keys(conf: Path) -> set[str]:
    """Dotted names of every key in the config files, groups included."""
    keys: set[str] = set()
    for path in conf.rglob("*.yaml"):
        parts = path.relative_to(conf).parts[:-1]
        keys |= {"/".join(parts[: i + 1]) for i in range(len(parts))}
        if parts[:1] in (("experiment",), ("debug",)):
            continue
        prefix = ".".join(parts)
        loaded = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
        keys |= {f"{prefix}.{key}".strip(".") for key in _dotted(loaded)}
    return keys


def _dotted(node, prefix: str = ""):
    if isinstance(node, dict):
        for key, value in node.items():
            name = f"{prefix}{key}"
            yield name
            yield from _dotted(value, f"{name}.")
