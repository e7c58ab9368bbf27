"""Small sources and mixes of our own, for tests of a whole build.

mix = Mix.read(write_sources(tmp_path / "sources")); know_one_split(monkeypatch); build(mix, out); passages(out)
source = know_corpus(monkeypatch, write_corpus(tmp_path / "train.jsonl", long_texts(0, 30)))
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from openmed.corpora import CorpusSpec
from openmed.pretraining_text import evaluated as evaluated_module
from openmed.pretraining_text.mix import Source
from openmed.pretraining_text.packed import PackedText
from openmed.spans import Document

CONTAMINATED = "The quick study of the brown fox was done over the lazy dog in the year of the moon and of the sun."


def sentence(number: int) -> str:
    word = "".join(chr(97 + (number // 26**power) % 26) for power in range(3))
    return f"In the group of patients {word} with the disease {word} the drug was given to {word} and to the others."


def write_sources(folder: Path, texts: int = 90) -> Path:
    """Two sources: one with copies, near copies, contamination and rubbish; and a mix of both."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [{"id": str(n), "text": " ".join(sentence(n * 10 + k) for k in range(4))} for n in range(texts)]
    lines += [{"id": f"copy{n}", "text": lines[n]["text"]} for n in range(5)]
    lines += [{"id": f"near{n}", "text": lines[n + 10]["text"].replace("others.", "rest.", 1)} for n in range(5)]
    lines += [{"id": "bad", "text": f"{sentence(1)} {CONTAMINATED} {sentence(2)} {sentence(3)}"}]
    lines += [{"id": "known", "pmid": "777", "text": " ".join(sentence(5000 + k) for k in range(4))}]
    lines += [{"id": "rubbish", "text": "1 2 3 4 5 6 7 8 9 10 11 12 ; ; ; ; ; ; " * 6}]
    (folder / "a.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n")
    notes = (" ".join(sentence(9000 + n * 5 + k) for k in range(4)) for n in range(20))
    (folder / "b.txt").write_text("\n\n".join(notes))
    mix = f"""
name: test
backbones: [tiny]
passage: {{min_tokens: 20, max_tokens: 128}}
heldout_fraction: 0.2
decontaminate_ngram: 10
sources:
  - {{name: a, format: jsonl, path: {folder / "a.jsonl"}, parts: 3}}
  - {{name: b, format: text, path: {folder / "b.txt"}, options: {{unit: paragraph}}, passages: 7}}
"""
    (folder / "mix.yaml").write_text(mix)
    return folder / "mix.yaml"


def medline(*pmids: int, deleted: int) -> bytes:
    """A file of records, which ends by taking one back."""
    records = (
        f"<PubmedArticle><MedlineCitation><PMID>{pmid}</PMID><Article><ArticleTitle>Of it.</ArticleTitle><Abstract>"
        f"<AbstractText>{' '.join(sentence(pmid * 10 + k) for k in range(5))}</AbstractText></Abstract></Article>"
        "</MedlineCitation></PubmedArticle>"
        for pmid in pmids
    )
    end = f"<DeleteCitation><PMID>{deleted}</PMID></DeleteCitation></PubmedArticleSet>"
    return gzip.compress(f'<?xml version="1.0"?><PubmedArticleSet>{"".join(records)}{end}'.encode())


def write_corpus(path: Path, texts: dict[str, str]) -> Path:
    """JSON lines of a NER corpus: texts by the ids of their documents."""
    lines = [{"id": id, "text": text, "entities": [[0, 1, "T"]] if text.strip() else []} for id, text in texts.items()]
    path.write_text("\n".join(map(json.dumps, lines)) + "\n", encoding="utf-8")
    return path


def long_text(number: int) -> str:
    """A text that makes one passage."""
    return " ".join(sentence(number * 5 + k) for k in range(4))


def long_texts(first: int, number: int) -> dict[str, str]:
    """Texts that make a passage each, by ids as of PubMed."""
    return {f"PMID-{n}": long_text(n) for n in range(first, first + number)}


def know_corpus(patch: pytest.MonkeyPatch, train: Path, **settings: Any) -> Source:
    """The training split of `mine`, a corpus of that file, which is now the only one known."""
    spec = CorpusSpec.from_mapping({"name": "mine", "train": str(train), "dev": str(train)} | settings)
    patch.setattr("openmed.pretraining_text.sources.corpus.load_spec", lambda name: {"mine": spec}[name])
    return Source("mine", "corpus", "mine")


def know_one_split(patch: pytest.MonkeyPatch) -> None:
    """The dev and test splits that a build must not meet: one document of ours."""
    document = Document("t", CONTAMINATED, group="777")
    patch.setattr(evaluated_module, "evaluated_splits", lambda: ([("ncbi", "test")], ["bc4chemd"]))
    patch.setattr(evaluated_module, "split_digests", lambda splits: {"/".join(split): "digest" for split in splits})
    patch.setattr(evaluated_module, "split_texts", lambda splits: [("ncbi/test", document)])


def count_reads(patch: pytest.MonkeyPatch) -> list[int]:
    """Tasks that read their part, from now on."""
    from openmed.pretraining_text.steps import ReadPart

    read, ranks = ReadPart.run, []

    def reading(self: Any, data: Any = None, rank: int = 0, world_size: int = 1) -> Any:
        ranks.append(rank)
        return read(self, data, rank, world_size)

    patch.setattr(ReadPart, "run", reading)
    return ranks


def passages(out: Path) -> dict[str, list[tuple[int, ...]]]:
    """Split -> token ids of each passage, sorted."""
    found = {}
    for split in ("train", "heldout"):
        text = PackedText.open(out / "packed" / "tiny", split)
        whole = text.read(0, text.num_tokens)
        found[split] = sorted(tuple(part.tolist()) for part in np.split(whole, text.starts[1:]))
    return found
