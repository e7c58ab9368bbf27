"""How either task learns: AdamW on the trained tensors, the rate by progress, checkpoints of what is trained alone.

class NerModule(TrainedModule[Tagger]): ...     # sets self.network and self.optim, and says what the loss is
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import lightning as L
import torch

from openmed.errors import ConfigError
from openmed.metrics.names import TRAIN_LR
from openmed.modules.optim import OptimSpec, make_optimizer
from openmed.modules.schedule import factor
from openmed.networks.network import Network

N = TypeVar("N", bound=Network)
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


class TrainedModule(L.LightningModule, Generic[N]):
    """A network of which some tensors are trained.

    Attributes:
        network: what is trained.
        optim: how.
    """

    network: N
    optim: OptimSpec

    def __init__(self) -> None:
        super().__init__()
        # Checkpoints hold the trained tensors only; `on_load_checkpoint` sees to it that those are all there.
        self.strict_loading = False

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Set the learning rate by progress: no scheduler state, so a resumed run is on the same curve."""
        scale = factor(self._progress(batch_idx), warmup_fraction=self._warmup_fraction, schedule=self.optim.schedule)
        optimizer = self.trainer.optimizers[0]
        for group in optimizer.param_groups:
            group["lr"] = group["peak_lr"] * scale
        self.log(TRAIN_LR, optimizer.param_groups[0]["lr"], batch_size=1)

    def _progress(self, batch_idx: int) -> float:
        """Share of the training done at the middle of this step, so that neither first nor last step is wasted.

        Of the steps or of the epochs, whichever end the training.
        """
        trainer = self.trainer
        if trainer.max_steps > 0 and trainer.estimated_stepping_batches == trainer.max_steps:
            return (trainer.global_step + 0.5) / trainer.max_steps
        assert trainer.max_epochs, "training needs max_epochs or max_steps"
        return (trainer.current_epoch + (batch_idx + 0.5) / trainer.num_training_batches) / trainer.max_epochs

    @property
    def _warmup_fraction(self) -> float:
        """`optim.warmup_steps` as a share of this training, where steps are given."""
        steps = self.optim.warmup_steps
        if steps is None:
            return self.optim.warmup_fraction
        return min(steps / max(1, self.trainer.estimated_stepping_batches), 1.0)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return make_optimizer(self.network, self.optim)

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip the global norm. Lightning refuses this with a fused optimizer for fp16's sake; bf16 has no scaler."""
        if gradient_clip_val:
            parameters = [p for group in optimizer.param_groups for p in group["params"]]
            torch.nn.utils.clip_grad_norm_(parameters, gradient_clip_val)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["state_dict"] = {f"network.{k}": v for k, v in self.network.trainable_state().items()}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        wanted = {f"network.{name}" for name in self.network.trainable_state()}
        found = set(checkpoint["state_dict"])
        if wanted != found:
            raise ConfigError(
                f"the checkpoint holds {len(found)} trained tensors, this network has {len(wanted)}; "
                f"they differ in {sorted(wanted ^ found)[0]}",
                mend="resume with the settings that the run was made with (backbone, lora, dataset)",
            )
