"""A DataModule that knows its place in the epoch, so that a run killed in its middle goes on with the next batch.

class NerDataModule(ResumableDataModule): ...
"""

from __future__ import annotations

import lightning as L

from openmed.errors import ConfigError


class ResumableDataModule(L.LightningDataModule):
    """Args:
    seed: of the order of training data.
    """

    def __init__(self, *, seed: int) -> None:
        super().__init__()
        self.seed = seed
        self._place: tuple[int, int] = (0, 0)

    def state_dict(self) -> dict[str, int]:
        """Where training stands: the epoch, and how many of its batches are done."""
        assert self.trainer is not None
        progress = self.trainer.fit_loop.epoch_loop.batch_progress
        done = 0 if progress.is_last_batch else progress.current.ready
        return {"epoch": self.trainer.current_epoch, "batch": done, "seed": self.seed}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Go on where a checkpoint stood.

        Raises:
            ConfigError: the seed changed, so that the rest of the epoch would be another.
        """
        if state_dict["seed"] != self.seed:
            raise ConfigError(
                f"the checkpoint was made with seed={state_dict['seed']}, not {self.seed}",
                mend="resume with the run's own settings",
            )
        self._place = (state_dict["epoch"], state_dict["batch"])

    @property
    def epoch(self) -> int:
        """The trainer's, 0 without one."""
        return self.trainer.current_epoch if self.trainer else 0

    @property
    def first_batch(self) -> int:
        """Batches of this epoch that are done already."""
        epoch, batch = self._place
        return batch if self.epoch == epoch else 0

    @property
    def share(self) -> tuple[int, int]:
        """(rank, number of processes)."""
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
