"""Names of what is logged: `split/metric`. One place, so that callbacks, W&B and result.json agree.

from openmed.metrics.names import DEV_F1
"""

TRAIN_LOSS = "train/loss"
TRAIN_LR = "train/lr"
TRAIN_TOKENS = "train/tokens"
TRAIN_TOKENS_PER_SECOND = "train/tokens_per_second"
TRAIN_MFU = "train/mfu"
"""Share of the device's peak that the matrix products of training reach, where the peak is known."""
HIDDEN_STD = "hidden_std"
"""Size of the last hidden states, see `openmed.metrics.hidden_std`."""
DEV_LOSS = "dev/loss"
DEV_F1 = "dev/f1"
"""F1 in the corpus's own unit: what early stopping, checkpoints and searches watch."""


def score_name(split: str, metric: str, view: str | None = None) -> str:
    """`dev/f1` for the corpus's own unit, `dev/documents/f1` for a view."""
    return f"{split}/{view}/{metric}" if view else f"{split}/{metric}"
