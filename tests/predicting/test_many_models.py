"""Several models in one pass: each finds what it finds alone, to the last digit, and says that it was the one."""

from __future__ import annotations

import gc
import tempfile
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.backbones import FAMILIES, INFO, backbone_spec, local_spec, save_model, spread

import openmed
from openmed.artefact import save_artefact
from openmed.errors import ConfigError
from openmed.networks import LoraSpec, build_tagger, load_tokenizer
from openmed.predicting import EntityTagger, Selection
from openmed.predicting.plain import PlainWeights
from openmed.predicting.selection import BELOW_THRESHOLD, OVERLAPPING
from openmed.predicting.shared import SharedEncoder
from openmed.spans import Document, Span

TEXTS = ["Aspirin (100 mg) relieved headache in 12 patients. " * number for number in (1, 4)] + ["", "p53"]


def facts(document: Document, model: str | None = None) -> list[tuple]:
    return [(s.start, s.end, s.label, s.score) for s in document.spans if model is None or s.model == model]


def check_as_alone(together: EntityTagger, folders: list[Path], dtype: str) -> None:
    found = [together(TEXTS), together(TEXTS)]  # the second time begins with the last model's weights in place
    for model, folder in zip(together.models, folders, strict=True):
        alone = openmed.load(folder, dtype=dtype)(TEXTS)
        assert any(document.spans for document in alone)
        assert all(span.model is None for document in alone for span in document.spans)
        for documents in found:
            assert [facts(document, model.name) for document in documents] == [facts(document) for document in alone]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", FAMILIES)
def test_adapters_on_one_base_give_what_each_gives_alone(hub, tmp_path, name, dtype):
    spec = backbone_spec(name)
    loras = [LoraSpec(4, 8), LoraSpec(2, 8, targets="query_value"), LoraSpec(8, 8, rank_stabilised=True)]
    folders = [save_model(tmp_path / str(n), spec, lora=lora, seed=n) for n, lora in enumerate(loras)]
    together = openmed.load(folders, dtype=dtype)
    check_as_alone(together, folders, dtype)


def test_adapters_on_one_base_share_it_and_others_do_not(hub, tmp_path, monkeypatch):
    bases: list[SharedEncoder] = []
    init = SharedEncoder.__init__
    monkeypatch.setattr(SharedEncoder, "__init__", lambda self, *a, **k: (bases.append(self), init(self, *a, **k))[0])
    bert, electra = backbone_spec("pubmedbert"), backbone_spec("bioelectra")
    folders = [
        save_model(tmp_path / "0", bert, lora=LoraSpec(4, 8), seed=0),
        save_model(tmp_path / "1", electra, lora=LoraSpec(4, 8), seed=1),
        save_model(tmp_path / "2", bert, lora=LoraSpec(4, 8), seed=2),
        save_model(tmp_path / "3", bert, seed=3),
    ]
    together = openmed.load(folders, dtype="float32")
    assert len(bases) == 1
    check_as_alone(together, folders, "float32")


def tensor_bytes() -> int:
    """Of all tensors alive, each storage once."""
    gc.collect()
    tensors = [thing for thing in gc.get_objects() if issubclass(type(thing), torch.Tensor)]
    storages = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in tensors}
    return sum(storages.values())


def bytes_held(folders: list[Path], dtype: str) -> int:
    before = tensor_bytes()
    tagger = openmed.load(folders, dtype=dtype)
    tagger(TEXTS)
    tagger(TEXTS)
    return tensor_bytes() - before


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("number", [2, 4])
def test_many_adapters_hold_the_bytes_of_one_model_and_of_the_adapters(hub, tmp_path, dtype, number):
    spec = backbone_spec("pubmedbert")
    folders = [save_model(tmp_path / str(n), spec, lora=LoraSpec(1, 2), seed=n) for n in range(number)]
    adapters = sum((folder / "adapter_model.safetensors").stat().st_size for folder in folders)
    assert bytes_held(folders, dtype) <= bytes_held(folders[:1], dtype) + adapters


@pytest.mark.parametrize("error", [None, OSError("No space left on device")])
def test_weights_kept_on_disk_are_the_same_and_where_there_is_no_disk_they_stay_in_memory(monkeypatch, error):
    weights = {"a": torch.randn(5, 3), "b": torch.randn(7, 5).T, "c": torch.randn(1, 1)}
    if error is not None:
        monkeypatch.setattr(tempfile, "TemporaryFile", Mock(side_effect=error))
    plain = PlainWeights(weights, torch.device("cpu"))
    for name in "abcba":
        assert torch.equal(plain[name], weights[name])
    assert ("a" in plain, "d" in plain) == (True, False)


def test_the_base_is_loaded_once_whatever_the_models_find(hub, tmp_path, monkeypatch):
    from openmed.artefact import model

    spec = backbone_spec("bioclinical_modernbert")
    folders = [save_model(tmp_path / "0", spec, lora=LoraSpec(4, 8)), tmp_path / "1"]
    info = replace(INFO, types=("Gene",))
    network = build_tagger(spec, LoraSpec(2, 4), num_tags=len(info.tags))
    spread(network)
    save_artefact(folders[1], network.eval(), load_tokenizer(spec), info=info, backbone=spec, provenance={})
    loaded: list[str] = []
    load = model.load_encoder
    monkeypatch.setattr(model, "load_encoder", lambda spec, **k: (loaded.append(spec.weights), load(spec, **k))[1])
    together = openmed.load(folders, dtype="float32")
    assert loaded == [spec.weights]
    check_as_alone(together, folders, "float32")


def test_models_that_attend_in_other_ways_share_no_base(hub, tmp_path, monkeypatch):
    from openmed.predicting import loading

    specs = [backbone_spec("pubmedbert", attention=attention) for attention in ("eager", "sdpa")]
    folders = [save_model(tmp_path / str(n), spec, lora=LoraSpec(4, 8), seed=n) for n, spec in enumerate(specs)]
    monkeypatch.setattr(loading, "SharedEncoder", None)
    check_as_alone(openmed.load(folders, dtype="float32"), folders, "float32")


def test_models_that_cut_text_alike_cut_it_once(bert, tmp_path, monkeypatch):
    from openmed.predicting import tagger

    calls: list[int] = []
    encode = tagger.encode_documents
    monkeypatch.setattr(tagger, "encode_documents", lambda *a, **k: (calls.append(1), encode(*a, **k))[1])
    folders = [save_model(tmp_path / str(n), local_spec(bert), seed=n) for n in range(3)]
    openmed.load(folders, dtype="float32")(TEXTS)
    assert len(calls) == 1


def test_models_of_one_corpus_are_told_apart(bert, tmp_path):
    folders = [save_model(tmp_path / str(n), local_spec(bert), seed=n) for n in range(2)]
    names = [model.name for model in openmed.load(folders).models]
    assert len(set(names)) == 2
    assert all(name.startswith("none-") for name in names)
    assert openmed.load(folders[0]).models[0].name == "none"


def test_the_same_model_twice_and_none_are_refused(model_folder):
    with pytest.raises(ConfigError, match="was given twice"):
        openmed.load([model_folder, str(model_folder)])
    with pytest.raises(ConfigError, match="no model was given"):
        openmed.load([])


# --- selection ------------------------------------------------------------------------------------------------------

SPANS = st.lists(
    st.builds(
        lambda start, length, label, score: Span(start, start + length, label, score=score, model="m"),
        st.integers(0, 30),
        st.integers(1, 10),
        st.sampled_from("AB"),
        st.sampled_from([0.0, 0.25, 0.5, 1.0]),
    ),
    max_size=12,
)


@given(spans=SPANS, threshold=st.sampled_from([0.0, 0.5, 1.0]), overlaps=st.sampled_from(["keep", "longest", "score"]))
@settings(max_examples=200)
def test_what_is_kept_is_sure_and_apart_and_the_rest_is_counted(spans, threshold, overlaps):
    document, dropped = Selection(threshold, overlaps)(Document("d", "x" * 40, tuple(spans)))
    kept = list(document.spans)
    assert dropped.total() + len(kept) == len(spans)
    assert dropped[BELOW_THRESHOLD] == sum(span.score < threshold for span in spans)
    assert all(span.score >= threshold for span in kept)
    if overlaps == "keep":
        assert dropped[OVERLAPPING] == 0
        return
    assert not any(one.overlaps(other) for n, one in enumerate(kept) for other in kept[n + 1 :])
    measure = (lambda s: s.end - s.start) if overlaps == "longest" else (lambda s: s.score)
    for span in spans:  # each one dropped gave way to one at least as good
        if span.score >= threshold and span not in kept:
            assert any(span.overlaps(other) and measure(other) >= measure(span) for other in kept)


def test_of_overlapping_entities_the_longest_or_the_surest_stays():
    short, long = Span(4, 8, "A", score=0.9), Span(0, 10, "B", score=0.6)
    document = Document("d", "x" * 10, (short, long))
    assert Selection(overlaps="longest")(document)[0].spans == (long,)
    assert Selection(overlaps="score")(document)[0].spans == (short,)


def test_a_threshold_keeps_what_reaches_it():
    document = Document("d", "x" * 10, (Span(0, 1, "A", score=0.5), Span(2, 3, "A", score=0.499)))
    assert Selection(threshold=0.5)(document) == (document.with_spans([Span(0, 1, "A")]), {BELOW_THRESHOLD: 1})


@pytest.mark.parametrize("settings", [{"threshold": -0.1}, {"threshold": 1.1}, {"overlaps": "best"}])
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(ConfigError):
        Selection(**settings)
