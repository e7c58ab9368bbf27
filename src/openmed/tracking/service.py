"""Starting one W&B run, and getting rid of wandb's background process when it no longer answers.

wandb writes through a process of its own ("wandb-core"). When that hangs, `run.log`, `run.finish` and wandb's exit
hook wait for it without limit, and when an online start fails it keeps the run's id "in use" for ever. Only
replacing the process helps; wandb has no public call for it, so `abandon_service` reaches into its internals
(tried with 0.31) and says so when they have changed.

    run = start_run(request)
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from openmed.metrics.names import DEV_F1
from openmed.tracking.axes import EPOCH, STEP

if TYPE_CHECKING:
    import wandb

logger = logging.getLogger("openmed.tracking")

RunMode = Literal["online", "offline"]
Resume = Literal["allow", "must"]


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """All that is told to W&B at the start of a run; `save_dir` gets the folder `wandb/`."""

    project: str
    name: str
    save_dir: Path
    mode: RunMode
    run_id: str
    group: str | None = None
    tags: tuple[str, ...] = ()
    job_type: str | None = None
    entity: str | None = None
    notes: str | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    resume: Resume = "allow"
    init_seconds: float = 30.0
    finish_seconds: float = 60.0


def start_run(request: RunRequest) -> wandb.Run:
    """A new W&B run; offline instead of online, with a warning, where the server cannot be reached or refuses.

    A first failure is met with a fresh background process, since the old one may have died or hold the run's id.

    Raises:
        Exception: whatever wandb raises when not even an offline run can be started.
    """
    request.save_dir.mkdir(parents=True, exist_ok=True)
    if disk_is_full(request.save_dir):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(request.save_dir))
    try:
        run = _init(request, request.mode)
    except Exception as error:
        if not abandon_service():
            raise
        reason = first_line(error)
        run = _init(request, "offline")
        if request.mode == "online":
            logger.warning(
                "W&B cannot be reached or refused (%s): this run is logged offline. Upload it with: wandb sync %s",
                reason,
                run.settings.sync_dir,
            )
    if not Path(run.settings.sync_dir).is_relative_to(request.save_dir.absolute()):
        logger.warning("%s cannot be written: W&B logs to %s instead.", request.save_dir, run.settings.sync_dir)
    return run


def abandon_service(*, ours: wandb.Run | None = None, force: bool = False) -> bool:
    """Kills wandb's background process and forgets it, so that neither the exit nor a later run waits for it.

    A service that another process owns (WANDB_SERVICE) is only forgotten. What was logged stays on disk.

    Args:
        ours: a run that is to go with it.
        force: also while other runs of this process use it; for a service that hangs, and they with it.

    Returns:
        Whether wandb is as good as new; False when others use it or its internals are not as expected.
    """
    try:
        from wandb.sdk import wandb_setup
        from wandb.sdk.lib.service import service_token

        with wandb_setup._singleton_lock:
            old = wandb_setup._singleton
            if old and not force and any(run is not ours for run in old._active_runs):
                return False
            wandb_setup._singleton = None
        service_token.clear_service_in_env()
        connection = old._connection if old else None
        if connection is None:
            return True
        if connection._cleanup:
            connection._cleanup()
        if connection._proc:
            connection._proc._process.kill()
            connection._proc._process.wait(timeout=5)
    except Exception as error:
        logger.debug("wandb's service could not be replaced: %s", first_line(error))
        return False
    return True


@contextlib.contextmanager
def staging_beside(run: wandb.Run) -> Iterator[None]:
    """Files of tables and artefacts that wait for their upload lie in the run's folder, not in the user's home."""
    if "WANDB_DATA_DIR" in os.environ:
        yield
        return
    os.environ["WANDB_DATA_DIR"] = str(Path(run.settings.sync_dir) / "data")
    try:
        yield
    finally:
        os.environ.pop("WANDB_DATA_DIR", None)


def disk_is_full(folder: Path) -> bool:
    """Whether the folder's disk has less than 1 MiB left: wandb then drops what it is given, without a word."""
    try:
        return shutil.disk_usage(folder).free < 2**20
    except OSError:
        return False


def first_line(error: BaseException) -> str:
    """The kind of the error and the first line of its message, for a warning."""
    text = str(error).strip()
    return f"{type(error).__name__}: {text.splitlines()[0]}" if text else type(error).__name__


def _init(request: RunRequest, mode: RunMode) -> wandb.Run:
    import wandb

    wandb.setup(settings=wandb.Settings(silent=True))
    run = wandb.init(
        project=request.project,
        name=request.name,
        group=request.group,
        tags=request.tags,
        job_type=request.job_type,
        entity=request.entity,
        notes=request.notes,
        id=request.run_id,
        resume=request.resume,
        dir=str(request.save_dir),
        mode=mode,
        config=dict(request.config),
        settings=_settings(request),
    )
    # wandb notes what is imported later by a hook in the import itself, which would raise there were its process dead.
    with contextlib.suppress(AttributeError):
        run._unregister_telemetry_import_hooks(run.id)
    for handler in logging.getLogger("wandb").handlers:
        # wandb's debug log on a full disk would print a traceback for each of its lines.
        handler.handleError = lambda record: None
    run.define_metric(STEP)
    run.define_metric("*", step_metric=STEP, step_sync=True)
    run.define_metric(DEV_F1, step_metric=EPOCH, step_sync=True, summary="max")
    return run


def _settings(request: RunRequest) -> wandb.Settings:
    """Every setting said outright, so that neither an earlier run of this process nor its environment leaks in.

    `create_new` keeps a run apart from any other of the process; code and its uncommitted diff are not uploaded.
    """
    import wandb

    settings = wandb.Settings(
        silent=True,
        console="off",
        reinit="create_new",
        use_dot_wandb=False,
        disable_code=True,
        init_timeout=request.init_seconds,
        login_timeout=request.init_seconds,
        x_service_wait=request.init_seconds,
        finish_timeout=0.8 * request.finish_seconds,
        finish_timeout_raises=True,
    )
    if server := os.environ.get("WANDB_BASE_URL"):
        settings.base_url = server
    return settings
