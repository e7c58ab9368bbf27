"""What a build was made of, with what, and what became of it: the content of `manifest.json`.

make_manifest(mix, out, work, [task.source.name for task in tasks], short={}, later=[])["packed"]["minilm"]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from openmed.corpora import CorpusSpec, corpus_file
from openmed.corpora.identity import identity
from openmed.corpora.load import split_hashes
from openmed.pretraining_text.at_hand import bytes_at
from openmed.pretraining_text.decontaminate import ContaminationIndex
from openmed.pretraining_text.evaluated import INDEX
from openmed.pretraining_text.mix import Mix, Source
from openmed.pretraining_text.packed import INDEX as PACKED_INDEX
from openmed.pretraining_text.packed import PackedIndex
from openmed.pretraining_text.packs import PACKED
from openmed.pretraining_text.report import contaminated, source_counts
from openmed.pretraining_text.sources import list_files
from openmed.pretraining_text.sources.corpus import SPLIT

PROGRAMS = ("openmed-ner", "datatrove", "tokenizers")


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
        "versions": {name: _version(name) for name in PROGRAMS},
        "sources": {source.name: {"read": describe_source(source)} | counts[source.name] for source in mix.sources},
        "short": dict(short),
        "contamination": contaminated(work),
        "decontaminated_against": evaluated.splits,
        "not_decontaminated_against": evaluated.missing,
        "came_later": list(later),
        "packed": {name: _packed(index) for name, index in sorted(indices.items())},
    }


def _version(program: str) -> str | None:
    try:
        return version(program)
    except PackageNotFoundError:  # a checkout that is not installed
        return None


def _packed(index: PackedIndex) -> dict[str, Any]:
    sums = {
        split: {key: sum(getattr(shard, key) for shard in shards) for key in ("passages", "tokens")}
        for split, shards in index.splits.items()
    }
    return {**sums, "tokenizer_sha256": index.tokenizer["sha256"]}


def describe_source(source: Source) -> dict[str, Any]:
    """The source's path as the mix gives it, no folder of this machine in it, and its files."""
    path = Path(source.path).expanduser()
    files = _of_files(source.place) if source.corpus is None else _of_corpus(source.corpus)
    return {"path": path.name if path.is_absolute() else source.path, "files": files}


def _of_files(place: Path) -> list[dict[str, Any]]:
    files = list_files(place)
    described: list[dict[str, Any]] = []
    for file in files:
        name = file.relative_to(place).as_posix() if place.is_dir() else file.name
        described.append({"name": name, "bytes": bytes_at(file), "digest": identity(file)})
    return described


def _of_corpus(spec: CorpusSpec) -> list[dict[str, Any]]:
    """Of a corpus every digest is known: it is verified by them."""
    return [
        {"name": Path(name).name if Path(name).is_absolute() else name, "bytes": bytes_at(file), "digest": digest}
        for name, digest in split_hashes(spec, SPLIT).items()
        for file in [corpus_file(spec, name)]
    ]
