"""Files of a corpus: found in the data folder, verified by either digest, fetched if missing, refused if altered."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from openmed.corpora import CorpusSpec, corpus_file, data_folder, digest
from openmed.errors import DataError

CONTENT = b"aspirin\tB\n"
SHA256 = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
GIT_BLOB = f"git-blob:{hashlib.sha1(b'blob 10' + bytes(1) + CONTENT).hexdigest()}"
NAME = "ner/mine/train.tsv"
NOWHERE = "http://127.0.0.1:9/train.tsv"  # the discard port: refused at once, no network needed


def spec(**source: Any) -> CorpusSpec:
    return CorpusSpec.from_mapping({"name": "mine", "train": NAME, "dev": NAME, "files": {NAME: source}})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data folder."""
    monkeypatch.setenv("OPENMED_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tmp_path / "data"


@pytest.fixture
def present(folder: Path) -> Path:
    """The file of the corpus, as published."""
    path = folder / NAME
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    """The address of a web server that holds the file."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "train.tsv").write_bytes(CONTENT)

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=tmp_path / "site")) as server:
        Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/train.tsv"
        server.shutdown()


@pytest.mark.parametrize("hashes", [[SHA256], [GIT_BLOB], ["sha256:" + 64 * "0", SHA256], [SHA256, GIT_BLOB], []])
def test_a_file_with_any_accepted_digest_is_taken_where_it_lies(present, hashes):
    assert corpus_file(spec(url=NOWHERE, hashes=hashes), NAME) == present


@pytest.mark.parametrize("accepted", [SHA256, GIT_BLOB])
def test_an_altered_file_is_refused_naming_it_and_the_accepted_digest(present, accepted):
    present.write_bytes(CONTENT.replace(b"a", b"A"))
    with pytest.raises(DataError) as caught:
        corpus_file(spec(url=NOWHERE, hashes=[accepted]), NAME)
    assert str(present) in str(caught.value)
    assert accepted in str(caught.value)
    assert "fetch it again" in str(caught.value)


def test_nothing_is_written_when_the_file_is_there(folder, present):
    corpus_file(spec(url=NOWHERE, hashes=[SHA256]), NAME)
    assert [path for path in folder.rglob("*") if path.is_file()] == [present]


def test_a_missing_file_is_fetched_and_verified(folder, site):
    assert corpus_file(spec(url=site, hashes=[GIT_BLOB]), NAME).read_bytes() == CONTENT
    assert (folder / NAME).is_file()


def test_a_fetched_file_of_another_content_is_refused(folder, site):
    with pytest.raises(DataError, match="none of the accepted"):
        corpus_file(spec(url=site, hashes=["sha256:" + 64 * "0"]), NAME)


def test_offline_the_error_names_the_place_and_the_address(folder):
    with pytest.raises(DataError) as caught:
        corpus_file(spec(url=NOWHERE, hashes=[SHA256]), NAME)
    message = str(caught.value)
    assert str(folder / NAME) in message
    assert NOWHERE in message
    assert "'mine'" in message
    assert "OPENMED_DATA" in message


def test_what_may_not_be_fetched_says_how_to_get_it(folder):
    with pytest.raises(DataError, match=r"may not be fetched.*Ask the task's organisers for train\.tsv"):
        corpus_file(spec(by_hand="ask the task's organisers for train.tsv", hashes=[SHA256]), NAME)


def test_a_path_of_the_users_own_needs_no_entry(tmp_path):
    own = tmp_path / "own.tsv"
    own.write_bytes(CONTENT)
    assert corpus_file(spec(), str(own)) == own


@pytest.mark.parametrize("name", ["nowhere.tsv", "package:demo/nowhere.txt"])
def test_a_path_that_is_not_there_is_named(name):
    with pytest.raises(DataError, match="nowhere"):
        corpus_file(spec(), name)


def test_the_data_folder_is_the_variable_else_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENMED_DATA", "~/corpora")
    assert data_folder() == Path.home() / "corpora"
    monkeypatch.delenv("OPENMED_DATA")
    monkeypatch.setenv("OPENMED_CACHE", str(tmp_path))
    assert data_folder() == tmp_path / "corpora"


@pytest.mark.skipif(not shutil.which("git"), reason="git is not installed")
@pytest.mark.parametrize("content", [b"", CONTENT, b"\r\n\xff" * 1_000_000], ids=["empty", "small", "several reads"])
def test_git_blob_is_what_git_hash_object_prints(tmp_path, content):
    path = tmp_path / "x.tsv"
    path.write_bytes(content)
    command = ["git", "hash-object", "--no-filters", str(path)]
    assert digest(path, "git-blob") == subprocess.check_output(command, text=True).strip()


def test_another_kind_of_digest_is_refused(tmp_path):
    with pytest.raises(ValueError, match="sha256 or git-blob"):
        digest(tmp_path, "md5")
