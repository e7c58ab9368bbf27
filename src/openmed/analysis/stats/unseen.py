"""How many mentions of a split the tagger never saw in training: what separates finding from remembering.

per_type = unseen_per_type(train, test)
per_type["Disease"].share    # 0.31: of the test split's disease mentions, 31 % have a form that train has not
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from openmed.analysis.stats.split import SplitProfile


@dataclass(frozen=True, slots=True)
class Unseen:
    """Mentions whose surface form (case kept) train does not hold under the same type. They add up with `+`.

    Attributes:
        mentions, of_mentions: unseen ones, and all of them; each occurrence counts.
        forms, of_forms: the same, each form counted once.
    """

    mentions: int = 0
    of_mentions: int = 0
    forms: int = 0
    of_forms: int = 0

    def __add__(self, other: Unseen) -> Unseen:
        return Unseen(
            self.mentions + other.mentions,
            self.of_mentions + other.of_mentions,
            self.forms + other.forms,
            self.of_forms + other.of_forms,
        )

    @property
    def share(self) -> float | None:
        """Of the mentions, 0 to 1; None where there are none."""
        return self.mentions / self.of_mentions if self.of_mentions else None

    @property
    def forms_share(self) -> float | None:
        """Of the forms, 0 to 1; None where there are none."""
        return self.forms / self.of_forms if self.of_forms else None


def unseen_per_type(train: SplitProfile, other: SplitProfile) -> dict[str, Unseen]:
    """For each type of `other`."""
    return {label: _unseen(train.mentions.get(label, Counter()), forms) for label, forms in other.mentions.items()}


def _unseen(known: Counter[str], forms: Counter[str]) -> Unseen:
    new = {form: number for form, number in forms.items() if form not in known}
    return Unseen(sum(new.values()), forms.total(), len(new), len(forms))
