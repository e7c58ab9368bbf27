"""A folder and its archive are seen alike; a bad archive is told by name and never writes outside its copy."""

from __future__ import annotations

import errno
import io
import random
import tarfile
import tracemalloc
import warnings
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from openmed.errors import DataError
from openmed.readers import lines
from openmed.readers.containers import located, split_archive, unpack

FILES = {"top/train/1.txt": b"one\r\n", "top/train/sub/2.txt": b"\xce\xb2", "top/test/3.txt": b"", "README": b"read me"}
SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".zip")


def packed(path: Path, files: dict[str, bytes]) -> Path:
    """An archive of the kind that the path's name says."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        return path
    kind = {".tar": "", ".tgz": "gz"}.get(path.suffix, path.suffix[1:])
    with tarfile.open(path, f"w:{kind}") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def content(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def refusal(path: Path) -> DataError:
    with pytest.raises(DataError) as caught, located(path):
        pass
    assert caught.value.mend
    assert str(split_archive(path)[0]) in str(caught.value)
    return caught.value


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_archive_is_seen_as_the_folder_it_holds_and_its_copy_does_not_stay(tmp_path, suffix):
    archive = packed(tmp_path / f"x{suffix}", FILES)
    with located(archive) as folder:
        assert content(folder) == FILES
    assert not folder.exists()
    with located(archive / "top/train") as folder:
        assert content(folder) == {"1.txt": FILES["top/train/1.txt"], "sub/2.txt": FILES["top/train/sub/2.txt"]}
    with located(archive / "top" / "train" / "1.txt") as file:
        assert (file.name, file.read_bytes()) == ("1.txt", FILES["top/train/1.txt"])


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_only_what_lies_under_the_inner_path_is_copied(tmp_path, suffix):
    archive = packed(tmp_path / f"x{suffix}", FILES | {"top/trainer.txt": b"not this"})
    with located(archive / "top/train") as folder:
        assert set(content(folder.parents[1])) == {"top/train/1.txt", "top/train/sub/2.txt"}


def test_a_plain_path_is_itself(tmp_path):
    for place in (tmp_path / "folder.zip", tmp_path / "folder.zip" / "file.txt", tmp_path / "lines.txt.gz"):
        if place.suffix == ".zip":
            place.mkdir()
        else:
            place.write_bytes(b"x")
        with located(place) as found:
            assert found == place
        assert place.exists()


@pytest.mark.parametrize("inner", ["", "a", "a/b.txt"])
@pytest.mark.parametrize("name", ["x.TAR.GZ", "x.tgz", "x.zip", "a b.tar"])
def test_a_path_is_parted_where_the_archive_ends(tmp_path, name, inner):
    archive = tmp_path / name
    archive.touch()
    assert split_archive(archive / inner) == (archive, inner)
    assert split_archive(str(archive / inner)) == (archive, inner)


def test_a_path_through_no_archive_is_not_parted(tmp_path):
    (tmp_path / "x.gz").touch()
    (tmp_path / "y.zip").mkdir()
    for path in (tmp_path, tmp_path / "x.gz", tmp_path / "y.zip/a", tmp_path / "none.tar/a", tmp_path / "x.gz/a"):
        assert split_archive(path) == (path, "")


def test_names_with_dots_and_backslashes_are_plain_names(tmp_path):
    files = {"./top/./1.txt": b"1", "top//2.txt": b"2", "top\\3.txt": b"3"}
    with located(packed(tmp_path / "x.tar", files) / "top") as folder:
        assert content(folder) == {"1.txt": b"1", "2.txt": b"2", "3.txt": b"3"}


def test_the_litter_of_macos_is_left_out(tmp_path):
    litter = {"top/._1.txt": b"", "__MACOSX/top/._1.txt": b"", "top/.DS_Store": b"", "__MACOSX/top/1.txt": b""}
    with located(packed(tmp_path / "x.zip", {"top/1.txt": b"1"} | litter)) as folder:
        assert content(folder) == {"top/1.txt": b"1"}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_unpacking_tells_the_kind_by_content_and_may_keep_the_litter(tmp_path, suffix):
    litter = {"top/._1.txt": b"", "top/.DS_Store": b""}
    archive = packed(tmp_path / f"x{suffix}", FILES | litter).rename(tmp_path / "download")
    unpack(archive, "top", tmp_path / "all", keep_litter=True)
    unpack(archive, "top", tmp_path / "clean", keep_litter=False)
    wanted = {name.removeprefix("top/"): body for name, body in (FILES | litter).items() if name.startswith("top/")}
    assert content(tmp_path / "all") == wanted
    assert content(tmp_path / "clean") == {name: wanted[name] for name in wanted if not name.startswith(".")}
    unpack(archive, "top/train/1.txt", tmp_path / "one.txt", keep_litter=True)
    assert (tmp_path / "one.txt").read_bytes() == FILES["top/train/1.txt"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_full_disk_is_told_as_such_by_each_in_its_way(tmp_path, monkeypatch, suffix):
    def full_disk(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    archive = packed(tmp_path / f"x{suffix}", FILES)
    monkeypatch.setattr("openmed.readers.containers.shutil.copyfileobj", full_disk)
    assert refusal(archive).problem == "cannot be unpacked (No space left on device)"
    with pytest.raises(OSError, match="No space left"):
        unpack(archive, "", tmp_path / "all", keep_litter=True)


def test_an_error_names_the_file_by_its_place_in_the_archive(tmp_path):
    archive = packed(tmp_path / "x.tar.gz", {"top/1.txt": b"fine\nbad \xff\n"})
    with pytest.raises(DataError) as caught, located(archive / "top") as folder:
        list(lines.numbered_lines(folder / "1.txt"))
    assert (caught.value.path, caught.value.line) == (str(archive / "top/1.txt"), 2)
    assert "iconv" in str(caught.value)


@pytest.mark.parametrize("path", ["y.txt", None])
def test_an_error_of_another_file_or_of_none_stays_as_it_is(tmp_path, path):
    error = DataError("elsewhere", path=path)
    with pytest.raises(DataError) as caught, located(packed(tmp_path / "x.tar", FILES)):
        raise error
    assert caught.value is error


# ---- what leads out of the archive, or is no file


@pytest.mark.parametrize("suffix", [".tar", ".zip"])
@pytest.mark.parametrize(
    "name", ["../out.txt", "a/../../out.txt", "/out.txt", "C:/out.txt", "a/C:/out.txt", "..\\out.txt", "\\out.txt"]
)
def test_a_member_that_would_land_outside_is_refused_and_nothing_lands(tmp_path, monkeypatch, name, suffix):
    inside = tmp_path / "temporary"
    inside.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(inside))
    archive = packed(tmp_path / f"x{suffix}", {name: b"gotcha"})
    error = refusal(archive)
    assert "outside" in error.problem
    assert error.text == name
    assert content(tmp_path).keys() == {archive.name}


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_links_and_devices_are_refused_where_they_were_asked_for(tmp_path, kind):
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w") as archive:
        archive.addfile(tarfile.TarInfo("good/1.txt"))
        info = tarfile.TarInfo("bad/2.txt")
        info.type, info.linkname = kind, "good/1.txt"
        archive.addfile(info)
    assert refusal(path).text == "bad/2.txt"
    with located(path / "good") as folder:
        assert content(folder) == {"1.txt": b""}


@pytest.mark.parametrize("how", ["link", "encrypted"])
def test_links_and_encrypted_files_of_a_zip_are_refused(tmp_path, how):
    path = packed(tmp_path / "x.zip", {"1.txt": b"/etc/passwd"})
    raw = bytearray(path.read_bytes())
    entry = raw.index(b"PK\x01\x02")  # the central directory's entry: flags at 8, attributes at 38
    if how == "link":
        raw[entry + 38 : entry + 42] = (0o120777 << 16).to_bytes(4, "little")
    else:
        raw[entry + 8] |= 0x1
    path.write_bytes(raw)
    error = refusal(path)
    assert error.text == "1.txt"
    assert how in error.problem


@pytest.mark.parametrize("name", [".", "./."])
@pytest.mark.parametrize("suffix", [".tar", ".zip"])
def test_a_file_without_a_name_is_refused_where_it_was_asked_for(tmp_path, suffix, name):
    archive = packed(tmp_path / f"x{suffix}", {name: b"abc", "top/1.txt": b"1"})
    error = refusal(archive)
    assert (error.text, "without a name" in error.problem) == (name, True)
    assert "Folders in it: top" in str(refusal(archive / "zzz"))
    with located(archive / "top") as folder:
        assert content(folder) == {"1.txt": b"1"}


# ---- mistakes


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_wrong_inner_path_is_told_what_there_is(tmp_path, suffix):
    archive = packed(tmp_path / f"x{suffix}", FILES)
    folders = "folders in it: top/test, top/train, top/train/sub"
    assert f"Did you mean 'top/train'? {folders}" in str(refusal(archive / "train"))
    assert "Did you mean 'top/train' or " in str(refusal(archive / "top/trian"))
    assert "Folders in it: top/test" in str(refusal(archive / "qqq"))


def test_nothing_there(tmp_path):
    assert "no such file" in refusal(tmp_path / "none.tar.gz" / "a").problem
    assert "holds no files" in refusal(packed(tmp_path / "x.tar", {})).problem
    assert "holds no files" in refusal(packed(tmp_path / "x.zip", {"__MACOSX/._1": b""})).problem


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_is_no_archive_is_told(tmp_path, suffix):
    for junk in (b"", b"no archive at all\n" * 100):
        (tmp_path / f"x{suffix}").write_bytes(junk)
        assert "damaged" in refusal(tmp_path / f"x{suffix}").problem


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_archive_that_is_cut_off_anywhere_is_told(tmp_path, suffix):
    noise = random.Random(0)
    files = {f"{number}.txt": noise.randbytes(700) for number in range(5)}
    whole = packed(tmp_path / f"x{suffix}", files).read_bytes()
    # A tar ends in zeros, not all of which are needed.
    needed = len(whole.rstrip(b"\0")) if suffix == ".tar" else len(whole)
    for size in [*range(1, needed, 97), needed - 8, needed - 1]:
        (tmp_path / f"x{suffix}").write_bytes(whole[:size])
        assert "damaged" in refusal(tmp_path / f"x{suffix}").problem


@pytest.mark.parametrize("suffix", SUFFIXES)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_archive_is_told_or_reads_as_before(tmp_path, suffix, data):
    files = {"1.txt": b"Aspirin relieves headache.\n" * 40, "2.txt": bytes(range(256))}
    path = packed(tmp_path / f"x{suffix}", files)
    raw = bytearray(path.read_bytes())
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(raw)
    found, problem = files, "damaged"
    try:
        with located(path) as folder:
            found = content(folder)
    except DataError as error:
        problem = error.problem
    # A plain tar has no checksum of its contents, and a zip none of its flags.
    assert suffix in (".tar", ".zip") or (found == files and "damaged" in problem)


def test_unpacking_keeps_no_more_in_memory_of_a_large_archive(tmp_path):
    def peak(num_files: int) -> int:
        files = {f"{number}.txt": b"x" * 1500 for number in range(num_files)}
        archive = packed(tmp_path / f"{num_files}.tar.gz", files)
        del files
        tracemalloc.start()
        with located(archive):
            result = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return result

    num_bytes_of_a_name = 100
    assert peak(1000) < 1.1 * peak(20) + num_bytes_of_a_name * 980


def test_no_library_warns(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for suffix in SUFFIXES:
            with located(packed(tmp_path / f"x{suffix}", FILES)):
                pass
