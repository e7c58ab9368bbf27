"""Every corpus has a YAML that says what it must; the corpora at hand hold what was published."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from time import process_time

import pytest

from openmed.corpora import SPLITS, CorpusSpec, Split, corpus_names, is_here, load_spec, load_split
from openmed.corpora.files import corpus_file
from openmed.corpora.places import PACKAGE
from openmed.encoding import choose_splitter
from openmed.encoding.words import words_of
from openmed.readers import READERS
from openmed.tagging import decode_tags, encode_document

NAMES = [name for name in corpus_names() if name != "custom"]
PUBLIC = [name for name in NAMES if name != "demo"]

# Mentions per split, train/dev/test. Of the token files as MTL-Bioinformatics-2016 and HUNER have them, of the native
# files as their own papers and read-me files have them.
PUBLISHED: dict[str, tuple[int | None, int | None, int | None]] = {
    "ncbi": (5134, 787, 960),
    "bc5cdr": (9385, 9593, 9809),
    "bc5cdr_chem": (5203, 5347, 5385),
    "bc5cdr_disease": (4182, 4246, 4424),
    "bc2gm": (15197, 3061, 6325),
    "anatem": (6946, 2139, 4616),
    "linnaeus": (2119, 711, 1433),
    "jnlpba": (46750, 4551, 8662),
    "bionlp13cg": (10826, 3616, 6881),
    "s800": (2243, 410, 1084),
    "cll": (234, 30, 77),
    "gellus": (328, 75, 247),
    "fsu": (None, 6613, 19387),
    "bc4chemd_huner": (None, 8366, None),
    "ncbi_documents": (5145, 787, 960),
    "bc5cdr_documents": (9385, 9591, 9809),
    "bc5cdr_chem_documents": (5203, 5347, 5385),
    "bc5cdr_disease_documents": (4182, 4244, 4424),
    "anatem_documents": (6946, 2139, 4616),
    "bionlp13cg_documents": (10935, 3634, 6955),
    "jnlpba_documents": (46750, 4551, 8662),
    "cll_documents": (234, 30, 77),
}
# Native files whose split is not the published one's own: what all splits hold together.
PUBLISHED_IN_ALL = {"s800_560_documents": 3708, "s800_documents": 3708, "bc2gm_documents": 18265 + 6331}


@cache
def present(name: str) -> dict[str, Split]:
    """The splits whose files are at hand, read."""
    if not os.environ.get("OPENMED_DATA"):
        pytest.skip("OPENMED_DATA does not name a folder of corpora")
    spec = load_spec(name)
    splits = {split: load_split(spec, split) for split in spec.splits if is_here(spec, str(spec.split_file(split)))}
    if not splits:
        pytest.skip(f"{name} is not in OPENMED_DATA")
    return splits


def files_named(spec: CorpusSpec) -> Iterator[str]:
    for holder in (spec, spec.groups, spec.ids):
        for split in SPLITS:
            if holder is not None and (file := getattr(holder, split)):
                yield file


@pytest.mark.parametrize("name", NAMES)
def test_a_yaml_says_what_people_need(name):
    spec = load_spec(name)
    assert spec.name == name
    assert spec.title
    assert spec.licence
    assert spec.citation
    assert spec.format in READERS
    assert spec.type_names
    assert spec.test
    if name in PUBLIC:
        assert spec.homepage.startswith("http")


@pytest.mark.parametrize("name", PUBLIC)
def test_every_file_has_a_pinned_address_and_a_digest_or_says_how_to_get_it(name):
    spec = load_spec(name)
    assert spec.files
    for file, source in spec.files.items():
        if source.url is None:
            assert source.by_hand, file
            assert len(source.by_hand) > 80, file
            continue
        assert source.url.startswith("https://"), file
        assert re.search(r"/[0-9a-f]{40}(/|$)", source.url), f"{file} comes from a moving branch"
        assert source.hashes, file


@pytest.mark.parametrize("name", NAMES)
def test_every_file_that_a_yaml_names_is_one_that_it_can_get_and_none_is_idle(name):
    spec = load_spec(name)
    for key in spec.files:
        assert any(
            file == key or file.startswith(f"{key}/") or key.startswith(f"{file}/") for file in files_named(spec)
        )
    for file in files_named(spec):
        if file.startswith(PACKAGE):
            assert corpus_file(spec, file).stat().st_size > 0
        else:
            assert any(file == key or file.startswith(f"{key}/") or key.startswith(f"{file}/") for key in spec.files)


@pytest.mark.parametrize("name", [name for name in NAMES if load_spec(name).raw])
def test_a_raw_twin_speaks_of_the_same_types(name):
    spec = load_spec(name)
    twin = load_spec(str(spec.raw))
    assert twin.type_names == spec.type_names
    assert twin.unit == "documents"
    assert twin.raw is None


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_counts_are_the_published_ones(name):
    found = present(name)
    wanted = {split: number for split, number in zip(SPLITS, PUBLISHED[name], strict=True) if number is not None}
    assert {split: found[split].counts["entities"] for split in wanted} == wanted
    assert set(found) == set(wanted)


@pytest.mark.parametrize("name", PUBLISHED_IN_ALL)
def test_together_the_splits_hold_what_the_native_files_hold(name):
    assert sum(split.counts["entities"] for split in present(name).values()) == PUBLISHED_IN_ALL[name]


def test_linnaeus_has_all_its_articles_once():
    splits = present("linnaeus_documents")
    ids = [document.id for split in splits.values() for document in split.documents]
    assert len(ids) == len(set(ids)) == 100
    assert sum(split.counts["entities"] for split in splits.values()) == 2609 + 479 + 1171


def test_no_public_corpus_was_forgotten():
    checked = {*PUBLISHED, *PUBLISHED_IN_ALL, "linnaeus_documents", "bc4chemd"}
    assert checked == set(PUBLIC), "bc4chemd is the one that nobody here could count"


@pytest.mark.parametrize("name", NAMES)
def test_the_yaml_has_the_counts_of_what_is_here(name):
    spec, found = load_spec(name), present(name)
    for split, part in found.items():
        assert {"documents", "entities"} <= set(spec.counts[split]), "add the counts to the YAML"
        assert part.documents
        assert len({document.id for document in part.documents}) == len(part.documents)
        assert {span.label for document in part.documents for span in document.spans} <= set(spec.type_names)


@pytest.mark.parametrize("name", [name for name in NAMES if load_spec(name).format == "conll"])
def test_token_files_come_back_from_tags_exactly(name):
    for part in present(name).values():
        assert part.counts["sentences"]
        assert part.counts["words"]
        for document in part.documents:
            assert document.words is not None
            tags, losses = encode_document(document.words, document.spans)
            assert not losses
            assert decode_tags(document.words, tags) == document.spans


@pytest.mark.parametrize("name", [name for name in NAMES if load_spec(name).format != "conll"])
def test_in_raw_text_nearly_all_mentions_stand_on_word_edges(name):
    found = present(name)
    splitter = choose_splitter(next(iter(found.values())).documents)
    for part in found.values():
        lost = sum(
            encode_document(words_of(document, splitter), document.spans)[1].total() for document in part.documents
        )
        assert lost <= 0.02 * part.counts["entities"], f"{lost} of {part.counts['entities']}"


@pytest.mark.parametrize("name", [name for name in NAMES if load_spec(name).raw])
def test_a_raw_twin_has_the_same_split(name):
    """No document of the token files' dev or test is in the raw train: tagged raw text is not trained text."""
    own, twin = present(name), present(str(load_spec(name).raw))
    for split, part in own.items():
        foreign = {document.group for other, raw in twin.items() if other != split for document in raw.documents}
        mine = {document.group for document in twin[split].documents}
        assert {document.group for document in part.documents} & (foreign - mine) == set()


def test_jnlpba_is_read_in_time():
    """In some 8 times what cutting the lines takes: 2 s were meant for a machine that needs a sixth of one for that.

    In a process of its own, away from what other tests keep in memory; each reading is set against the cutting just
    before it, which takes from 0.23 to 0.5 s of the same process, by the memory that it is given.
    """
    present("jnlpba")
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
        turns = fresh.submit(time_jnlpba).result()
    assert min(reading / cutting for cutting, reading in turns) < 12


def time_jnlpba() -> list[tuple[float, float]]:
    """Seconds of cutting the lines of its train and of reading it, in turns."""
    spec = load_spec("jnlpba")
    path = corpus_file(spec, str(spec.split_file("train")))

    def cut_lines() -> None:
        sentences: list[list[tuple[str, ...]]] = [[]]
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                if cells := line.rstrip("\n"):
                    sentences[-1].append(tuple(cells.split("\t")))
                else:
                    sentences.append([])
        assert len(sentences) > 16807

    def read() -> None:
        assert load_split(spec, "train").counts["sentences"] == 16807

    def seconds(work: Callable[[], None]) -> float:
        start = process_time()
        work()
        return process_time() - start

    return [(seconds(cut_lines), seconds(read)) for _ in range(3)]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_two_steps_of_training(name, tmp_path: Path):
    from tests.training.runs import compose

    from openmed.training.run import train

    if {"train", "dev"} - set(present(name)):
        pytest.skip(f"{name}: train or dev is not in OPENMED_DATA")
    sizes = "batch={max_tokens: 256, eval_max_tokens: 512}"
    overrides = [f"dataset={name}", "backbone=tiny", "debug=fast_dev_run", sizes]
    if load_spec(name).raw:
        overrides.append("dataset.raw=null")  # to tag the whole twin would take longer than all the rest
    assert train(compose(*overrides, folder=tmp_path, quick=False), tmp_path) is not None
    assert (tmp_path / "model" / "openmed.json").is_file()
