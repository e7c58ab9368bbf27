"""A cell of a plan is known by what decides its outcome: its configuration, the digests of its data, and the cell it
starts from. Where data are not at hand, that is told, too.

lacking = {}
keys = cell_keys(plan, lacking=lacking)         # cell -> digest
lacking["ner/minilm/none/bc4chemd/1"].error     # why another has none
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from openmed.corpora import load_spec
from openmed.corpora.load import split_hashes
from openmed.corpora.spec import ALL_VIEWS
from openmed.errors import ConfigError, DataError, OpenMedError
from openmed.pretraining_text.packed import INDEX
from openmed.pretraining_text.packs import PACKED
from openmed.reproduce.cells import DAPT, NER, Cell, list_cells
from openmed.reproduce.plan import Plan, mix_file
from openmed.training.compose import compose
from openmed.training.friendly import explain
from openmed.training.result import config_digest

OUTCOME_VERSION = 1
"""Raise it with a change of code after which the same settings and data give other outcomes, beyond chance: a mistake
mended in training, scoring or the making of windows, say. All that was done before then counts as not done, so a change
of speed, wording or the last digit is no reason. Nor is the hardware in a key, and with it the precision that
`trainer.precision=auto` takes: records tell what they were made on.
"""
NO_DATA = "data not at hand"
NO_TEXT = "text not packed"


class Lack(NamedTuple):
    """Why a cell cannot be done here.

    Attributes:
        state: `NO_DATA`, or `NO_TEXT` of a pre-training and of the taggers that start from it.
        error: what is lacking, and its mend.
    """

    state: str
    error: DataError


def cell_keys(
    plan: Plan, taggers: Container[str] | None = None, *, lacking: dict[str, Lack] | None = None
) -> dict[str, str]:
    """Cell -> digest of all that decides its outcome.

    Args:
        taggers: names of the taggers that are asked for; None: all. Encoders always count.
        lacking: the cells whose data cannot be read are added to it, and have no key; None: the first of them raises.

    Raises:
        ConfigError: overrides that `train.py` would refuse.
        DataError: data that is not there, where `lacking` is None.
    """
    keys: dict[str, str] = {}
    without: dict[str, Lack] = {}
    corpora: dict[str, dict[str, str] | Lack] = {}
    for cell in list_cells(plan):
        if taggers is not None and cell.kind == NER and cell.name not in taggers:
            continue
        parent = keys.get(cell.parent) if cell.parent else None
        weights = [] if parent is None else [f"backbone.weights={parent}"]
        with _explained(cell):
            config = compose([*cell.overrides, *weights])
            data = _text(cell, config) if cell.kind == DAPT else None
        if cell.kind == DAPT:
            config.dataset.folder = ""  # its place says nothing, its digest all
        else:
            assert cell.corpus is not None
            config.views = ALL_VIEWS  # what a table takes is there either way
            if cell.corpus not in corpora:  # once: what is missing is looked for on the network
                corpora[cell.corpus] = _corpus(cell.corpus)
            data = corpora[cell.corpus]
        lack = data if isinstance(data, Lack) else without.get(cell.parent or "")
        if lack is not None:
            if lacking is None:
                raise lack.error
            without[cell.name] = lack
            continue
        parts: list[Any] = [config_digest(config), data, parent]
        if OUTCOME_VERSION > 1:  # keys of the first one have none
            parts.append(OUTCOME_VERSION)
        keys[cell.name] = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
    if lacking is not None:
        lacking |= without
    return keys


def is_done(done: Mapping[str, Any], name: str, keys: Mapping[str, str]) -> bool:
    """Whether the outcome that is there is that of this very cell."""
    return name in done and done[name]["key"] == keys.get(name)


def told(lacking: Mapping[str, Lack]) -> DataError | None:
    """One error for all that is lacking: each problem once, and its mend; None where nothing is."""
    by_problem: dict[str, tuple[DataError, list[str]]] = {}
    for name, lack in lacking.items():
        by_problem.setdefault(str(lack.error), (lack.error, []))[1].append(name)
    if not by_problem:
        return None
    parts = []
    for error, names in by_problem.values():
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        parts.append(f"{names[0]}{more}: {error.path}: {error.problem}")
    mends = dict.fromkeys(error.mend for error, _ in by_problem.values() if error.mend)
    mend = ". ".join(mend if mend.startswith("openmed ") else mend[:1].upper() + mend[1:] for mend in mends)
    number = f"{len(lacking)} run{'s' if len(lacking) > 1 else ''}"
    return DataError(f"left out, for what they need is not at hand: {number} ({'; '.join(parts)})", mend=mend)


@contextmanager
def _explained(cell: Cell) -> Iterator[None]:
    """Name the cell, and the place in the plan, of overrides that Hydra refuses."""
    try:
        yield
    except OpenMedError:
        raise
    except Exception as error:
        message = explain(error, list(cell.overrides))
        if message is None:
            raise
        common, own = ("pretrain", "overrides") if cell.kind == DAPT else ("train", "train")
        mend = f"see {common} and encoders.{cell.encoder}.{own} in the plan"
        raise ConfigError(f"{cell.name}: {message}", mend=mend) from error


def _text(cell: Cell, config: Any) -> dict[str, str] | Lack:
    """The digest of what a pre-training reads."""
    index = Path(config.dataset.folder).expanduser() / PACKED / cell.backbone / INDEX
    if index.is_file():
        return {INDEX: hashlib.sha256(index.read_bytes()).hexdigest()}
    mix, here = mix_file(cell.text) if cell.text else Path("MIX.yaml"), Path.cwd()
    typed = str(mix.relative_to(here) if mix.is_relative_to(here) else mix)
    options = ["--out", config.dataset.folder, "--backbone", cell.backbone]
    error = DataError(
        f"no text is packed for backbone={cell.backbone}",
        path=index,
        mend=shlex.join(["openmed", "pretrain-text", "build", typed, *options]),
    )
    return Lack(NO_TEXT, error)


def _corpus(name: str) -> dict[str, str] | Lack:
    """Name -> digest of a corpus's files; they are fetched where they are missing and may be."""
    spec = load_spec(name)
    try:
        return {file: digest for split in spec.splits for file, digest in split_hashes(spec, split).items()}
    except DataError as error:
        return Lack(NO_DATA, error)
