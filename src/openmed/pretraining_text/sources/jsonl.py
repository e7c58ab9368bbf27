"""JSON lines of any keys: one text a line.

for text in read_jsonl_texts("abstracts.jsonl.xz", losses=losses, text=["title", "abstract"], pmid="pmid"): ...
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from os import PathLike
from typing import Any

from openmed.errors import ConfigError, DataError, nearest
from openmed.pretraining_text.sources.losses import NO_TEXT
from openmed.pretraining_text.sources.raw_text import RawText, file_stem
from openmed.readers.lines import numbered_lines


def read_jsonl_texts(
    path: str | PathLike[str],
    *,
    losses: Counter[str],
    text: str | Sequence[str] = "text",
    id: str | None = None,
    pmid: str | None = None,
) -> Iterator[RawText]:
    """Stream the texts of a file (`.gz`, `.xz` or plain).

    Args:
        losses: counts records whose text is empty.
        text: the key of the text, or several keys, whose texts become paragraphs; a record need not have all.
        id: the key of the id. None is "id" where a record has it, else the file's name and the line.
        pmid: the key of the PubMed identifier. None is "pmid" where a record has it.

    Raises:
        ConfigError: no text key.
        DataError: a line that is not such an object, a key that is missing, an empty file.
    """
    keys = (text,) if isinstance(text, str) else tuple(text)
    if not keys:
        raise ConfigError("no key of the text is given", mend="say text: [title, abstract], or whatever the keys are")
    return _texts(path, losses, keys, id, pmid)


def _texts(
    path: str | PathLike[str], losses: Counter[str], keys: Sequence[str], id_key: str | None, pmid_key: str | None
) -> Iterator[RawText]:
    found = False
    for number, line in numbered_lines(path):
        if not line.strip():
            continue
        found = True
        try:
            entry = _entry(line, keys)
            text = "\n\n".join(part for key in keys if (part := _string(entry, key).strip()))
            id = _name(entry, id_key, "id") or f"{file_stem(path)}:{number}"
            pmid = _name(entry, pmid_key, "pmid")
        except (TypeError, ValueError, RecursionError) as error:
            mend = f'a line is {{"{keys[0]}": "..."}}; the options text, id and pmid name the keys'
            raise DataError(f"not a text: {error}", path=path, line=number, text=line, mend=mend) from error
        if text:
            yield RawText(id, text, pmid)
        else:
            losses[NO_TEXT] += 1
    if not found:
        raise DataError("the file is empty", path=path, mend="check that the download or export is complete")


def _entry(line: str, keys: Sequence[str]) -> dict[str, Any]:
    entry = json.loads(line)
    if not isinstance(entry, dict):
        raise TypeError("a line must be an object {...}")
    if not any(key in entry for key in keys):
        raise ValueError(f"no key {' or '.join(map(repr, keys))}. {nearest(keys[0], entry)}")
    return entry


def _string(entry: dict[str, Any], key: str) -> str:
    value = entry.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise TypeError(f"{key} must be a string, not {value!r}")
    value.encode()  # half a surrogate pair ("\\ud800") would only fail later, in the tokenizer
    return value


def _name(entry: dict[str, Any], key: str | None, default: str) -> str | None:
    """The id under a key that was told, which must be there, or under the default one, which need not."""
    value = entry.get(key or default)
    if value is None and key is not None:
        raise ValueError(f"no key {key!r}. {nearest(key, entry)}")
    if value is not None and (type(value) not in (str, int) or value == ""):
        raise TypeError(f"{key or default} must be a string or a whole number, not {value!r}")
    return None if value is None else str(value)
