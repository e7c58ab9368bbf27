"""arXiv's metadata snapshot (as on Kaggle): JSON lines, of which title and abstract of chosen categories are read.

    for text in read_arxiv("arxiv-metadata-oai-snapshot.json", losses=losses, categories=["q-bio"]): ...

LaTeX is kept as it is.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from os import PathLike
from typing import Any

from openmed.errors import ConfigError, DataError, nearest
from openmed.pretraining_text.sources.losses import NO_ABSTRACT, OTHER_CATEGORY
from openmed.pretraining_text.sources.raw_text import RawText, paragraphs, unwrapped
from openmed.readers.lines import numbered_lines

BIOMEDICAL = ("q-bio", "physics.bio-ph", "physics.med-ph")
"""Quantitative biology, biological physics, medical physics. Not stat.AP, eess.IV or cs.CV, which hold statistics and
images of any subject."""
_MEND = 'a line is {"id": "0704.0001", "title": "...", "abstract": "...", "categories": "q-bio.BM cs.LG"}'
_INDENTED = re.compile(r"[ \t]")
"""arXiv marks a new paragraph of an abstract by an indented line."""

# fmt: off
_ARCHIVES = frozenset((
    "acc-phys", "adap-org", "alg-geom", "ao-sci", "astro-ph", "atom-ph", "bayes-an", "chao-dyn", "chem-ph",
    "cmp-lg", "comp-gas", "cond-mat", "cs", "dg-ga", "econ", "eess", "funct-an", "gr-qc", "hep-ex", "hep-lat",
    "hep-ph", "hep-th", "math", "math-ph", "mtrl-th", "nlin", "nucl-ex", "nucl-th", "patt-sol", "physics",
    "plasm-ph", "q-alg", "q-bio", "q-fin", "quant-ph", "solv-int", "stat", "supr-con",
))
# fmt: on
"""arXiv's archives, those closed by now included: what a category is before its dot."""


def read_arxiv(
    path: str | PathLike[str], *, losses: Counter[str], categories: Sequence[str] = BIOMEDICAL
) -> Iterator[RawText]:
    """Stream the records of a snapshot (`.gz`, `.xz` or plain) that are in one of the categories, or cross-listed.

    Args:
        losses: counts records of other categories, and those without an abstract.
        categories: an archive ("q-bio": all that is in it) or a category ("physics.med-ph").

    Raises:
        ConfigError: a category of an archive that arXiv does not have.
        DataError: a line that is no such record, an empty file.
    """
    categories = (categories,) if isinstance(categories, str) else tuple(categories)
    for category in categories:
        if category.split(".")[0] not in _ARCHIVES:
            raise ConfigError(f"arXiv has no archive for {category!r}", mend=nearest(category.split(".")[0], _ARCHIVES))
    return _texts(path, losses, frozenset(categories))


def _texts(path: str | PathLike[str], losses: Counter[str], categories: frozenset[str]) -> Iterator[RawText]:
    found = False
    for number, line in numbered_lines(path):
        if not line.strip():
            continue
        found = True
        try:
            entry = json.loads(line)
            id, title, abstract, own = (_string(entry, key) for key in ("id", "title", "abstract", "categories"))
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
            raise DataError(f"not a record: {what}", path=path, line=number, text=line, mend=_MEND) from error
        if not any(category in categories or category.split(".")[0] in categories for category in own.split()):
            losses[OTHER_CATEGORY] += 1
        elif not (parts := paragraphs(abstract, opening=_INDENTED)):
            losses[NO_ABSTRACT] += 1
        else:
            yield RawText(f"arxiv:{id}", "\n\n".join([unwrapped(title), *parts]).strip())
    if not found:
        raise DataError("the file is empty", path=path, mend=_MEND)


def _string(entry: Any, key: str) -> str:
    if not isinstance(entry, dict):
        raise TypeError("a line must be an object {...}")
    value = entry[key]
    if not isinstance(value, str):
        raise TypeError(f"{key} must be a string, not {value!r}")
    value.encode()  # half a surrogate pair ("\\ud800") would only fail later, in the tokenizer
    return value
