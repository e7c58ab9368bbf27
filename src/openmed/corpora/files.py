"""Find, fetch and verify the files of a corpus.

The data folder (`openmed.corpora.places`) may be read-only: nothing is ever written there unless something has to be
fetched. That is looked for at `$OPENMED_MIRROR/<name in the YAML>` first, where that is set, then at its own address; a
part of an archive (`inside`) is looked for at the mirror as `<name>.tar.gz`, which is the whole archive, of whatever
kind, as its own address gives it.

    path = corpus_file(spec, "ner/NCBI-disease/train.tsv")
"""

from __future__ import annotations

import itertools
import logging
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from importlib.resources import files as package_files
from pathlib import Path
from urllib.parse import quote

from openmed.corpora.digests import found_instead
from openmed.corpora.fetch import PATIENCE, Patience, Report, fetch_file
from openmed.corpora.places import PACKAGE, data_folder
from openmed.corpora.spec import CorpusSpec, SourceFile
from openmed.errors import ConfigError, DataError
from openmed.writers.alone import alone

log = logging.getLogger(__name__)

MIRROR = "OPENMED_MIRROR"
MAX_DOWNLOADS = 4
"""At once, of one corpus: enough to hide the waiting, few enough not to be refused."""

Progress = Callable[[str, int, int | None], None]
"""Told now and then of each download: name, bytes so far, bytes in all (None where the server does not say)."""


@dataclass(frozen=True)
class Obtained:
    """A file of a corpus, verified.

    Attributes:
        path: where it is.
        fetched: whether it was downloaded just now.
        set_aside: where a file of other content went that had been in its place.
    """

    path: Path
    fetched: bool = False
    set_aside: Path | None = None


def corpus_file(spec: CorpusSpec, name: str) -> Path:
    """The local, verified path of a corpus's file, fetched first if it is not there and may be.

    Args:
        name: as in the YAML: a key of `spec.files`; a path below one that is a folder or an archive; the folder that
            some of them lie in; a path of the user's own; or `package:<file under openmed/assets>`. A path into an
            archive is returned as it is: the archive is there and verified, what it holds is for the readers to find.

    Raises:
        DataError: missing and not to be had, or its digest is none of the accepted ones.
    """
    try:
        return obtain(spec, name).path
    except DataError:
        _prune(spec)
        raise


def fetch_all(spec: CorpusSpec, *, progress: Progress | None = None) -> dict[str, Path]:
    """{name: local, verified path} of all the files of a corpus, fetched in parallel where they are missing.

    Raises:
        DataError: names each file that could not be had, and why. All are tried first.
    """
    obtained, problems = obtain_each(spec, progress=progress)
    if problems:
        raise together(spec, problems)
    return {name: one.path for name, one in obtained.items()}


def obtain_each(
    spec: CorpusSpec, *, again: bool = False, progress: Progress | None = None, patience: Patience = PATIENCE
) -> tuple[dict[str, Obtained], dict[str, DataError]]:
    """(what could be had, why the rest could not) of all the files of a corpus, in the order of the YAML.

    Args:
        again, progress, patience: as for `obtain`.
    """
    names = list(spec.files) or list(dict.fromkeys(spec.split_file(split) or "" for split in spec.splits))

    def attempt(name: str) -> Obtained | DataError:
        try:
            return obtain(spec, name, again=again, progress=progress, patience=patience)
        except DataError as error:
            return error

    with ThreadPoolExecutor(MAX_DOWNLOADS) as pool:
        results = dict(zip(names, pool.map(attempt, names), strict=True))
    obtained = {name: result for name, result in results.items() if isinstance(result, Obtained)}
    problems = {name: result for name, result in results.items() if isinstance(result, DataError)}
    if problems:
        _prune(spec)
    return obtained, problems


def together(spec: CorpusSpec, problems: Mapping[str, DataError]) -> DataError:
    """One error for all the files of a corpus that could not be had: each file's own problem, each mend once."""
    if len(problems) == 1:
        return next(iter(problems.values()))
    told = "; ".join(f"{error.path}: {error.problem}" for error in problems.values())
    mends = dict.fromkeys(error.mend.rstrip(". ") for error in problems.values() if error.mend)
    mend = ". ".join(mend[:1].upper() + mend[1:] for mend in mends)
    return DataError(f"{len(problems)} files of {spec.name} could not be had: {told}", mend=mend)


def obtain(
    spec: CorpusSpec,
    name: str,
    *,
    again: bool = False,
    progress: Progress | None = None,
    patience: Patience = PATIENCE,
) -> Obtained:
    """As `corpus_file`, and tells how it came there.

    Args:
        again: what is there with a digest that is not accepted is set aside (`<name>.bad`) and fetched anew.
        progress: told of a download as it goes on, from the thread that makes it.
        patience: how often and how long a download is tried.

    Raises:
        DataError: as `corpus_file`.
    """
    if name.startswith(PACKAGE):
        path = Path(str(package_files("openmed"))) / "assets" / name.removeprefix(PACKAGE)
        if not path.is_file():
            raise DataError("no such file in the package", path=path, mend="reinstall openmed-ner")
        return Obtained(path)
    key = max((key for key in spec.files if f"{name}/".startswith(f"{key}/")), key=len, default=None)
    if key is None and (below := [key for key in spec.files if key.startswith(f"{name}/")]):
        parts = [_obtain_key(spec, key, again, partial(progress, key) if progress else None, patience) for key in below]
        return Obtained(data_folder() / name, fetched=any(part.fetched for part in parts))
    if key is None:
        return Obtained(_existing(Path(name).expanduser(), f"correct the path of dataset {spec.name!r}"))
    got = _obtain_key(spec, key, again, partial(progress, key) if progress else None, patience)
    if key == name:
        return got
    path = got.path / name.removeprefix(f"{key}/")
    return replace(got, path=_existing(path, f"correct the path in the YAML of {spec.name!r}: {key} is as published"))


def _existing(path: Path, mend: str) -> Path:
    """The path, if it is there or leads into a file that is."""
    nearest = next((part for part in (path, *path.parents) if part.exists()), None)
    if nearest is None or not (nearest == path or nearest.is_file()):
        raise DataError("no such file", path=path, mend=mend)
    return path


def _obtain_key(spec: CorpusSpec, key: str, again: bool, report: Report | None, patience: Patience) -> Obtained:
    path, source = data_folder() / key, spec.files[key]
    if path.exists():
        found = found_instead(path, source.hashes)
        if not found:
            return Obtained(path)
        if not again or not _addresses(key, source):
            raise _altered(spec, path, source, found)
    elif not _addresses(key, source):
        raise DataError(
            "not here, and may not be fetched", path=path, mend=source.by_hand or "put the file there by hand"
        )
    try:
        with alone(path):
            if path.exists() and not found_instead(path, source.hashes):  # another process brought it meanwhile
                return Obtained(path)
            aside = _set_aside(path) if path.exists() else None
            _fetch(spec, key, path, report, patience)
    except OSError as error:
        raise DataError(
            f"not here, and cannot be written there ({error.strerror or error})",
            path=path,
            mend="make the data folder writable, or set OPENMED_DATA to another",
        ) from error
    return Obtained(path, fetched=True, set_aside=aside)


def _prune(spec: CorpusSpec) -> None:
    """Remove the folders that stayed empty, since nothing came. Not while others fetch: they would miss theirs."""
    root = data_folder()
    for key in spec.files:
        for folder in (root / key).parents:
            if folder == root or not folder.is_relative_to(root):
                break
            with suppress(OSError):  # not there, not empty, or not ours to remove
                folder.rmdir()


def _fetch(spec: CorpusSpec, key: str, path: Path, report: Report | None, patience: Patience) -> None:
    source = spec.files[key]
    failures: list[str] = []
    for url in _addresses(key, source):
        try:
            fetch_file(url, path, hashes=source.hashes, inside=source.inside, patience=patience, report=report)
        except DataError as error:
            failures.append(error.problem)
        else:
            for failure in failures:
                log.warning("%s came from its own address; the mirror failed: %s", key, failure)
            return
    part = f"; what belongs here is {source.inside} of that archive" if source.inside else ""
    raise DataError(
        f"not here, and could not be fetched ({'; '.join(failures)}{part})",
        path=path,
        mend=source.by_hand
        or "download what is missing on a machine that can, and put it where it belongs; or set OPENMED_DATA to a "
        f"folder that holds all files of {spec.name!r}, or {MIRROR} to an address that does",
    )


def _addresses(key: str, source: SourceFile) -> list[str]:
    """Where a file may be fetched from, in the order to try; none for what has to be got by hand."""
    own = [source.url] if source.url and not source.by_hand else []
    mirror = os.environ.get(MIRROR)
    if not mirror:
        return own
    if not mirror.startswith(("http://", "https://")):
        raise ConfigError(
            f"{MIRROR}={mirror!r} is no http address",
            mend="write one such as https://host/corpora; for a folder on this machine set OPENMED_DATA",
        )
    return [f"{mirror.rstrip('/')}/{quote(key)}{'.tar.gz' if source.inside else ''}", *own]


def _set_aside(path: Path) -> Path:
    """Rename what is at a path to `<name>.bad`, or `<name>.2.bad` and so on; where it is now."""
    names = itertools.chain([f"{path.name}.bad"], (f"{path.name}.{number}.bad" for number in itertools.count(2)))
    return path.rename(next(path.with_name(name) for name in names if not path.with_name(name).exists()))


def _altered(spec: CorpusSpec, path: Path, source: SourceFile, found: list[str]) -> DataError:
    what = "folder was changed (hidden files count too)" if path.is_dir() else "file was changed"
    way = source.by_hand or f"to set it aside and fetch it again, run: openmed corpora fetch {spec.name} --again"
    return DataError(
        f"is {', '.join(found)}, none of the accepted {', '.join(source.hashes)}",
        path=path,
        mend=f"the {what} or broke off while copying; {way}",
    )
