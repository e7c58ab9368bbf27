"""What a build was made of, with what, and what became of it: the content of `manifest.json`.

make_manifest(mix, out, work, [task.source.name for task in tasks], short={}, later=[])["packed"]["minilm"]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from openmed.pretraining_text.decontaminate import ContaminationIndex
from openmed.pretraining_text.evaluated import INDEX
from openmed.pretraining_text.mix import Mix
from openmed.pretraining_text.packed import INDEX as PACKED_INDEX
from openmed.pretraining_text.packed import PackedIndex
from openmed.pretraining_text.packs import PACKED
from openmed.pretraining_text.report import contaminated, source_counts


def make_manifest(
    mix: Mix, out: Path, work: Path, sources: Sequence[str], *, short: Mapping[str, int], later: Sequence[str]
) -> dict[str, Any]:
    """Args:
    sources: of each task.
    short: sources with fewer passages than asked for, and how many.
    later: splits that came or changed after the passages were compared.
    """
    indices = {path.parent.name: PackedIndex.read(path.parent) for path in (out / PACKED).glob(f"*/{PACKED_INDEX}")}
    evaluated = ContaminationIndex.load(work / INDEX)
    counts = source_counts(work, sources, sorted(indices))
    return {
        "name": mix.name,
        "mix_sha256": mix.digest(),
        "seed": mix.seed,
        "sources": counts,
        "short": dict(short),
        "contamination": contaminated(work),
        "decontaminated_against": evaluated.splits,
        "not_decontaminated_against": evaluated.missing,
        "came_later": list(later),
        "packed": {name: _packed(index) for name, index in sorted(indices.items())},
    }


def _packed(index: PackedIndex) -> dict[str, Any]:
    return {
        split: {key: sum(getattr(shard, key) for shard in shards) for key in ("passages", "tokens")}
        for split, shards in index.splits.items()
    }
