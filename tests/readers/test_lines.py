"""Lines of text files: any line end, BOM, gzip and xz pass unseen; what is no text is refused with its line."""

from __future__ import annotations

import gzip
import lzma
import random
from pathlib import Path

import pytest

from openmed.errors import DataError
from openmed.readers.lines import byte_blocks, numbered_lines

LINES = [(1, "β-blocker"), (2, ""), (3, "end\u2028of it")]
TEXT = "β-blocker\n\nend\u2028of it\n"


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def refusal(path: Path) -> DataError:
    with pytest.raises(DataError) as caught:
        list(numbered_lines(path))
    assert str(path) in str(caught.value)
    assert caught.value.mend
    return caught.value


@pytest.mark.parametrize(
    "content",
    [TEXT, TEXT.rstrip("\n"), TEXT.replace("\n", "\r\n"), "\ufeff" + TEXT],
    ids=["as is", "no last newline", "CRLF", "BOM"],
)
def test_line_ends_and_bom_are_not_part_of_the_lines(tmp_path, content):
    assert list(numbered_lines(write(tmp_path / "x.txt", content.encode()))) == LINES
    assert list(numbered_lines(write(tmp_path / "x.txt.gz", gzip.compress(content.encode())))) == LINES
    assert list(numbered_lines(write(tmp_path / "x.txt.xz", lzma.compress(content.encode())))) == LINES


def test_a_bom_further_on_is_text(tmp_path):
    path = write(tmp_path / "x.txt", "a\n\ufeffb\n".encode())
    assert list(numbered_lines(path)) == [(1, "a"), (2, "\ufeffb")]


def test_an_empty_file_has_no_lines(tmp_path):
    assert list(numbered_lines(write(tmp_path / "x.txt", b""))) == []


def test_what_is_not_utf8_is_named_with_line_byte_and_text(tmp_path):
    error = refusal(write(tmp_path / "x.txt", b"first\n" + "tumör\n".encode("latin-1")))
    assert error.line == 2
    assert error.text == "tum\ufffdr"
    assert "byte 0xf6 at byte 3 of the line" in str(error)
    assert "iconv" in str(error)


def test_utf16_is_refused_too(tmp_path):
    assert refusal(write(tmp_path / "x.txt", TEXT.encode("utf-16"))).line == 1


def test_nul_is_refused(tmp_path):
    error = refusal(write(tmp_path / "x.txt", b"first\nse\0cond\n"))
    assert error.line == 2
    assert "NUL" in str(error)


def noise() -> bytes:
    """Lines that gzip cannot shrink much, so that damage hits the data and not the header."""
    return "".join(f"{random.Random(number).random()}\n" for number in range(3000)).encode()


def test_gzip_cut_off_is_refused(tmp_path):
    error = refusal(write(tmp_path / "x.txt.gz", gzip.compress(noise())[:-3000]))
    assert "gzip file is cut off or damaged" in str(error)
    assert error.line is not None


@pytest.mark.parametrize("at", [0, 12, 0.5, -6], ids=["magic number", "block header", "middle", "checksum"])
def test_gzip_damaged_anywhere_is_refused(tmp_path, at):
    content = bytearray(gzip.compress(noise()))
    at = int(at * len(content)) if isinstance(at, float) else at
    content[at : at + 3] = b"\xff\xff\xff"
    assert "gzip file is cut off or damaged" in str(refusal(write(tmp_path / "x.txt.gz", bytes(content))))


def test_a_plain_file_named_gz_is_refused(tmp_path):
    assert "gzip" in str(refusal(write(tmp_path / "x.txt.gz", TEXT.encode())))


def test_xz_cut_off_or_damaged_is_refused(tmp_path):
    content = lzma.compress(noise())
    assert "xz file is cut off or damaged" in str(refusal(write(tmp_path / "x.txt.xz", content[:-3000])))
    half = len(content) // 2
    damaged = content[:half] + b"\0\0\0" + content[half + 3 :]
    assert "xz file is cut off or damaged" in str(refusal(write(tmp_path / "y.txt.xz", damaged)))
    assert "xz" in str(refusal(write(tmp_path / "z.txt.xz", TEXT.encode())))


def test_zstandard_is_refused_with_what_to_do(tmp_path):
    assert "zstd -d" in str(refusal(write(tmp_path / "x.txt.zst", b"(\xb5/\xfd")))


@pytest.mark.parametrize(("suffix", "compress"), [("", bytes), (".gz", gzip.compress), (".xz", lzma.compress)])
def test_blocks_are_the_content(tmp_path, suffix, compress):
    content = noise() * 3
    blocks = list(byte_blocks(write(tmp_path / f"x{suffix}", compress(content))))
    assert b"".join(blocks) == content
    assert max(map(len, blocks)) <= 1 << 16


@pytest.mark.parametrize("name", ["missing.txt", "missing.txt.gz", "missing.txt.xz", "."])
def test_a_path_that_is_no_file_is_refused(tmp_path, name):
    assert "cannot be opened" in str(refusal(tmp_path / name))
