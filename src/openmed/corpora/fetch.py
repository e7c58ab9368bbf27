"""Bring one file, or one part of an archive, from an address to its place: verified, whole, or not at all.

pooch writes a download to a temporary file and moves it to its place (`pooch.retrieve`). What is added here, as its
downloader: the digest is checked before that move, in any kind that a YAML may state; a download that broke off is
continued from `<place>.part`, by this process or a later one; what may pass (broken connections, stalls, 429, 5xx) is
tried again with growing waits. HTTP itself is requests', so redirects, proxies and certificates follow its environment
variables (HTTPS_PROXY, NO_PROXY, REQUESTS_CA_BUNDLE).

    fetch_file(url, path, hashes=source.hashes)
"""

from __future__ import annotations

import errno
import math
import os
import random
import shutil
import socket
import ssl
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING

from openmed.corpora.digests import found_instead
from openmed.errors import DataError
from openmed.readers.containers import unpack

if TYPE_CHECKING:
    import requests

Report = Callable[[int, int | None], None]
"""Told now and then of a download: bytes so far, bytes in all (None where the server does not say)."""


@dataclass(frozen=True)
class Patience:
    """How often and how long a download is tried; all times in seconds.

    Args:
        tries: requests at most, of one address.
        first_wait: before the second try; doubled before each further one, then shortened at random by up to a half so
            that many clients do not come back at once.
        longest_wait: the most that is waited at once, whatever the server's Retry-After says.
        offline: where there is no connection at all (no DNS, no route, refused), tries end this long after the first.
        connect, stall: the most that a connection may take, and that the server may be silent.
        sleep, clock: waiting and telling the time.
    """

    tries: int = 5
    first_wait: float = 1.0
    longest_wait: float = 60.0
    offline: float = 3.0
    connect: float = 10.0
    stall: float = 30.0
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic


PATIENCE = Patience()
BLOCK = 1 << 12
"""Bytes written at a time: where a download breaks off, what came of the last block is lost."""
_NO_CONNECTION = {errno.ECONNREFUSED, errno.ENETUNREACH, errno.ENETDOWN, errno.EHOSTUNREACH}


def fetch_file(
    url: str,
    path: Path,
    *,
    hashes: Collection[str] = (),
    inside: str | None = None,
    patience: Patience = PATIENCE,
    report: Report | None = None,
) -> None:
    """Download `url` to `path`, or the file or folder `inside` the archive at `url`.

    Args:
        hashes: accepted digests, as in `SourceFile`; without any, a download is neither verified nor continued.

    Raises:
        DataError: it cannot be had from there, or is something else; says the address and why. Nothing is at `path`
            then.
        OSError: the disk.
    """
    import pooch
    import requests

    part = path.with_name(f"{path.name}.part")
    pooch.get_logger().setLevel("WARNING")  # it would print each address, and the digest of what it cannot verify

    def bring(place: Path, accept: Callable[[Path], None]) -> None:
        download = _Download(part, accept, bool(hashes), patience, report)
        # Ignored below: pooch's own type for a downloader misnames the parameters that it gives by position.
        pooch.retrieve(url, None, place.name, place.parent, downloader=download)  # pyright: ignore[reportArgumentType]

    def accept(arrived: Path) -> None:
        if found := found_instead(arrived, hashes):
            raise DataError(f"gives {', '.join(found)}, none of the accepted {', '.join(hashes)}")

    try:
        if inside is None:
            bring(path, accept)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as scratch:
            taken = Path(scratch) / "taken" / path.name

            def accept_part(archive: Path) -> None:
                shutil.rmtree(taken.parent, ignore_errors=True)  # of an archive that was not accepted
                unpack(archive, inside, taken, keep_litter=True)  # its digest counts them
                accept(taken)

            bring(Path(scratch) / "archive", accept_part)
            os.replace(taken, path)
    except (requests.RequestException, ConnectionError, DataError) as error:
        raise DataError(f"{url}: {_reason(error)}") from error


@dataclass(frozen=True)
class _Download:
    """A downloader as pooch calls it: `url` into `output_file`.

    Args:
        part: where the bytes are gathered; one that is there already is continued if `continues`.
        accept: raises a DataError when the whole is not what was wanted.
    """

    part: Path
    accept: Callable[[Path], None]
    continues: bool
    patience: Patience
    report: Report | None

    def __call__(self, url: str, output_file: str, pooch: object) -> None:
        for first in (True, False):
            continued = self._receive(url)
            try:
                self.accept(self.part)
                break
            except DataError:
                self.part.unlink()
                if not (continued and first):  # else its older bytes, not the server, may be to blame
                    raise
        os.replace(self.part, output_file)

    def _receive(self, url: str) -> bool:
        """Complete the part, in as many tries as it may take; whether it was continued from older bytes."""
        import requests

        patience = self.patience
        start = patience.clock()
        for tries in range(1, patience.tries + 1):
            try:
                return self._request(url)
            except requests.RequestException as error:
                wait = _wait_after(error, tries, patience)
                ends = patience.offline if _is_offline(error) else math.inf
                if wait is None or tries == patience.tries or patience.clock() - start + wait > ends:
                    raise
                patience.sleep(wait)
        raise AssertionError("the last try returns or raises")

    def _request(self, url: str) -> bool:
        import requests

        have = self.part.stat().st_size if self.continues and self.part.exists() else 0
        # Not compressed on the way: a range counts the bytes that are sent.
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
        timeout = (self.patience.connect, self.patience.stall)
        with requests.get(url, headers=headers, stream=True, timeout=timeout) as response:
            if have and response.status_code == requests.codes.requested_range_not_satisfiable:
                return True  # the part is complete, or too long: its digest will tell
            response.raise_for_status()
            continued = response.headers.get("Content-Range", "").startswith(f"bytes {have}-") and have > 0
            if response.status_code == requests.codes.partial_content and not continued:
                self.part.unlink()
                raise requests.ConnectionError(f"sent another range than bytes {have}-")
            done = have if continued else 0
            length = response.headers.get("Content-Length", "")
            total = done + int(length) if length.isdecimal() else None
            with self.part.open("ab" if continued else "wb") as file:
                for block in response.iter_content(BLOCK):
                    done += file.write(block)
                    if self.report:
                        self.report(done, total)
        return continued


def _wait_after(error: requests.RequestException, tries: int, patience: Patience) -> float | None:
    """Seconds to wait before another try, None where another would fail as this one did."""
    import requests

    if isinstance(error, requests.HTTPError) and error.response is not None:
        if error.response.status_code < 500 and error.response.status_code != requests.codes.too_many_requests:
            return None
        if (asked := _retry_after(error.response.headers.get("Retry-After", ""))) is not None:
            return min(asked, patience.longest_wait)
    elif not isinstance(error, (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)):
        return None  # an address that is none, too many redirects
    elif any(isinstance(cause, ssl.SSLCertVerificationError) for cause in _causes(error)):
        return None
    return min(patience.first_wait * 2 ** (tries - 1) * random.uniform(0.5, 1), patience.longest_wait)


def _retry_after(value: str) -> float | None:
    """Seconds that a Retry-After asks for: a number of them, or a date."""
    if value.isdecimal():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None


def _is_offline(error: BaseException) -> bool:
    import requests

    return isinstance(error, requests.ConnectTimeout) or any(
        isinstance(cause, socket.gaierror) or (isinstance(cause, OSError) and cause.errno in _NO_CONNECTION)
        for cause in _causes(error)
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error, what it came from, and so on down to what the system said."""
    cause: BaseException | None = error
    while cause:
        yield cause
        cause = cause.__cause__ or cause.__context__


def _reason(error: Exception) -> str:
    """Why a download failed, in a few words: requests' own are a paragraph of objects."""
    import requests

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"HTTP {error.response.status_code} {error.response.reason}"
    if isinstance(error, DataError):
        return error.problem if error.text is None else f"{error.problem} ({error.text!r})"
    *_, last = _causes(error)
    return f"{type(error).__name__}: {last}"
