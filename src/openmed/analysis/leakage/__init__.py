"""What of the evaluation data was seen in training: exact, respaced and near copies of sentences and documents.

A score on sentences that stand in train too says how well a tagger remembers, not how well it reads.

    seen = Seen(Rule())
    seen.add("train", train_documents)
    keep = clean_units(test_units, seen, view="sentences")      # True: not seen
"""

from openmed.analysis.leakage.passages import Passage, passage_of, sentences_of
from openmed.analysis.leakage.rule import EXACT, NEAR, RESPACED, SAME_ID, SHARE, Leak, Rule
from openmed.analysis.leakage.seen import Seen, clean_units, leaked_documents
from openmed.analysis.leakage.subset import Removed, Subset, clean_subset

__all__ = [
    "EXACT",
    "NEAR",
    "RESPACED",
    "SAME_ID",
    "SHARE",
    "Leak",
    "Passage",
    "Removed",
    "Rule",
    "Seen",
    "Subset",
    "clean_subset",
    "clean_units",
    "leaked_documents",
    "passage_of",
    "sentences_of",
]
