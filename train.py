"""Train a tagger: `python train.py dataset=ncbi backbone=minilm`. All of it is in `openmed.training`."""

import sys

try:
    from openmed.training import main
except ModuleNotFoundError as error:
    if not (error.name or "").startswith("openmed"):
        raise
    sys.exit(
        f"error: {error}. Either this project is not installed (pip install -c constraints.txt -e '.[demo]'), or "
        "another package of the same import name is in its place (pip uninstall openmed)."
    )

if __name__ == "__main__":
    main()
