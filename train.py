"""Train a tagger: `python train.py dataset=ncbi backbone=minilm`. All of it is in `openmed.training`."""

from openmed.training import main

if __name__ == "__main__":
    main()
