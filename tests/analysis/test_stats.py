"""Statistics of a corpus: histograms account for everything counted, splits add up, unseen mentions as by hand."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import splits

from openmed.analysis.histogram import STATISTICS, mean, quantile, summary
from openmed.analysis.report.blocks import Figure, Table
from openmed.analysis.stats import (
    LENGTHS,
    SplitProfile,
    Unseen,
    full_report,
    overview,
    profile_corpus,
    profile_documents,
    profile_json,
    unseen_per_type,
)
from openmed.analysis.stats.blocks import counts_table
from openmed.analysis.stats.split import (
    COUNTS,
    DOCUMENT_WORDS,
    MENTION_CHARACTERS,
    MENTION_WORDS,
    SENTENCE_ENTITIES,
    SENTENCE_WORDS,
)
from openmed.analysis.stats.variants import case_variants, most_frequent
from openmed.corpora import CorpusSpec, load_spec, load_split
from openmed.errors import DataError
from openmed.spans import Document, Span
from openmed.tagging import DISCONTINUOUS, NESTED

TRAIN = "p53\tB-Gene\nin\tO\nmice\tB-Species\n\nNo\tO\nliver\tB-Organ\ncancer\tI-Organ\n\nNothing\tO\n"
TEST = "P53\tB-Gene\nand\tO\np53\tB-Gene\nof\tO\nliver\tB-Species\n\np53\tB-Gene\n"

histograms = st.dictionaries(st.integers(0, 40), st.integers(1, 30), min_size=1).map(Counter)


def profiled(documents: list[Document], name: str = "train") -> SplitProfile:
    return profile_documents(name, documents, splitter="punctuation")


def items(values: Counter[int]) -> list[int]:
    return list(values.elements())


def corpus(folder: Path, **settings: Any) -> CorpusSpec:
    """A tokenised corpus of two files; dev is train again."""
    (folder / "train.tsv").write_text(TRAIN, encoding="utf-8")
    (folder / "test.tsv").write_text(TEST, encoding="utf-8")
    files = {"train": "train.tsv", "dev": "train.tsv", "test": "test.tsv"}
    return CorpusSpec.from_mapping(
        {"name": "mine", "format": "conll", **{split: str(folder / file) for split, file in files.items()}, **settings}
    )


# ---- histograms


@given(histograms, st.integers(1, 1000))
def test_a_quantile_is_that_of_the_items_one_by_one(values, per_mille):
    share = per_mille / 1000
    assert quantile(values, share) == np.quantile(items(values), share, method="inverted_cdf")


@given(histograms)
def test_a_summary_lies_in_order_between_the_extremes(values):
    found = summary(values)
    assert list(found) == list(STATISTICS)
    ordered = [found[key] for key in ("min", "median", "p95", "p99", "max")]
    assert ordered == sorted(ordered)
    assert (found["min"], found["max"]) == (min(items(values)), max(items(values)))
    assert found["mean"] == pytest.approx(np.mean(items(values)))


def test_a_share_that_floating_point_puts_a_little_above_a_whole_rank_takes_that_rank():
    assert 0.07 * 100 > 7
    assert quantile(Counter(range(1, 101)), 0.07) == 7


def test_without_items_there_is_no_statistic():
    assert summary(Counter()) == dict.fromkeys(STATISTICS)
    with pytest.raises(ValueError, match="no items"):
        quantile(Counter(), 0.5)
    with pytest.raises(ZeroDivisionError):
        mean(Counter())


# ---- one split


@given(splits())
def test_histograms_account_for_every_document_sentence_word_and_mention(documents):
    found = profiled(documents)
    assert found.lengths[DOCUMENT_WORDS].total() == found.counts["documents"] == len(documents)
    assert sum(items(found.lengths[SENTENCE_WORDS])) == sum(items(found.lengths[DOCUMENT_WORDS])) == found.num_words
    assert found.lengths[SENTENCE_ENTITIES].total() == found.lengths[SENTENCE_WORDS].total() == found.num_sentences
    assert sum(items(found.lengths[SENTENCE_ENTITIES])) == found.counts["entities"]
    for key in (MENTION_WORDS, MENTION_CHARACTERS):
        assert found.lengths[key].total() == found.counts["entities"]
    assert {label: forms.total() for label, forms in found.mentions.items()} == found.per_type


@given(splits())
def test_what_the_corpus_marks_is_what_is_found(documents):
    found = profiled(documents)
    if all(document.words is not None for document in documents):
        assert found.num_words == found.counts["words"]
    if all(document.sentences for document in documents):
        assert found.num_sentences == found.counts["sentences"]


@given(splits(), splits())
def test_splits_add_up(first, second):
    assert profiled(first) + profiled(second) == profiled([*first, *second])


def test_a_sum_of_splits_is_named_after_both_and_has_the_losses_of_both():
    parts = [profile_documents(name, [], splitter="edges", losses={"x": 1, name: 2}) for name in ("train", "dev")]
    both = parts[0] + parts[1]
    assert both.name == "train+dev"
    assert both.losses == {"x": 2, "train": 2, "dev": 2}


def test_lengths_by_hand():
    text = "Breast cancer kills. Not here, not now."
    found = profiled(
        [Document("1", text, (Span(0, 13, "Disease"), Span(14, 19, "Fact")), sentences=((0, 20), (21, 39)))]
    )
    assert found.lengths == {
        SENTENCE_WORDS: {4: 1, 6: 1},
        DOCUMENT_WORDS: {10: 1},
        SENTENCE_ENTITIES: {2: 1, 0: 1},
        MENTION_WORDS: {2: 1, 1: 1},
        MENTION_CHARACTERS: {13: 1, 5: 1},
    }
    assert found.num_bare_sentences == 1
    assert found.counts == {"documents": 1, "sentences": 2, "words": 0, "entities": 2, "Disease": 1, "Fact": 1}


def test_sentences_are_made_by_rule_where_none_are_marked():
    assert profiled([Document("1", "Here it is. There it was.")]).lengths[SENTENCE_WORDS] == {4: 2}


def test_words_and_mentions_before_the_first_sentence_belong_to_it():
    found = profiled([Document("1", "Title. Text.", (Span(0, 5, "X"),), sentences=((7, 12),))])
    assert found.lengths[SENTENCE_WORDS] == {4: 1}
    assert found.lengths[SENTENCE_ENTITIES] == {1: 1}


def test_the_gap_of_a_discontinuous_mention_is_no_part_of_it():
    text = "left and right lung"
    found = profiled([Document("1", text, (Span(0, 19, "Organ", ((0, 4), (15, 19))),))])
    assert found.lengths[MENTION_WORDS] == {2: 1}
    assert found.lengths[MENTION_CHARACTERS] == {8: 1}
    assert found.mentions == {"Organ": {"left … lung": 1}}
    assert found.untagged == {DISCONTINUOUS: 1}


def test_two_fragments_in_one_word_are_one_word():
    assert profiled([Document("1", "abcdef", (Span(0, 6, "X", ((0, 2), (4, 6))),))]).lengths[MENTION_WORDS] == {1: 1}


def test_nested_mentions_are_counted():
    spans = (Span(0, 13, "Disease"), Span(0, 6, "Organ"))
    assert profiled([Document("1", "breast cancer", spans)]).untagged == {NESTED: 1}


def test_a_line_break_in_a_mention_makes_no_other_form():
    documents = [
        Document(str(i), text, (Span(0, 13, "X"),)) for i, text in enumerate(["breast\ncancer", "breast cancer"])
    ]
    assert profiled(documents).mentions == {"X": {"breast cancer": 2}}
    assert profiled(documents).num_forms == 1


# ---- frequent mentions


def test_equally_frequent_mentions_come_in_alphabetical_order_whatever_the_order_read():
    assert most_frequent(Counter("ba")) == most_frequent(Counter("ab")) == [("a", 1), ("b", 1)]
    assert most_frequent(Counter("bba"))[0] == ("b", 2)


def test_case_variants_are_the_other_forms_that_differ_in_case_alone():
    variants = case_variants(Counter({"p53": 5, "P53": 2, "P 53": 9, "STRASSE": 1, "straße": 1}))
    assert variants("p53") == [("P53", 2)]
    assert variants("P53") == [("p53", 5)]
    assert variants("P 53") == []
    assert variants("straße") == [("STRASSE", 1)]
    assert variants("STRASSE") == [("straße", 1)]


# ---- unseen mentions


def test_unseen_mentions_by_hand(tmp_path):
    unseen = profile_corpus(corpus(tmp_path)).unseen
    # Of the test split's genes p53, p53 and P53 the last is new; train knows no species "liver".
    assert unseen["test"] == {"Gene": Unseen(1, 3, 1, 2), "Species": Unseen(1, 1, 1, 1)}
    assert unseen["test"]["Gene"].share == pytest.approx(1 / 3)
    assert unseen["test"]["Gene"].forms_share == 0.5
    assert set(unseen) == {"dev", "test"}


@given(splits(), splits())
def test_unseen_mentions_are_those_that_train_has_not(train, other):
    known = {(span.label, " ".join(d.mention(span).split())) for d in train for span in d.spans if not span.fragments}
    only = [document.with_spans(span for span in document.spans if not span.fragments) for document in other]
    new = [
        (span.label, " ".join(document.mention(span).split()))
        for document in only
        for span in document.spans
        if (span.label, " ".join(document.mention(span).split())) not in known
    ]
    total = sum(unseen_per_type(profiled(train), profiled(only)).values(), Unseen())
    assert total == Unseen(len(new), sum(len(d.spans) for d in only), len(set(new)), profiled(only).num_forms)


def test_nothing_has_no_share():
    assert Unseen().share is Unseen().forms_share is None


# ---- a corpus


def test_counts_and_losses_are_those_of_the_loader(tmp_path):
    spec = corpus(tmp_path, types={"Gene": "Gene", "Species": "Species", "Organ": None})
    profile = profile_corpus(spec)
    for name, split in profile.splits.items():
        loaded = load_split(spec, name)
        assert (split.counts, split.losses) == (loaded.counts, loaded.losses)
    assert profile.splits["train"].losses.total() == 1
    assert profile.missing == {}
    profile.check()


def test_a_missing_split_is_told_and_the_others_are_counted(tmp_path):
    spec = corpus(tmp_path)
    Path(spec.train).unlink()
    profile = profile_corpus(spec)
    assert set(profile.splits) == {"test"}
    assert set(profile.missing) == {"train", "dev"}
    assert "no such file" in profile.missing["train"]
    assert profile.unseen == {}
    with pytest.raises(DataError, match=r"2 of 3 splits of 'mine' could not be read\. train: .*no such file"):
        profile.check()
    assert any("train split is not here" in str(block) for block in full_report(profile)[0].blocks)


def test_a_corpus_of_which_nothing_is_here_has_no_tables(tmp_path):
    spec = corpus(tmp_path)
    for path in tmp_path.iterdir():
        path.unlink()
    profile = profile_corpus(spec)
    assert profile.total is None
    assert overview(profile) == []
    assert len(full_report(profile)) == 1


def test_answers_for_machines_hold_the_counts_and_more_beside(tmp_path):
    answer = profile_json(profile_corpus(corpus(tmp_path)))
    assert json.loads(json.dumps(answer)) == answer
    assert set(answer) == {"name", "splits", "losses", "lengths", "mentions", "unseen", "missing"}
    assert answer["splits"]["train"] == {
        "documents": 1,
        "sentences": 3,
        "words": 7,
        "entities": 3,
        "per_type": {"Gene": 1, "Organ": 1, "Species": 1},
    }
    assert answer["lengths"]["train"][SENTENCE_WORDS] == {"min": 1, "median": 3, "mean": 7 / 3} | dict.fromkeys(
        ("p95", "p99", "max"), 3
    )
    assert set(answer["lengths"]["train"]) == set(LENGTHS)
    test = answer["mentions"]["test"]
    assert (test["distinct"], test["distinct_share"], test["sentences_without"], test[NESTED]) == (3, 0.75, 0, 0)
    assert test["frequent"]["Gene"][0] == {"text": "p53", "count": 2, "case_variants": {"P53": 1}}
    assert answer["unseen"]["test"]["share"] == 0.5
    assert answer["unseen"]["test"]["per_type"]["Species"]["share"] == 1.0


def test_the_overview_gives_each_split_and_their_sum(tmp_path):
    profile = profile_corpus(corpus(tmp_path))
    counts, lengths = overview(profile)[0].blocks
    assert isinstance(counts, Table)
    assert isinstance(lengths, Table)
    assert counts.columns == ("", "train", "dev", "test", "all")
    rows = {str(row[0]): row[1:] for row in counts.rows}
    for key in COUNTS:
        assert rows[key] == (*(split.counts[key] for split in profile.splits.values()), sum(rows[key][:-1]))
    assert rows["mentions unseen in train, %"] == (None, 0.0, 50.0, None)
    assert "runs of neighbouring sentences are taken" in counts.note
    assert len(lengths.rows) == len(LENGTHS) * 3


def test_words_that_the_corpus_does_not_mark_are_told_as_made_by_rule():
    rows = [row[0] for row in overview(profile_corpus("demo"))[0].blocks[0].rows]  # type: ignore[union-attr]
    assert "words, by rule" in rows
    assert "sentences" in rows


def test_a_corpus_without_mentions_has_a_whole_report(tmp_path):
    spec = corpus(tmp_path)
    for path in tmp_path.iterdir():
        path.write_text("Nothing\tO\n", encoding="utf-8")
    report = full_report(profile_corpus(spec))
    assert sum(isinstance(block, Figure) for section in report for block in section.blocks) == len(LENGTHS) + 2


# ---- the real corpora

needs_corpora = pytest.mark.skipif(
    not os.environ.get("OPENMED_DATA"), reason="OPENMED_DATA does not name a folder of corpora"
)


@needs_corpora
def test_ncbi_is_as_counted_by_other_means():
    profile = profile_corpus("ncbi")
    for name, counts in load_spec("ncbi").counts.items():
        split = profile.splits[name]
        assert {key: split.counts[key] for key in counts} == counts
        assert (split.num_words, split.num_sentences) == (counts["words"], counts["sentences"])
    # Counted from the files with awk and grep.
    assert [split.num_bare_sentences for split in profile.splits.values()] == [2501, 434, 401]
    assert profile.unseen == {
        "dev": {"Disease": Unseen(287, 787, 212, 363)},
        "test": {"Disease": Unseen(369, 960, 249, 423)},
    }
    assert counts_table(profile).note == "", "its documents are abstracts, not runs"


@needs_corpora
def test_raw_abstracts_have_the_words_of_their_tokenised_twin():
    raw = profile_corpus("ncbi_documents").splits
    assert raw["train"].counts["words"] == 0
    assert [raw[name].num_words for name in ("dev", "test")] == [
        load_spec("ncbi").counts[name]["words"] for name in ("dev", "test")
    ]
