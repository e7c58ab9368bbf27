"""Tagging files into a folder, however many: resumable, with a record of what failed.

summary = run_job(tagger, files, Path("tagged"), to="jsonl", selection=Selection(threshold=0.5))
"""

from openmed.serving.job.run import ERRORS, JobSummary, run_job
from openmed.serving.job.targets import TO

__all__ = ["ERRORS", "TO", "JobSummary", "run_job"]
