"""The one small object by which data, network and artefact agree: what is tagged, and how text is cut.

The module needs the tags before it can build its head, prediction needs the splitter and window long after the
corpus is gone; neither should know a DataModule. So this, and nothing else, is what passes between them.

    info = TaggingInfo(types=("Chemical", "Disease"), splitter="punctuation", max_pieces=256, overlap=50)
    info.tags       # ("O", "B-Chemical", "I-Chemical", "B-Disease", "I-Disease")
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from openmed.encoding.collate import NUM_SPECIAL
from openmed.encoding.windows import check_window
from openmed.tagging import tag_names

MAX_WORD_PIECES = 64


@dataclass(frozen=True)
class TaggingInfo:
    """Args:
        types: entity types in the order of their tags.
        splitter: how raw text is split into words.
        max_pieces: length of a window, special tokens included.
        overlap: pieces that neighbouring windows share.

    Raises:
        ConfigError: a window that does not fit its overlap.
    """

    types: tuple[str, ...]
    splitter: str
    max_pieces: int
    overlap: int

    def __post_init__(self) -> None:
        check_window(self.max_pieces, self.overlap, NUM_SPECIAL)

    @property
    def tags(self) -> tuple[str, ...]:
        return tuple(tag_names(self.types))

    @property
    def tag_ids(self) -> dict[str, int]:
        return {tag: index for index, tag in enumerate(self.tags)}

    @property
    def capacity(self) -> int:
        """Pieces of text in a window."""
        return self.max_pieces - NUM_SPECIAL

    @property
    def max_word_pieces(self) -> int:
        return min(MAX_WORD_PIECES, self.capacity)

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "types": list(self.types)}

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> TaggingInfo:
        return cls(**{**values, "types": tuple(values["types"])})
