"""Downloads from a real server that breaks off, stalls, lies and refuses: whole and verified, or not at all."""

from __future__ import annotations

import errno
import gzip
import hashlib
import io
import logging
import os
import shutil
import socket
import ssl
import subprocess
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pooch
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from openmed.corpora.digests import digest
from openmed.corpora.fetch import BLOCK, Patience, fetch_file
from openmed.errors import DataError

CONTENT = b"".join(b"aspirin\tB\nno. %d\tO\n" % number for number in range(1000))
SHA256 = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
GIT_BLOB = f"git-blob:{hashlib.sha1(b'blob %d' % len(CONTENT) + bytes(1) + CONTENT).hexdigest()}"
OTHER = f"sha256:{'0' * 64}"

Answer = Callable[[BaseHTTPRequestHandler], None]


class Site:
    """A web server that gives its answers in turn, the last one for ever, and remembers what it was asked."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.asked: list[str | None] = []
        """The Range of each request."""
        self.paths: list[str] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append(self.headers.get("Range"))
                site.paths.append(self.path)
                (site.answers.pop(0) if len(site.answers) > 1 else site.answers[0])(self)

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/train.tsv"


@contextmanager
def serving(*answers: Answer) -> Iterator[Site]:
    site = Site(*answers)
    with site.server:
        Thread(target=site.server.serve_forever, args=[0.005], daemon=True).start()
        yield site
        site.server.shutdown()


def send(handler: BaseHTTPRequestHandler, status: int, body: bytes = b"", **headers: object) -> None:
    handler.send_response(status)
    for name, value in {"Content-Length": len(body), **headers}.items():
        handler.send_header(name.replace("_", "-"), str(value))
    handler.end_headers()
    handler.wfile.write(body)


def whole(body: bytes = CONTENT) -> Answer:
    """All of it, whatever Range was asked for."""
    return lambda handler: send(handler, 200, body)


def ranged(body: bytes = CONTENT) -> Answer:
    """What was asked for, as a server that knows Range."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        start = int((handler.headers.get("Range") or "bytes=0-")[len("bytes=") : -1])
        if start >= len(body):
            send(handler, 416, Content_Range=f"bytes */{len(body)}")
        elif "Range" in handler.headers:
            send(handler, 206, body[start:], Content_Range=f"bytes {start}-{len(body) - 1}/{len(body)}")
        else:
            send(handler, 200, body)

    return answer


def cut(length: int, answer: Answer) -> Answer:
    """The headers of another answer, and only so many bytes of its body."""

    def cut_off(handler: BaseHTTPRequestHandler) -> None:
        file, buffer = handler.wfile, io.BytesIO()
        handler.wfile = buffer
        answer(handler)
        headers, body = buffer.getvalue().split(b"\r\n\r\n", 1)
        file.write(headers + b"\r\n\r\n" + body[:length])
        handler.wfile = file

    return cut_off


def status(code: int, **headers: object) -> Answer:
    return lambda handler: send(handler, code, b"not the file", **headers)


class Waiting(list[float]):
    """Waits that take no time, on a clock that they move."""

    def patience(self, **changes: Any) -> Patience:
        return Patience(sleep=self.append, clock=lambda: sum(self), **changes)


@pytest.fixture
def waits() -> Waiting:
    return Waiting()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where the file belongs: in a folder that is not there yet."""
    return tmp_path / "ner" / "train.tsv"


def refusal(url: str, place: Path, waits: Waiting, hashes: tuple[str, ...] = (SHA256,), **options: Any) -> str:
    with pytest.raises(DataError) as caught:
        fetch_file(url, place, hashes=hashes, patience=waits.patience(), **options)
    assert url in str(caught.value)
    assert not place.exists()
    return str(caught.value)


# ---- what arrives


@pytest.mark.parametrize("hashes", [(SHA256,), (GIT_BLOB,), (OTHER, SHA256), ()])
def test_a_file_arrives_whole_with_nothing_left_beside_it(place, hashes):
    with serving(whole()) as site:
        fetch_file(site.url, place, hashes=hashes)
    assert place.read_bytes() == CONTENT
    assert list(place.parent.iterdir()) == [place]
    assert place.stat().st_mode & 0o777 == 0o666 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_an_empty_file_arrives_too(place):
    with serving(whole(b"")) as site:
        fetch_file(site.url, place, hashes=[f"sha256:{hashlib.sha256().hexdigest()}"])
    assert place.read_bytes() == b""


def test_what_has_another_digest_never_takes_the_place(place, waits):
    with serving(whole(b"altered")) as site:
        message = refusal(site.url, place, waits, hashes=(SHA256, GIT_BLOB))
    assert f"sha256:{hashlib.sha256(b'altered').hexdigest()}" in message
    assert f"none of the accepted {SHA256}, {GIT_BLOB}" in message
    assert len(site.asked) == 1
    assert list(place.parent.iterdir()) == []


def test_progress_is_told_up_to_the_whole(place, waits):
    told: list[tuple[int, int | None]] = []

    def report(done: int, total: int | None) -> None:
        told.append((done, total))

    with serving(cut(BLOCK + 1, whole()), ranged()) as site:
        fetch_file(site.url, place, hashes=[SHA256], patience=waits.patience(), report=report)
    blocks = [*range(BLOCK, len(CONTENT), BLOCK), len(CONTENT)]
    assert told == [(done, len(CONTENT)) for done in blocks]


def test_it_is_not_compressed_on_the_way_so_that_bytes_are_those_of_the_file(place):
    totals: set[int | None] = set()

    def compresses_if_it_may(handler: BaseHTTPRequestHandler) -> None:
        if "gzip" in (handler.headers["Accept-Encoding"] or ""):
            send(handler, 200, gzip.compress(CONTENT), Content_Encoding="gzip")
        else:
            send(handler, 200, CONTENT)

    with serving(compresses_if_it_may) as site:
        fetch_file(site.url, place, hashes=[SHA256], report=lambda done, total: totals.add(total))
    assert totals == {len(CONTENT)}


def test_pooch_prints_nothing(place, monkeypatch):
    printed: list[logging.LogRecord] = []
    monkeypatch.setattr(pooch.get_logger(), "level", logging.INFO)
    monkeypatch.setattr(pooch.get_logger(), "handle", printed.append)
    with serving(whole()) as site:
        fetch_file(site.url, place)
    assert printed == []


# ---- what breaks off


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(0, len(CONTENT) - 1), min_size=1, max_size=3))
def test_wherever_it_breaks_off_only_the_rest_is_asked_for(tmp_path_factory, cuts):
    waits, place = Waiting(), tmp_path_factory.mktemp("data") / "train.tsv"
    with serving(*(cut(length, ranged()) for length in cuts), ranged()) as site:
        fetch_file(site.url, place, hashes=[SHA256], patience=waits.patience())
    assert place.read_bytes() == CONTENT
    assert list(place.parent.iterdir()) == [place]
    have = 0
    for length, asked in zip([*cuts, 0], site.asked, strict=False):
        assert asked == (f"bytes={have}-" if have else None)
        have += min(length, len(CONTENT) - have) // BLOCK * BLOCK
    assert len(waits) == len(site.asked) - 1


def test_a_part_of_an_earlier_process_is_continued(place, waits):
    with serving(cut(2 * BLOCK, whole()), status(404)) as site:
        refusal(site.url, place, waits)
    part = place.with_name("train.tsv.part")
    assert part.read_bytes() == CONTENT[: 2 * BLOCK]
    with serving(ranged()) as site:
        fetch_file(site.url, place, hashes=[SHA256])
    assert site.asked == [f"bytes={2 * BLOCK}-"]
    assert place.read_bytes() == CONTENT
    assert not part.exists()


@pytest.fixture
def part(place: Path) -> Path:
    """The first bytes of the file, left by an earlier process."""
    place.parent.mkdir()
    path = place.with_name("train.tsv.part")
    path.write_bytes(CONTENT[:10])
    return path


def test_a_server_that_ignores_ranges_is_read_from_the_start(place, part):
    with serving(whole()) as site:
        fetch_file(site.url, place, hashes=[SHA256])
    assert site.asked == ["bytes=10-"]
    assert place.read_bytes() == CONTENT


def test_a_complete_part_is_not_downloaded_again(place, part):
    part.write_bytes(CONTENT)
    with serving(ranged()) as site:
        fetch_file(site.url, place, hashes=[SHA256])
    assert site.asked == [f"bytes={len(CONTENT)}-"]
    assert place.read_bytes() == CONTENT


@pytest.mark.parametrize("rubbish", [b"#" * 10, CONTENT + b"more"], ids=["other bytes", "too long"])
def test_a_part_that_leads_elsewhere_is_thrown_away(place, part, rubbish):
    part.write_bytes(rubbish)
    with serving(ranged()) as site:
        fetch_file(site.url, place, hashes=[SHA256])
    assert site.asked == [f"bytes={len(rubbish)}-", None]
    assert place.read_bytes() == CONTENT


def test_fetching_from_the_start_is_tried_once(place, part, waits):
    with serving(ranged(CONTENT[::-1])) as site:
        refusal(site.url, place, waits)
    assert site.asked == ["bytes=10-", None]
    assert list(place.parent.iterdir()) == []


def test_another_range_than_asked_for_is_not_written(place, part, waits):
    with serving(lambda handler: send(handler, 206, CONTENT[5:], Content_Range="bytes 5-99/100"), ranged()) as site:
        fetch_file(site.url, place, hashes=[SHA256], patience=waits.patience())
    assert site.asked == ["bytes=10-", None]
    assert place.read_bytes() == CONTENT


def test_what_cannot_be_verified_is_not_continued(place, part):
    with serving(ranged()) as site:
        fetch_file(site.url, place)
    assert site.asked == [None]
    assert place.read_bytes() == CONTENT


def test_a_server_that_falls_silent_is_asked_for_the_rest(place, waits):
    over, ended = Event(), []

    def stalls(handler: BaseHTTPRequestHandler) -> None:
        cut(BLOCK, whole())(handler)
        handler.wfile.flush()
        over.wait(5)
        ended.append(True)

    with serving(stalls, ranged()) as site:
        fetch_file(site.url, place, hashes=[SHA256], patience=waits.patience(stall=0.1))
        assert not ended, "the server was waited for"
        over.set()
    assert site.asked == [None, f"bytes={BLOCK}-"]
    assert place.read_bytes() == CONTENT


# ---- what may pass, and what will not


@pytest.mark.parametrize("code", [429, 500, 502, 503, 504])
def test_a_server_in_trouble_is_asked_again(place, waits, code):
    with serving(status(code), status(code), whole()) as site:
        fetch_file(site.url, place, hashes=[SHA256], patience=waits.patience())
    assert place.read_bytes() == CONTENT
    assert len(waits) == 2


def test_waits_double_with_jitter_up_to_a_limit_and_tries_end(place, waits):
    with serving(status(500)) as site:
        message = refusal(site.url, place, waits)
        assert "HTTP 500 Internal Server Error" in message
        assert len(site.asked) == Patience().tries == len(waits) + 1
        for number, wait in enumerate(waits):
            assert 0.5 * 2**number <= wait <= 2**number
        again = Waiting()
        refusal(site.url, place, again)
        assert list(again) != list(waits)
        with pytest.raises(DataError):
            fetch_file(site.url, place, patience=waits.patience(tries=12, longest_wait=20))
    assert max(waits) == 20


@pytest.mark.parametrize("code", [429, 503])
@pytest.mark.parametrize(("asked", "waited"), [("7", 7), ("0", 0), ("3600", 60)])
def test_retry_after_is_honoured_up_to_a_limit(place, waits, code, asked, waited):
    with serving(status(code, Retry_After=asked), whole()) as site:
        fetch_file(site.url, place, hashes=[SHA256], patience=waits.patience())
    assert waits == [waited]


def test_retry_after_may_be_a_date(place, waits):
    then = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    past = format_datetime(datetime.now(UTC) - timedelta(seconds=30), usegmt=True)
    with serving(
        status(429, Retry_After=then), status(429, Retry_After=past), status(429, Retry_After="soon"), whole()
    ) as site:
        fetch_file(site.url, place, hashes=[SHA256], patience=waits.patience())
    assert 28 < waits[0] <= 30
    assert waits[1] == 0
    assert 2 <= waits[2] <= 4  # not understood: the third wait of its own


@pytest.mark.parametrize("code", [401, 403, 404, 410])
def test_what_is_refused_or_not_there_is_asked_for_once(place, waits, code):
    with serving(status(code)) as site:
        assert f"HTTP {code}" in refusal(site.url, place, waits)
    assert len(site.asked) == 1
    assert waits == []


def test_redirects_are_followed_also_to_another_port(place):
    with serving(whole()) as other, serving(lambda handler: send(handler, 302, Location=other.url)) as site:
        fetch_file(site.url, place, hashes=[SHA256])
    assert place.read_bytes() == CONTENT


def test_redirects_in_a_circle_end_at_once(place, waits):
    with serving(lambda handler: send(handler, 302, Location="/train.tsv")) as site:
        assert "TooManyRedirects" in refusal(site.url, place, waits)
    assert waits == []


def test_without_a_connection_tries_end_within_three_seconds(place, waits):
    with socket.socket() as taken:  # bound but not listening: refused
        taken.bind(("127.0.0.1", 0))
        message = refusal(f"http://127.0.0.1:{taken.getsockname()[1]}/train.tsv", place, waits)
    assert "Connection refused" in message
    assert waits
    assert sum(waits) <= 3


def test_without_name_resolution_tries_end_within_three_seconds(place, waits, monkeypatch):
    def unknown(*_: Any, **__: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert "Name or service not known" in refusal("https://corpora.invalid/train.tsv", place, waits)
    assert waits
    assert sum(waits) <= 3


def test_an_address_that_is_none_is_refused_at_once(place, waits):
    assert "MissingSchema" in refusal("corpora/train.tsv", place, waits)
    assert waits == []


def test_the_proxy_of_the_environment_is_used(place, monkeypatch):
    monkeypatch.delenv("NO_PROXY")
    with serving(whole()) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url.removesuffix("/train.tsv"))
        fetch_file("http://corpora.invalid/train.tsv", place, hashes=[SHA256])
    assert proxy.paths == ["http://corpora.invalid/train.tsv"]
    assert place.read_bytes() == CONTENT


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl, which makes the certificate, is not installed")
def test_a_certificate_that_nobody_vouches_for_is_refused_at_once(place, waits, tmp_path):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost -days 1"
    subprocess.run([*command.split(), "-keyout", key, "-out", certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with serving(whole()) as site:
        site.server.socket = context.wrap_socket(site.server.socket, server_side=True)
        assert "certificate" in refusal(site.url.replace("http:", "https:"), place, waits)
    assert site.asked == []
    assert waits == []


# ---- a part of an archive

FILES = {"a.txt": b"Aspirin.\n", "a.ann": b"T1\tChemical 0 7\tAspirin\n", "more/b.txt": CONTENT}
Member = tuple[str, bytes | str]
"""Path, and the content of a file or the target of a link."""


def tarball(*extra: Member, mode: Any = "w:gz") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as tar:
        for name, entry in [*((f"corpus-1/standoff/{name}", content) for name, content in FILES.items()), *extra]:
            info = tarfile.TarInfo(name)
            if isinstance(entry, str):
                info.type, info.linkname = tarfile.SYMTYPE, entry
                tar.addfile(info)
            else:
                info.size = len(entry)
                tar.addfile(info, io.BytesIO(entry))
    return buffer.getvalue()


def zipball(*extra: Member) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.mkdir("corpus-1/standoff")
        for name, content in FILES.items():
            zipped.writestr(f"corpus-1/standoff/{name}", content)
        for name, entry in extra:
            info = zipfile.ZipInfo(name)
            info.external_attr = (0o120777 if isinstance(entry, str) else 0o100644) << 16
            zipped.writestr(info, entry)
    return buffer.getvalue()


ARCHIVES = {"zip": zipball, "tar.gz": tarball, "tar.bz2": lambda *extra: tarball(*extra, mode="w:bz2")}
archives = pytest.mark.parametrize("archive", ARCHIVES.values(), ids=ARCHIVES)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def tree(tmp_path: Path) -> str:
    """The digest of the folder in the archives."""
    for name, content in FILES.items():
        path = tmp_path / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return f"git-tree:{digest(tmp_path / 'tree', 'git-tree')}"


@archives
@pytest.mark.parametrize("verified", [True, False])
def test_a_folder_comes_out_of_an_archive_whole_with_nothing_left_beside_it(place, tree, archive, verified):
    with serving(whole(archive(("corpus-1/README", b"read me"), ("corpus-1/standoff2/c.txt", b"another")))) as site:
        fetch_file(site.url, place, hashes=[tree] if verified else [], inside="corpus-1/standoff")
    assert contents(place) == FILES
    assert list(place.parent.iterdir()) == [place]


@archives
def test_a_file_comes_out_of_an_archive(place, archive):
    with serving(whole(archive())) as site:
        fetch_file(site.url, place, hashes=[SHA256], inside="corpus-1/standoff/more/b.txt")
    assert place.read_bytes() == CONTENT


@archives
@pytest.mark.parametrize(
    "member",
    [
        ("../evil", b"evil"),
        ("corpus-1/standoff/../../../evil", b"evil"),
        ("/tmp/evil", b"evil"),
        ("corpus-1/standoff/a\\..\\..\\..\\evil", b"evil"),
        ("corpus-1/standoff/C:/evil", b"evil"),
        ("corpus-1/standoff/evil", "/etc/passwd"),
        ("corpus-1/standoff/more", "../../.."),
    ],
    ids=["climbs out", "climbs out from within", "absolute", "on Windows", "a drive", "a link", "link to a folder"],
)
def test_an_archive_that_reaches_out_is_refused_and_nothing_is_placed(tmp_path, place, waits, archive, member):
    with serving(whole(archive(member))) as site:
        message = refusal(site.url, place, waits, (), inside="corpus-1/standoff")
    assert repr(member[0]) in message
    assert [path for path in tmp_path.rglob("*") if path != place.parent] == []
    assert not Path("/tmp/evil").exists()


@archives
def test_a_link_elsewhere_in_the_archive_does_not_matter(place, tree, archive):
    with serving(whole(archive(("corpus-1/latest", "standoff")))) as site:
        fetch_file(site.url, place, hashes=[tree], inside="corpus-1/standoff")
    assert contents(place) == FILES


@archives
def test_a_part_of_another_content_is_refused(place, waits, tree, archive):
    with serving(whole(archive(("corpus-1/standoff/.DS_Store", b"")))) as site:
        message = refusal(site.url, place, waits, (tree,), inside="corpus-1/standoff")
    assert f"none of the accepted {tree}" in message
    assert list(place.parent.iterdir()) == []


@pytest.mark.parametrize(
    "body",
    [b"<html>Sign in</html>", tarball()[:-8] + bytes(8), *(archive()[:-40] for archive in ARCHIVES.values())],
    ids=["a page", "another checksum", *(f"{name} cut off" for name in ARCHIVES)],
)
def test_what_is_no_whole_archive_is_refused(place, waits, body):
    with serving(whole(body)) as site:
        assert "damaged or of a kind unknown" in refusal(site.url, place, waits, (), inside="corpus-1/standoff")
    assert list(place.parent.iterdir()) == []


@archives
def test_an_archive_without_the_part_is_refused(place, waits, archive):
    with serving(whole(archive())) as site:
        message = refusal(site.url, place, waits, (), inside="corpus-1/stand")
    assert "nothing under 'corpus-1/stand' in the archive" in message
    assert list(place.parent.iterdir()) == []


def test_an_archive_is_continued_and_fetched_from_the_start_when_that_leads_elsewhere(place, tree, waits):
    body = tarball(("corpus-1/other", os.urandom(3 * BLOCK)))
    with serving(cut(BLOCK, whole(body)), ranged(body)) as site:
        fetch_file(site.url, place, hashes=[tree], inside="corpus-1/standoff", patience=waits.patience())
    assert site.asked == [None, f"bytes={BLOCK}-"]
    shutil.rmtree(place)
    place.with_name("train.tsv.part").write_bytes(b"#" * 10)
    with serving(ranged(body)) as site:
        fetch_file(site.url, place, hashes=[tree], inside="corpus-1/standoff")
    assert site.asked == ["bytes=10-", None]
    assert contents(place) == FILES


@pytest.mark.parametrize("inside", ["corpus-1/standoff", "corpus-1/standoff/more/b.txt"])
def test_nothing_stays_of_an_archive_that_was_not_accepted(place, tree, inside):
    older = tarball(("corpus-1/standoff/more/b.txt", CONTENT[:9]), ("corpus-1/standoff/old", os.urandom(3 * BLOCK)))
    place.parent.mkdir()
    place.with_name("train.tsv.part").write_bytes(older)
    with serving(ranged(tarball())) as site:
        fetch_file(site.url, place, hashes=[tree, SHA256], inside=inside)
    assert site.asked == [f"bytes={len(older)}-", None]
    assert place.read_bytes() == CONTENT if place.is_file() else contents(place) == FILES


@archives
def test_what_macos_leaves_behind_is_kept_where_it_was_published(place, archive):
    extra = {"._a.txt": b"1", ".DS_Store": b"2", "__MACOSX/a.txt": b"3"}
    with serving(whole(archive(*((f"corpus-1/standoff/{name}", content) for name, content in extra.items())))) as site:
        fetch_file(site.url, place, inside="corpus-1/standoff")
    assert contents(place) == FILES | extra


@pytest.mark.parametrize(("offset", "value"), [(8, 1), (10, 99)], ids=["encrypted", "unknown compression"])
def test_a_zip_that_cannot_be_read_is_refused(place, waits, offset, value):
    raw = bytearray(zipball())
    entry = raw.index(b"a.txt", raw.index(b"PK\x01\x02")) - 46 - len("corpus-1/standoff/")
    raw[entry + offset] = value
    with serving(whole(bytes(raw))) as site:
        message = refusal(site.url, place, waits, (), inside="corpus-1/standoff")
    assert "encrypted" in message or "compression method is not supported" in message


def test_what_the_disk_says_is_not_taken_for_a_damaged_archive(place, monkeypatch):
    def full_disk(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("openmed.readers.containers.shutil.copyfileobj", full_disk)
    with serving(whole(tarball())) as site, pytest.raises(OSError, match="No space left"):
        fetch_file(site.url, place, inside="corpus-1/standoff")
    assert len(site.asked) == 1
    assert not place.exists()
