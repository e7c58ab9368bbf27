"""Files of a corpus: found in the data folder, verified by any digest, fetched if missing, refused if altered."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from typing import Any

import pytest

from openmed.corpora import CorpusSpec, corpus_file, data_folder
from openmed.corpora.digests import digest
from openmed.corpora.fetch import Patience
from openmed.corpora.files import MAX_DOWNLOADS, fetch_all, obtain, obtain_each, together
from openmed.corpora.places import spec_is_here
from openmed.errors import ConfigError, DataError

CONTENT = b"aspirin\tB\n"
SHA256 = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
GIT_BLOB = f"git-blob:{hashlib.sha1(b'blob 10' + bytes(1) + CONTENT).hexdigest()}"
NAME = "ner/mine/train.tsv"
NOWHERE = "http://127.0.0.1:9/train.tsv"  # the discard port: refused at once, no network needed
AT_ONCE = Patience(sleep=lambda seconds: None)


def spec(**source: Any) -> CorpusSpec:
    return spec_of({NAME: source})


def spec_of(files: dict[str, dict[str, Any]]) -> CorpusSpec:
    return CorpusSpec.from_mapping({"name": "mine", "train": NAME, "dev": NAME, "files": files})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data folder."""
    monkeypatch.setenv("OPENMED_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("OPENMED_MIRROR", raising=False)
    return tmp_path / "data"


@pytest.fixture
def present(folder: Path) -> Path:
    """The file of the corpus, as published."""
    path = folder / NAME
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT)
    return path


class Site:
    """A web server that holds the files of a folder, and remembers what it was asked for and how many asked at once."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.asked: list[str] = []
        self.most_at_once = 0
        self.seconds_each = 0.0
        now, counting, site = 0, Lock(), self

        class Handler(SimpleHTTPRequestHandler):
            def do_GET(self) -> None:
                nonlocal now
                with counting:
                    now += 1
                    site.most_at_once = max(site.most_at_once, now)
                    site.asked.append(self.path)
                time.sleep(site.seconds_each)
                super().do_GET()
                with counting:
                    now -= 1

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=folder))
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def put(self, name: str, content: bytes = CONTENT) -> str:
        """Its address."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return f"{self.url}/{name}"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path / "site")
    with site.server:
        Thread(target=site.server.serve_forever, args=[0.005], daemon=True).start()
        yield site
        site.server.shutdown()


@pytest.fixture
def site(server: Site) -> str:
    """The address of a web server that holds the file."""
    return server.put("train.tsv")


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
    assert list((folder / NAME).parent.iterdir()) == [folder / NAME]


def test_a_fetched_file_of_another_content_is_refused(folder, site):
    with pytest.raises(DataError, match="none of the accepted"):
        corpus_file(spec(url=site, hashes=["sha256:" + 64 * "0"]), NAME)


def test_offline_the_error_names_the_place_and_the_address(folder):
    with pytest.raises(DataError) as caught:
        obtain(spec(url=NOWHERE, hashes=[SHA256]), NAME, patience=AT_ONCE)
    message = str(caught.value)
    assert str(folder / NAME) in message
    assert message.count(NOWHERE) == 1
    assert "'mine'" in message
    assert "OPENMED_DATA" in message
    assert "OPENMED_MIRROR" in message
    assert not any(path.is_file() for path in folder.rglob("*"))


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


# ---- folders and archives

FOLDER = "native/mine/standoff"
SNAPSHOT = "native/mine.tar.gz"


def write_folder(path: Path) -> Path:
    """A corpus's folder with one split in it."""
    (path / "train").mkdir(parents=True)
    (path / "train" / "1.txt").write_bytes(CONTENT)
    return path


def tarball(folder: Path) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        tar.add(folder, "mine-1/standoff")
    return buffer.getvalue()


@pytest.fixture
def tree(tmp_path: Path) -> str:
    """The digest of the corpus's folder."""
    return f"git-tree:{digest(write_folder(tmp_path / 'tree'), 'git-tree')}"


def test_what_could_not_be_fetched_leaves_no_empty_folder(folder):
    names = ("ner/mine/train.tsv", "ner/mine/dev.tsv", "native/other.txt")
    mine = spec_of({name: {"url": NOWHERE} for name in names})
    _, problems = obtain_each(mine, patience=AT_ONCE)
    assert set(problems) == set(names)
    assert list(folder.rglob("*")) == []
    assert folder.is_dir() or not folder.exists()


def test_a_corpus_of_ones_own_is_here_when_its_files_are(tmp_path):
    path = tmp_path / "train.tsv"
    mine = CorpusSpec.from_mapping({"name": "mine", "train": str(path)})
    assert not spec_is_here(mine)
    path.touch()
    assert spec_is_here(mine)


def test_a_path_below_a_folder_is_taken_from_the_verified_folder(folder, tree):
    path = write_folder(folder / FOLDER)
    mine = spec_of({FOLDER: {"url": NOWHERE, "hashes": [tree]}})
    assert spec_is_here(mine)
    assert corpus_file(mine, FOLDER) == path
    assert corpus_file(mine, f"{FOLDER}/train") == path / "train"
    with pytest.raises(DataError, match=r"standoff/trian: no such file"):
        corpus_file(mine, f"{FOLDER}/trian")
    (path / "dev").mkdir()
    (path / "dev" / "2.txt").write_bytes(b"")
    with pytest.raises(DataError, match=r"none of the accepted.*hidden files count too"):
        corpus_file(mine, f"{FOLDER}/train")


def test_the_folder_of_several_files_has_each_of_them_fetched_and_verified(folder, server):
    names = ["native/mine/train/train.in", "native/mine/train/GENE.eval", "native/mine/test/test.in"]
    mine = spec_of({name: {"url": server.put(name), "hashes": [SHA256]} for name in names})
    assert corpus_file(mine, "native/mine/train") == folder / "native/mine/train"
    assert sorted(server.asked) == sorted(f"/{name}" for name in names[:2])
    assert not obtain(mine, "native/mine/train").fetched
    (folder / names[1]).write_bytes(b"altered")
    with pytest.raises(DataError, match=r"GENE\.eval.*none of the accepted"):
        corpus_file(mine, "native/mine/train")


def test_a_folder_is_verified_itself_also_when_a_file_in_it_is_named_too(folder, tree):
    path = write_folder(folder / FOLDER)
    mine = spec_of({FOLDER: {"hashes": [tree]}, f"{FOLDER}/train/1.txt": {"hashes": [SHA256]}})
    (path / ".DS_Store").write_bytes(b"")
    with pytest.raises(DataError, match="hidden files count too"):
        corpus_file(mine, FOLDER)


def test_a_name_that_only_begins_like_a_folder_is_not_below_it(folder, tree, monkeypatch):
    write_folder(folder / FOLDER)
    write_folder(folder / f"{FOLDER}2")
    monkeypatch.chdir(folder)
    mine = spec_of({FOLDER: {"hashes": [tree]}})
    assert corpus_file(mine, f"{FOLDER}2/train") == Path(f"{FOLDER}2/train"), "a path of the user's own"


def test_a_path_into_an_archive_is_that_of_the_verified_archive(folder, tmp_path, tree, server):
    body = tarball(tmp_path / "tree")
    mine = spec_of({SNAPSHOT: {"url": server.put("a.tar.gz", body), "hashes": [sha256(body)]}})
    assert corpus_file(mine, f"{SNAPSHOT}/mine-1/standoff/train") == folder / SNAPSHOT / "mine-1/standoff/train"
    assert (folder / SNAPSHOT).read_bytes() == body
    (folder / SNAPSHOT).write_bytes(body[:-1])
    with pytest.raises(DataError, match="none of the accepted"):
        corpus_file(mine, f"{SNAPSHOT}/mine-1/standoff/train")


def sha256(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def test_a_path_of_the_users_own_may_lead_into_an_archive(tmp_path, tree):
    archive = tmp_path / "own.tar.gz"
    archive.write_bytes(tarball(tmp_path / "tree"))
    assert corpus_file(spec(), f"{archive}/mine-1/standoff") == archive / "mine-1/standoff"
    with pytest.raises(DataError, match="no such file"):
        corpus_file(spec(), f"{tmp_path}/other.tar.gz/mine-1/standoff")


def test_a_folder_is_fetched_out_of_a_snapshot(folder, tmp_path, tree, server):
    url = server.put("mine.tar.gz", tarball(tmp_path / "tree"))
    mine = spec_of({FOLDER: {"url": url, "hashes": [tree], "inside": "mine-1/standoff"}})
    assert (corpus_file(mine, f"{FOLDER}/train") / "1.txt").read_bytes() == CONTENT
    assert corpus_file(mine, f"{FOLDER}/train") == folder / FOLDER / "train"
    assert server.asked == ["/mine.tar.gz"]


# ---- altered files


def test_again_sets_the_altered_file_aside_and_fetches_anew(present, site):
    for number, content in enumerate((b"altered", b"altered again"), start=1):
        present.write_bytes(content)
        got = obtain(spec(url=site, hashes=[SHA256]), NAME, again=True)
        assert got.fetched
        assert got.path == present
        assert present.read_bytes() == CONTENT
        assert got.set_aside == present.with_name("train.tsv.bad" if number == 1 else "train.tsv.2.bad")
        assert got.set_aside.read_bytes() == content


def test_again_sets_an_altered_folder_aside_whole(folder, tmp_path, tree, server):
    path = write_folder(folder / FOLDER)
    (path / ".DS_Store").write_bytes(b"junk")
    url = server.put("mine.tar.gz", tarball(tmp_path / "tree"))
    mine = spec_of({FOLDER: {"url": url, "hashes": [tree], "inside": "mine-1/standoff"}})
    assert obtain(mine, FOLDER, again=True).set_aside == path.with_name("standoff.bad")
    assert f"git-tree:{digest(path, 'git-tree')}" == tree
    assert (path.with_name("standoff.bad") / ".DS_Store").is_file()


def test_again_leaves_what_is_right(present, site, server):
    got = obtain(spec(url=site, hashes=[SHA256]), NAME, again=True)
    assert (got.fetched, got.set_aside) == (False, None)
    assert server.asked == []


@pytest.mark.parametrize("again", [True, False])
def test_an_altered_file_that_may_not_be_fetched_stays_and_says_how_to_get_it(present, again):
    present.write_bytes(b"altered")
    with pytest.raises(DataError, match="ask the organisers"):
        obtain(spec(by_hand="ask the organisers", hashes=[SHA256]), NAME, again=again)
    assert present.read_bytes() == b"altered"


def test_the_error_of_an_altered_file_says_what_it_is_and_the_command(present):
    present.write_bytes(b"altered")
    with pytest.raises(DataError) as caught:
        corpus_file(spec(url=NOWHERE, hashes=[SHA256]), NAME)
    assert sha256(b"altered") in str(caught.value)
    assert "openmed corpora fetch mine --again" in str(caught.value)
    assert present.read_bytes() == b"altered"


def test_a_data_folder_that_cannot_be_written_is_named(tmp_path, monkeypatch, site):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("OPENMED_DATA", str(tmp_path / "file" / "data"))
    with pytest.raises(DataError, match=r"cannot be written.*OPENMED_DATA") as caught:
        corpus_file(spec(url=site, hashes=[SHA256]), NAME)
    assert str(tmp_path / "file" / "data" / NAME) in str(caught.value)


# ---- a mirror


@pytest.fixture
def mirror(server: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setenv("OPENMED_MIRROR", f"{server.url}/mirror/")
    return server


def test_the_mirror_is_asked_first_and_may_be_all_there_is(folder, mirror):
    mirror.put(f"mirror/{NAME}")
    assert corpus_file(spec(url=mirror.put("train.tsv"), hashes=[SHA256]), NAME).read_bytes() == CONTENT
    assert mirror.asked == [f"/mirror/{NAME}"]


@pytest.mark.parametrize("on_mirror", [None, b"altered"])
def test_the_file_comes_from_its_own_address_when_the_mirror_has_another_or_none(folder, mirror, on_mirror, caplog):
    if on_mirror:
        mirror.put(f"mirror/{NAME}", on_mirror)
    assert corpus_file(spec(url=mirror.put("train.tsv"), hashes=[SHA256]), NAME).read_bytes() == CONTENT
    assert mirror.asked == [f"/mirror/{NAME}", "/train.tsv"]
    assert f"{mirror.url}/mirror/{NAME}" in caplog.text


def test_when_neither_has_it_both_addresses_are_named(folder, mirror):
    with pytest.raises(DataError) as caught:
        corpus_file(spec(url=f"{mirror.url}/train.tsv", hashes=[SHA256]), NAME)
    for address in (f"{mirror.url}/mirror/{NAME}: HTTP 404", f"{mirror.url}/train.tsv: HTTP 404"):
        assert address in str(caught.value)


def test_what_may_not_be_fetched_may_come_from_the_mirror_alone(folder, mirror):
    by_hand = spec(by_hand="ask the organisers", url=mirror.put("train.tsv"), hashes=[SHA256])
    with pytest.raises(DataError, match=r"HTTP 404.*Ask the organisers"):
        corpus_file(by_hand, NAME)
    mirror.put(f"mirror/{NAME}")
    assert corpus_file(by_hand, NAME).read_bytes() == CONTENT
    assert set(mirror.asked) == {f"/mirror/{NAME}"}


def test_the_mirror_holds_the_whole_snapshot_of_a_part(folder, tmp_path, tree, mirror):
    mirror.put(f"mirror/{FOLDER}.tar.gz", tarball(tmp_path / "tree"))
    mine = spec_of({FOLDER: {"url": NOWHERE, "hashes": [tree], "inside": "mine-1/standoff"}})
    assert (corpus_file(mine, FOLDER) / "train" / "1.txt").read_bytes() == CONTENT


def test_a_name_with_odd_characters_is_quoted(folder, mirror):
    name = "ner/my corpus/50% #1?.tsv"
    mirror.put(f"mirror/{name}")
    assert corpus_file(spec_of({name: {"url": NOWHERE, "hashes": [SHA256]}}), name).read_bytes() == CONTENT


def test_a_mirror_that_is_no_address_is_refused(folder, monkeypatch):
    monkeypatch.setenv("OPENMED_MIRROR", "/mnt/corpora")
    with pytest.raises(ConfigError, match=r"OPENMED_MIRROR='/mnt/corpora'.*set OPENMED_DATA"):
        corpus_file(spec(url=NOWHERE), NAME)


# ---- several at once


@pytest.fixture
def many(server: Site) -> CorpusSpec:
    """A corpus of ten files."""
    names = [f"ner/mine/{number}.tsv" for number in range(10)]
    return spec_of({name: {"url": server.put(name), "hashes": [SHA256]} for name in names})


def test_all_files_come_in_parallel_but_not_all_at_once(folder, server, many):
    server.seconds_each = 0.05
    paths = fetch_all(many)
    assert paths == {name: folder / name for name in many.files}
    assert all(path.read_bytes() == CONTENT for path in paths.values())
    assert 2 <= server.most_at_once <= MAX_DOWNLOADS == 4


def test_progress_is_told_by_name(folder, many):
    told: dict[str, tuple[int, int | None]] = {}
    fetch_all(many, progress=lambda name, done, total: told.update({name: (done, total)}))
    assert told == {name: (len(CONTENT), len(CONTENT)) for name in many.files}


def test_all_are_tried_and_one_error_names_each_that_failed(folder, server, many):
    for number in (0, 7):
        (server.folder / f"ner/mine/{number}.tsv").unlink()
    obtained, problems = obtain_each(many)
    assert list(obtained) == [name for name in many.files if name[-5] not in "07"]
    assert list(problems) == ["ner/mine/0.tsv", "ner/mine/7.tsv"]
    assert all((folder / name).is_file() for name in obtained)
    with pytest.raises(DataError, match="2 files of mine could not be had") as caught:
        fetch_all(many)
    for name in problems:
        assert str(folder / name) in str(caught.value)
        assert f"{server.url}/{name}: HTTP 404" in str(caught.value)
    assert str(caught.value).count("OPENMED_DATA") == 1, "what is the same for all is said once"


def test_several_that_are_missing_offline_are_told_with_what_to_do_once(folder):
    by_hand = "ask the organisers. "
    addresses = [f"{NOWHERE}/{number}" for number in range(3)]
    mine = spec_of(
        {
            NAME: {"url": addresses[0]},
            FOLDER: {"url": addresses[1], "inside": "mine-1/standoff"},
            "c.tsv": {"url": addresses[2]},
            "d.tsv": {"by_hand": by_hand},
        }
    )
    _, problems = obtain_each(mine, patience=AT_ONCE)
    message = str(together(mine, problems))
    for told in (*addresses, *(f"{folder / name}: not here, and " for name in mine.files), "mine-1/standoff of that"):
        assert message.count(told) == 1
    what_to_do = message[message.index("Download what is missing") :]
    assert what_to_do.count("ownload") == 1
    assert what_to_do.endswith("to an address that does. Ask the organisers.")


def test_a_loop_of_links_in_the_data_folder_is_named(folder, tree):
    path = write_folder(folder / FOLDER)
    (path / "again").symlink_to(path)
    with pytest.raises(DataError, match=r"standoff/again: a link in a folder"):
        corpus_file(spec_of({FOLDER: {"url": NOWHERE, "hashes": [tree]}}), FOLDER)


def test_a_hash_of_another_form_is_refused_with_all_the_forms():
    with pytest.raises(ConfigError, match=r"'md5:1'.*sha256:<64.*git-blob:<40.*git-tree:<40 hex digits>"):
        spec(hashes=["md5:1"])


def test_threads_that_want_the_same_file_download_it_once(folder, server, site):
    server.seconds_each = 0.1
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: obtain(spec(url=site, hashes=[SHA256]), NAME), range(4)))
    assert server.asked == ["/train.tsv"]
    assert sorted(result.fetched for result in results) == [False, False, False, True]


@pytest.mark.slow
def test_processes_that_want_the_same_file_download_it_once(folder, server, site):
    server.seconds_each = 1.0
    program = (
        "import sys; from openmed.corpora import CorpusSpec, corpus_file\n"
        "name, url, sha256 = sys.argv[1:]\n"
        "files = {name: {'url': url, 'hashes': [sha256]}}\n"
        "corpus_file(CorpusSpec.from_mapping({'name': 'mine', 'train': name, 'dev': name, 'files': files}), name)"
    )
    command = [sys.executable, "-c", program, NAME, site, SHA256]
    both = [subprocess.Popen(command, env=os.environ) for _ in range(2)]
    assert [process.wait(60) for process in both] == [0, 0]
    assert server.asked == ["/train.tsv"]
    assert (folder / NAME).read_bytes() == CONTENT
