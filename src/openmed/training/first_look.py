"""What a corpus of the user's own turned out to hold, printed before training spends minutes on it.

if is_own(datamodule.spec): print_sections([first_look(datamodule)])
"""

from __future__ import annotations

from typing import Any

from openmed.analysis.leakage import Leak, Seen
from openmed.analysis.report.blocks import Block, Prose, Section
from openmed.analysis.stats import Profile, overview, profile_documents
from openmed.corpora import CorpusSpec, corpus_file
from openmed.corpora.places import PACKAGE
from openmed.data import NerDataModule
from openmed.errors import nearest
from openmed.readers import detect_format
from openmed.tagging import DISCONTINUOUS, NESTED

FEW_MENTIONS = 50
"""Below this many training mentions of a type, a tagger learns little of it."""
MANY_SENTENCES = 200_000
"""Beyond this, looking for dev's sentences in train would take longer than a first look may."""


def is_own(spec: CorpusSpec) -> bool:
    """Whether the files are the user's own: neither fetched from a pinned address nor shipped in the package."""
    return not spec.files and not spec.train.startswith(PACKAGE)


MAKERS = ("analysis", "training/first_look.py")
"""The code that decides what is seen: another version of it looks anew."""


def first_look(datamodule: NerDataModule) -> Section:
    """Counts and lengths of train and dev, then what should be known before a score is believed. Test is not read.

    What was seen is kept: a corpus that has not changed is not read and counted once more for it.
    """

    def look() -> dict[str, Any]:
        return _look(datamodule).as_dict()

    return Section.from_dict(datamodule.remember("first_look", ("train", "dev"), look, makers=MAKERS))


def _look(datamodule: NerDataModule) -> Section:
    spec = datamodule.spec
    splits = {name: datamodule.split(name) for name in ("train", "dev")}
    profiles = {
        name: profile_documents(
            name, split.documents, splitter=datamodule.info.splitter, counts=split.counts, losses=split.losses
        )
        for name, split in splits.items()
    }
    types = profiles["train"].per_type
    notes = [
        f"Read as {spec.format or detect_format(corpus_file(spec, spec.train))}; types: {', '.join(sorted(types))}."
    ]
    if spec.makes_dev:
        notes.append(
            f"There is no dev file: {len(splits['dev'].documents):,} documents of train were set aside as dev "
            f"(dataset.dev_fraction={spec.dev_fraction}, dataset.split_seed={spec.split_seed})."
        )
    notes += [
        f"Type {name} has only {number:,} mentions to learn from."
        for name, number in sorted(types.items())
        if number < FEW_MENTIONS
    ]
    if lost := profiles["train"].untagged[DISCONTINUOUS] + profiles["train"].untagged[NESTED]:
        notes.append(
            f"{lost:,} mentions of train are nested or discontinuous: tags cannot hold them, so none is learnt."
        )
    if (number := profiles["dev"].counts["entities"]) < FEW_MENTIONS:
        notes.append(f"Dev has only {number:,} mentions: its scores are rough.")
    found = splits["train"].source_types
    notes += [
        f"dataset.types speaks of {name!r}, but train has no mention of it. {nearest(name, found)}"
        for name in sorted(set(spec.types or {}) - found)
    ]
    if profiles["train"].num_sentences > MANY_SENTENCES:
        notes.append(
            f"Over {MANY_SENTENCES:,} sentences, so not searched for sentences of dev that stand in train too."
        )
    elif seen := _seen_in_train(datamodule):
        notes.append(f"{seen:,} sentences of dev stand in train too, or nearly so: dev scores are too good by that.")
    profile = Profile(spec, profiles, {})
    blocks: list[Block] = [block for section in overview(profile) for block in section.blocks]
    return Section(f"A first look at {spec.name}", [*blocks, *(Prose(f"- {note}") for note in notes)])


def _seen_in_train(datamodule: NerDataModule) -> int:
    seen = Seen()
    seen.add("train", datamodule.split("train").documents)
    leaks: list[Leak | None] = [
        leak for sentences in seen.leaks(datamodule.split("dev").documents) for leak in sentences
    ]
    return sum(leak is not None for leak in leaks)
