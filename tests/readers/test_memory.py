"""Token files and JSONL take no more memory as they grow (the other formats: in their own tests).

Inline mark-up, written by hand, is the exception: its reader remembers the ids, to refuse one that returns.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.memory import consume, peak_memory

from openmed.readers import read

EXAMPLES = {
    "conll": "Aspirin\tB-Chemical\nrelieves\tO\nheadache\tB-Disease\n.\tO\n\n",
    "jsonl": '{{"id": "{n}", "text": "Aspirin.", "entities": [{{"start": 0, "end": 7, "label": "Chemical"}}]}}\n',
}


@pytest.mark.slow
@pytest.mark.parametrize("format", EXAMPLES)
def test_a_file_fifty_times_larger_takes_no_more_memory(tmp_path: Path, format: str):
    def peak(size: int) -> int:
        path = tmp_path / f"{size}.txt"
        with path.open("w", encoding="utf-8") as file:
            file.writelines(EXAMPLES[format].format(n=n) for n in range(size))
        return peak_memory(lambda: consume(read(path, format=format)))

    assert peak(30_000) < 1.1 * peak(600)  # the first 2,000 lines of a token file are read ahead, to find its columns
