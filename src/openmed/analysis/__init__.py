"""What a corpus or a result is worth: statistics, audits, leakage, reports.

profile = profile_corpus(spec)          # openmed.analysis.stats
"""
