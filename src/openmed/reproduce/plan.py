"""A plan: which encoders are pre-trained, and on which corpora and with which seeds taggers are trained on them.

plan = Plan.read("dapt-effect")     # conf/reproduce/dapt-effect.yaml; a path works too
plan.encoders["lora"].overrides
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from openmed.choices import choice_names, conf_folder
from openmed.corpora import corpus_names
from openmed.errors import ConfigError, nearest
from openmed.forms import Forms, are_texts, checked, have_names, is_text

GROUP = "reproduce"
MIXES = "pretrain_text"
MAX_SEED = 2**32 - 1


def _are_seeds(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(type(seed) is int and 0 <= seed <= MAX_SEED for seed in value)


def _are_shares(value: Any) -> bool:
    return have_names(value) and all(type(share) in (int, float) and 0 <= share <= 100 for share in value.values())


PLAN_FORMS: Forms = {
    "name": (is_text, "name: mine"),
    "backbones": (are_texts, "backbones: [minilm]"),
    "corpora": (are_texts, "corpora: [ncbi, s800]"),
    "seeds": (_are_seeds, "seeds: [1, 2, 3]"),
    "encoders": (have_names, "encoders: {none: {}, lora: {overrides: [lora=all_linear]}}"),
    "baseline": (is_text, "baseline: none"),
    "pretrain": (are_texts, "pretrain: [dataset=dapt_mix, logger=none]"),
    "train": (are_texts, "train: [test=true, logger=none]"),
    "title": (is_text, "title: What it buys"),
    "source": (is_text, "source: arXiv 2508.01630"),
    "reported": (_are_shares, "reported: {ncbi: 91.10}"),
    "text": (is_text, "text: near_tasks"),
}
"""Key of a plan -> whether a value will do, and one that does."""
ENCODER_FORMS: Forms = {
    "overrides": (are_texts, "overrides: [lora=none, optim.lr=3e-4]"),
    "taggers": (lambda value: isinstance(value, bool), "taggers: false"),
    "start": (is_text, "start: head"),
    "of": (is_text, "of: lora"),
    "train": (are_texts, "train: [backbone.interpolation=0.5]"),
    "text": (is_text, "text: near_tasks"),
}


@dataclass(frozen=True)
class Encoder:
    """What taggers start from.

    Args:
        overrides: of its pre-training, beside the plan's; None takes the backbone as it is.
        taggers: whether taggers are trained on it.
        start: the encoder, named before it, whose weights its pre-training starts from; None: the backbone's.
        of: the encoder, named before it, whose pre-training it takes instead of one of its own.
        train: overrides of its taggers' training, beside the plan's.
        text: the mix of what it reads, instead of the plan's.
    """

    overrides: tuple[str, ...] | None = None
    taggers: bool = True
    start: str | None = None
    of: str | None = None
    train: tuple[str, ...] = ()
    text: str | None = None

    @property
    def is_pretrained(self) -> bool:
        """Whether it is not the backbone as it is."""
        return self.overrides is not None or self.of is not None


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
        reported: corpus -> test F1 in % that somebody else reports, to stand beside ours.
        source: who reports it.
        text: the mix that the text of the pre-trainings is built by: of conf/pretrain_text, or a YAML.

    Raises:
        ConfigError: an unknown backbone, corpus, baseline, start or text; nothing to do; the same twice.
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
    reported: Mapping[str, float] = field(default_factory=dict)
    source: str = ""
    text: str | None = None

    def __post_init__(self) -> None:
        for names, known, what in (
            (self.backbones, choice_names("backbone"), "backbone"),
            (self.corpora, corpus_names(), "corpus"),
            ((self.baseline,), list(self.encoders), "baseline"),
            (tuple(self.reported) or self.corpora, corpus_names(), "corpus"),
        ):
            if not names:
                raise ConfigError(f"plan {self.name!r} names no {what}", mend=f"known: {', '.join(known)}")
            for name in names:
                if name not in known:
                    raise ConfigError(f"plan {self.name!r}: unknown {what} {name!r}", mend=nearest(name, known))
        if self.reported and not self.source:
            raise ConfigError(f"plan {self.name!r} does not say who reports", mend=f"write {PLAN_FORMS['source'][1]}")
        for text in (self.text, *(encoder.text for encoder in self.encoders.values())):
            if text is not None and not mix_file(text).is_file():
                mend = nearest(text, choice_names(MIXES))
                raise ConfigError(f"plan {self.name!r}: there is no text {text!r}", mend=f"{mend}, or a YAML's path")
        if not self.seeds:
            raise ConfigError(f"plan {self.name!r} names no seed", mend=f"write {PLAN_FORMS['seeds'][1]}")
        pretrained: list[str] = []
        for name, encoder in self.encoders.items():
            if encoder.start is not None and (encoder.overrides is None or encoder.start not in pretrained):
                problem = f"encoder {name!r} cannot start from {encoder.start!r}"
                mend = "both need overrides, and what is started from stands first"
                raise ConfigError(f"plan {self.name!r}: {problem}", mend=mend)
            if encoder.of is not None and (encoder.overrides is not None or encoder.of not in pretrained):
                problem = f"encoder {name!r} cannot be that of {encoder.of!r}"
                mend = "it takes no overrides, and what it takes the pre-training of stands first, with overrides"
                raise ConfigError(f"plan {self.name!r}: {problem}", mend=mend)
            if encoder.overrides is not None:
                pretrained.append(name)
        for key in ("backbones", "corpora", "seeds"):
            values = getattr(self, key)
            for value in values:
                if values.count(value) > 1:
                    raise ConfigError(f"plan {self.name!r}: {key} names {value!r} twice", mend="name it once")

    def of_encoders(self, names: Collection[str]) -> Plan:
        """The same with these encoders alone, and the baseline. What they start from is pre-trained, and no more.

        Raises:
            ConfigError: it has no encoder of that name.
        """
        for name in names:
            if name not in self.encoders:
                raise ConfigError(f"plan {self.name!r} has no encoder {name!r}", mend=nearest(name, self.encoders))
        kept = {self.baseline, *names}
        needed: set[str] = set()
        for name, encoder in reversed(list(self.encoders.items())):  # what is started from stands first
            if name in kept | needed:
                needed |= {other for other in (encoder.start, encoder.of) if other is not None}
        encoders = {
            name: encoder if name in kept else replace(encoder, taggers=False)
            for name, encoder in self.encoders.items()
            if name in kept | needed
        }
        return replace(self, encoders=encoders)

    @classmethod
    def read(cls, name: str) -> Plan:
        """That of `conf/reproduce/<name>.yaml`, or of a YAML of one's own.

        Raises:
            ConfigError: no such plan; what `from_mapping` refuses.
        """
        place = _file(name, GROUP)
        if place != Path(name) and name not in plan_names():
            raise ConfigError(f"unknown plan {name!r}", mend=nearest(name, plan_names()))
        try:
            content = yaml.safe_load(place.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise ConfigError(
                f"the plan {place} cannot be read ({error})", mend="it must be a YAML in UTF-8"
            ) from error
        return cls.from_mapping(content, where=str(place))

    @classmethod
    def from_mapping(cls, content: Any, *, where: str = "the plan") -> Plan:
        """From a parsed YAML.

        Args:
            where: it comes from, for errors.

        Raises:
            ConfigError: an unknown or missing key, a value of another form, what a plan refuses.
        """
        given = checked(content, PLAN_FORMS, where)
        for key in ("name", "baseline"):
            if not given.get(key):
                raise ConfigError(f"{where} lacks {key!r}", mend=f"write {PLAN_FORMS[key][1]}")
        encoders = {}
        for name, entry in given.pop("encoders", {}).items():
            of_encoder = checked({} if entry is None else entry, ENCODER_FORMS, f"encoders.{name} of {where}")
            lists = {key: tuple(of_encoder[key]) for key in ("overrides", "train") if key in of_encoder}
            encoders[name] = Encoder(**{**of_encoder, **lists})
        lists = {key: tuple(given.get(key, ())) for key in ("backbones", "corpora", "seeds", "pretrain", "train")}
        try:
            return cls(**{**given, **lists, "encoders": encoders})
        except ConfigError as error:
            raise ConfigError(f"{where}: {error.problem}", mend=error.mend) from None


def mix_file(text: str) -> Path:
    """The YAML of a mix of conf/pretrain_text, or that path. It need not be there."""
    return _file(text, MIXES)


def plan_names() -> list[str]:
    """The plans that come along."""
    return choice_names(GROUP)


def _file(name: str, group: str) -> Path:
    """A path to a YAML, or that of a choice of `conf/`."""
    place = Path(name)
    return place if place.suffix in (".yaml", ".yml") else conf_folder() / group / f"{name}.yaml"
