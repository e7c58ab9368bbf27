"""A loaded model tags any text with exact offsets, and the same text always in the same way.

The network is random, so it finds mentions everywhere; nothing here depends on what they are.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.backbones import FAMILIES, INFO, backbone_spec, local_spec, save_model
from tests.serving.taggers import drawn_tagger
from tests.strategies import texts

import openmed
from openmed.encoding import Batch, split_words
from openmed.errors import ArtefactError, ConfigError
from openmed.networks import LoraSpec
from openmed.predicting import EntityTagger, open_models
from openmed.spans import Document

SENTENCE = "Aspirin (100 mg) relieved headache in 12 patients, IL-2-induced T-cells did not respond. "
CHECKED = settings(max_examples=25)


def make_tagger(folder: Path, *, max_tokens: int = 8192, chunk: int = 256, view: str = "documents") -> EntityTagger:
    return EntityTagger(
        open_models([folder], device="cpu", dtype="float32"), max_tokens=max_tokens, chunk=chunk, view=view
    )


@pytest.fixture(scope="module")
def tagger(model_folder) -> EntityTagger:
    return make_tagger(model_folder)


@pytest.fixture(scope="module")
def frugal(model_folder) -> EntityTagger:
    """The same model, one or two windows a batch, two documents a chunk."""
    return make_tagger(model_folder, max_tokens=40, chunk=2)


def check(document: Document, text: str) -> None:
    """What holds of every prediction."""
    assert document.text == text
    words = split_words(text, INFO.splitter)
    starts, ends = {start for start, _ in words}, {end for _, end in words}
    for span in document.spans:
        assert span.start in starts
        assert span.end in ends
        assert span.label in INFO.types
        assert span.score is not None
        assert 0 <= span.score <= 1
    for before, after in pairwise(document.spans):
        assert before.end <= after.start


def exact(document: Document) -> list[tuple[int, int, str]]:
    return [(span.start, span.end, span.label) for span in document.spans]


# --- one text -------------------------------------------------------------------------------------------------------


def test_a_string_gives_a_document_and_a_list_gives_a_list(tagger):
    one = tagger(SENTENCE)
    assert isinstance(one, Document)
    assert one.spans
    several = tagger([SENTENCE, SENTENCE])
    assert [document.spans for document in several] == [one.spans] * 2
    assert [document.id for document in several] == ["1", "2"]
    assert tagger([]) == []


def test_offsets_count_the_characters_of_the_text_as_given(tagger):
    text = f"  \t{SENTENCE}\r\n\r\n{SENTENCE}"
    document = tagger(text)
    check(document, text)
    assert {text[span.start : span.end] for span in document.spans}
    assert max(span.end for span in document.spans) > len(SENTENCE)


@pytest.mark.parametrize("text", ["", " ", "\n\t \u00a0\u3000"], ids=["empty", "a space", "white space"])
def test_a_text_without_words_has_no_mentions(tagger, text):
    assert tagger(text) == Document("1", text)
    assert [exact(document) for document in tagger([text, SENTENCE, text])][1] == exact(tagger(SENTENCE))


@pytest.mark.parametrize(
    "text",
    [
        "👩\u200d🔬 gave 😀aspirin😀 to 🧬",
        "cafe\u0301ine e\u0301 \u0301 β\u0308-catenin",
        "aspirin\x00headache \x07 \x1b[31m",
        "אספירין מקל על כאב ראש \u202easpirin\u202c",
        "阿司匹林缓解头痛。日本脳炎ウイルス",
        "\ud83d aspirin \udc00",
        "[SEP] aspirin [CLS] <s> [PAD]",
        "İstanbul ﬁbrosis ½ ß",
        "A" * 5_000,
        "-" * 500,
    ],
    ids=[
        "emoji",
        "combining",
        "control",
        "right to left",
        "no spaces",
        "surrogates",
        "special",
        "case",
        "long",
        "dashes",
    ],
)
def test_no_text_is_too_odd(tagger, text):
    check(tagger(text), text)


@given(text=texts())
@CHECKED
def test_any_text_gets_spans_of_whole_words_that_never_overlap(tagger, text):
    check(tagger(text), text)


# --- batches, order, chunks, windows --------------------------------------------------------------------------------


@given(drawn=st.lists(texts(max_fragments=30), max_size=5), data=st.data())
@CHECKED
def test_neither_batch_nor_order_nor_chunk_changes_a_span(tagger, frugal, drawn, data):
    expected = [exact(tagger(text)) for text in drawn]
    assert [exact(document) for document in tagger(drawn)] == expected
    order = data.draw(st.permutations(range(len(drawn))))
    for number, document in zip(order, frugal([drawn[number] for number in order]), strict=True):
        assert exact(document) == expected[number]


@pytest.mark.parametrize("name", FAMILIES)
def test_for_each_architecture_batches_change_no_span(hub, tmp_path, name):
    folder = save_model(tmp_path / "model", backbone_spec(name), lora=LoraSpec(4, 8))
    together = make_tagger(folder)
    drawn = [SENTENCE * number for number in (1, 5, 2)] + ["p53"]
    expected = [exact(document) for document in together(drawn)]
    assert all(expected)
    assert [exact(document) for document in make_tagger(folder, max_tokens=1, chunk=1)(drawn)] == expected
    assert [exact(document) for document in together(drawn[::-1])] == expected[::-1]


def test_a_long_text_is_tagged_to_its_end_in_windows(tagger):
    text = SENTENCE * 40
    document = tagger(text)
    check(document, text)
    assert document.spans[-1].end > len(text) - len(SENTENCE)
    assert {span.start // len(SENTENCE) for span in document.spans} == set(range(40))  # in each repetition some


def test_no_window_is_longer_than_the_model_says_even_where_a_word_is(model_folder):
    (model,) = open_models([model_folder], device="cpu", dtype="float32")
    seen: list[int] = []

    def score(batch: Batch) -> np.ndarray:
        seen.append(batch.input_ids.shape[1])
        return model.score(batch)

    tagger = EntityTagger([replace(model, score=score)], max_tokens=8192)
    text = f"{'β' * 99} relieves {SENTENCE * 3}"  # 99 letters, 99 pieces
    check(tagger(text), text)
    assert max(seen) == INFO.max_pieces


def test_documents_stream(tagger, frugal):
    """The first is out before the last is asked for."""
    asked: list[int] = []

    def documents():
        for number in range(6):
            asked.append(number)
            yield Document(str(number), SENTENCE)

    first = next(frugal.tag(documents()))
    assert exact(first) == exact(tagger(SENTENCE))
    assert asked == [0, 1]


def test_a_document_keeps_all_but_its_mentions(tagger):
    document = Document("d", "aspirin helps", group="g", words=((0, 3), (8, 13)), sentences=((0, 13),))
    tagged = next(tagger.tag([document]))
    assert tagged.with_spans(()) == document
    assert {edge for span in tagged.spans for edge in (span.start, span.end)} <= {0, 3, 8, 13}  # its own words


def test_sentence_by_sentence_no_mention_crosses_a_sentence(model_folder):
    text = SENTENCE * 3
    document = make_tagger(model_folder, view="sentences")(text)
    check(document, text)
    edges = [len(SENTENCE), 2 * len(SENTENCE)]
    assert not [span for span in document.spans if any(span.start < edge < span.end for edge in edges)]
    parts = [exact(part) for part in make_tagger(model_folder)([SENTENCE.strip()] * 3)]
    shifted = [(s + n * len(SENTENCE), e + n * len(SENTENCE), x) for n, part in enumerate(parts) for s, e, x in part]
    assert exact(document) == shifted


@pytest.mark.slow
@pytest.mark.parametrize("unit", [SENTENCE, "x"], ids=["words", "one word"])
def test_a_line_of_a_megabyte_takes_seconds(tagger, unit):
    text = (unit * (1_000_000 // len(unit) + 1))[:1_000_000]
    began = time.perf_counter()
    document = tagger(text)
    seconds = time.perf_counter() - began
    check(document, text)
    assert document.spans or unit == "x"
    assert seconds < 30  # 3 on two busy cores; anything quadratic would take hours


@pytest.mark.slow
def test_a_line_of_ten_megabytes_keeps_its_offsets(wordpiece):
    """Beside the network: words, windows, decoding."""
    line = f"Aspirin\u0301 😀 relieves אספירין headache, IL-2-induced;{' ' * 450}"
    text = line * (10_000_000 // len(line))
    whole, one = drawn_tagger(wordpiece)(text), drawn_tagger(wordpiece)(line)
    check(whole, text)
    assert one.spans
    # Of each repetition the mentions at the same places, but where one might go on from the repetition before.
    places = {(span.start % len(line), span.end % len(line)) for span in whole.spans}
    assert places >= {(span.start, span.end) for span in one.spans[1:]}
    assert len(whole.spans) > 19_000 * (len(one.spans) - 1)


# --- scores ---------------------------------------------------------------------------------------------------------


@given(text=texts(), temperature=st.sampled_from([0.5, 3.0]))
@CHECKED
def test_a_temperature_changes_how_sure_the_tagger_is_and_nothing_else(wordpiece, text, temperature):
    plain, scaled = drawn_tagger(wordpiece), drawn_tagger(wordpiece, temperature=temperature)
    assert exact(plain(text)) == exact(scaled(text))
    for before, after in zip(plain(text).spans, scaled(text).spans, strict=True):
        assert before.score != after.score


def test_the_score_of_an_entity_is_the_mean_probability_of_its_tags(wordpiece):
    """All words score alike: every tag of the best path has the same probability."""
    scores = np.array([0.0, 3.0, 1.0, -1.0, -1.0], dtype=np.float32)
    tagger = drawn_tagger(wordpiece, temperature=2.0, table=np.tile(scores, (len(wordpiece), 1)))
    expected = np.exp(scores[1] / 2) / np.exp(scores / 2).sum()
    assert [span.score for span in tagger("p53 p53").spans] == pytest.approx([expected] * 2)


def test_the_temperature_of_a_folder_is_used(tmp_path, bert):
    from openmed.artefact import load_artefact, save_artefact
    from openmed.networks import BackboneSpec

    folder = save_model(tmp_path / "plain", local_spec(bert))
    artefact = load_artefact(folder)
    spec = BackboneSpec.from_mapping(artefact.manifest.backbone)
    cold = tmp_path / "cold"
    save_artefact(cold, artefact.network, artefact.tokenizer, info=INFO, backbone=spec, provenance={}, temperature=0.5)
    before, after = (openmed.load(path, dtype="float32")(SENTENCE) for path in (folder, cold))
    assert exact(before) == exact(after)
    assert all(a.score > b.score for b, a in zip(before.spans, after.spans, strict=True))


# --- what passes through ---------------------------------------------------------------------------------------------


def test_blocks_end_where_texts_are_long(wordpiece, monkeypatch):
    from openmed.predicting import blocks

    monkeypatch.setattr(blocks, "BLOCK_CHARACTERS", len(SENTENCE) + 1)
    asked: list[int] = []

    def documents():
        for number in range(6):
            asked.append(number)
            yield Document(str(number), SENTENCE)

    found = drawn_tagger(wordpiece).tag(documents())
    assert next(found).spans
    assert asked == [0, 1]
    assert [document.id for document in found] == ["1", "2", "3", "4", "5"]


def test_what_tokenising_loses_is_counted(wordpiece):
    tagger = drawn_tagger(wordpiece)
    tagger("p53 helps")
    assert tagger.losses == {}
    tagger(["β" * 99, "p53", "β" * 99])
    assert tagger.losses == {"word_pieces_cut": 2}


# --- load -----------------------------------------------------------------------------------------------------------


def test_load_takes_a_folder_by_name(model_folder, tagger):
    loaded = openmed.load(str(model_folder), dtype="float32")
    assert loaded.types == INFO.types
    assert exact(loaded(SENTENCE)) == exact(tagger(SENTENCE))


def test_bfloat16_moves_scores_by_little(model_folder, tagger):
    low = openmed.load(model_folder, dtype="bfloat16")
    documents = [SENTENCE * 3, SENTENCE]
    for one, other in zip(tagger(documents), low(documents), strict=True):
        check(other, one.text)
        shared = set(exact(one)) & set(exact(other))
        assert len(shared) >= 0.8 * len(one.spans)
        scores = [{(s.start, s.end, s.label): s.score or 0 for s in document.spans} for document in (one, other)]
        assert 0 < max(abs(scores[0][key] - scores[1][key]) for key in shared) < 0.05


def test_an_unknown_dtype_is_refused_with_the_nearest(model_folder):
    with pytest.raises(ConfigError, match=r"unknown dtype 'float23'\. Did you mean 'float32'"):
        openmed.load(model_folder, dtype="float23")


def test_what_is_no_model_is_refused(tmp_path):
    with pytest.raises(ArtefactError, match=r"has no openmed\.json"):
        openmed.load(tmp_path)


@pytest.mark.slow
def test_a_fresh_process_needs_neither_lightning_nor_hydra_nor_wandb(model_folder, tagger):
    code = f"""
import json, sys
import openmed
document = openmed.load(sys.argv[1], dtype="float32")({SENTENCE!r})
heavy = {{"lightning", "pytorch_lightning", "hydra", "omegaconf", "wandb", "torchmetrics", "datasets"}}
print(json.dumps([[[s.start, s.end, s.label] for s in document.spans], sorted(heavy & sys.modules.keys())]))
"""
    command = [sys.executable, "-c", code, str(model_folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=os.path.dirname(model_folder))
    spans, imported = json.loads(done.stdout)
    assert [tuple(span) for span in spans] == exact(tagger(SENTENCE))
    assert imported == []
