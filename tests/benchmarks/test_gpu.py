"""The GPU benchmark, tried on a CPU: sizes, language, stopwatch, turns, checks of equal outputs, and a tiny run."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from benchmarks.gpu import __main__ as program
from benchmarks.gpu.device import Rating
from benchmarks.gpu.language import Language, write_conll
from benchmarks.gpu.measure import UNITS, check_losses, loss_difference
from benchmarks.gpu.ours import TINY, Work
from benchmarks.gpu.predict import check_mentions
from benchmarks.gpu.shapes import SHAPES
from benchmarks.gpu.timing import Budget, Clock, NotMeasured, Outcome, OutputsDiffer, Run, take_turns

from openmed.encoding import PieceEncoder, split_words
from openmed.networks.fast.lora import lora_forward
from openmed.networks.precision import data_sheet
from openmed.readers import read

TOTALS = {
    "bert_base": 109_482_240,
    "bert_large": 335_141_888,
    "deberta_base": 183_831_552,
    "deberta_large": 434_012_160,
}
"""All parameters of the real encoders, BERT's pooler included."""


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The program sets these for its process."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "true")
    monkeypatch.setattr(program, "_quiet", lambda: None)


@pytest.fixture(scope="module", params=["bert", "deberta-v2"])
def language(request: pytest.FixtureRequest) -> Language:
    return Language(request.param)


@pytest.mark.parametrize("name", SHAPES)
def test_shapes_have_the_sizes_of_the_real_encoders(name: str) -> None:
    from transformers import AutoModel

    shape = SHAPES[name]
    with torch.device("meta"):
        model = AutoModel.from_config(shape.config())
    assert sum(p.numel() for p in model.parameters()) == TOTALS[name]
    hidden, last_norm = shape.hidden_size, 2 * shape.hidden_size if "deberta" in name else 0
    assert shape.num_encoder_parameters() == shape.num_layers * (12 * hidden**2 + 13 * hidden) + last_norm


def test_rows_fill_their_window_and_read_back(language: Language, tmp_path: Path) -> None:
    rows = language.rows(50, num_pieces=62, seed=5)
    for row in rows:
        assert len(language.tokenizer(row.words, is_split_into_words=True)["input_ids"]) == 64
        document = row.document("x")
        words = split_words(document.text, "punctuation")
        assert len(PieceEncoder(language.tokenizer).encode(document.text, words).ids) == 62
    assert rows == language.rows(50, num_pieces=62, seed=5) != language.rows(50, num_pieces=62, seed=6)
    write_conll(rows, tmp_path / "train.tsv")
    documents = list(read(tmp_path / "train.tsv", format="conll"))
    assert [[(s.start, s.end, s.label) for s in d.spans] for d in documents] == [
        [(s.start, s.end, s.label) for s in row.document("x").spans] for row in rows
    ]
    assert sum(len(d.spans) for d in documents) > 100


def test_mixed_rows_are_shorter(language: Language) -> None:
    lengths = [
        sum(language.num_pieces[word] for word in row.words)
        for row in language.rows(200, num_pieces=62, seed=5, mixed=True)
    ]
    assert max(lengths) <= 62
    assert len(set(lengths)) > 20


def test_clock_counts_what_follows_the_warm_up() -> None:
    clock = Clock(warmup_steps=2, seconds=float("inf"), max_steps=5, keep_losses=True)
    ends = [clock.step(10**number, torch.tensor(float(number))) for number in range(5)]
    assert ends == [False, False, False, False, True]
    measured = clock.measured()
    assert (measured.tokens, measured.steps, measured.losses) == (11_100, 3, (0.0, 1.0, 2.0, 3.0, 4.0))


def test_clock_ends_when_its_time_has_passed() -> None:
    clock = Clock(warmup_steps=1, seconds=0.0, max_steps=1_000)
    assert [clock.step(1), clock.step(1)] == [False, True]


def test_each_side_goes_on_with_its_best_setting() -> None:
    calls: list[tuple[str, int]] = []

    def runs(name: str, rate: float | None) -> Callable[[int], Run]:
        def run(number: int) -> Run:
            calls.append((name, number))
            if rate is None:
                raise torch.OutOfMemoryError
            return Run(rate + number)

        return run

    sides = {
        "peer": {"32": runs("p32", 5), "64": runs("p64", 9)},
        "ours": {"32": runs("o32", 20), "64": runs("o64", None)},
    }
    outcomes = take_turns(sides, budget=Budget(minutes=1))
    assert calls[:4] == [("p32", 0), ("p64", 0), ("o32", 0), ("o64", 0)]
    assert calls[4:] == [("p64", 1), ("o32", 1), ("p64", 2), ("o32", 2)]
    assert (outcomes["peer"].setting, outcomes["peer"].rate, outcomes["peer"].others) == ("64", 10, {"32": 5})
    assert (outcomes["ours"].rate, outcomes["ours"].others) == (21, {"64": "out of memory"})
    assert len(take_turns(sides, budget=Budget(minutes=0))["ours"].runs) == 2
    with pytest.raises(NotMeasured, match="ours is out of memory at 64"):
        take_turns({"ours": {"64": runs("o64", None)}}, budget=Budget(minutes=1))


def test_loss_difference_is_relative_and_sees_what_is_no_number() -> None:
    assert loss_difference((2.0, 1.1), (2.0, 1.0)) == pytest.approx(0.1)
    assert loss_difference((2.0, float("nan")), (2.0, 1.0)) == float("inf")


A, B, C = (0, 1, "Gene"), (2, 3, "Gene"), (4, 5, "Gene")


@pytest.mark.parametrize(
    ("ours", "peer"),
    [
        pytest.param([{A, B}], [{A, C}], id="other mentions"),
        pytest.param([set()], [set()], id="none to compare"),
    ],
)
def test_other_mentions_give_no_ratio(ours: list, peer: list) -> None:
    with pytest.raises(OutputsDiffer):
        check_mentions({}, {"ours": ours, "peer": peer}, [{A, B}])


def test_equal_mentions_are_compared() -> None:
    outcomes = {side: Outcome("", [Run(rate)]) for side, rate in (("ours", 6.0), ("peer", 2.0))}
    found = check_mentions(outcomes, {"ours": [{A}, {B}], "peer": [{A}, {B}]}, [{A}, {C}])
    assert (found.agreement, found.gold_f1) == (1.0, {"ours": 0.5, "peer": 0.5})


@pytest.mark.parametrize(
    ("name", "flops"),
    [
        ("NVIDIA H100 80GB HBM3", 989e12),
        ("NVIDIA H200", 989e12),
        ("NVIDIA A100-SXM4-80GB", 312e12),
        ("NVIDIA H100 PCIe", None),
        ("NVIDIA H200 NVL", None),
        ("NVIDIA L4", None),
    ],
)
def test_data_sheets_know_their_devices(name: str, flops: float | None) -> None:
    assert data_sheet(name) == flops


def test_without_a_gpu_it_says_what_it_needs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert program.main([]) == 2
    assert "--device cpu --tiny" in capsys.readouterr().err


def test_shapes_without_time_are_left_out_and_say_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "results" / "gpu.json"
    assert program.main(["--device", "cpu", "--tiny", "--minutes", "0", "--out", str(out)]) == 0
    rows = json.loads(out.read_text())["rows"]
    assert [row["name"] for row in rows] == [f"{kind}, {name}, full rows" for name in SHAPES for kind in UNITS]
    assert {(row["ours"], row["met"], row["note"]) for row in rows} == {(None, None, "not measured: no time left")}
    assert capsys.readouterr().out.count("predict, deberta_large, full rows") == 2


@pytest.mark.parametrize("failure", [OutputsDiffer("other losses"), RuntimeError("no kernel image")])
def test_a_shape_that_fails_loses_no_other_and_no_row(
    failure: Exception, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def measure(work: Work, *, rating: Rating, budget: Budget) -> Iterator[dict[str, Any]]:
        yield {"name": work.shape.name, "ours": None, "goal": None, "met": None}
        if work.shape.architecture == "bert":
            raise failure

    monkeypatch.setattr(program, "measure_shape", measure)
    out = tmp_path / "gpu.json"
    options = ["--device", "cpu", "--tiny", "--shapes", "bert_base", "deberta_base", "--out", str(out)]
    assert program.main(options) == 1
    rows = json.loads(out.read_text())["rows"]
    assert rows[0]["name"] == "bert_base"
    assert [str(failure) in row["note"] for row in rows[1:4]] == [True] * 3
    assert rows[4]["name"] == "deberta_base"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bert_base", "deberta_base"])
def test_a_tiny_run_measures_every_row(name: str, tmp_path: Path) -> None:
    out = tmp_path / "gpu.json"
    options = ["--device", "cpu", "--tiny", "--shapes", name, "--lengths", "mixed", "--out", str(out)]
    assert program.main(options) == 0
    train, share, memory, predict = json.loads(out.read_text())["rows"]
    for row in (train, share, predict):
        assert row["ratio"] == pytest.approx(row["ours"] / row["peer"])
        assert len(row["runs"]["ours"]) == len(row["runs"]["peer"]) == 3
    assert share["met"] == (share["ours"] >= SHAPES[name].utilisation_goal)
    assert (memory["ours"], memory["note"]) == (None, "not measured: no GPU")
    assert predict["settings"]["gold_f1"]["ours"] > 0.9  # the mentions that are compared are no chance finds


@pytest.mark.gpu
@pytest.mark.slow
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("name", ["bert_base", "deberta_base"])
def test_a_tiny_run_on_a_gpu_tells_its_memory(name: str, tmp_path: Path) -> None:
    out = tmp_path / "gpu.json"
    assert program.main(["--tiny", "--shapes", name, "--out", str(out)]) == 0
    rows = json.loads(out.read_text())["rows"]
    assert all(row["ours"] > 0 and row["peer"] > 0 for row in rows)


@pytest.mark.slow
def test_losses_of_another_forward_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shape = SHAPES["bert_base"].tiny()
    work = Work(shape, Language("bert"), TINY, device="cpu", lora="paper", mixed=False, folder=tmp_path)
    found = check_losses(work)
    assert 0 < found["ours"] <= found["allowed"]
    fast = importlib.import_module("openmed.networks.fast.exchange")  # the package has a function of that name
    monkeypatch.setattr(fast, "lora_forward", lambda layer, x: 2 * lora_forward(layer, x) - layer.base_layer(x))
    with pytest.raises(OutputsDiffer):
        check_losses(work)
