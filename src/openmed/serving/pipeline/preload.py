"""What loading a model imports: done once, by the process that workers are forked from, and not by each worker anew.

Executor(..., preload="openmed.serving.pipeline.preload")
"""

import peft  # noqa: F401
from transformers import AutoModelForTokenClassification, AutoTokenizer  # noqa: F401

import openmed.serving.pipeline.steps  # noqa: F401
