"""What the reader of a comparison must know to believe the rest.

notes_on(standings, gold, differences, num_resamples=10_000, split="test")
"""

from __future__ import annotations

from collections.abc import Sequence

from openmed.analysis.compare.comparison import ALPHA, Difference, Standing
from openmed.analysis.compare.predictions import Gold


def notes_on(
    standings: Sequence[Standing], gold: Gold, differences: Sequence[Difference], num_resamples: int, split: str
) -> list[str]:
    """Sentences, none where all is as one would wish."""
    notes = []
    if split == "dev":
        notes.append("Dev chose the checkpoint of each run, so its scores are flattered: test says what to expect.")
    if len(standings) == 1:
        notes.append("There is one setting only, so there is nothing to compare it with: no test is made.")
    elif not differences:
        notes.append("The split is a single group of texts, so no interval can be drawn and no test made.")
    if not gold.mentions_G.any():
        notes.append("The split has no gold mentions: F1 is 0 whatever is predicted.")
    singles = sum(len(standing.f1s) == 1 for standing in standings)
    if singles and len(standings) > 1:
        notes.append(
            f"{singles} of {len(standings)} settings have one run: what another seed would give is not known of them, "
            "and a difference of theirs may be the seed's."
        )
    least = len(differences) / (1 + num_resamples)
    if least > ALPHA:
        notes.append(
            f"With {len(differences):,} differences, {num_resamples:,} resamples cannot give a corrected p below "
            f"{min(least, 1.0):.2f}: take --resamples {20 * len(differences):,} or more, or compare fewer settings."
        )
    mixed = [standing.setting.label for standing in standings if len({run.code for run in standing.setting.runs}) > 1]
    if mixed:
        more = f" and of {len(mixed) - 3} settings more" if len(mixed) > 3 else ""
        notes.append(f"By different commits or versions of libraries: the runs of {'; '.join(mixed[:3])}{more}.")
    return notes
