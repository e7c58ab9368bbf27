"""A hub on this machine: what a push uses of the Hugging Face hub's API, over HTTP, with faults on demand.

    with loopback_hub() as hub, hub.in_this_process():
        push(folder, repo="me/model", private=False, update=False)
    hub.repos["me/model"].files["README.md"]

Large files go by the LFS protocol (`HF_HUB_DISABLE_XET=1`): Xet's own is not spoken here.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import pytest

TOKEN = "hf_" + "a" * 34


@dataclass
class Repo:
    """What a repository holds."""

    private: bool = False
    files: dict[str, bytes] = field(default_factory=dict)
    commits: list[str] = field(default_factory=lambda: ["0" * 40])


@dataclass
class LoopbackHub:
    """The state of the server.

    Attributes:
        refuse: path prefix -> (status, message) of the refusal.
        drop: path prefixes at which the connection is cut without an answer.
        requests: "METHOD path" of all that was asked.
        tokens: keys that came along.
    """

    url: str = ""
    repos: dict[str, Repo] = field(default_factory=dict)
    stored: dict[str, bytes] = field(default_factory=dict)
    refuse: dict[str, tuple[int, str]] = field(default_factory=dict)
    drop: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)

    @contextmanager
    def in_this_process(self, token: str | None = TOKEN) -> Iterator[None]:
        """Inside, huggingface_hub knows this hub and no other, and waits for nothing between its tries."""
        import huggingface_hub.constants as constants
        import huggingface_hub.utils._http as http

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(constants, "ENDPOINT", self.url)
            patch.setattr(constants, "HF_HUB_OFFLINE", False)
            patch.setattr(constants, "HF_HUB_DISABLE_XET", True)
            patch.setattr(http.time, "sleep", lambda seconds: None)
            patch.setenv("NO_PROXY", "127.0.0.1")
            patch.delenv("HF_HUB_OFFLINE", raising=False)
            patch.delenv("HF_TOKEN", raising=False)
            patch.delenv("HUGGING_FACE_HUB_TOKEN", raising=False)
            patch.setattr(constants, "HF_TOKEN_PATH", "/nowhere/token")
            if token is not None:
                patch.setenv("HF_TOKEN", token)
            yield

    def environment(self) -> dict[str, str]:
        """The same for a subprocess."""
        return {
            "HF_ENDPOINT": self.url,
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_OFFLINE": "0",
            "HF_TOKEN": TOKEN,
            "NO_PROXY": "127.0.0.1",
        }


@contextmanager
def loopback_hub() -> Iterator[LoopbackHub]:
    """A server on a free port of 127.0.0.1."""
    hub = LoopbackHub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


def git_blob(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    hub: LoopbackHub
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: Any) -> None:
        """Nothing on the terminal."""

    def do_GET(self) -> None:
        self._answer("GET")

    def do_POST(self) -> None:
        self._answer("POST")

    def do_PUT(self) -> None:
        self._answer("PUT")

    def _answer(self, method: str) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = urlsplit(self.path).path
        self.hub.requests.append(f"{method} {path}")
        if token := self.headers.get("Authorization"):
            self.hub.tokens.add(token.removeprefix("Bearer "))
        if any(path.startswith(prefix) for prefix in self.hub.drop):
            self.close_connection = True
            self.connection.close()
            return
        for prefix, (status, message) in self.hub.refuse.items():
            if path.startswith(prefix):
                self._send(status, {"error": message}, {"X-Error-Message": message})
                return
        self._route(method, path, body)

    def _route(self, method: str, path: str, body: bytes) -> None:
        parts = path.strip("/").split("/")
        if path == "/api/repos/create":
            self._create(json.loads(body))
        elif path == "/api/validate-yaml":
            self._send(200, {"errors": [], "warnings": []})
        elif parts[:2] == ["api", "models"] and len(parts) == 4:
            self._info("/".join(parts[2:4]))
        elif parts[:2] == ["api", "models"] and parts[4] == "preupload":
            self._preupload("/".join(parts[2:4]), json.loads(body))
        elif parts[:2] == ["api", "models"] and parts[4] == "commit":
            self._commit("/".join(parts[2:4]), body)
        elif path.endswith(".git/info/lfs/objects/batch"):
            self._batch(json.loads(body))
        elif method == "PUT" and parts[0] == "lfs":
            assert hashlib.sha256(body).hexdigest() == parts[1]
            self.hub.stored[parts[1]] = body
            self._send(200, {})
        else:
            self._send(501, {"error": f"not spoken here: {method} {path}"})

    def _create(self, wanted: dict[str, Any]) -> None:
        name = f"{wanted['organization']}/{wanted['name']}"
        self.hub.repos[name] = Repo(
            private=wanted.get("visibility") == "private", files={".gitattributes": b"*.safetensors filter=lfs\n"}
        )
        self._send(200, {"url": f"{self.hub.url}/{name}", "name": name})

    def _info(self, name: str) -> None:
        if name not in self.hub.repos:
            self._send(404, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"})
            return
        repo = self.hub.repos[name]
        siblings = []
        for path, data in repo.files.items():
            entry: dict[str, Any] = {"rfilename": path, "size": len(data), "blobId": git_blob(data)}
            if path.endswith(".safetensors"):
                digest = hashlib.sha256(data).hexdigest()
                entry["lfs"] = {"sha256": digest, "size": len(data), "pointerSize": 134}
            siblings.append(entry)
        self._send(200, {"id": name, "sha": repo.commits[-1], "private": repo.private, "siblings": siblings})

    def _preupload(self, name: str, asked: dict[str, Any]) -> None:
        files = [
            {
                "path": file["path"],
                "uploadMode": "lfs" if file["path"].endswith(".safetensors") else "regular",
                "shouldIgnore": False,
                "oid": None,
            }
            for file in asked["files"]
        ]
        self._send(200, {"files": files})

    def _batch(self, asked: dict[str, Any]) -> None:
        objects = []
        for wanted in asked["objects"]:
            entry = {"oid": wanted["oid"], "size": wanted["size"]}
            if wanted["oid"] not in self.hub.stored:
                entry["actions"] = {"upload": {"href": f"{self.hub.url}/lfs/{wanted['oid']}", "header": {}}}
            objects.append(entry)
        self._send(200, {"transfer": "basic", "objects": objects})

    def _commit(self, name: str, body: bytes) -> None:
        repo = self.hub.repos[name]
        lines = [json.loads(line) for line in body.splitlines() if line]
        parent = lines[0]["value"].get("parentCommit")
        if parent not in (None, repo.commits[-1]):
            self._send(412, {"error": "the branch has moved on"}, {"X-Error-Message": "the branch has moved on"})
            return
        for line in lines[1:]:
            value = line["value"]
            if line["key"] == "file":
                repo.files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                repo.files[value["path"]] = self.hub.stored[value["oid"]]
            else:
                assert line["key"] == "deletedFile"
                del repo.files[value["path"]]
        repo.commits.append(hashlib.sha1(body).hexdigest())
        url = f"{self.hub.url}/{name}/commit/{repo.commits[-1]}"
        self._send(200, {"success": True, "commitOid": repo.commits[-1], "commitUrl": url, "pullRequestUrl": None})

    def _send(self, status: int, content: Any, headers: dict[str, str] | None = None) -> None:
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)
