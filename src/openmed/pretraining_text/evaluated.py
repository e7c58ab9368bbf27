"""The dev and test splits that a build compares its passages with: those at hand when it began, and none later.

later = index_evaluated(out, work, ngram=13, begun=True, finished=False, say=print)   # [], or why it may not go on
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from openmed.corpora import load_spec
from openmed.errors import ConfigError
from openmed.pretraining_text.at_hand import split_digest
from openmed.pretraining_text.decontaminate import ContaminationIndex, evaluated_splits, split_texts
from openmed.writers.atomic import atomic_path

STATE = "evaluated.json"  # beside work/, which may be deleted when all is done
INDEX = "evaluated"


def index_evaluated(
    out: Path, work: Path, *, ngram: int, begun: bool, finished: bool, say: Callable[[str], None]
) -> list[str]:
    """Make the index of what is at hand, unless it is there, whole. A build goes on with the splits it was begun with.

    Args:
        begun: whether passages were compared, which later ones must be with the same.
        finished: whether nothing is left to be done.

    Returns:
        `<corpus>/<split>` that came or changed after a build that is finished; else nothing.

    Raises:
        ConfigError: a split came or changed since the build was begun; one went whose index has to be made anew.
        DataError: a corpus's file is altered.
    """
    splits, missing = evaluated_splits()
    now = split_digests(splits)
    before = _begun_with(out, work)
    later = _later(before, now)
    if not ContaminationIndex.is_whole(work / INDEX):
        shutil.rmtree(work / INDEX, ignore_errors=True)
    if before is not None and not (work / INDEX).is_dir():
        later += sorted(before.keys() - now.keys())
    if later and begun:
        if finished and (work / INDEX).is_dir():
            return later
        raise ConfigError(
            f"{out} holds a build that was begun with other dev and test splits at hand: {_by_corpus(later)} came, "
            "went or changed since",
            mend="give another --out, or delete the folder",
        )
    if later:
        shutil.rmtree(work / INDEX, ignore_errors=True)
    if not (work / INDEX).is_dir():
        say("reading dev and test splits")
        with atomic_path(out / STATE) as temporary:
            temporary.write_text(json.dumps(now), encoding="utf-8")
        ContaminationIndex.build(split_texts(splits), ngram=ngram, missing=missing).save(work / INDEX)
    return []


def came_later(out: Path, work: Path) -> list[str]:
    """`<corpus>/<split>` that came to this machine, or changed, after a build was begun."""
    return _later(_begun_with(out, work), split_digests(evaluated_splits()[0]))


def split_digests(splits: Iterable[tuple[str, str]]) -> dict[str, str]:
    """`<corpus>/<split>` -> digest of its files and of what chooses the split's documents among them."""
    return {f"{name}/{split}": split_digest(load_spec(name), split) for name, split in splits}


def _begun_with(out: Path, work: Path) -> dict[str, str | None] | None:
    """Digests of the splits; where these were not kept, None for each split of the index; None if there is neither."""
    if (out / STATE).is_file():
        return json.loads((out / STATE).read_text(encoding="utf-8"))
    if (work / INDEX).is_dir():
        return dict.fromkeys(ContaminationIndex.load(work / INDEX).splits)
    return None


def _later(before: Mapping[str, str | None] | None, now: Mapping[str, str]) -> list[str]:
    return [] if before is None else [split for split in now if before.get(split, "") not in (None, now[split])]


def _by_corpus(splits: Iterable[str]) -> str:
    """Such as "ncbi (dev, test), s800 (dev)"."""
    corpora: dict[str, list[str]] = {}
    for name in splits:
        corpus, split = name.rsplit("/", 1)
        corpora.setdefault(corpus, []).append(split)
    return ", ".join(f"{corpus} ({', '.join(names)})" for corpus, names in corpora.items())
