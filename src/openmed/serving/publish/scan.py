"""What must never be published: keys, paths of any machine, names of user and host; and files that could run code.

check_folder(folder, Secrets.of_this_machine(run_folder))      # raises, naming file and line
"""

from __future__ import annotations

import getpass
import json
import netrc
import os
import re
import socket
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from openmed.errors import PublishError

TEXTS = (".json", ".txt", ".md", ".jinja")
BINARIES = (".safetensors", ".model")
"""Weights, and vocabularies of sentencepiece."""
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib", ".npy", ".npz", ".h5", ".msgpack")
VOCABULARIES = ("tokenizer.json", "vocab.txt", "vocab.json", "merges.txt")
"""In which any word may stand: there only whole paths and keys are looked for."""
_MAGIC = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
"""Of what torch.save and pickle write."""
_KEYS = (
    re.compile(r"\b(?:hf|api_org)_[A-Za-z0-9]{20,}"),  # Hugging Face
    re.compile(r"\bwandb_v\d_\w{20,}"),
    re.compile(r"(?i)\b(?:wandb|api)[\w .-]{0,12}key\W{0,4}[0-9a-f]{40}\b"),
    re.compile(r"\bgh[pousr]_[A-Za-z0-9]{30,}|\bgithub_pat_\w{30,}"),
    re.compile(r"\bAKIA[0-9A-Z]{16}\b"),
    re.compile(r"\bsk-[A-Za-z0-9_-]{20,}"),
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    re.compile(r"://[^/\s:@\"]+:[^/\s:@\"]+@"),  # a password in an address
)
_HOMES = re.compile(r"/(?:home|Users)/[^/\s\"']+|\b[A-Za-z]:\\+Users\\+[^\\\s\"']+|file:///")
_HOME_FILES = re.compile(r"/(?:home|Users)/[^/\s\"']+/[^/\s\"']|\b[A-Za-z]:\\+Users\\+[^\\\s\"']+\\|file:///")
_PRINTABLE = re.compile(r"[^\x00-\x1f\x7f]{8,}")
"""A stretch of text between bytes, as long as the shortest thing that is looked for."""
_ABSOLUTE = re.compile(r"(?:^|(?<=[\s\"'`(=,\[]))(?:/(?!/)[\w.~+@-]+){2,}")
"""A path from the root, no part of an address: the model may have been trained on another machine."""
_VARIABLES = re.compile(r"(?i)(?:TOKEN|SECRET|PASSWORD|API_?KEY|ACCESS_KEY)$")
_MIN_SECRET = 8
_MIN_USER = 4
_SHARED_USERS = ("root", "user", "ubuntu", "runner")
"""Names that tell nothing, and stand in many a text."""
_WORD = re.compile(r"[^\W\d_]+")
"""A host that is called by a plain word tells nothing either."""


@dataclass(frozen=True)
class Secrets:
    """What is known of this machine and its user.

    Attributes:
        paths: absolute; with them all that lies below.
        keys: the very values.
        user: the name at log-in; None where it is everybody's ("root").
        host: the machine's name, likewise.
    """

    paths: tuple[str, ...]
    keys: tuple[str, ...]
    user: str | None
    host: str | None = None

    @classmethod
    def of_this_machine(cls, *folders: Path) -> Secrets:
        """With the folders of a run, beside home, the current folder, data, caches and the Python that runs."""
        places = [*folders, Path("~"), Path.cwd(), Path(sys.prefix), Path(tempfile.gettempdir())]
        places += [
            Path(os.environ[name]) for name in ("OPENMED_DATA", "HF_HOME", "HF_HUB_CACHE") if os.environ.get(name)
        ]
        known = {str(way) for place in map(_expanded, places) for way in (place.absolute(), place.resolve())}
        return cls(tuple(sorted(known - {"/"}, key=len, reverse=True)), tuple(_keys()), _user(), _host())


def check_folder(folder: Path, secrets: Secrets, *, allowed: str = "") -> None:
    """Refuse a folder of which some file should not be seen, or could do harm.

    Args:
        allowed: a text in which nothing is looked for, such as the repository's name, which may hold the user's.

    Raises:
        PublishError: with the file, the line and what kind of thing stands there; the thing itself is not repeated.
    """
    for path in sorted(path for path in folder.rglob("*") if not path.is_dir()):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink() or not path.is_file():
            raise PublishError(f"{name} is no plain file", mend="publish files, not links to others")
        if path.suffix in TEXTS:
            _check_text(path, name, secrets, allowed)
        elif path.suffix in BINARIES:
            _check_binary(path, name, secrets)
        else:
            refuse_suffix(name)


def refuse_suffix(name: str) -> None:
    """Raises:
    PublishError: no file that is published.
    """
    if Path(name).suffix in PICKLES:
        raise PublishError(
            f"{name} can run code on the machine that loads it: only safetensors are published",
            mend="save the weights as model.safetensors (save_pretrained does)",
        )
    if Path(name).suffix not in (*TEXTS, *BINARIES):
        raise PublishError(f"{name} is no part of a model", mend=f"files end in {', '.join((*TEXTS, *BINARIES))}")


def _check_text(path: Path, name: str, secrets: Secrets, allowed: str) -> None:
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".json":
            json.loads(text)
    except ValueError as error:
        raise PublishError(f"{name} is not what its name says: {error}", mend="train again, or export again") from error
    for number, line in enumerate(text.split("\n"), start=1):
        for kind in _found(line.replace(allowed, "") if allowed else line, secrets, vocabulary=name in VOCABULARIES):
            raise PublishError(
                f"{name}:{number} holds {kind}, which must not be published",
                mend="take it out where it comes from (the run's configuration, the folder names of corpus and base)",
            )


def _check_binary(path: Path, name: str, secrets: Secrets) -> None:
    if path.suffix == ".safetensors":
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="numpy") as file:
                facts = file.metadata() or {}
        except SafetensorError as error:
            raise PublishError(f"{name} is no whole safetensors file: {error}", mend="save the model again") from error
        if set(facts) - {"format"}:
            raise PublishError(f"{name} has notes in its header: {', '.join(sorted(facts))}", mend="save it without")
        return
    content = path.read_bytes()
    if content.startswith(_MAGIC):
        raise PublishError(f"{name} holds a pickle, which can run code", mend="publish the tokenizer's own files")
    for kind in _found_in_bytes(content, secrets):
        raise PublishError(
            f"{name} holds {kind}, which must not be published",
            mend="sentencepiece notes what a vocabulary was trained on (trainer_spec.input): clear it and save the "
            "file again, or publish tokenizer.json without it",
        )


def _found_in_bytes(content: bytes, secrets: Secrets) -> Iterator[str]:
    """What kinds of things stand between bytes that are no text. Its words are a vocabulary's, so names may be there;
    but a home is looked for with something below it, which a word of a vocabulary does not have.
    """
    for encoding in ("latin-1", "utf-8"):
        for stretch in _PRINTABLE.findall(content.decode(encoding, errors="replace")):
            for text in (
                stretch,
                stretch[1:],
            ):  # the first may be the byte of a text's length, which looks like a letter
                yield from _found(text, secrets, vocabulary=True)
                if _HOME_FILES.search(text):
                    yield "a path of somebody's home"


def _found(line: str, secrets: Secrets, *, vocabulary: bool) -> Iterator[str]:
    """What kinds of things a line holds; in JSON a backslash is doubled and a slash may be."""
    plain = line.replace("\\/", "/")
    if any(key in plain for key in secrets.keys) or any(pattern.search(plain) for pattern in _KEYS):
        yield "a key or a password"
    if any(_holds_path(plain, path) for path in secrets.paths):
        yield "a path of this machine"
    if vocabulary:
        return
    if _HOMES.search(plain):
        yield "a path of somebody's home"
    elif _ABSOLUTE.search(plain):
        yield "a path of some machine"
    for name, whose in ((secrets.user, "user"), (secrets.host, "machine")):
        if name and re.search(rf"(?<!\w){re.escape(name)}(?!\w)", plain):
            yield f"the {whose}'s name"


def _holds_path(line: str, path: str) -> bool:
    """As a whole path: `/data` stands in "/data/x" and in "/data", not in "/database" nor in "a/data"."""
    at = line.find(path)
    while at >= 0:
        before, after = line[at - 1 : at], line[at + len(path) : at + len(path) + 1]
        if not re.match(r"[\w.~-]", before) and not re.match(r"[\w.-]", after):
            return True
        at = line.find(path, at + 1)
    return False


def _expanded(path: Path) -> Path:
    return Path(os.path.expanduser(path))  # where there is no home, it stays as it is


def _user() -> str | None:
    try:
        name = getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container's bare number
        return None
    return None if name in _SHARED_USERS or len(name) < _MIN_USER else name


def _host() -> str | None:
    name = socket.gethostname().partition(".")[0]
    return None if len(name) < _MIN_USER or _WORD.fullmatch(name) else name


def _keys() -> Iterable[str]:
    """The values of keys that this machine holds: in variables, in the hub's file, in .netrc."""
    for name, value in os.environ.items():
        if _VARIABLES.search(name) and len(value) >= _MIN_SECRET:
            yield value
    from huggingface_hub import get_token

    if token := get_token():
        yield token
    try:
        hosts = netrc.netrc().hosts.values()
    except (OSError, netrc.NetrcParseError):
        return
    for _, _, password in hosts:
        if password and len(password) >= _MIN_SECRET:
            yield password
