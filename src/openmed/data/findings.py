"""What reading a split found: all that training must know of it beside the tokenised arrays.

Kept in the user's cache, so a split whose files have not changed is not read again until its documents are asked for.

    findings = Findings.of(load_split(spec, "train"))
    Findings(**json.loads(json.dumps(findings.as_dict()))) == findings
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from openmed.corpora import Split
from openmed.encoding import choose_splitter


@dataclass(frozen=True)
class Findings:
    """JSON-like, so that it can be kept.

    Attributes:
        counts, losses, hashes: as in `openmed.corpora.Split`.
        types: of its mentions, sorted.
        source_types: those of its files, before `dataset.types` renamed or dropped them, sorted.
        splitter: the word splitter that suits it.
    """

    counts: Mapping[str, int]
    losses: Mapping[str, int]
    hashes: Mapping[str, str]
    types: Sequence[str]
    source_types: Sequence[str]
    splitter: str

    @classmethod
    def of(cls, split: Split) -> Findings:
        return cls(
            counts=dict(split.counts),
            losses=dict(split.losses),
            hashes=dict(split.hashes),
            types=sorted({span.label for document in split.documents for span in document.spans}),
            source_types=sorted(split.source_types),
            splitter=choose_splitter(split.documents),
        )

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)
