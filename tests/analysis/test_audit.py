"""What an audit tells of a corpus: ranked, for people and machines, whatever is missing; the real ones as known."""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import re
from dataclasses import replace

import pytest
from tests.analysis.planted import (
    audited,
    clean_corpus,
    contradiction,
    corpus,
    found,
    leak_dev_test,
    leak_exact,
    leak_near,
    nested,
    other_type,
    repeat,
    shared_id,
    untagged,
)
from tests.backbones import offline_hub

import openmed.corpora
import openmed.encoding
import openmed.readers
import openmed.tagging
from openmed.analysis.audit import Weight, audit_corpus, missing_file, summary_row, summary_section
from openmed.analysis.audit.finding import QUOTED_LETTERS, number, percent, quote
from openmed.analysis.audit.losses import EXPLAINED, HARMLESS, explained, reading_losses
from openmed.analysis.audit.tokenizers import tokenizer_fit
from openmed.analysis.leakage import Rule, Subset
from openmed.analysis.report.blocks import Prose, Table
from openmed.corpora import CorpusSpec
from openmed.errors import ConfigError, DataError


def test_a_shared_id_alone_is_told_and_weighs_nothing(tmp_path):
    splits = clean_corpus()
    shared_id(splits)
    finding = audited(tmp_path, splits).finding("leakage_test_in_train")
    assert (finding.counts["id_only"], finding.counts["seen_documents"]) == (1, {})
    assert "1 document has an id that stands in train too" in finding.verdict


def test_a_sentence_that_contradicts_itself_is_shown_with_both_taggings(tmp_path):
    splits = clean_corpus()
    contradiction(splits)
    audit = audited(tmp_path, splits)
    assert found(audit) == {"repeats": Weight.TRAINING, "untagged_mentions": Weight.TRAINING}
    finding = audit.finding("repeats")
    assert finding.counts["train"] == {"repeated": 1, "repeated_long": 1, "other_tags": 1}
    assert finding.examples[0].rows[0][:3] == ["train", 2, "nothing / liver (Organ)"]


def test_a_leak_with_other_tags_is_counted_as_such(tmp_path):
    splits = clean_corpus()
    splits["test"].append(replace(splits["train"][0], id="7", spans=()))
    finding = audited(tmp_path, splits).finding("leakage_test_in_train")
    assert finding.counts["other_tags"] == {"exact": 1, "respaced": 0}
    assert "1 bears other tags there" in finding.verdict


def test_tags_that_break_the_scheme_and_documents_of_one_id_are_told(tmp_path):
    line = "The\tO\nliver\tB-Organ\nwas\tO\nlarge\tO\n.\tO\n"
    files = {}
    for split, text in (("train", f"{line}\nNo\tO\nlung\tI-Organ\n"), ("dev", "A\tO\nkidney\tB-Organ\n")):
        files[split] = tmp_path / f"{split}.tsv"
        files[split].write_text(text, encoding="utf-8")
    values = {key: str(path) for key, path in files.items()}
    spec = CorpusSpec.from_mapping({"name": "mine", **values, "format": "conll", "options": {"scheme": "iob2"}})
    finding = audit_corpus(spec, backbones=()).finding("reading_losses")
    assert finding.weight is Weight.TRAINING
    assert finding.counts == {"train": {"illegal_tag": 1}, "dev": {}}
    assert explained("illegal_tag") in finding.verdict


NO_LOSSES = {"detect", "sentences", "documents", "all", "own"}  # names of choices


def test_every_loss_we_count_has_its_words():
    assert explained("some_new_kind") == "some new kind"
    assert len(set(EXPLAINED.values())) == len(EXPLAINED)
    assert set(EXPLAINED) >= HARMLESS
    constants: dict[str, str] = {}
    for package in (openmed.readers, openmed.corpora, openmed.tagging, openmed.encoding):
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            for name, value in vars(importlib.import_module(module.name)).items():
                if name[:1].isupper() and name.isupper() and isinstance(value, str) and value not in NO_LOSSES:
                    constants[f"{module.name}.{name}"] = value
    losses = {name: value for name, value in constants.items() if re.fullmatch("[a-z]+(_[a-z]+)*", value)}
    assert len(set(losses.values())) > 20
    assert {name: value for name, value in losses.items() if value not in EXPLAINED} == {}


def test_what_is_no_mention_is_a_note():
    passed_over = {kind: 1 for kind in ("note_line", "attribute_line", "relation_line", "part_of_composite_mention")}
    assert reading_losses({"train": passed_over}).weight is Weight.NOTE
    assert reading_losses({"train": {**passed_over, "text_without_annotation_file": 1}}).weight is Weight.TRAINING


def test_an_id_that_the_reader_made_up_is_no_shared_id(tmp_path):
    splits = clean_corpus()
    shared_id(splits, "data#1")
    assert audited(tmp_path, splits).finding("leakage_test_in_train").counts["id_only"] == 0


# ---- what is missing


def test_what_is_clean_cannot_be_told_without_train(tmp_path):
    spec = corpus(tmp_path, clean_corpus())
    (tmp_path / "train.jsonl").unlink()
    audit = audit_corpus(spec, backbones=())
    assert audit.seen.splits == ("dev",)
    with pytest.raises(DataError, match="no clean test subset") as caught:
        audit.write_subset(tmp_path / "clean.json")
    assert caught.value.mend == "get train: openmed corpora fetch mine"
    assert not (tmp_path / "clean.json").exists()


def test_a_missing_split_is_told_and_the_rest_is_audited(tmp_path):
    splits = clean_corpus()
    repeat(splits)
    spec = corpus(tmp_path, splits)
    (tmp_path / "test.jsonl").unlink()
    audit = audit_corpus(spec, backbones=())
    assert dict(audit.missing) == {"test": spec.test}
    assert missing_file(spec, "test") == spec.test
    assert missing_file(spec, "train") is None
    assert found(audit) == {"repeats": Weight.NOTE}
    assert [finding.name for finding in audit.findings if finding.name.startswith("leakage")] == [
        "leakage_dev_in_train"
    ]
    texts = [block.text for block in audit.sections()[0].blocks if isinstance(block, Prose)]
    assert any(text.startswith("test is not at hand") for text in texts)
    with pytest.raises(DataError, match="no clean test subset") as caught:
        audit.clean_subset()
    assert caught.value.mend
    assert summary_row(audit)[:3] == ["mine", None, None]


def test_a_corpus_that_is_not_here_is_refused(tmp_path):
    spec = corpus(tmp_path, clean_corpus())
    for split in spec.splits:
        (tmp_path / f"{split}.jsonl").unlink()
    with pytest.raises(DataError, match="no split of 'mine'") as caught:
        audit_corpus(spec, backbones=())
    assert caught.value.mend == "openmed corpora fetch mine"


def test_an_unknown_backbone_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="minilm"):
        audit_corpus(corpus(tmp_path, clean_corpus()), backbones=["minilmm"])


def test_a_tokenizer_that_is_not_here_is_told(tmp_path):
    with offline_hub(tmp_path):
        finding = tokenizer_fit("pubmedbert", clean_corpus())
    assert finding.weight is Weight.NOTE
    assert finding.verdict.startswith("Not available here")
    assert finding.counts == {"available": False}


# ---- reports


def test_as_json_and_sections_hold_all_findings(tmp_path):
    splits = clean_corpus()
    leak_exact(splits)
    untagged(splits)
    audit = audited(tmp_path, splits, title="My corpus")
    entry = json.loads(json.dumps(audit.as_dict()))
    assert entry["corpus"] == "mine"
    assert entry["rule"] == Rule().as_dict()
    assert set(entry["files"]) == {str(tmp_path / f"{split}.jsonl") for split in splits}
    assert [finding["name"] for finding in entry["findings"]][:2] == ["leakage_test_in_train", "untagged_mentions"]
    assert entry["findings"][0]["examples"]["Examples"][0]["twin in train"] == "1#1"
    assert entry["splits"]["test"]["documents"] == 3
    whole, short = audit.sections(), audit.short_section()
    assert whole[0].title == short.title == "My corpus (mine)"
    prose = [block.text for block in short.blocks if isinstance(block, Prose)]
    assert all(any(finding.title in text for text in prose) for finding in audit.findings)
    limited = audit.finding("leakage_test_in_train").section(0)
    assert not [
        block for block in limited.blocks if isinstance(block, Table) and block.title == "Examples" and block.rows
    ]


def test_the_summary_has_a_row_per_corpus(tmp_path):
    splits = clean_corpus()
    leak_exact(splits)
    nested(splits)
    audit = audited(tmp_path, splits)
    section = summary_section([summary_row(audit)], Rule())
    (table,) = [block for block in section.blocks if isinstance(block, Table)]
    assert "of the mentions made of whole words, with two characters or more" in table.note
    row = dict(zip(table.columns, table.rows[0], strict=True))
    assert row == {
        "corpus": "mine",
        "test sentences": 3,
        "exact, 5+ words": 1,
        "exact, 10+ words": 1,
        "respaced": 0,
        "near": 0,
        "other tags": 0,
        "seen in dev": 0,
        "contradictions": 0,
        "in doubt, %": 0.0,
        "lost": 1,
    }


def test_the_order_of_documents_does_not_matter(tmp_path):
    splits = clean_corpus()
    for plant in (leak_exact, leak_near, repeat, untagged, other_type):
        plant(splits)
    for split in ("train", "dev", "test"):
        splits[split] = [replace(document, id=f"{split}{n}", group="") for n, document in enumerate(splits[split])]
    backwards = {split: documents[::-1] for split, documents in splits.items()}
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    one, other = (audited(tmp_path / folder, s).as_dict() for folder, s in (("a", splits), ("b", backwards)))
    assert one["findings"] == other["findings"]


def test_the_clean_subset_of_an_audit_is_what_was_not_seen(tmp_path):
    splits = clean_corpus()
    leak_exact(splits)
    leak_dev_test(splits)
    audit = audited(tmp_path, splits)
    subset = audit.write_subset(tmp_path / "clean.json")
    assert Subset.read(tmp_path / "clean.json") == subset
    assert subset.against == ("train", "dev")
    assert [unit.twin["split"] for unit in subset.sentences.removed] == ["train", "dev"]
    assert [subset.keeps(document) for document in splits["test"]] == [True, True, False, False]
    assert set(subset.files) == {str(tmp_path / f"{split}.jsonl") for split in splits}
    assert audit.clean_subset("dev").against == ("train",)
    assert audit.clean_subset("dev").sentences.kept == 1


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("short enough", "short enough"),
        (" ".join("abcdefghijklmn"), "a b c d e f g h i j k l …"),
        ("x" * 200, f"{'x' * QUOTED_LETTERS} …"),
        (f"{'x' * 60} {'y' * 60}", f"{'x' * 60} …"),
        ("", ""),
    ],
)
def test_quotes_are_short(text, shown):
    assert quote(text) == shown


def test_numbers_in_words():
    assert [number(n, "sentence") for n in (0, 1, 1234)] == ["0 sentences", "1 sentence", "1,234 sentences"]
    assert [percent(*pair) for pair in ((0, 5), (1, 2000), (29, 1000), (1, 2), (0, 0))] == [
        "0 %", "under 0.1 %", "2.9 %", "50 %", "0 %",
    ]  # fmt: skip


# ---- the real files


@pytest.mark.skipif(not os.environ.get("OPENMED_DATA"), reason="OPENMED_DATA does not name a folder of corpora")
@pytest.mark.slow
def test_jnlpba_gives_its_known_verdict():
    audit = audit_corpus("jnlpba", backbones=())
    first = audit.findings[0]
    assert (first.name, first.weight) == ("leakage_test_in_train", Weight.SCORES)
    assert first.counts["exact"] == {"0": 108, "5": 104, "10": 92}
    assert first.counts["other_tags"] == {"exact": 26, "respaced": 6}
    assert first.counts["respaced"] == {"0": 6, "5": 6, "10": 6}
    assert sum(first.counts["seen_documents"].values()) == 10
    subset = audit.clean_subset()
    assert (len(subset.sentences.removed), subset.sentences.kept) == (110, 3856 - 110)
    assert len(subset.documents.removed) == 10
    assert audit.finding("repeats").counts["train"] == {"repeated": 71, "repeated_long": 54, "other_tags": 6}
