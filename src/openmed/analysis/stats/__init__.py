"""What a corpus holds, in numbers: counts, lengths, mentions, and how many of them a tagger meets for the first time.

profile = profile_corpus("jnlpba")
print_sections(overview(profile))
"""

from openmed.analysis.stats.profile import Profile, profile_corpus
from openmed.analysis.stats.split import LENGTHS, SplitProfile, profile_documents
from openmed.analysis.stats.unseen import Unseen, unseen_per_type
from openmed.analysis.stats.view import full_report, overview, profile_json

__all__ = [
    "LENGTHS",
    "Profile",
    "SplitProfile",
    "Unseen",
    "full_report",
    "overview",
    "profile_corpus",
    "profile_documents",
    "profile_json",
    "unseen_per_type",
]
