"""A dev split for a corpus that has none: a share of train's documents, set aside by rule.

Whole groups go (no abstract is in both), the same ones for the same seed, and each type keeps its share, the rarest
first (after Sechidis, Tsoumakas, Vlahavas 2011, "On the stratification of multi-label data").

    dev = held_out(documents, fraction=0.1, seed=1)     # groups of dev; all others are train
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable

from openmed.spans import Document

_NO_MENTION = ""
"""Stands for a type: groups without mentions are shared out too."""


def held_out(documents: Iterable[Document], *, fraction: float, seed: int) -> set[str]:
    """The groups that become dev. Every type of the corpus stays in train; empty when that leaves none for dev.

    Args:
        documents: all of train, in any order.
        fraction: the share of each type's mentions to set aside, between 0 and 0.5.
    """
    types: dict[str, Counter[str]] = {}
    for document in documents:
        types.setdefault(document.group, Counter()).update(span.label for span in document.spans)
    for counts in types.values():
        if not counts:
            counts[_NO_MENTION] = 1
    totals = sum(types.values(), Counter[str]())
    order = sorted(types)
    random.Random(seed).shuffle(order)

    undecided = dict.fromkeys(order)
    dev: set[str] = set()
    taken: Counter[str] = Counter()
    for type_ in sorted(totals, key=lambda name: (totals[name], name)):
        for group in [group for group in undecided if type_ in types[group]]:
            del undecided[group]
            nearer = taken[type_] + types[group][type_] / 2 < fraction * totals[type_]
            if nearer and all(taken[name] + number < totals[name] for name, number in types[group].items()):
                dev.add(group)
                taken += types[group]
    return dev or _smallest(order, types, totals)


def _smallest(order: list[str], types: dict[str, Counter[str]], totals: Counter[str]) -> set[str]:
    """Of a corpus too small for its share: the one group with the fewest mentions that leaves train all types."""
    spare = [group for group in order if all(totals[name] > number for name, number in types[group].items())]
    mentions = [group for group in spare if _NO_MENTION not in types[group]]
    return {min(mentions, key=lambda group: types[group].total())} if mentions else set()
