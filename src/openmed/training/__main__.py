"""`python -m openmed.training`: what train.py does, from an installed package."""

from openmed.training.main import main

main()
