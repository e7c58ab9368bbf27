"""Tests; helpers that several of them share are `tests.tokenizers` and `tests.strategies`."""
