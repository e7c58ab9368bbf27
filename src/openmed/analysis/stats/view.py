"""A profile for machines (`profile_json`), for a terminal (`overview`) and for a page (`full_report`).

print_sections(overview(profile_corpus("ncbi")))
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from openmed.analysis.histogram import summary
from openmed.analysis.report.blocks import Prose, Section
from openmed.analysis.stats.blocks import (
    counts_table,
    frequent_figure,
    frequent_tables,
    length_figures,
    lengths_table,
    losses_table,
    types_figure,
    types_table,
)
from openmed.analysis.stats.profile import Profile
from openmed.analysis.stats.split import COUNTS, LENGTHS, SplitProfile
from openmed.analysis.stats.unseen import Unseen
from openmed.analysis.stats.variants import case_variants, most_frequent
from openmed.tagging.codec import DISCONTINUOUS, NESTED


def profile_json(profile: Profile) -> dict[str, Any]:
    """Everything but the histograms themselves, as plain values; shares are 0 to 1, None where there is nothing.

    `splits` and `losses` hold what `openmed corpora stats --json` always gave: the counts of `Split.counts`.
    """
    return {
        "name": profile.spec.name,
        "splits": {
            name: {key: split.counts[key] for key in COUNTS} | {"per_type": split.per_type}
            for name, split in profile.splits.items()
        },
        "losses": {name: dict(split.losses) for name, split in profile.splits.items()},
        "lengths": {
            name: {key: summary(split.lengths[key]) for key in LENGTHS} for name, split in profile.splits.items()
        },
        "mentions": {name: _mentions_json(split) for name, split in profile.splits.items()},
        "unseen": {
            name: _unseen_json(sum(types.values(), Unseen()))
            | {"per_type": {label: _unseen_json(unseen) for label, unseen in types.items()}}
            for name, types in profile.unseen.items()
        },
        "missing": dict(profile.missing),
    }


def overview(profile: Profile) -> list[Section]:
    """Two tables: the counts, and the lengths. None when there is no split."""
    return [Section("", [counts_table(profile), lengths_table(profile)])] if profile.splits else []


def full_report(profile: Profile) -> list[Section]:
    """What `overview` says, and types, frequent mentions, plots, and what is lost; for a page."""
    spec = profile.spec
    about = [Prose(text) for text in (spec.citation, spec.quirks) if text]
    about += [Prose(f"The {name} split is not here: {reason}") for name, reason in profile.missing.items()]
    if not profile.splits:
        return [Section("The corpus", about)]
    return [
        Section("The corpus", [*about, counts_table(profile)]),
        Section("Types", [types_table(profile), types_figure(profile)]),
        Section("Lengths", [lengths_table(profile), *length_figures(profile)]),
        Section("Frequent mentions", [frequent_figure(profile), *frequent_tables(profile)]),
        Section("What is lost", [losses_table(profile)]),
    ]


def _mentions_json(split: SplitProfile) -> dict[str, Any]:
    number, bare = split.counts["entities"], split.num_bare_sentences
    return {
        "distinct": split.num_forms,
        "distinct_share": split.num_forms / number if number else None,
        "sentences_without": bare,
        "sentences_without_share": bare / split.num_sentences if split.num_sentences else None,
        NESTED: split.untagged[NESTED],
        DISCONTINUOUS: split.untagged[DISCONTINUOUS],
        "untagged": dict(split.untagged),
        "frequent": {label: _frequent_json(forms) for label, forms in split.mentions.items()},
    }


def _frequent_json(forms: Counter[str]) -> list[dict[str, Any]]:
    variants = case_variants(forms)
    return [
        {"text": form, "count": number, "case_variants": dict(variants(form))} for form, number in most_frequent(forms)
    ]


def _unseen_json(unseen: Unseen) -> dict[str, Any]:
    return {
        "mentions": unseen.mentions,
        "of_mentions": unseen.of_mentions,
        "share": unseen.share,
        "forms": unseen.forms,
        "of_forms": unseen.of_forms,
        "forms_share": unseen.forms_share,
    }
