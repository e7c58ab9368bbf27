"""The command line of training: Hydra's, with errors a person can read and `resume=` that touches nothing else.

main(["dataset=ncbi", "optim.lr=5e-4"])
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from openmed.choices import conf_folder
from openmed.errors import ConfigError, RunError
from openmed.run_folder import CONFIG
from openmed.training.axes import replacing
from openmed.training.friendly import explain

TRACEBACK = "OPENMED_TRACEBACK"
FULL_ERROR = "HYDRA_FULL_ERROR"
INTERRUPTED = 128 + signal.SIGINT


def main(arguments: list[str] | None = None) -> None:
    """Run `train.py` with the given overrides (those of the command line by default); exits non-zero on failure.

    `OPENMED_TRACEBACK=1` shows the traceback of an error that otherwise is one paragraph.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    wants_traceback = os.environ.get(TRACEBACK) == "1" or os.environ.get(FULL_ERROR) == "1"
    _quiet_libraries()
    try:
        folder = resume_folder(arguments)
        if folder is not None:
            _resume(folder)
        else:
            _compose_and_run(arguments)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except Exception as error:
        if wants_traceback:
            raise
        message = explain(error, arguments)
        if message is None:
            raise
        print(f"error: {message}\n(OPENMED_TRACEBACK=1 shows where it was raised.)", file=sys.stderr)
        sys.exit(1)


def resume_folder(arguments: list[str]) -> Path | None:
    """The run folder of `resume=<folder>`, None when that is not asked for.

    Raises:
        RunError: other settings beside it, or a folder that is no run.
    """
    given = [argument for argument in arguments if argument.startswith("resume=")]
    if not given or given[0] in ("resume=", "resume=null"):
        return None
    others = [argument for argument in arguments if argument not in given]
    if others:
        raise RunError(
            f"resume= goes on exactly as the run began, so it takes no other settings ({' '.join(others)})",
            mend="resume without them, or start a new run",
        )
    folder = Path(given[0].removeprefix("resume=")).expanduser()
    if not (folder / CONFIG).is_file():
        raise RunError(f"{folder} is no run folder: it has no config.yaml", mend="give a folder under outputs/")
    return folder


def _resume(folder: Path, group: str | None = None) -> float | None:
    from openmed.training.moved import move
    from openmed.training.run import train

    config = OmegaConf.load(folder / CONFIG)
    assert isinstance(config, DictConfig)
    move(config, folder.absolute())
    return train(config, folder, group=group, resumed=True)


def _is_broken_off(config: DictConfig, folder: Path) -> bool:
    """Whether the folder holds a checkpoint of a run with these very settings: a sweep's job that is to go on."""
    from openmed.training.build import LAST
    from openmed.training.result import config_digest

    if not (folder / CONFIG).is_file() or not (folder / "checkpoints" / LAST).is_file():
        return False
    before = OmegaConf.load(folder / CONFIG)
    assert isinstance(before, DictConfig)
    return config_digest(before) == config_digest(config)


def _compose_and_run(arguments: list[str]) -> None:
    import hydra
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    @hydra.main(version_base="1.3", config_path=str(conf_folder()), config_name="train")
    def job(config: DictConfig) -> float | None:
        from openmed.training.run import train

        if config.resume:
            raise RunError("resume= stands alone on the command line", mend="python train.py resume=<run folder>")
        choices = HydraConfig.get()
        if config.search.kind:
            told = " ".join(arguments)
            raise ConfigError("a search is a sweep, and wants -m", mend=f"python train.py -m {told}")
        folder = Path(choices.runtime.output_dir)
        group = Path(choices.sweep.dir).name if choices.mode == RunMode.MULTIRUN else None
        if group and _is_broken_off(config, folder):
            return _resume(folder, group)
        return train(config, folder, group=group)

    arguments_before, full_error_before = sys.argv, os.environ.get(FULL_ERROR)
    sys.argv = [arguments_before[0], *replacing(arguments)]
    os.environ[FULL_ERROR] = "1"  # errors come up to `main` instead of being printed and exited on by Hydra
    try:
        job()
    finally:
        sys.argv = arguments_before
        if full_error_before is None:
            del os.environ[FULL_ERROR]


def _quiet_libraries() -> None:
    """Progress bars and advice of the libraries would bury our own output."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
