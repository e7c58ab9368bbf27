"""Hydra finds the sweeper of openmed here; what it does is in `openmed.search`."""
