"""What a run costs in electricity and CO2, by codecarbon (extra: energy) and without network: `energy` of result.json.

codecarbon takes a second to start and imports pandas, so it starts on a thread of its own, some seconds into the run:
what went before is counted at the mean power. Nothing here ever stops a run: without a figure, `method` says why.

    meter = EnergyMeter(folder, country="DEU").start()
    result["energy"] = meter.stop()     # {"kwh": 0.0021, "kg_co2e": 0.0008, "method": "codecarbon 3.3.2: ...", ...}
"""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from openmed.errors import ConfigError, nearest

PACKAGE = "codecarbon"
DELAY_SECONDS = 10.0
"""Until codecarbon is started: by then most runs are past their first step."""
PATIENCE_SECONDS = 10.0
"""How long the end of a run waits for it."""
NOT_INSTALLED = "not measured: codecarbon is not installed (pip install 'openmed-ner[energy]')"
NOTHING: Mapping[str, Any] = {"kwh": None, "kg_co2e": None, "method": None, "sittings": 0, "lost_sittings": 0}
"""`sittings` are counted in the sums; `lost_sittings` could not be measured, or were killed."""


class EnergyMeter:
    """Measures one sitting of a run; see `start` and `stop`.

    Args:
        folder: the run's; nothing is left there.
        country: ISO code of three letters, for the CO2 of a kWh; None takes codecarbon's own setting
            (`CODECARBON_COUNTRY_ISO_CODE`, `~/.codecarbon.config`), else the world's average.
        gpus: those of the run, by index or UUID; None counts all.
        before: result.json of the sittings before this one.
        delay_seconds: until codecarbon is started.
    """

    def __init__(
        self,
        folder: Path,
        *,
        country: str | None = None,
        gpus: Sequence[int | str] | None = None,
        before: Mapping[str, Any] | None = None,
        delay_seconds: float = DELAY_SECONDS,
    ) -> None:
        self.so_far = so_far(before)
        self._settings = {"output_dir": str(folder), "gpu_ids": None if gpus is None else list(gpus)}
        if country is not None:
            self._settings["country_iso_code"] = country
        self._delay = delay_seconds
        self._began = time.perf_counter()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._measure, name="energy", daemon=True)
        self._sitting: dict[str, Any] = {"method": "not measured: codecarbon did not answer"}
        self._answer: dict[str, Any] | None = None

    def start(self) -> EnergyMeter:
        self._thread.start()
        return self

    def stop(self) -> dict[str, Any]:
        """`energy` of all sittings, this one included; asked again, the same."""
        if self._answer is None:
            self._stop.set()
            if self._thread.ident is not None:
                self._thread.join(PATIENCE_SECONDS)
            self._answer = added(self.so_far, self._sitting)
        return dict(self._answer)

    def _measure(self) -> None:
        """The thread: waits, measures until the run ends, and leaves `_sitting`."""
        if importlib.util.find_spec(PACKAGE) is None:
            self._sitting = {"method": NOT_INSTALLED}
        elif self._stop.wait(self._delay):
            self._sitting = {"method": f"not measured: over within {self._delay:g} s"}
        else:
            try:
                self._sitting = self._with_codecarbon()
            except Exception as error:
                self._sitting = {"method": f"not measured: {type(error).__name__}: {error}"}

    def _with_codecarbon(self) -> dict[str, Any]:
        tracker = _tracker(self._settings)
        begins = time.perf_counter()
        tracker.start()
        self._stop.wait()
        tracker.stop()  # errors inside are only logged; then there is no data
        data = getattr(tracker, "final_emissions_data", None)
        if data is None or not data.energy_consumed:
            return {"method": "not measured: codecarbon found no energy"}
        now = time.perf_counter()
        share = (now - self._began) / max(data.duration, 1e-9)
        return {
            "kwh": data.energy_consumed * share,
            "kg_co2e": data.emissions * share,
            "method": method(tracker, data, unmetered_seconds=begins - self._began),
        }


def so_far(before: Mapping[str, Any] | None) -> dict[str, Any]:
    """The energy of the sittings before; one that left "running" was killed and told nothing."""
    if before is None:
        return dict(NOTHING)
    killed = before["status"] == "running"
    earlier = before.get("energy") or {}
    if "sittings" not in earlier:  # of a time when nothing was measured
        return {**NOTHING, "lost_sittings": 1}
    return {**earlier, "lost_sittings": earlier["lost_sittings"] + killed}


def added(earlier: Mapping[str, Any], sitting: Mapping[str, Any]) -> dict[str, Any]:
    """The sum, with the methods of all sittings that are in it; of a run without a figure, why there is none."""
    if sitting.get("kwh") is None:
        told = earlier["method"] if earlier["kwh"] is not None else sitting["method"]
        return {**earlier, "method": told, "lost_sittings": earlier["lost_sittings"] + 1}
    first = earlier["kwh"] is None
    known = [] if first else str(earlier["method"]).split(_AND)
    return {
        "kwh": sitting["kwh"] + (earlier["kwh"] or 0.0),
        "kg_co2e": sitting["kg_co2e"] + (earlier["kg_co2e"] or 0.0),
        "method": _AND.join(dict.fromkeys([*known, sitting["method"]])),
        "sittings": earlier["sittings"] + 1,
        "lost_sittings": earlier["lost_sittings"],
    }


def method(tracker: Any, data: Any, *, unmetered_seconds: float) -> str:
    """What was measured and what assumed.

    Args:
        tracker: codecarbon's, with its `_hardware`.
        data: its `EmissionsData`.
        unmetered_seconds: of the run, before it was started.
    """
    parts = [part for item in tracker._hardware if (part := _part(item, data))]
    place = data.country_name or "the world's average"
    parts.append(f"{1000 * data.emissions / data.energy_consumed:.0f} g CO2e per kWh ({place})")
    if unmetered_seconds >= 1:
        parts.append(f"the first {unmetered_seconds:.0f} s at the mean power")
    return f"{PACKAGE} {data.codecarbon_version}, offline: {', '.join(parts)}"


def check_country(country: str | None) -> None:
    """Raises:
    ConfigError: no country that codecarbon, where installed, knows.
    """
    spec = importlib.util.find_spec(PACKAGE)
    if country is None or spec is None or spec.origin is None:
        return
    table = Path(spec.origin).parent / "data" / "private_infra" / "global_energy_mix.json"
    known = json.loads(table.read_text(encoding="utf-8")) if table.is_file() else {country: None}
    if country not in known:
        raise ConfigError(f"unknown energy.country={country}", mend=nearest(str(country), known))


def gpus_of(trainer: Mapping[str, Any]) -> list[int | str] | None:
    """The GPUs that Lightning takes by these settings of its Trainer, none on a CPU; None where it takes all."""
    if trainer.get("accelerator") in ("cpu", "mps", "tpu"):
        return []
    visible = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    devices = trainer.get("devices", "auto")
    if isinstance(devices, Sequence) and not isinstance(devices, str):
        return [visible[place] if visible else place for place in devices]
    if not str(devices).isdigit():  # "auto", -1
        return list(visible) or None
    return list(visible[: int(devices)]) if visible else list(range(int(devices)))


_AND = "; and "


def _tracker(settings: Mapping[str, Any]) -> Any:
    """codecarbon's tracker; whatever the user's own settings of it say, it writes no file and speaks to nobody."""
    from codecarbon import OfflineEmissionsTracker

    logging.getLogger(PACKAGE).setLevel(logging.CRITICAL)  # the import has set its own; log_level comes too late
    return OfflineEmissionsTracker(
        **settings,
        output_methods=[],
        emissions_endpoint=False,
        electricitymaps_api_token=False,
        allow_multiple_runs=True,
        tracking_mode="process",  # runs share machines: the sum over a sweep is to be that of the sweep
        log_level="critical",
    )


def _part(item: Any, data: Any) -> str | None:
    kind, mode = type(item).__name__, getattr(item, "_mode", "")
    if kind == "RAM":
        return f"memory assumed at {data.ram_power:.0f} W"
    if kind == "GPU":
        return f"{len(item.gpu_ids)} of {data.gpu_model} measured" if item.gpu_ids else None
    if kind == "CPU" and mode == "cpu_load":
        return f"{data.cpu_model} assumed at {item._tdp:.0f} W times this run's share of it"
    if kind == "CPU" and mode == "constant":
        return f"{data.cpu_model} assumed at half of {item._tdp:.0f} W"
    return f"{data.cpu_model} measured ({str(mode or kind).replace('_', ' ')}, the whole machine)"
