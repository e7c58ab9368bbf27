"""Sweeps and searches: what `python train.py -m ...` does. Lists as a grid, spaces by TPE with early stops; resumable.

run_sweep(config, ["search=tpe", "dataset=ncbi"], hydra_context, task)
"""

from openmed.search.sweep import run_sweep

__all__ = ["run_sweep"]
