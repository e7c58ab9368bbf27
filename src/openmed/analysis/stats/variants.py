"""The most frequent mentions, and the other cases they are written in ("p53", "P53").

case_variants(Counter({"p53": 5, "P53": 2}))("p53")    # [('P53', 2)]
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

NUM_FREQUENT = 20


def most_frequent(forms: Counter[str]) -> list[tuple[str, int]]:
    """The first `NUM_FREQUENT`; equally frequent ones in the order of the alphabet."""
    return sorted(forms.items(), key=lambda item: (-item[1], item[0]))[:NUM_FREQUENT]


def case_variants(forms: Counter[str]) -> Callable[[str], list[tuple[str, int]]]:
    """What gives, for a form, the others that differ from it in case alone, the most frequent first."""
    alike: dict[str, Counter[str]] = {}
    for form, number in forms.items():
        alike.setdefault(form.casefold(), Counter())[form] = number

    def others(form: str) -> list[tuple[str, int]]:
        return [item for item in most_frequent(alike[form.casefold()]) if item[0] != form]

    return others
