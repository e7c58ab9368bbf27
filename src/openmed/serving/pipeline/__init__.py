"""Tagging on many processes or machines: steps for datatrove, and jobs that its executors run.

PipelineJob(["outputs/.../model"], expand_inputs(["pubmed/"]), Path("tagged")).run(workers=8)

The steps are in `openmed.serving.pipeline.steps`, which needs datatrove (the extra `text`).
"""

from openmed.serving.pipeline.job import PipelineJob
from openmed.serving.pipeline.marks import PipelineSummary

__all__ = ["PipelineJob", "PipelineSummary"]
