"""A clean corpus is found clean; each defect, planted once, is found once, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.analysis import planted
from tests.analysis.planted import Splits, audited, clean_corpus, found

from openmed.analysis.audit import Weight


def test_a_clean_corpus_is_found_clean(tmp_path):
    audit = audited(tmp_path, clean_corpus())
    assert found(audit) == {}
    assert len(audit.findings) == 10
    titles = [section.title for section in audit.sections()]
    assert titles == ["mine", "Looked for and not found"]


DEFECTS: list[tuple[Callable[[Splits], None], str, Weight, dict[str, Any]]] = [
    (
        planted.leak_exact,
        "leakage_test_in_train",
        Weight.SCORES,
        {
            "exact": {"0": 1, "5": 1, "10": 1},
            "near": 0,
            "seen": 1,
            "mentions_in_seen": 1,
            "seen_documents": {"exact": 1},
            "id_only": 0,
        },
    ),
    (
        planted.leak_near,
        "leakage_test_in_train",
        Weight.SCORES,
        {
            "exact": {"0": 0, "5": 0, "10": 0},
            "near": 1,
            "seen": 1,
            "mentions_in_seen": 1,
            "seen_documents": {"near": 1},
        },
    ),
    (planted.leak_into_dev, "leakage_dev_in_train", Weight.SCORES, {"exact": {"0": 1, "5": 1, "10": 1}, "seen": 1}),
    (planted.leak_dev_test, "leakage_test_in_dev", Weight.SCORES, {"exact": {"0": 1, "5": 1, "10": 1}, "seen": 1}),
    (planted.repeat, "repeats", Weight.NOTE, {"train": {"repeated": 1, "repeated_long": 1, "other_tags": 0}}),
    (planted.untagged, "untagged_mentions", Weight.TRAINING, {"conflicting_texts": 1, "in_doubt": 1}),
    (planted.other_type, "mention_types", Weight.TRAINING, {"conflicting_texts": 1, "other_types": 1}),
    (planted.space_at_edge, "offsets", Weight.NOTE, {"dev": {"space_at_edge": 1}}),
    (planted.punctuation_at_edge, "offsets", Weight.NOTE, {"dev": {"punctuation_at_edge": 1}}),
    (planted.unpaired_bracket, "offsets", Weight.NOTE, {"dev": {"punctuation_at_edge": 1}}),
    (planted.amid_a_word, "offsets", Weight.NOTE, {"dev": {"cut_by_word": 1}}),
    (planted.nested, "offsets", Weight.TRAINING, {"dev": {"nested": 1}}),
    (planted.discontinuous, "offsets", Weight.TRAINING, {"dev": {"discontinuous": 1}}),
    (planted.across_sentences, "offsets", Weight.NOTE, {"dev": {"crosses_sentence_edge": 1}}),
    (planted.empty, "offsets", Weight.NOTE, {"dev": {"empty_document": 1}}),
    (planted.control_character, "characters", Weight.NOTE, {"dev": {"invisible_character": 1}}),
    (planted.decomposed, "characters", Weight.NOTE, {"dev": {"not_nfc": 1}}),
    (planted.entity, "characters", Weight.NOTE, {"dev": {"html_entity": 1}}),
    (planted.replacement, "characters", Weight.NOTE, {"dev": {"replacement_character": 1}}),
    (planted.long_word, "lengths", Weight.NOTE, {"dev": {"long_words": 1, "longest_word": 52}}),
    (planted.long_sentence, "lengths", Weight.NOTE, {"dev": {"long_sentences": 1, "longest_sentence": 101}}),
]


@pytest.mark.parametrize(("plant", "name", "weight", "counts"), DEFECTS, ids=[plant.__name__ for plant, *_ in DEFECTS])
def test_a_defect_planted_once_is_found_once_and_nothing_else(tmp_path, plant, name, weight, counts):
    splits = clean_corpus()
    plant(splits)
    audit = audited(tmp_path, splits)
    assert found(audit) == {name: weight}
    finding = audit.finding(name)
    for key, expected in counts.items():
        if isinstance(expected, dict) and key in splits:
            assert {kind: finding.counts[key][kind] for kind in expected} == expected
            faults = {kind for part in finding.counts.values() for kind, count in part.items() if count}
            assert name in ("lengths", "repeats") or faults == set(expected)
        else:
            assert finding.counts[key] == expected
    assert finding.verdict
    assert finding.title in [section.title for section in audit.sections()]
