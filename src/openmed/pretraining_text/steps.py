"""Our steps of the pipeline, for datatrove's executors (processes of this machine, Slurm, Ray) to run.

[ReadPart(tasks), CutPassages(tasks, ...), Decontaminate(...), JsonlWriter(...)]

A passage travels as datatrove's `Document`: its text, an id of its own, and in `metadata` source, text (the id of the
text it was cut from), tokens and pmid. Counts go to datatrove's statistics, one file a task; a task is a part of one
source, so they are the source's.
"""

from __future__ import annotations

import json
import re
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from datatrove.data import Document
from datatrove.pipeline.base import PipelineStep
from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupSignature
from datatrove.pipeline.filters.base_filter import BaseFilter
from datatrove.utils.word_tokenizers import WordTokenizer

from openmed.encoding.backend import plain_twin
from openmed.networks import BackboneSpec, load_tokenizer
from openmed.pretraining_text.decontaminate import ContaminationIndex
from openmed.pretraining_text.mix import PassageSpec, Source
from openmed.pretraining_text.normalise import normalise
from openmed.pretraining_text.passages import PassageCutter
from openmed.pretraining_text.shards import Packing, describe, writing_shard
from openmed.pretraining_text.sources import MEDLINE, deletions_of_part, read_part
from openmed.pretraining_text.words import ngram_hashes, words
from openmed.writers.atomic import atomic_path

TEXTS, PASSAGES, TOKENS = "texts", "passages", "tokens"
BLOCK = 1_000
"""Passages that are tokenised at once."""
_MARKS = re.compile(r"[\W_]+")


@dataclass(frozen=True)
class Task:
    """A part of a source: what one call of a pipeline works on. Its number among the tasks is datatrove's rank."""

    source: Source
    part: int
    parts: int


class ReadPart(PipelineStep):
    """The texts of a task, normalised: one document a text, its paragraphs separated by empty lines."""

    type, name = "READER", "source"

    def __init__(self, tasks: Sequence[Task], deletions: Path) -> None:
        super().__init__()
        self.tasks = tasks
        self.deletions = deletions

    def run(self, data: Iterable[Document] | None = None, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        task = self.tasks[rank]
        source = task.source
        losses: Counter[str] = Counter()
        place = (source.place, task.part, task.parts)
        settings = {"format": source.format, "options": source.options, "deleted": self._deleted(source)}
        for text in read_part(*place, losses=losses, **settings):
            self.stat_update(TEXTS)
            yield Document(
                text="\n\n".join(normalise(text.text, source.replace)),
                id=text.id,
                metadata={"source": source.name, "pmid": text.pmid},
            )
        for reason, number in losses.items():
            self.stat_update(f"left out: {reason}", value=number)

    def _deleted(self, source: Source) -> dict[str, str] | None:
        """What `FindDeletions` found in all parts of the source."""
        if source.format != MEDLINE:
            return None
        found: dict[str, str] = {}
        for rank, task in enumerate(self.tasks):
            if task.source == source:
                part: dict[str, str] = json.loads((self.deletions / f"{rank:05d}.json").read_text())
                found |= {pmid: max(file, found.get(pmid, "")) for pmid, file in part.items()}
        return found


class FindDeletions(PipelineStep):
    """Keeps, a file a task, what MEDLINE files say is deleted: before any is read, as it may stand in another part."""

    type, name = "STATS", "deletions"

    def __init__(self, tasks: Sequence[Task], folder: Path) -> None:
        super().__init__()
        self.tasks = tasks
        self.folder = folder

    def run(self, data: Iterable[Document] | None = None, rank: int = 0, world_size: int = 1) -> None:
        task = self.tasks[rank]
        place = (task.source.place, task.part, task.parts)
        found = deletions_of_part(*place) if task.source.format == MEDLINE else {}
        self.folder.mkdir(parents=True, exist_ok=True)
        with atomic_path(self.folder / f"{rank:05d}.json") as temporary:
            temporary.write_text(json.dumps(found))


class CutPassages(PipelineStep):
    """Texts in, passages out, of so many tokens of the backbone's tokenizer."""

    type, name = "FORMATTER", "passages"

    def __init__(self, backbone: str, spec: PassageSpec) -> None:
        super().__init__()
        self.backbone = backbone
        self.spec = spec

    def run(self, data: Iterable[Document], rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        tokenizer = load_tokenizer(BackboneSpec.named(self.backbone))
        cutter = PassageCutter(tokenizer, min_tokens=self.spec.min_tokens, max_tokens=self.spec.max_tokens)
        for text in data:
            passages, losses = cutter.cut(text.text.split("\n\n"))
            for reason, number in losses.items():
                self.stat_update(reason, value=number)
            for number, (passage, tokens) in enumerate(passages):
                self.stat_update(PASSAGES)
                self.stat_update(TOKENS, value=tokens)
                metadata = {**text.metadata, "text": text.id, "tokens": tokens}
                yield Document(text=passage, id=f"{text.metadata['source']}/{text.id}/{number}", metadata=metadata)


class Decontaminate(BaseFilter):
    """Keeps what shares nothing with a dev or test split. What is dropped says in its metadata what it shares."""

    name = "decontaminate"

    def __init__(self, index: Path, **settings: Any) -> None:
        super().__init__(**settings)
        self.path = index

    @cached_property
    def _index(self) -> ContaminationIndex:
        return ContaminationIndex.load(self.path)

    def filter(self, doc: Document) -> bool | tuple[bool, str]:
        found = self._index.find(doc.text, pmid=doc.metadata.get("pmid"))
        if found is None:
            return True
        doc.metadata |= {"split": found.split, "shared": found.shared}
        return False, "contaminated"


class Words(WordTokenizer):
    """Our words, for datatrove's steps; of those used here none asks for sentences or spans."""

    def word_tokenize(self, text: str) -> list[str]:
        return words(text)

    def sent_tokenize(self, text: str) -> list[str]:
        raise NotImplementedError

    def span_tokenize(self, text: str) -> list[tuple[int, int]]:
        raise NotImplementedError


class SpacedWords(Words):
    """What stands between spaces, as Gopher's rules count words; not marks alone, which tokenised text is full of."""

    def word_tokenize(self, text: str) -> list[str]:
        return [word for word in text.split() if not _MARKS.fullmatch(word)]


class Signatures(MinhashDedupSignature):
    """datatrove's MinHash with our words and our hashes of their runs: both are made at once for a whole passage."""

    def __init__(self, output_folder: str, config: MinhashConfig) -> None:
        super().__init__(output_folder, config, language=Words())  # pyright: ignore[reportArgumentType]

    def get_shingles(self, text: str) -> np.ndarray:
        """(num_runs, 1) uint64, of which the upper 32 bits of our hashes are used."""
        found = words(text)
        runs = ngram_hashes(found, min(self.config.n_grams, len(found)))
        return (runs >> np.uint64(32)).reshape(-1, 1)


def chance(id: str, seed: int) -> int:
    """A number of 64 bits, drawn for an id: whoever draws it, in whatever order, draws the same."""
    return int.from_bytes(blake2b(f"{seed}/{id}".encode(errors="surrogatepass"), digest_size=8).digest(), "little")


class Draw(PipelineStep):
    """Keeps each passage's `chance` in a file a task: of these the passages of a source with a quota are chosen."""

    type, name = "STATS", "draw"

    def __init__(self, folder: Path, seed: int) -> None:
        super().__init__()
        self.folder = folder
        self.seed = seed

    def run(self, data: Iterable[Document], rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        drawn = array("Q")  # 8 bytes of each passage
        for passage in data:
            self.stat_update(PASSAGES)
            self.stat_update(TOKENS, value=passage.metadata["tokens"])
            drawn.append(chance(passage.id, self.seed))
            yield passage
        with atomic_path(self.folder / f"{rank:05d}.npy") as temporary, temporary.open("wb") as file:
            np.save(file, np.array(drawn, dtype=np.uint64))


class Pack(PipelineStep):
    """Tokenise a task's passages into a shard of train and one of the held-out text.

    Args:
        folder: `packed/<backbone>`.
        limits: of each task's source: passages with a `chance` up to this are taken.
        heldout_fraction: of texts.
    """

    type, name = "WRITER", "pack"

    def __init__(
        self, folder: Path, backbone: str, *, limits: Sequence[int], heldout_fraction: float, seed: int
    ) -> None:
        super().__init__()
        self.folder = folder
        self.backbone = backbone
        self.limits = limits
        self.heldout = int(heldout_fraction * 2**64)
        self.seed = seed

    def run(self, data: Iterable[Document], rank: int = 0, world_size: int = 1) -> None:
        tokenizer = load_tokenizer(BackboneSpec.named(self.backbone))
        packing = Packing.of(tokenizer)
        backend = plain_twin(tokenizer.backend_tokenizer)
        passages = (passage for passage in data if chance(passage.id, self.seed) <= self.limits[rank])
        with (
            writing_shard(self.folder, f"train-{rank:05d}", packing) as train,
            writing_shard(self.folder, f"heldout-{rank:05d}", packing) as heldout,
        ):
            while block := list(islice(passages, BLOCK)):
                encodings = backend.encode_batch([passage.text for passage in block], add_special_tokens=False)
                for passage, encoding in zip(block, encodings, strict=True):
                    text = f"{passage.metadata['source']}/{passage.metadata['text']}"
                    is_heldout = chance(text, self.seed + 1) < self.heldout
                    (heldout if is_heldout else train).append(encoding.ids)
                    split = "heldout" if is_heldout else "train"
                    self.stat_update(f"{split} {PASSAGES}")
                    self.stat_update(f"{split} {TOKENS}", value=len(encoding.ids))
        for writer in (train, heldout):
            describe(self.folder, writer.shard, packing)
