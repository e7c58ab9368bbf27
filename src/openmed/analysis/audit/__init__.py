"""The audit of a corpus: what in it makes scores flatter, training contradict itself, or tools stumble.

audit = audit_corpus("jnlpba")
print_sections(audit.sections())
"""

from openmed.analysis.audit.core import Audit, audit_corpus, missing_file
from openmed.analysis.audit.finding import Finding, Weight
from openmed.analysis.audit.summary import summary_row, summary_section

__all__ = ["Audit", "Finding", "Weight", "audit_corpus", "missing_file", "summary_row", "summary_section"]
