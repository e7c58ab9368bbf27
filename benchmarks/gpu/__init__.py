"""LoRA training and prediction on a GPU against Trainer + PEFT and the pipeline: `python -m benchmarks.gpu`."""
