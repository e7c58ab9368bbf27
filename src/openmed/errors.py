"""Errors a user can cause, each with the mend in its message.

Every mistake that comes from outside (a file, a config value, a model folder) is an `OpenMedError`, so the command
line can print one paragraph and no traceback. A broken invariant of our own is an `assert`, never one of these.

    raise DataError("not a tag: 'X-Disease'", path=path, line=12, text="tumour X-Disease", mend="write B-Disease")
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from os import PathLike


class OpenMedError(ValueError):
    """A mistake the user can mend. `str(error)` is one paragraph that says what, where and how to mend it."""

    def __init__(self, problem: str, *, mend: str | None = None) -> None:
        self.problem = problem
        self.mend = mend
        super().__init__(self._message())

    def _message(self) -> str:
        return _with_mend(self.problem, self.mend)


class ConfigError(OpenMedError):
    """A setting that is unknown, missing, out of range or at odds with another setting."""


class DataError(OpenMedError):
    """Something wrong in a corpus: names the file, the line and the offending text where these are known."""

    def __init__(
        self,
        problem: str,
        *,
        path: str | PathLike[str] | None = None,
        line: int | None = None,
        text: str | None = None,
        mend: str | None = None,
    ) -> None:
        self.path = None if path is None else str(path)
        self.line = line
        self.text = text
        super().__init__(problem, mend=mend)

    def _message(self) -> str:
        where = ":".join(str(part) for part in (self.path, self.line) if part is not None)
        shown = f" (text: {_shorten(self.text)!r})" if self.text is not None else ""
        problem = f"{where}: {self.problem}{shown}" if where else f"{self.problem}{shown}"
        return _with_mend(problem, self.mend)


class BackboneError(OpenMedError):
    """Pretrained weights or a tokenizer that cannot be found, loaded or adapted."""


class ArtefactError(OpenMedError):
    """A saved model folder that is incomplete, altered, or of another version."""


class RunError(OpenMedError):
    """A run folder that cannot be resumed, read or written."""


class PublishError(OpenMedError):
    """A model that may not be published, or that the hub did not take."""


def nearest(name: str, known: Iterable[str]) -> str:
    """A mend that lists the names closest to `name` first, then how many there are.

    >>> nearest("ncbl", ["ncbi", "demo"])
    "Did you mean 'ncbi'? Known: demo, ncbi"
    """
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    hint = f"Did you mean {' or '.join(repr(c) for c in close)}? " if close else ""
    return f"{hint}Known: {', '.join(names)}"


_COMMANDS = ("pip", "python", "openmed", "hf", "make", "iconv")


def _with_mend(problem: str, mend: str | None) -> str:
    if not mend:
        return _sentence(problem)
    # A command has to stay as it is typed; any other mend is a sentence.
    is_command = mend.split(" ", 1)[0] in _COMMANDS
    return f"{_sentence(problem)} {_sentence(mend if is_command else mend[0].upper() + mend[1:])}"


def _sentence(text: str) -> str:
    text = text.strip()
    return text if text.endswith((".", "!", "?", ":")) else f"{text}."


def _shorten(text: str, limit: int = 120) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
