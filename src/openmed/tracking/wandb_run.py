"""Making, naming and finishing the Weights & Biases run of a training.

    logger = make_wandb_logger(project="openmed", name=run_name(dataset="ncbi", ...), group=None, tags=["ner"],
                               job_type="ner", save_dir=folder, config=config, mode="auto")
    try:
        train(logger)
    except BaseException:
        finish(logger, failed=True)
        raise
    finish(logger, failed=False)

A run that is not finished takes in what the next job of the same process logs.
"""

from __future__ import annotations

import configparser
import json
import logging
import netrc
import os
import re
import secrets
import string
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from openmed.errors import ConfigError
from openmed.tracking.service import Resume, RunRequest

if TYPE_CHECKING:
    from lightning.pytorch.loggers import Logger

Mode = Literal["auto", "online", "offline", "disabled"]

MODES = ("auto", "online", "offline", "disabled")

MAX_TAG = 64
"""W&B refuses a run with a longer tag."""

SWEEP_ID, RUN_ID = "WANDB_SWEEP_ID", "WANDB_RUN_ID"
"""What `wandb agent` tells a run that it starts: the sweep, and under which id W&B waits for it."""

logger = logging.getLogger("openmed.tracking")

_WANDB_MODES = {"online": "online", "run": "online", "offline": "offline", "dryrun": "offline", "disabled": "disabled"}
_DEFAULT_URL = "https://api.wandb.ai"
_PUBLIC_HOSTS = ("api.wandb.ai", "api.forge.coreweave.com")


def make_wandb_logger(
    *,
    project: str,
    name: str,
    group: str | None,
    tags: Sequence[str],
    job_type: str | None,
    save_dir: str | os.PathLike[str],
    config: Mapping[str, Any],
    mode: Mode,
    entity: str | None = None,
    run_id: str | None = None,
    resume: Resume | None = None,
    notes: str | None = None,
    init_seconds: float = 30.0,
    finish_seconds: float = 60.0,
) -> Logger:
    """A Lightning logger with its W&B run started; never raises for W&B's sake and never waits without limit.

    Args:
        project: W&B's project; an environment variable WANDB_PROJECT does not override it.
        name: the run's name, see `run_name`.
        group: what the run belongs to, such as a sweep; None is the sweep of a W&B agent, else WANDB_RUN_GROUP.
        tags: shown as labels.
        job_type: such as "ner" or "dapt".
        save_dir: the run folder; W&B's files go to `wandb/` in it.
        config: the whole configuration as plain data; what JSON cannot hold is written as text.
        mode: "auto" asks `resolve_mode`; "online" without an API key is offline with a warning.
        entity: W&B's user or team; None is the account's default.
        run_id: to go on with this run, or to set the id of a new one; random when None. The id that a W&B agent has
            given the run goes before it, or the sweep would never hear of the run.
        resume: to go on with the run that the folder holds (`find_run_id`) when `run_id` is None. Offline this writes
            a new segment of the same id, which `wandb sync` puts behind the earlier ones.
        notes: a longer description.
        init_seconds: limit for the start; then the training goes on without W&B.
        finish_seconds: limit for `finish`, uploads included; the rest stays on disk for `wandb sync`.

    Returns:
        A `SafeWandbLogger`; Lightning's `DummyLogger` when disabled or when wandb is not installed. On processes of
        rank above zero no run is started.

    Raises:
        ConfigError: an unknown `mode`.
    """
    from lightning.pytorch.loggers.logger import DummyLogger
    from lightning.pytorch.utilities import rank_zero_only

    resolved = resolve_mode(mode)
    if resolved == "disabled":
        return DummyLogger()
    sweep = os.environ.get(SWEEP_ID)
    run_id = (os.environ.get(RUN_ID) if sweep else None) or run_id
    try:
        from openmed.tracking.safe_logger import SafeWandbLogger

        request = RunRequest(
            project=project,
            name=name,
            group=group or sweep,
            tags=tuple(tag[:MAX_TAG] for tag in tags if tag),
            job_type=job_type,
            save_dir=Path(save_dir).absolute(),
            config=json.loads(json.dumps(dict(config), default=str, skipkeys=True)),
            mode=resolved,
            entity=entity,
            run_id=run_id or (find_run_id(save_dir) if resume else None) or _new_id(),
            resume=resume or "allow",
            notes=notes,
            init_seconds=init_seconds,
            finish_seconds=finish_seconds,
        )
        safe = SafeWandbLogger(request)
    except Exception as error:
        logger.warning("W&B logging is off for this run: %s", error)
        return DummyLogger()
    if getattr(rank_zero_only, "rank", 0) == 0:
        safe.start()
    return safe


def finish(run_logger: Logger | None, *, failed: bool) -> None:
    """Ends the run (exit code 1 when `failed`) in bounded time; does nothing to other loggers, or a second time."""
    ending = getattr(run_logger, "finish", None)
    if callable(ending):
        ending(failed=failed)


def run_name(
    *, dataset: str, backbone: str, lora: int | str | None, lr: float, seed: int, extra: Sequence[str] = ()
) -> str:
    """A readable name of a run.

    Args:
        lora: the rank, a preset's name, or None (0, "none") for full fine-tuning.
        extra: further parts, put before the seed.

    >>> run_name(dataset="ncbi", backbone="minilm", lora=16, lr=1e-3, seed=1)
    'ncbi-minilm-r16-lr1e-3-s1'
    """
    rank = f"r{lora}" if isinstance(lora, int) else str(lora)
    adapter = "full" if lora in (None, 0, "none") else rank
    parts = [dataset, backbone, adapter, f"lr{_short(lr)}", *extra, f"s{seed}"]
    return "-".join(re.sub(r"[^\w.+-]+", "_", part) for part in parts if part)


def find_run_id(folder: str | os.PathLike[str]) -> str | None:
    """The id of the latest W&B run logged in a run folder, online or offline; None when there is none."""
    logs = [log for log in Path(folder).glob("wandb/*run-*/run-*.wandb") if not log.parent.is_symlink()]
    if not logs:
        return None
    latest = max(logs, key=lambda log: log.parent.name.removeprefix("offline-"))
    return latest.stem.removeprefix("run-")


def resolve_mode(mode: Mode, *, environ: Mapping[str, str] | None = None) -> Literal["online", "offline", "disabled"]:
    """What "auto" means here: WANDB_MODE, else wandb's settings files, else online exactly when an API key is found.

    Raises:
        ConfigError: `mode` is none of `MODES`.
    """
    environ = os.environ if environ is None else environ
    if mode not in MODES:
        raise ConfigError(f"unknown W&B mode {mode!r}", mend=f"use one of {', '.join(MODES)}")
    chosen: Any = mode
    if mode == "auto":
        told = environ.get("WANDB_MODE") or _settings_files(environ).get("mode") or ""
        found = "online" if has_api_key(environ=environ) else "offline"
        chosen = _WANDB_MODES.get(told, found)
    if chosen == "online" and not has_api_key(environ=environ):
        logger.warning("No W&B API key was found: logging offline. Set WANDB_API_KEY or run: wandb login")
        return "offline"
    return chosen


def has_api_key(*, environ: Mapping[str, str] | None = None) -> bool:
    """Whether wandb would find credentials for its server, in the places where it looks, without importing it."""
    environ = os.environ if environ is None else environ
    settings = _settings_files(environ)
    if any((environ.get("WANDB_API_KEY"), environ.get("WANDB_IDENTITY_TOKEN_FILE"), settings.get("api_key"))):
        return True
    host = urlsplit(environ.get("WANDB_BASE_URL") or settings.get("base_url") or _DEFAULT_URL).netloc
    hosts = _PUBLIC_HOSTS if host in _PUBLIC_HOSTS else (host,)
    try:
        entries = netrc.netrc(_netrc_path(environ)).hosts
    except (OSError, netrc.NetrcParseError, UnicodeDecodeError):
        return False
    return any(entries[host][2] for host in hosts if host in entries)


def _netrc_path(environ: Mapping[str, str]) -> Path:
    if environ.get("NETRC"):
        return Path(environ["NETRC"]).expanduser()
    windows = Path("~/_netrc").expanduser()
    usual = Path("~/.netrc").expanduser()
    return windows if windows.exists() and not usual.exists() else usual


def _settings_files(environ: Mapping[str, str]) -> dict[str, str]:
    """What `wandb login --host`, `wandb offline` and the like have written, the working directory's file last."""
    everywhere = Path(environ.get("WANDB_CONFIG_DIR") or "~/.config/wandb").expanduser() / "settings"
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read([everywhere, Path("wandb/settings")], encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError):
        return {}
    return dict(parser["default"]) if parser.has_section("default") else {}


def _new_id() -> str:
    """An id of W&B's form, from the system's randomness: jobs of a sweep seed Python's generator alike."""
    return "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(8))


def _short(number: float) -> str:
    """0.001 as 1e-3, 2.5e-05 as 2.5e-5, 0 as 0.

    >>> _short(2.5e-5)
    '2.5e-5'
    """
    if number == 0:
        return "0"
    sign, digits, exponent = Decimal(f"{number:.3e}").normalize().as_tuple()
    power = int(exponent) + len(digits) - 1
    mantissa = "".join(map(str, digits[:1])) + ("." + "".join(map(str, digits[1:])) if digits[1:] else "")
    return f"{'-' if sign else ''}{mantissa}e{power}"
