"""The part of a test split that was not seen in training, as a small JSON that anyone can score by.

Units are named by a hash of their text without white space, so the file holds no corpus text and works for any file of
the same corpus, whatever its ids and its tokenisation.

    clean_subset("jnlpba", "test", documents, seen, files=split.hashes).write("jnlpba_clean.json")
    subset = Subset.read("jnlpba_clean.json")
    scored = [unit for unit in units if subset.keeps(unit)]
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

from openmed.analysis.leakage.passages import Passage, passage_of, sentences_of
from openmed.analysis.leakage.rule import Leak, Rule
from openmed.analysis.leakage.seen import Seen
from openmed.errors import DataError, OpenMedError
from openmed.spans import Document
from openmed.writers.atomic import atomic_path

_MEND = "write it again: openmed corpora audit NAME --clean FILE"


@dataclass(frozen=True)
class Removed:
    """A unit that was seen.

    Attributes:
        id, group: of the unit; a sentence is named `<document>#<n>`, n from 1.
        text_sha256: hex digest of its text without white space, in UTF-8.
        reason: see `openmed.analysis.leakage.rule`.
        twin: {split, id} of the text that it repeats.
    """

    id: str
    group: str
    text_sha256: str
    reason: str
    twin: Mapping[str, str]


@dataclass(frozen=True)
class Part:
    """One view of the split: how many units are kept, and which are removed."""

    kept: int
    removed: tuple[Removed, ...]


@dataclass(frozen=True)
class Subset:
    """The clean part of a split.

    Attributes:
        corpus, split: what it is a part of.
        against: the splits that were searched for twins.
        rule: what counted as seen.
        files: path (as in the corpus's YAML) -> "sha256:<hex>" of what was read.
        sentences, documents: the two views.
    """

    corpus: str
    split: str
    against: tuple[str, ...]
    rule: Rule
    files: Mapping[str, str]
    sentences: Part
    documents: Part

    def keeps(self, document: Document) -> bool:
        """Whether a unit, a sentence or a whole document, is in the clean part: its text is not among the removed."""
        return text_sha256(passage_of(document).letters) not in self._hashes

    @cached_property
    def _hashes(self) -> frozenset[str]:
        return frozenset(unit.text_sha256 for part in (self.sentences, self.documents) for unit in part.removed)

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "against": list(self.against)}

    def write(self, path: str | PathLike[str]) -> None:
        """Write it as JSON; the file appears only when whole."""
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps(self.as_dict(), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: str | PathLike[str]) -> Subset:
        """Read what `write` wrote.

        Raises:
            DataError: a file that cannot be read or is no such JSON.
        """
        try:
            values = json.loads(Path(path).read_text(encoding="utf-8"))
            return cls(
                **{
                    **values,
                    "against": tuple(values["against"]),
                    "rule": Rule(**values["rule"]),
                    "sentences": _part(values["sentences"]),
                    "documents": _part(values["documents"]),
                }
            )
        except OSError as error:
            raise DataError(f"cannot be opened ({error.strerror})", path=path, mend="check the path") from error
        except OpenMedError as error:
            raise DataError(f"its rule is none: {error.problem}", path=path, mend=_MEND) from error
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise DataError(f"not a clean subset ({error})", path=path, mend=_MEND) from error


def clean_subset(
    corpus: str, split: str, documents: Sequence[Document], seen: Seen, *, files: Mapping[str, str]
) -> Subset:
    """What of `documents` is not in `seen`, sentence by sentence and document by document."""
    sentences = [sentence for document in documents for sentence in sentences_of(document)]
    single = {document.id for document in documents if len(list(sentences_of(document))) == 1}
    return Subset(
        corpus=corpus,
        split=split,
        against=seen.splits,
        rule=seen.rule,
        files=dict(files),
        sentences=_removed(sentences, [seen.leak(sentence) for sentence in sentences], single),
        documents=_removed(
            [passage_of(document) for document in documents],
            [seen.document_leak(document) for document in documents],
            single,
        ),
    )


def text_sha256(letters: str) -> str:
    """Hex digest of a text that holds no white space."""
    return hashlib.sha256(letters.encode("utf-8", errors="surrogatepass")).hexdigest()


def _removed(units: Sequence[Passage], leaks: Sequence[Leak | None], single: set[str]) -> Part:
    removed = tuple(
        Removed(
            _unit_id(unit.document_id, None if unit.document_id in single else unit.index),
            unit.group,
            text_sha256(unit.letters),
            leak.reason,
            {"split": leak.split, "id": _unit_id(leak.document_id, leak.sentence_index)},
        )
        for unit, leak in zip(units, leaks, strict=True)
        if leak
    )
    return Part(len(units) - len(removed), removed)


def _unit_id(document_id: str, index: int | None) -> str:
    return document_id if index is None else f"{document_id}#{index + 1}"


def _part(values: Mapping[str, Any]) -> Part:
    return Part(values["kept"], tuple(Removed(**unit) for unit in values["removed"]))
