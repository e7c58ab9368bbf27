"""Values for Hydra's command line.

f"hydra.run.dir={quoted('runs (1)')}"
"""

from __future__ import annotations

import re


def quoted(text: str) -> str:
    """A string that Hydra reads back as it is."""
    escaped = re.sub(r"(\\*)'", lambda match: match[1] * 2 + "\\'", text)
    tail = len(escaped) - len(escaped.rstrip("\\"))
    return f"'{escaped}{chr(92) * tail}'"
