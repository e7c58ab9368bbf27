"""A plan: which encoders are pre-trained, and on which corpora and with which seeds taggers are trained on them.

plan = Plan.read("dapt-effect")     # conf/reproduce/dapt-effect.yaml; a path works too
list_cells(plan)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from openmed.choices import choice_names, conf_folder, read_choice
from openmed.corpora import corpus_names
from openmed.errors import ConfigError, nearest

GROUP = "reproduce"
DAPT, NER = "dapt", "ner"


@dataclass(frozen=True)
class Encoder:
    """What taggers start from.

    Args:
        overrides: of its pre-training, beside the plan's; None takes the backbone as it is.
        taggers: whether taggers are trained on it.
    """

    overrides: tuple[str, ...] | None = None
    taggers: bool = True


@dataclass(frozen=True)
class Plan:
    """Args:
        name: of the plan.
        backbones, corpora, seeds: every tagger is trained for each of their combinations.
        encoders: name -> encoder.
        baseline: the encoder that the others are compared with.
        pretrain: overrides of every pre-training.
        train: overrides of every tagger's training.
        title: for the table.

    Raises:
        ConfigError: an unknown backbone, corpus or baseline; nothing to do.
    """

    name: str
    backbones: tuple[str, ...]
    corpora: tuple[str, ...]
    seeds: tuple[int, ...]
    encoders: Mapping[str, Encoder]
    baseline: str
    pretrain: tuple[str, ...] = ()
    train: tuple[str, ...] = ()
    title: str = ""

    def __post_init__(self) -> None:
        for names, known, what in (
            (self.backbones, choice_names("backbone"), "backbone"),
            (self.corpora, corpus_names(), "corpus"),
            ((self.baseline,), list(self.encoders), "baseline"),
        ):
            if not names:
                raise ConfigError(f"plan {self.name!r} names no {what}")
            for name in names:
                if name not in known:
                    raise ConfigError(f"plan {self.name!r}: unknown {what} {name!r}", mend=nearest(name, known))
        if not self.seeds:
            raise ConfigError(f"plan {self.name!r} names no seed")

    @classmethod
    def read(cls, name: str) -> Plan:
        """That of `conf/reproduce/<name>.yaml`, or of a YAML of one's own.

        Raises:
            ConfigError: no such plan; an unknown or missing key.
        """
        own = Path(name)
        if own.suffix in (".yaml", ".yml"):
            try:
                content = yaml.safe_load(own.read_text(encoding="utf-8"))
            except (OSError, yaml.YAMLError) as error:
                raise ConfigError(f"the plan {name} cannot be read ({error})") from error
        else:
            content = read_choice(GROUP, name)
        return cls.from_mapping(content)

    @classmethod
    def from_mapping(cls, content: Mapping[str, Any]) -> Plan:
        """From a parsed YAML."""
        _refuse_unknown(content, cls, "the plan")
        encoders = {}
        for name, entry in (content.get("encoders") or {}).items():
            _refuse_unknown(entry or {}, Encoder, f"encoders.{name}")
            given = dict(entry or {})
            if given.get("overrides") is not None:
                given["overrides"] = tuple(given["overrides"])
            encoders[name] = Encoder(**given)
        lists = {key: tuple(content.get(key) or ()) for key in ("backbones", "corpora", "seeds", "pretrain", "train")}
        for key in ("name", "baseline"):
            if not content.get(key):
                raise ConfigError(f"the plan lacks {key!r}", mend=f"see {conf_folder() / GROUP}")
        return cls(**{**content, **lists, "encoders": encoders})


@dataclass(frozen=True)
class Cell:
    """One run of `train.py`.

    Attributes:
        name: "dapt/<backbone>/<encoder>" or "ner/<backbone>/<encoder>/<corpus>/<seed>".
        kind: "dapt" or "ner".
        overrides: all of them but the folder and, of a tagger on a pre-trained encoder, `backbone.weights`.
        parent: name of the cell whose encoder it starts from.
    """

    name: str
    kind: str
    backbone: str
    encoder: str
    overrides: tuple[str, ...]
    corpus: str | None = None
    seed: int = 1
    parent: str | None = None


def plan_names() -> list[str]:
    """The plans that come along."""
    return choice_names(GROUP)


def list_cells(plan: Plan) -> list[Cell]:
    """All runs, in an order in which they can be done; what compares stands together, so that early tables say much."""
    cells: list[Cell] = []
    for backbone in plan.backbones:
        pretrained: dict[str, Cell] = {}
        for name, encoder in plan.encoders.items():
            if encoder.overrides is not None:
                overrides = ("module=dapt", f"backbone={backbone}", *plan.pretrain, *encoder.overrides)
                pretrained[name] = Cell(f"{DAPT}/{backbone}/{name}", DAPT, backbone, name, overrides)
        cells += pretrained.values()
        for seed in plan.seeds:
            for corpus in plan.corpora:
                for name in (name for name, encoder in plan.encoders.items() if encoder.taggers):
                    overrides = (f"dataset={corpus}", f"backbone={backbone}", *plan.train, f"seed={seed}")
                    parent = pretrained[name].name if name in pretrained else None
                    label = f"{NER}/{backbone}/{name}/{corpus}/{seed}"
                    cells.append(Cell(label, NER, backbone, name, overrides, corpus, seed, parent))
    return cells


def _refuse_unknown(values: Mapping[str, Any], kind: type, where: str) -> None:
    known: Sequence[str] = [f.name for f in fields(kind)]
    for key in values:
        if key not in known:
            raise ConfigError(f"unknown key {key!r} in {where}", mend=nearest(str(key), known))
