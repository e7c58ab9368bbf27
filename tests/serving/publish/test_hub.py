"""Pushing, against a server on this machine: what it holds afterwards, and what is told when it goes wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from tests.loopback_hub import TOKEN, LoopbackHub, Repo, loopback_hub

from openmed.corpora.digests import digest
from openmed.errors import PublishError
from openmed.serving.publish import Pushed, push

REPO = "me/OpenMed-NER-Test"


@pytest.fixture
def hub() -> Iterator[LoopbackHub]:
    with loopback_hub() as server, server.in_this_process():
        yield server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "published"
    path.mkdir()
    (path / "README.md").write_text("---\nlicense: mit\n---\n\n# A card\n")
    (path / "openmed.json").write_text("{}")
    save_file({"a": np.arange(3.0)}, path / "model.safetensors", {"format": "pt"})
    return path


def send(folder: Path, *, private: bool = False, update: bool = False) -> tuple[Pushed, list[str]]:
    told: list[str] = []
    return push(folder, repo=REPO, private=private, update=update, tell=told.append), told


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def shown(hub: LoopbackHub) -> dict[str, bytes]:
    return {name: data for name, data in hub.repos[REPO].files.items() if name != ".gitattributes"}


def test_a_new_repository_holds_the_folder_after_one_commit(hub, folder):
    pushed, told = send(folder)
    assert shown(hub) == contents(folder)
    assert not hub.repos[REPO].private
    assert pushed == Pushed(f"{hub.url}/{REPO}", hub.repos[REPO].commits[-1], (), ())
    assert len(hub.repos[REPO].commits) == 2
    assert hub.tokens == {TOKEN}
    assert told[0] == f"made {hub.url}/{REPO}"
    assert told[1].startswith("sent model.safetensors (")


def test_private_makes_it_private(hub, folder):
    send(folder, private=True)
    assert hub.repos[REPO].private


def test_the_same_again_sends_nothing(hub, folder):
    send(folder)
    hub.requests.clear()
    pushed, _ = send(folder)
    assert pushed.commit is None
    assert hub.requests == [f"GET /api/models/{REPO}"]


def test_other_content_is_never_overwritten_unasked(hub, folder):
    send(folder)
    before = shown(hub)
    (folder / "README.md").write_text("another card")
    with pytest.raises(PublishError, match=r"is there already, with other content .*--update"):
        send(folder)
    assert shown(hub) == before
    pushed, _ = send(folder, update=True)
    assert pushed.commit == hub.repos[REPO].commits[-1]
    assert shown(hub) == contents(folder)


def test_an_update_takes_weights_of_another_form_away_and_leaves_the_rest(hub, folder):
    hub.repos[REPO] = Repo(
        files={"adapter_model.safetensors": b"old", "adapter_config.json": b"{}", "picture.png": b"p"}
    )
    pushed, _ = send(folder, update=True)
    assert set(pushed.deleted) == {"adapter_model.safetensors", "adapter_config.json"}
    assert pushed.left == ("picture.png",)
    assert shown(hub) == {**contents(folder), "picture.png": b"p"}


def test_a_public_repository_is_not_taken_for_a_private_one(hub, folder):
    send(folder)
    with pytest.raises(PublishError, match="is there already, and public"):
        send(folder, private=True)


def test_without_a_key_nothing_is_asked(hub, folder):
    with hub.in_this_process(token=None), pytest.raises(PublishError, match=r"there is no key.*hf auth login"):
        send(folder)
    assert hub.requests == []


def test_offline_is_told(hub, folder, monkeypatch):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(PublishError, match="HF_HUB_OFFLINE"):
        send(folder)


@pytest.mark.parametrize(
    ("path", "reach"),
    [
        ("/api/repos/create", "Nothing was sent"),
        (f"/api/models/{REPO}/preupload", "is there; nothing was sent to it"),
        (f"/api/models/{REPO}/commit", "All files were sent; whether"),
    ],
)
def test_a_refusal_says_what_the_hub_said_and_how_far_it_came(hub, folder, path, reach):
    hub.refuse[path] = (403, "you have no rights to me/")
    with pytest.raises(PublishError, match=r"refused it \(403: you have no rights to me/\)") as told:
        send(folder)
    assert reach in str(told.value)
    assert "hf auth login" in str(told.value)
    assert TOKEN not in str(told.value)


def test_a_connection_that_breaks_midway_says_what_was_sent_and_the_next_try_goes_on(hub, folder):
    hub.drop.append(f"/api/models/{REPO}/commit")
    with pytest.raises(PublishError, match="connection to the hub failed") as told:
        send(folder)
    assert "All files were sent" in str(told.value)
    assert "run the same command again" in str(told.value).lower()
    assert shown(hub) == {}  # whole or not at all
    hub.drop.clear()
    hub.requests.clear()
    pushed, _ = send(folder)
    assert pushed.commit is not None
    assert shown(hub) == contents(folder)
    assert not any(request.startswith("PUT") for request in hub.requests)  # what it has is not sent twice


def test_a_connection_that_breaks_while_weights_are_sent(hub, folder):
    hub.drop.append("/lfs/")
    with pytest.raises(PublishError, match=f"connection to the hub failed .*{REPO} is there; nothing was sent to it"):
        send(folder)
    assert shown(hub) == {}


def test_of_two_large_files_the_one_that_arrived_is_named(hub, folder):
    save_file({"b": np.arange(5.0)}, folder / "z.safetensors", {"format": "pt"})
    hub.drop.append(f"/lfs/{digest(folder / 'z.safetensors')}")
    with pytest.raises(PublishError, match=r"model\.safetensors had been sent; .* shows nothing of it"):
        send(folder)


def test_a_server_that_is_not_there(folder):
    with loopback_hub() as server:
        hub = server
    with hub.in_this_process(), pytest.raises(PublishError, match=r"connection to the hub failed .* Nothing was sent"):
        send(folder)


def test_what_changed_meanwhile_is_not_overwritten(hub, folder, monkeypatch):
    send(folder)
    (folder / "README.md").write_text("another card")
    before = shown(hub)

    def moves_on(line: str) -> None:
        hub.repos[REPO].commits.append("9" * 40)

    (folder / "model.safetensors").unlink()
    save_file({"c": np.arange(7.0)}, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(PublishError, match="was changed meanwhile"):
        push(folder, repo=REPO, private=False, update=True, tell=moves_on)
    assert shown(hub) == before
