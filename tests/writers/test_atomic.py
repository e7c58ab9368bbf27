"""A file or folder appears whole or not at all, and what it replaces stays until then."""

from __future__ import annotations

from pathlib import Path

import pytest

from openmed.writers import atomic_path


def make(path: Path, kind: str, content: str) -> None:
    """A file, or a folder with one file in it."""
    if kind == "folder":
        path.mkdir()
        path = path / "inner"
    path.write_text(content, encoding="utf-8")


def content(path: Path) -> str:
    return (path / "inner" if path.is_dir() else path).read_text(encoding="utf-8")


@pytest.mark.parametrize("new", ["file", "folder"])
@pytest.mark.parametrize("old", ["nothing", "file", "folder"])
def test_what_was_there_is_replaced_by_what_was_written(tmp_path, old, new):
    target = tmp_path / "target"
    if old != "nothing":
        make(target, old, "old")
    with atomic_path(target) as temporary:
        make(temporary, new, "new")
        assert target.exists() == (old != "nothing")
    assert content(target) == "new"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("new", ["file", "folder"])
@pytest.mark.parametrize("old", ["file", "folder"])
def test_a_failure_leaves_what_was_there_and_nothing_else(tmp_path, old, new):
    target = tmp_path / "target"
    make(target, old, "old")
    with pytest.raises(KeyboardInterrupt), atomic_path(target) as temporary:  # noqa: PT012
        make(temporary, new, "new")
        raise KeyboardInterrupt
    assert content(target) == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_failure_of_the_move_itself_loses_nothing(tmp_path, monkeypatch):
    target = tmp_path / "target"
    make(target, "folder", "old")
    rename = Path.rename

    def full_disk(path: Path, to: Path) -> Path:
        if path.suffix == ".tmp":
            raise OSError(28, "No space left on device")
        return rename(path, to)

    monkeypatch.setattr(Path, "rename", full_disk)
    with pytest.raises(OSError, match="No space left"), atomic_path(target) as temporary:
        make(temporary, "folder", "new")
    assert content(target) == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_folders_above_are_made(tmp_path):
    with atomic_path(tmp_path / "a" / "b" / "c.json") as temporary:
        make(temporary, "file", "new")
    assert content(tmp_path / "a" / "b" / "c.json") == "new"


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_two_that_write_the_same_at_once_do_not_meet_even_with_one_process_number(tmp_path, kind):
    target = tmp_path / "target"
    with atomic_path(target) as first:
        make(first, kind, "first")
        with atomic_path(target) as second:
            assert not second.exists()
            make(second, kind, "second")
        assert content(target) == "second"
        assert content(first) == "first"
    assert content(target) == "first"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_a_killed_process_left_is_in_nobodys_way(tmp_path, kind):
    target = tmp_path / "target"
    make(target, kind, "old")
    with atomic_path(target) as temporary:
        stale = tmp_path / temporary.name
        make(temporary, kind, "new")
    make(stale, kind, "half written")
    make(stale.with_suffix(".old"), "folder", "set aside")
    with atomic_path(target) as temporary:
        assert not temporary.exists()
        make(temporary, "folder", "newer")
    assert content(target) == "newer"
    assert {path.name for path in tmp_path.iterdir()} == {"target", stale.name, stale.with_suffix(".old").name}


def test_a_link_to_a_folder_is_replaced_and_its_folder_kept(tmp_path):
    make(tmp_path / "real", "folder", "kept")
    (tmp_path / "link").symlink_to(tmp_path / "real", target_is_directory=True)
    with atomic_path(tmp_path / "link") as temporary:
        make(temporary, "folder", "new")
    assert content(tmp_path / "real") == "kept"
    assert content(tmp_path / "link") == "new"
    assert not (tmp_path / "link").is_symlink()
