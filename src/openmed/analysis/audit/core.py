"""One corpus, audited: what is at hand is read once, every check is run on it, findings are ranked.

audit = audit_corpus("jnlpba")
audit.findings[0].verdict, audit.sections(), audit.as_dict()
audit.clean_subset().write("jnlpba_clean.json")
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from openmed.analysis.audit.characters import characters, lengths
from openmed.analysis.audit.finding import Finding, Splits, Weight, joined
from openmed.analysis.audit.leaks import Pair, leakage, leakage_finding
from openmed.analysis.audit.losses import reading_losses
from openmed.analysis.audit.mentions import mention_conflicts
from openmed.analysis.audit.offsets import offset_faults
from openmed.analysis.audit.repeats import repeats
from openmed.analysis.audit.tokenizers import tokenizer_fit
from openmed.analysis.leakage import Rule, Seen, Subset, clean_subset
from openmed.analysis.report.blocks import Block, Cell, Prose, Section, Table
from openmed.corpora import CorpusSpec, Split, is_here, load_spec, load_split
from openmed.errors import DataError
from openmed.networks import BackboneSpec

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Audit:
    """What is known about a corpus.

    Attributes:
        corpus, title: its name and its full name.
        splits: what could be read.
        missing: split -> its file, which is not at hand.
        findings: the weightiest first.
        pairs: what the leakage findings are made of.
        seen: the sentences and documents of train and dev.
    """

    corpus: str
    title: str
    splits: Mapping[str, Split]
    missing: Mapping[str, str]
    findings: Sequence[Finding]
    pairs: Sequence[Pair]
    seen: Seen = field(repr=False)

    def finding(self, name: str) -> Finding:
        """The finding of that name.

        Raises:
            KeyError: no such finding.
        """
        return {finding.name: finding for finding in self.findings}[name]

    def as_dict(self) -> dict[str, Any]:
        """As JSON: {schema_version, corpus, title, rule, splits, missing, files, findings}."""
        return {
            "schema_version": SCHEMA_VERSION,
            "corpus": self.corpus,
            "title": self.title,
            "rule": self.seen.rule.as_dict(),
            "splits": {name: dict(split.counts) for name, split in self.splits.items()},
            "missing": dict(self.missing),
            "files": {path: digest for split in self.splits.values() for path, digest in split.hashes.items()},
            "findings": [finding.as_dict() for finding in self.findings],
        }

    def sections(self, *, max_examples: int = 10) -> list[Section]:
        """The corpus first, then a section per finding, then what was looked for and not found."""
        found = [finding.section(max_examples) for finding in self.findings if finding.weight]
        clear = [Prose(finding.sentence) for finding in self.findings if not finding.weight]
        overview = Section(self._name, self._overview())
        return [overview, *found, *([Section("Looked for and not found", clear)] if clear else [])]

    def short_section(self, *, max_examples: int = 3) -> Section:
        """All of it in one section, for a report on many corpora: verdicts, and examples of what matters most."""
        blocks: list[Block] = self._overview()
        for finding in self.findings:
            if finding.weight:
                blocks.append(Prose(finding.sentence))
            if finding.weight >= Weight.TRAINING:
                blocks += finding.section(max_examples).blocks[1 + len(finding.tables) :]
        if clear := [finding.title for finding in self.findings if not finding.weight]:
            blocks.append(Prose(f"Looked for and not found: {'; '.join(clear)}."))
        return Section(self._name, blocks)

    def clean_subset(self, split: str = "test") -> Subset:
        """The part of a split (test, or dev) that was not seen in train (and, of test, in dev).

        Raises:
            DataError: the split, or train, is not at hand: what train holds cannot be called unseen.
        """
        against = [name for name in self.seen.splits if name != split]
        if split not in self.splits or "train" not in against:
            absent = [name for name in ("train", split) if name not in self.splits]
            raise DataError(
                f"no clean {split} subset of {self.corpus!r} can be told: it needs {split} and train, and here are "
                f"{', '.join(self.splits)}",
                mend=f"get {joined(absent)}: openmed corpora fetch {self.corpus}",
            )
        seen = self.seen
        if len(against) < len(seen.splits):  # of dev: dev itself was not trained on
            seen = Seen(seen.rule)
            for name in against:
                seen.add(name, self.splits[name].documents)
        files = {path: digest for name in (*against, split) for path, digest in self.splits[name].hashes.items()}
        return clean_subset(self.corpus, split, self.splits[split].documents, seen, files=files)

    def write_subset(self, path: str | Path, split: str = "test") -> Subset:
        """Write `clean_subset` to a JSON file, and return it."""
        subset = self.clean_subset(split)
        subset.write(path)
        return subset

    @property
    def _name(self) -> str:
        return f"{self.title} ({self.corpus})" if self.title else self.corpus

    def _overview(self) -> list[Block]:
        """What was read. Raw text has no words or sentences of its own: an empty cell."""
        general = ("documents", "sentences", "words", "entities")
        rows: list[list[Cell]] = [
            [name, *(split.counts[key] or None for key in general)] for name, split in self.splits.items()
        ]
        absent = [
            Prose(f"{split} is not at hand ({file}): what needs it was left out.")
            for split, file in self.missing.items()
        ]
        return [Table(("split", *general), rows), *absent]


def audit_corpus(
    corpus: str | CorpusSpec, *, backbones: Sequence[str] = ("minilm",), rule: Rule | None = None
) -> Audit:
    """Read the splits that are on this machine and look for whatever makes scores or training worse.

    Nothing is fetched.

    Args:
        corpus: a name (`conf/dataset/<name>.yaml`), or a spec.
        backbones: whose tokenizers to try, as in `backbone=<name>`.
        rule: when a sentence counts as seen.

    Raises:
        ConfigError: no such corpus or backbone.
        DataError: none of its splits is at hand, or a file is malformed or another than its YAML says.
    """
    spec = load_spec(corpus) if isinstance(corpus, str) else corpus
    for name in backbones:
        BackboneSpec.named(name)  # a slip of the pen is told before minutes of work
    missing = {split: file for split in spec.splits if (file := missing_file(spec, split))}
    loaded = {split: load_split(spec, split) for split in spec.splits if split not in missing}
    if not loaded:
        raise DataError(
            f"no split of {spec.name!r} is on this machine ({', '.join(missing.values())})",
            mend=f"openmed corpora fetch {spec.name}",
        )
    documents: Splits = {name: split.documents for name, split in loaded.items()}
    rule = rule or Rule()
    seen, pairs = leakage(documents, rule)
    findings = [
        *(leakage_finding(pair, rule) for pair in pairs),
        repeats(documents, rule),
        *mention_conflicts(documents),
        reading_losses({name: split.losses for name, split in loaded.items()}),
        offset_faults(documents),
        *(tokenizer_fit(name, documents) for name in backbones),
        characters(documents),
        lengths(documents),
    ]
    ranked = sorted(findings, key=lambda finding: -finding.weight)
    return Audit(spec.name, spec.title, loaded, missing, ranked, pairs, seen)


def missing_file(spec: CorpusSpec, split: str) -> str | None:
    """The first file that a split needs and this machine lacks, as its YAML names it; None when all are here."""
    owner = "train" if split == "dev" and spec.makes_dev else split
    needed = [spec.split_file(split)]
    if spec.groups is not None and spec.groups.format is not None:
        needed.append(getattr(spec.groups, owner))
    if spec.ids is not None:
        needed.append(getattr(spec.ids, split))
    return next((name for name in needed if name and not is_here(spec, name)), None)
