"""The two files that say what a run is, read and checked: whatever is asked of them later is there, and of its kind.

result = read_result(folder)
config = read_config(folder)
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from openmed.errors import DataError
from openmed.run_folder import CONFIG, RESULT, value_at

SPLITS = ("test", "dev")
"""In the order of preference."""
UNITS = ("sentences", "documents")
FINISHED, TAGGER = "finished", "ner"
_MEND_RESULT = "it was cut off or altered: copy it again, or leave the run out"
_MEND_CONFIG = "copy it from the run again, or leave the run out"


def read_result(folder: Path) -> dict[str, Any]:
    """A run's `result.json`; that of a finished tagger has its scores, files and counts.

    Raises:
        DataError: not JSON, or not what a run writes.
    """
    path = folder / RESULT
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", None)
        raise DataError(f"not the result of a run: {error}", path=path, line=line, mend=_MEND_RESULT) from error
    if not isinstance(result, dict) or not {"status", "module", "dataset", "seed", "dev", "data"} <= set(result):
        raise DataError("not the result of a run", path=path, mend=_MEND_RESULT)
    if (result["status"], result["module"]) == (FINISHED, TAGGER) and (fault := _fault(result)):
        raise DataError(f"not the result of a run: {fault}", path=path, mend=_MEND_RESULT)
    return result


def read_config(folder: Path) -> dict[str, Any]:
    """A run's composed configuration.

    Raises:
        DataError: missing, or not the YAML that a run writes.
    """
    import yaml

    path = folder / CONFIG
    if not path.is_file():
        raise DataError("it is missing, so the run's settings are not known", path=path, mend="copy it from the run")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as quick, where libyaml is there
    try:
        config = yaml.load(path.read_text(encoding="utf-8"), Loader=loader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise DataError(f"not YAML: {error}", path=path, mend=_MEND_CONFIG) from error
    if not isinstance(config, dict):
        raise DataError("not the configuration of a run", path=path, mend=_MEND_CONFIG)
    corpus = config.get("dataset")
    if not isinstance(corpus, dict):
        problem = f"not the configuration of a run: dataset is {_shown(corpus)}, not the keys of a corpus"
        raise DataError(problem, path=path, mend=_MEND_CONFIG)
    if corpus.get("unit") not in (None, *UNITS):
        problem = f"dataset.unit is {_shown(corpus['unit'])}, none of {', '.join(UNITS)}"
        raise DataError(problem, path=path, mend=_MEND_CONFIG)
    return config


def _fault(result: Mapping[str, Any]) -> str | None:
    """What is amiss with the result of a finished tagger; None where nothing is."""
    forms = {"dataset": _is_text, "seed": _is_number, "data.files": _are_texts}
    for split in SPLITS:
        if result.get(split) is None:
            continue
        forms |= {f"{split}.{name}": _is_number for name in ("tp", "fp", "fn")}
        forms |= {f"data.counts.{split}.{name}": _is_number for name in ("documents", "sentences")}
    for name, will_do in forms.items():
        value = value_at(result, name)
        if not will_do(value):
            return f"{name} is {_shown(value)}, not {_KINDS[will_do]}"
    return None


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_number(value: Any) -> bool:
    return type(value) is int


def _are_texts(value: Any) -> bool:
    return isinstance(value, Mapping) and all(map(_is_text, value.values()))


_KINDS: Mapping[Callable[[Any], bool], str] = {
    _is_text: "a text",
    _is_number: "a whole number",
    _are_texts: "the digests of files",
}


def _shown(value: Any) -> str:
    return f"{value!r:.60}" if value is not None else "missing"
