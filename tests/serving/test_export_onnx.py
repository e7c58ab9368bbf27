"""The exported graphs give the network's scores, in 8 bits nearly so, through the same windows and decoding."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tests.backbones import FAMILIES, backbone_spec, make_batch, save_model

from openmed.artefact import load_artefact
from openmed.cli.export import Target
from openmed.errors import ArtefactError, ConfigError
from openmed.networks import LoraSpec
from openmed.predicting import NetworkScorer, load
from openmed.predicting.onnx_scorer import PIECES_PER_THREAD, OnnxScorer
from openmed.serving.export import TARGETS, export_model, int8
from openmed.serving.export.agreement import Reference
from openmed.serving.export.calibrate import Seen, choose
from openmed.serving.export.graph import write_graph
from openmed.serving.export.linears import find_groups, find_tables, quantised, weight_codes
from openmed.serving.export.texts import Texts
from openmed.spans import Document

TEXTS = [
    "Aspirin (100 mg), ibuprofen (200 mg), and naproxen relieved headache in 12 patients.",
    "p53",
    "IL-2-induced proliferation of T-cells was blocked by cyclosporin A.",
    "Mutations of BRCA1 and BRCA2 predispose to breast cancer, and ovarian cancer. " * 3,
]


@pytest.fixture(scope="module")
def artefact(model_folder):
    return load_artefact(model_folder)


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory, model_folder: Path) -> Path:
    """That of `artefact`, in float32."""
    path = tmp_path_factory.mktemp("graph") / "model.onnx"
    write_graph(load_artefact(model_folder).network, path)
    return path


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    path = tmp_path / "notes.jsonl"
    lines = [json.dumps({"id": str(number), "text": text}) for number, text in enumerate(TEXTS * 3)]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def exact(document: Document) -> list[tuple[int, int, str]]:
    return [(span.start, span.end, span.label) for span in document.spans]


# --- float32 ----------------------------------------------------------------------------------------------------------


def check_parity(artefact, path: Path) -> None:
    """Of every word, in batches of several shapes."""
    score = OnnxScorer(path)
    for texts in (TEXTS, TEXTS[1:2], TEXTS[3:], [TEXTS[1]] * 5):
        batch = make_batch(artefact.tokenizer, texts)
        with torch.inference_mode():
            wanted_NC = artefact.network(batch).numpy()
        found_NC = score(batch)
        assert np.abs(wanted_NC).max() > 0.1
        assert found_NC.dtype == np.float32
        np.testing.assert_allclose(found_NC, wanted_NC, rtol=0, atol=1e-4)


def test_scores_are_the_networks(artefact, graph):
    check_parity(artefact, graph)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in FAMILIES if name != "pubmedbert"])  # BERT: above
def test_scores_are_the_networks_in_each_architecture_and_it_can_be_rounded(hub, tmp_path, name):
    artefact = load_artefact(save_model(tmp_path / "model", backbone_spec(name), lora=LoraSpec(4, 8)))
    write_graph(artefact.network, tmp_path / "model.onnx")
    check_parity(artefact, tmp_path / "model.onnx")
    model = onnx.load(tmp_path / "model.onnx")
    groups = find_groups(model)
    names = {linear.name for group in groups for linear in group.linears}
    wanted = {
        name
        for name, module in artefact.network.transformer.named_modules()
        if isinstance(module, torch.nn.Linear) and not name.startswith("classifier")
    }
    assert names == wanted
    batch = make_batch(artefact.tokenizer, TEXTS)
    small = quantised(model, plans(model, [batch]), find_tables(model))
    score, rounded = OnnxScorer(tmp_path / "model.onnx"), OnnxScorer(small.SerializeToString())
    wanted_NC = score(batch)
    assert 0 < np.abs(rounded(batch) - wanted_NC).mean() < 0.1 * np.abs(wanted_NC).mean()


def test_the_graph_names_its_layers_and_no_path_of_this_machine(graph):
    data = graph.read_bytes()
    for place in (Path(torch.__file__).parents[1], Path(__file__).parents[2], Path.home()):
        assert str(place).encode() not in data
    assert b"stack_trace" not in data
    assert any("layer.1.output.dense" in node.name for node in onnx.load(graph).graph.node)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory, model_folder: Path):
    out = tmp_path_factory.mktemp("export") / "onnx"
    return export_model(model_folder, out, to="onnx")


@pytest.mark.slow
def test_an_export_predicts_what_the_model_does(exported, model_folder):
    texts = [*TEXTS, "", TEXTS[0] * 20]
    found = load(exported.out)(texts)
    assert [exact(document) for document in found] == [
        exact(document) for document in load(model_folder, dtype="float32")(texts)
    ]
    assert exact(found[-1])[-1][0] > len(TEXTS[0]) * 18  # long texts to their end
    assert exported.check["num_documents"] == exported.check["num_same"] == 10
    assert exported.check["spans"] == 1
    assert exported.files == {path.name: path.stat().st_size for path in exported.out.iterdir()}
    assert {path.suffix for path in exported.out.iterdir()} == {".onnx", ".json"}


@pytest.mark.slow
def test_an_altered_graph_is_refused(exported, tmp_path):
    import shutil

    shutil.copytree(exported.out, tmp_path / "copy")
    with (tmp_path / "copy" / "model.onnx").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(ArtefactError, match="differs from what was saved"):
        load(tmp_path / "copy")


@pytest.mark.slow
@pytest.mark.parametrize("setting", [{"device": "cuda"}, {"dtype": "bfloat16"}], ids=str)
def test_it_is_not_asked_for_another_device_or_arithmetic(exported, setting):
    with pytest.raises(ConfigError, match="runs on the CPU"):
        load(exported.out, **setting)


@pytest.mark.slow
def test_an_export_is_not_exported_again(exported, tmp_path):
    with pytest.raises(ArtefactError, match="no network"):
        export_model(exported.out, tmp_path / "out", to="hf")


def test_what_onnxruntime_cannot_run_is_refused(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"no graph")
    with pytest.raises(ArtefactError, match="cannot run"):
        OnnxScorer(tmp_path / "model.onnx")


@given(lengths=st.lists(st.integers(1, 600), min_size=1, max_size=40))
def test_a_batch_is_run_in_parts_that_hold_each_row_once(lengths):
    scorer = OnnxScorer.__new__(OnnxScorer)
    scorer._num_threads = 1
    parts = list(scorer._parts(np.asarray(lengths)))
    assert [row for rows, _ in parts for row in range(rows.start, rows.stop)] == list(range(len(lengths)))
    for rows, width in parts:
        assert 0 <= width - max(lengths[rows]) < 8
        assert rows.stop - rows.start == 1 or width * (rows.stop - rows.start) <= PIECES_PER_THREAD


# --- 8 bits: laws of rounding -----------------------------------------------------------------------------------------

FLOATS = st.floats(-10, 10, width=32)


@given(weight_KN=hnp.arrays(np.float32, st.tuples(st.integers(1, 7), st.integers(1, 4)), elements=FLOATS))
def test_codes_are_near_their_weights_and_no_pair_of_products_leaves_16_bits(weight_KN):
    codes_KN, scale_N = weight_codes(weight_KN)
    assert codes_KN.dtype == np.int8
    assert (np.abs(codes_KN * scale_N - weight_KN) <= 0.5001 * scale_N).all()
    assert (scale_N <= 2.001 * np.maximum(np.abs(weight_KN).max(axis=0) / 127, np.finfo(np.float32).tiny)).all()
    for first in range(0, len(codes_KN), 2):
        pair = codes_KN[first : first + 2].astype(int)
        for signed in (np.maximum(pair, 0), np.minimum(pair, 0)):
            assert np.abs(255 * signed.sum(axis=0)).max() <= 2**15 - 1


def plans(model, batches) -> dict:
    return int8._plans(model, batches, find_groups(model))


def test_channels_that_reach_far_are_made_equal():
    rng = np.random.default_rng(1)
    rows_RK = rng.normal(size=(400, 16)).astype(np.float32)
    weight_KN = rng.normal(size=(16, 8)).astype(np.float32)
    rows_RK[:, 3] *= 100
    weight_KN[3] /= 100
    plan = choose(Seen(rows_RK.min(0), rows_RK.max(0), [rows_RK]), weight_KN)
    assert plan.equaliser_K[3] > 5 * np.delete(plan.equaliser_K, 3).max()
    assert plan.error < 1e-3  # with one step for all channels it is 0.08


def test_in_8_bits_scores_move_little_and_do_not_depend_on_the_batch(artefact, graph):
    model = onnx.load(graph)
    batch = make_batch(artefact.tokenizer, TEXTS)
    score = OnnxScorer(quantised(model, plans(model, [batch]), find_tables(model)).SerializeToString())
    together_NC = score(batch)
    wanted_NC = OnnxScorer(graph)(batch)
    assert 0 < np.abs(together_NC - wanted_NC).mean() < 0.05 * np.abs(wanted_NC).mean()
    alone_NC = np.concatenate([score(make_batch(artefact.tokenizer, [text])) for text in TEXTS])
    np.testing.assert_allclose(together_NC, alone_NC, rtol=0, atol=1e-5)


def test_all_weights_in_8_bits_take_a_byte_each(artefact, graph):
    model = onnx.load(graph)
    small = quantised(model, plans(model, [make_batch(artefact.tokenizer, TEXTS)]), find_tables(model))
    kept = {tensor.name for tensor in small.graph.initializer}
    for group in find_groups(model):
        assert not kept & {linear.weight for linear in group.linears}
    assert not kept & set(find_tables(model))
    rounded = {linear.weight for group in find_groups(model) for linear in group.linears} | set(find_tables(model))
    sizes = [[np.prod(tensor.dims) for tensor in model.graph.initializer if tensor.name in rounded]]
    sizes += [[np.prod(tensor.dims) for tensor in small.graph.initializer if tensor.data_type == onnx.TensorProto.INT8]]
    assert sum(sizes[0]) == sum(sizes[1]) > 0
    assert find_groups(small) == []
    onnx.checker.check_model(onnx.load(graph))


# --- 8 bits: until enough agrees --------------------------------------------------------------------------------------


@pytest.fixture
def shrink(artefact, graph, model_folder):
    documents = [Document(str(number), text) for number, text in enumerate(TEXTS)]
    score = NetworkScorer(load_artefact(model_folder).network, device="cpu", dtype=torch.float32)
    reference = Reference(artefact, score, Texts(documents, "texts"), "documents")

    def run() -> tuple[int8.Shrunk, list[str]]:
        lines: list[str] = []
        calibration = Texts(documents, "texts")
        model = onnx.load(graph)
        return int8.shrink(model, artefact, calibration=calibration, reference=reference, report=lines.append), lines

    return run


def test_what_harms_goes_back_to_float32(shrink, monkeypatch):
    """One layer is rounded to nothing: it, and no other, is left out."""
    spoilt = "bert.encoder.layer.0.output.dense"
    made = int8._plans

    def spoil(model, batches, groups):
        plans = made(model, batches, groups)
        name = next(group.activations for group in groups if group.name == spoilt)
        plans[name] = plans[name].__class__(plans[name].equaliser_K, 1e6, 0, 1.0)
        return plans

    monkeypatch.setattr(int8, "_plans", spoil)
    monkeypatch.setattr(int8, "MIN_AGREEMENT", 0.9)
    small, lines = shrink()
    assert small.left_out == [spoilt]
    assert small.agreement.spans >= 0.9
    assert len(lines) == 2


def test_where_nothing_helps_there_is_no_export(shrink, monkeypatch):
    monkeypatch.setattr(int8, "MIN_AGREEMENT", 1.01)
    with pytest.raises(ArtefactError, match=r"finds other spans .* left in float32.*--to onnx"):
        shrink()


def test_a_loss_against_gold_is_no_agreement():
    agreed = {"num_documents": 9, "num_same": 9, "spans": 1.0}
    assert int8._is_enough(int8.Agreement(**agreed, f1=None, reference_f1=None))
    assert int8._is_enough(int8.Agreement(**agreed, f1=0.80, reference_f1=0.802))
    assert not int8._is_enough(int8.Agreement(**agreed, f1=0.80, reference_f1=0.804))


# --- the command ------------------------------------------------------------------------------------------------------


def test_the_command_knows_all_targets():
    assert tuple(Target) == TARGETS


@pytest.mark.slow
def test_texts_of_ones_own_calibrate_and_others_of_them_check(model_folder, tmp_path, notes, monkeypatch):
    monkeypatch.setattr(int8, "MIN_AGREEMENT", 0.5)
    exported = export_model(model_folder, tmp_path / "out", to="onnx-int8", calibrate=[notes])
    assert exported.quantised is not None
    assert exported.quantised["texts"] == "notes.jsonl, but every 5th"
    assert exported.check["texts"] == "every 5th of notes.jsonl"
    assert exported.check["num_documents"] == 2
    assert load(exported.out)(TEXTS[0]).spans
    assert sorted(path.name for path in exported.out.iterdir()) == sorted(exported.files)
    assert {"model.onnx", "openmed.json", "tokenizer.json"} <= exported.files.keys()
    assert not any(name.startswith("float32") for name in exported.files)


def test_without_texts_to_calibrate_on_it_is_asked_for_some(model_folder, tmp_path):
    with pytest.raises(ConfigError, match="--calibrate FILE"):
        export_model(model_folder, tmp_path / "out", to="onnx-int8")
