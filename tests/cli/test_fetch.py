"""`openmed corpora fetch`: what was fetched, what was there, what failed; one corpus, several or all of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml

from openmed.corpora.spec import CORPUS_TARGET

CONTENT = b"aspirin\tB\n"
FILES = ("ner/mine/train.tsv", "ner/mine/devel.tsv")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Path]:
    """The folder of a web server with the files of `mine`; `conf/` and the data folder lie beside it."""
    folder = tmp_path / "site"
    for name in FILES:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(CONTENT)

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as server:
        Thread(target=server.serve_forever, args=[0.005], daemon=True).start()
        sha256 = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
        files = {name: {"url": f"http://127.0.0.1:{server.server_port}/{name}", "hashes": [sha256]} for name in FILES}
        demo = {key: f"package:demo/{key}.txt" for key in ("train", "dev", "test")}
        own = {"train": "???", "dev": "???"}
        for name, spec in {
            "mine": {"train": FILES[0], "dev": FILES[1], "files": files},
            "demo": demo,
            "custom": own,
        }.items():
            path = tmp_path / "conf" / "dataset" / f"{name}.yaml"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(
                yaml.safe_dump({"_target_": CORPUS_TARGET, "name": name, **spec}, sort_keys=False), encoding="utf-8"
            )
        yield folder
        server.shutdown()


@pytest.fixture(autouse=True)
def data(tmp_path: Path, site: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data folder; the corpora are those of the fixture."""
    monkeypatch.setattr("openmed.choices.conf_folder", lambda: tmp_path / "conf")
    monkeypatch.setenv("OPENMED_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("OPENMED_MIRROR", raising=False)
    return tmp_path / "data"


def ask(openmed, *arguments: str):
    """A command's answer for machines: one line of JSON, and no bar."""
    result = openmed("corpora", "fetch", *arguments, "--json")
    assert (result.code, result.err) == (0, "")
    assert result.out.count("\n") == 1
    return json.loads(result.out)


def test_first_they_are_fetched_then_they_are_there(openmed, data):
    first, second = openmed("corpora", "fetch", "mine"), openmed("corpora", "fetch", "mine")
    assert (first.code, first.err) == (second.code, second.err) == (0, "")
    assert first.out.splitlines() == [f" 10 bytes  {data / name}: fetched and verified" for name in FILES]
    assert second.out.splitlines() == [f" 10 bytes  {data / name}: verified" for name in FILES]


def test_json_of_one_corpus_is_an_object_of_several_a_list(openmed, data):
    mine = {"name": "mine", "files": {name: str(data / name) for name in FILES}}
    assert ask(openmed, "mine") == ask(openmed, "mine", "mine") == mine
    assert [answer["name"] for answer in ask(openmed, "mine", "demo")] == ["mine", "demo"]
    assert ask(openmed, "mine", "demo")[0] == mine


def test_all_are_those_with_files_of_their_own(openmed):
    assert [answer["name"] for answer in ask(openmed, "--all")] == ["demo", "mine"]


@pytest.mark.parametrize("arguments", [(), ("mine", "--all")])
def test_either_names_or_all_must_be_said(openmed, arguments):
    result = openmed("corpora", "fetch", *arguments)
    assert result.code == 1
    assert "either name corpora or say --all" in result.err


def test_an_unknown_name_is_refused_before_anything_is_fetched(openmed, data):
    result = openmed("corpora", "fetch", "mine", "mien")
    assert result.code == 1
    assert "Did you mean 'mine'?" in result.err
    assert not data.exists()


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_what_fails_fails_the_command_and_the_rest_is_told(openmed, data, site, form):
    (site / FILES[0]).unlink()
    result = openmed("corpora", "fetch", "mine", "demo", *form)
    assert result.code == 1
    assert result.err.count("\n") == 1
    assert str(data / FILES[0]) in result.err
    assert "HTTP 404" in result.err
    assert str(data / FILES[0]) not in result.out
    assert str(data / FILES[1]) in result.out
    assert "demo/train.txt" in result.out


def test_an_altered_file_fails_until_it_is_fetched_again(openmed, data):
    path = data / FILES[0]
    path.parent.mkdir(parents=True)
    path.write_bytes(b"altered")
    refused = openmed("corpora", "fetch", "mine")
    assert refused.code == 1
    assert "openmed corpora fetch mine --again" in refused.err
    assert path.read_bytes() == b"altered"
    result = openmed("corpora", "fetch", "mine", "--again")
    assert result.code == 0
    assert result.out.splitlines()[0].endswith(f"{path}: what was there is now train.tsv.bad; fetched and verified")
    assert path.read_bytes() == CONTENT
    assert path.with_name("train.tsv.bad").read_bytes() == b"altered"


def test_on_a_terminal_there_is_a_bar_and_the_answer_stays_clean(openmed, data, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes any output for a terminal then
    monkeypatch.setenv("TERM", "xterm")
    result = openmed("corpora", "fetch", "mine")
    assert result.code == 0
    assert "train.tsv" in result.err
    assert result.out.splitlines() == [f" 10 bytes  {data / name}: fetched and verified" for name in FILES]
    assert openmed("corpora", "fetch", "mine", "--json").err == ""
