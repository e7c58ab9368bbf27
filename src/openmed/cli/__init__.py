"""The `openmed` command: everything but training, which is `train.py`.

openmed predict MODEL notes/        openmed corpora list        (each with --json or --to for machines)
"""

from openmed.cli.app import main

__all__ = ["main"]
