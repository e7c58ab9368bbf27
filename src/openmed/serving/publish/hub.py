"""The way to the hub: one repository, one commit, so that what others see is whole or is as it was.

pushed = push(folder, repo="me/OpenMed-NER-...", private=False, update=False)
pushed.url, pushed.left
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openmed.corpora.digests import digest
from openmed.errors import PublishError

IGNORED = (".gitattributes",)
"""What the hub itself puts into a new repository."""
MODEL_NAMES = ("adapter_config.json", "config.json", "openmed.json")
MODEL_SUFFIXES = (".safetensors", ".bin")
"""Of files that, left behind by an earlier version of another form, would be loaded in place of the new ones."""
_AGAIN = "run the same command again: what the hub has is not sent twice"

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Pushed:
    """What the hub has now.

    Attributes:
        commit: None where all was there already.
        deleted: model files of an earlier version, deleted.
        left: other files in the repository, left as they were.
    """

    url: str
    commit: str | None
    deleted: tuple[str, ...]
    left: tuple[str, ...]


def push(folder: Path, *, repo: str, private: bool, update: bool, tell: Tell = lambda _: None) -> Pushed:
    """Create the repository where there is none, and commit the folder's files.

    Args:
        repo: owner/name.
        private: of a new repository; one that is there is never changed in this.
        update: whether a repository that holds other files may be changed.
        tell: is given a line for each file that is sent.

    Raises:
        PublishError: no key; a repository with other content; a refusal; a connection that broke, with what was sent.
    """
    from huggingface_hub import HfApi, get_token

    if get_token() is None:
        raise PublishError(
            "there is no key for the hub",
            mend="get one with the right to write at https://huggingface.co/settings/tokens, then: hf auth login",
        )
    sent: list[str] = []
    state = _State()
    try:
        return _push(HfApi(), folder, repo, private, update, tell, sent, state)
    except PublishError:
        raise
    except Exception as error:
        raise _explained(error, repo, sent, state) from error


@dataclass
class _State:
    """How far it came."""

    is_there: bool = False
    commits: bool = False


def _push(
    api: Any, folder: Path, repo: str, private: bool, update: bool, tell: Tell, sent: list[str], state: _State
) -> Pushed:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        info = api.model_info(repo, files_metadata=True)
        there = {sibling.rfilename: sibling for sibling in info.siblings or [] if sibling.rfilename not in IGNORED}
        parent = info.sha
    except RepositoryNotFoundError:
        info, there, parent = None, {}, None
    url = f"{api.endpoint}/{repo}"
    files = {path.name: path for path in sorted(folder.iterdir())}
    changed = [name for name in files if name not in there or not _is_same(files[name], there[name])]
    others = [name for name in there if name not in files]
    if info is not None:
        _check(repo, info, private, there, changed, update)
        if not changed and not _of_model(others):
            return Pushed(url, None, (), tuple(others))
    else:
        api.create_repo(repo, private=private or None, exist_ok=True)
        tell(f"made {url}")
    state.is_there = True
    additions = {name: CommitOperationAdd(name, str(files[name])) for name in changed}
    for name, addition in additions.items():
        api.preupload_lfs_files(repo, [addition], free_memory=False)
        if getattr(addition, "_is_uploaded", False):
            sent.append(name)
            tell(f"sent {name} ({files[name].stat().st_size:,} bytes)")
    deleted = _of_model(others)
    state.commits = True
    commit = api.create_commit(
        repo,
        [*additions.values(), *(CommitOperationDelete(name) for name in deleted)],
        commit_message="Publish with openmed-ner",
        parent_commit=parent if there else None,
    )
    return Pushed(url, commit.oid, tuple(deleted), tuple(name for name in others if name not in deleted))


def _check(repo: str, info: Any, private: bool, there: Mapping[str, Any], changed: list[str], update: bool) -> None:
    """Raises:
    PublishError: to go on would overwrite, or show what is to be private.
    """
    if private and not info.private:
        raise PublishError(f"{repo} is there already, and public", mend="make it private on the hub first")
    if there and changed and not update:
        shown = ", ".join(sorted(there)[:5]) + (", ..." if len(there) > 5 else "")
        raise PublishError(
            f"{repo} is there already, with other content ({shown})",
            mend="--update replaces it (its history stays), or choose another name",
        )


def _is_same(path: Path, sibling: Any) -> bool:
    if sibling.lfs is not None:
        return sibling.lfs.sha256 == digest(path)
    return sibling.blob_id == digest(path, "git-blob")


def _of_model(names: list[str]) -> list[str]:
    return [name for name in names if name in MODEL_NAMES or name.endswith(MODEL_SUFFIXES)]


def _explained(error: Exception, repo: str, sent: list[str], state: _State) -> PublishError:
    """What went wrong, how far it came, and what to do."""
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    if isinstance(error, OfflineModeIsEnabled):
        return PublishError("the hub may not be asked (HF_HUB_OFFLINE=1)", mend="unset HF_HUB_OFFLINE and run again")
    refusal = next((link for link in _chain(error) if isinstance(link, HfHubHTTPError)), None)
    reach = _reach(repo, sent, state)
    if refusal is None:
        reason = next((str(link) for link in reversed(_chain(error)) if str(link)), type(error).__name__)
        return PublishError(f"the connection to the hub failed ({_first_line(reason)}). {reach}", mend=_AGAIN)
    code = refusal.response.status_code
    reason = refusal.server_message or _first_line(str(refusal))
    if code in (401, 403):
        mend = f"the key needs the right to write to {repo.partition('/')[0]}: hf auth login with another one"
        return PublishError(f"the hub refused it ({code}: {reason}). {reach}", mend=mend)
    if code in (409, 412):
        return PublishError(
            f"{repo} was changed meanwhile ({code}: {reason}). {reach}", mend="look at it, and run again"
        )
    mend = _AGAIN if code == 429 or code >= 500 else "see what the hub says"
    return PublishError(f"the hub refused it ({code}: {reason}). {reach}", mend=mend)


def _reach(repo: str, sent: list[str], state: _State) -> str:
    if not state.is_there:
        return "Nothing was sent"
    if state.commits:
        return f"All files were sent; whether {repo} shows them is not known"
    if sent:
        return f"{', '.join(sent)} had been sent; {repo} shows nothing of it before all is there"
    return f"{repo} is there; nothing was sent to it"


def _chain(error: BaseException) -> list[BaseException]:
    links: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in links:
        links.append(link)
        link = link.__cause__ or link.__context__
    return links


def _first_line(text: str) -> str:
    return (text.strip().splitlines() or [""])[0]
