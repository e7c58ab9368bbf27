"""Digests: a folder's is the tree that git itself makes of it, whatever it holds; any change gives another."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openmed.corpora.digests import digest, found_instead
from openmed.errors import DataError

needs_git = pytest.mark.skipif(not shutil.which("git"), reason="git is not installed")
EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"

# Names that git sorts one way as files and another as folders; hidden ones; not ASCII.
NAMES = ["a", "a.b", "a-b", "a0", "ab", "A", "a b", ".DS_Store", "._a", "β", "日本", "z~"]
contents = st.binary(max_size=40)
trees = st.recursive(
    st.dictionaries(st.sampled_from(NAMES), contents, max_size=4),
    lambda inner: st.dictionaries(st.sampled_from(NAMES), contents | inner, max_size=4),
    max_leaves=8,
)
Tree = dict[str, "bytes | Tree"]


def write(folder: Path, tree: Tree) -> Path:
    folder.mkdir(parents=True)
    for name, entry in tree.items():
        if isinstance(entry, bytes):
            (folder / name).write_bytes(entry)
        else:
            write(folder / name, entry)
    return folder


def tree_by_git(folder: Path, scratch: Path) -> str:
    """The id that git gives the folder; the repository itself lies elsewhere."""
    settings = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")} | settings

    def git(*arguments: str) -> str:
        command = ["git", f"--git-dir={scratch / 'git'}", f"--work-tree={folder}", *arguments]
        return subprocess.check_output(command, env=environment, cwd=folder, text=True).strip()

    git("init", "--quiet")
    git("-c", "core.fileMode=false", "add", "--all", "--force", ".")
    return git("write-tree")


@needs_git
@settings(max_examples=25)  # each starts git three times
@given(tree=trees)
def test_git_tree_is_what_git_itself_makes_of_the_folder(tree):
    with tempfile.TemporaryDirectory() as scratch:
        folder = write(Path(scratch) / "folder", tree)
        assert digest(folder, "git-tree") == tree_by_git(folder, Path(scratch))


@needs_git
@pytest.mark.skipif(not os.environ.get("OPENMED_DATA"), reason="OPENMED_DATA does not name a folder of corpora")
@pytest.mark.parametrize(("name", "num_files"), [("AnatEM-standoff/standoff/test", 808), ("BC2GM", 11)])
def test_git_tree_of_a_real_folder_is_gits(name, num_files, tmp_path):
    folder = Path(os.environ["OPENMED_DATA"]) / "native" / name
    assert sum(path.is_file() for path in folder.rglob("*")) == num_files
    assert digest(folder, "git-tree") == tree_by_git(folder, tmp_path)


@needs_git
@pytest.mark.parametrize("content", [b"", b"aspirin\tB\n", b"\r\n\xff" * 1_000_000], ids=["empty", "small", "large"])
def test_git_blob_is_what_git_hash_object_prints(tmp_path, content):
    path = tmp_path / "x.tsv"
    path.write_bytes(content)
    command = ["git", "hash-object", "--no-filters", str(path)]
    assert digest(path, "git-blob") == subprocess.check_output(command, text=True).strip()


def test_what_git_cannot_hold_does_not_count(tmp_path):
    folder = write(tmp_path / "folder", {"a": b"1", "b": {"c": b"2"}})
    before = digest(folder, "git-tree")
    write(folder / "empty" / "still empty", {})
    write(folder / ".git", {"HEAD": b"ref"})
    (folder / "b" / ".git").write_bytes(b"gitdir: elsewhere")
    assert digest(folder, "git-tree") == before
    assert digest(folder / "empty", "git-tree") == EMPTY_TREE


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "a").write_bytes(b"2"),
        lambda folder: (folder / "a").rename(folder / "A"),
        lambda folder: (folder / "b" / "c").unlink(),
        lambda folder: (folder / "b" / ".DS_Store").write_bytes(b""),
        lambda folder: (folder / "b" / "c").rename(folder / "c"),
    ],
    ids=["content", "name", "a file less", "hidden junk", "moved"],
)
def test_any_change_gives_another_tree(tmp_path, change):
    folder = write(tmp_path / "folder", {"a": b"1", "b": {"c": b"2", "d": b"3"}})
    before = digest(folder, "git-tree")
    change(folder)
    assert digest(folder, "git-tree") != before


@pytest.mark.parametrize("leads_to", [".", "../folder/b", "a", "nowhere", "link"], ids=str)
def test_a_link_in_a_folder_is_refused_by_name(tmp_path, leads_to):
    folder = write(tmp_path / "folder", {"a": b"1", "b": {"c": b"2"}})
    (folder / "link").symlink_to(leads_to)
    with pytest.raises(DataError, match="a link in a folder") as caught:
        digest(folder, "git-tree")
    assert caught.value.path == str(folder / "link")
    assert caught.value.mend


def test_what_is_asked_for_may_itself_be_a_link(tmp_path):
    folder = write(tmp_path / "folder", {"a": b"1"})
    (tmp_path / "link").symlink_to(folder)
    assert digest(tmp_path / "link", "git-tree") == digest(folder, "git-tree")
    assert digest(tmp_path / "link" / "a") == digest(folder / "a")


@pytest.mark.parametrize("kind", ["sha256", "git-blob", "git-tree"])
def test_what_cannot_be_read_is_named(tmp_path, kind):
    (tmp_path / "circle").symlink_to("circle")
    for name in ("circle", "nowhere"):
        with pytest.raises(DataError, match="cannot be read") as caught:
            digest(tmp_path / name, kind)
        assert caught.value.path == str(tmp_path / name)
        assert caught.value.mend


@pytest.mark.parametrize("kind", ["md5", "tree", ""])
def test_another_kind_of_digest_is_refused(tmp_path, kind):
    with pytest.raises(ValueError, match="sha256 or git-blob of a file, git-tree of a folder"):
        digest(tmp_path, kind)


def test_what_is_found_instead_is_told_in_the_kinds_that_were_asked_for(tmp_path):
    folder = write(tmp_path / "folder", {"a": b"1"})
    file, right = folder / "a", f"sha256:{hashlib.sha256(b'1').hexdigest()}"
    wrong, blob, tree = (
        f"{kind}:{'0' * length}" for kind, length in (("sha256", 64), ("git-blob", 40), ("git-tree", 40))
    )
    assert found_instead(file, [wrong, right]) == []
    assert found_instead(file, []) == []
    assert found_instead(file, [wrong]) == [right]
    assert found_instead(file, [blob, wrong]) == [f"git-blob:{digest(file, 'git-blob')}", right]
    assert found_instead(folder, [tree]) == [f"git-tree:{digest(folder, 'git-tree')}"]
    assert found_instead(file, [tree]) == ["a file"]
    assert found_instead(folder, [wrong, blob]) == ["a folder"]
