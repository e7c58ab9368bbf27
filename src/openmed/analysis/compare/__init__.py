"""Runs compared: which settings are better, whether that is more than chance, where each errs.

comparison = compare_runs([Path("outputs/multirun/2026-01-01_12-00-00")])
print_sections(overview(comparison))
"""

from openmed.analysis.compare.build import compare_runs
from openmed.analysis.compare.comparison import Comparison
from openmed.analysis.compare.rows import as_json, write_csv
from openmed.analysis.compare.view import full_report, overview

__all__ = ["Comparison", "as_json", "compare_runs", "full_report", "overview", "write_csv"]
