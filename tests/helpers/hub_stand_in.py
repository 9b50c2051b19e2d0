"""A stand-in of the Hugging Face Hub: as much of its HTTP interface as its client uses to push and to fetch a model."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

WRITER, READER = "hf_stand-in-writer", "hf_stand-in-reader"  # tokens
_LARGE = (".safetensors",)


@dataclass
class Repository:
    """What a repository holds: files by commit, commits by branch."""

    private: bool = False
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)

    def commit(self, files: dict[str, bytes], message: str = "") -> str:
        """Files as they are from now on; returns the commit."""
        oid = hashlib.sha1(f"{len(self.commits)} {message}".encode()).hexdigest()
        self.commits[oid] = files
        self.branches["main"] = oid
        self.messages.append(message)
        return oid

    @property
    def files(self) -> dict[str, bytes]:
        """On the main branch."""
        return self.commits[self.branches["main"]]


class StandIn:
    """Repositories, large files that came up before their commit, and a list of the requests."""

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.uploaded: dict[str, bytes] = {}
        self.requests: list[tuple[str, str]] = []
        self.lies: dict[str, int] = {}  # sizes told of files, instead of theirs
        self.failing: int | None = None  # a status with which everything is answered
        self.endpoint = ""


class _Refused(Exception):
    def __init__(self, status: int, code: str = "", message: str = "") -> None:
        super().__init__(message)
        self.status, self.code = status, code


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: StandIn

    def do_GET(self) -> None:
        self._answer()

    do_HEAD = do_POST = do_PUT = do_GET

    def log_message(self, *_: object) -> None:
        """Nothing."""

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        body = self._body()
        self.hub.requests.append((self.command, path))
        try:
            if self.hub.failing:
                raise _Refused(self.hub.failing, message=f"as asked by {self.headers.get('Authorization')}")
            for pattern, method in _ROUTES:
                if found := re.fullmatch(pattern, f"{self.command} {path}"):
                    return method(self, *found.groups(), body)
            raise _Refused(404, "EntryNotFound")
        except _Refused as refused:
            self._send({"error": str(refused)}, refused.status, {"X-Error-Code": refused.code} if refused.code else {})

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        content = b""
        while size := int(self.rfile.readline(), 16):
            content += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return content

    def _send(self, content: object, status: int = 200, headers: dict[str, str] | None = None) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _token(self) -> str:
        return (self.headers.get("Authorization") or "").removeprefix("Bearer ")

    def _require_writer(self) -> None:
        if self._token() != WRITER:
            known = self._token() == READER
            raise _Refused(403 if known else 401, message="You don't have the rights to create a model" * known)

    def _repository(self, name: str) -> Repository:
        found = self.hub.repositories.get(name)
        if found is None or (found.private and self._token() not in (WRITER, READER)):
            raise _Refused(401 if found else 404, "RepoNotFound")
        return found

    def _commit(self, name: str, revision: str) -> tuple[str, dict[str, bytes]]:
        repository = self._repository(name)
        oid = repository.branches.get(revision, revision)
        if oid not in repository.commits:
            raise _Refused(404, "RevisionNotFound")
        return oid, repository.commits[oid]

    def _create(self, body: bytes) -> None:
        self._require_writer()
        asked = json.loads(body)
        name = f"{asked['organization']}/{asked['name']}"
        url = {"url": f"{self.hub.endpoint}/{name}"}
        if name in self.hub.repositories:
            return self._send(url, 409)
        private = asked.get("private", asked.get("visibility") == "private")
        self.hub.repositories[name] = Repository(private=bool(private))
        self.hub.repositories[name].commit({".gitattributes": b"*.safetensors filter=lfs\n"}, "initial commit")
        return self._send(url)

    def _about(self, name: str, revision: str | None, _: bytes) -> None:
        oid, files = self._commit(name, revision or "main")
        siblings = [{"rfilename": path, **self._entry(path, content)} for path, content in files.items()]
        repository = self._repository(name)
        self._send({"id": name, "modelId": name, "sha": oid, "private": repository.private, "siblings": siblings})

    def _tree(self, name: str, revision: str, _: bytes) -> None:
        _, files = self._commit(name, revision)
        self._send([{"type": "file", "path": path, **self._entry(path, content)} for path, content in files.items()])

    def _entry(self, path: str, content: bytes) -> dict[str, Any]:
        size = self.hub.lies.get(path, len(content))
        entry: dict[str, Any] = {"size": size, "oid": _git_oid(content), "blobId": _git_oid(content)}
        if path.endswith(_LARGE):
            digest = hashlib.sha256(content).hexdigest()
            entry["lfs"] = {"oid": digest, "sha256": digest, "size": size, "pointerSize": 130}
        return entry

    def _validate(self, body: bytes) -> None:
        self._send({"warnings": [], "errors": []})

    def _preupload(self, name: str, _: str, body: bytes) -> None:
        self._repository(name)
        self._require_writer()
        there = self._repository(name).files
        files = [
            {
                "path": file["path"],
                "uploadMode": "lfs" if file["path"].endswith(_LARGE) else "regular",
                "shouldIgnore": False,
                "oid": _git_oid(there[file["path"]]) if file["path"] in there else None,
            }
            for file in json.loads(body)["files"]
        ]
        self._send({"files": files})

    def _batch(self, name: str, body: bytes) -> None:
        objects = []
        for wanted in json.loads(body)["objects"]:
            upload = {"upload": {"href": f"{self.hub.endpoint}/upload/{wanted['oid']}"}}
            actions = {} if wanted["oid"] in self.hub.uploaded else {"actions": upload}
            objects.append({"oid": wanted["oid"], "size": wanted["size"], **actions})
        self._send({"transfer": "basic", "objects": objects})

    def _upload(self, oid: str, body: bytes) -> None:
        assert hashlib.sha256(body).hexdigest() == oid
        self.hub.uploaded[oid] = body
        self._send({})

    def _receive(self, name: str, _: str, body: bytes) -> None:
        self._require_writer()
        repository = self._repository(name)
        files, message = dict(repository.files), ""
        for line in body.splitlines():
            operation = json.loads(line)
            value = operation["value"]
            if operation["key"] == "header":
                message = value["summary"]
            elif operation["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif operation["key"] == "lfsFile":
                files[value["path"]] = self.hub.uploaded[value["oid"]]
            elif operation["key"] == "deletedFile":
                del files[value["path"]]
        oid = repository.commit(files, message)
        self._send({"success": True, "commitOid": oid, "commitUrl": f"{self.hub.endpoint}/{name}/commit/{oid}"})

    def _resolve(self, name: str, revision: str, path: str, _: bytes) -> None:
        oid, files = self._commit(name, revision)
        if path not in files:
            raise _Refused(404, "EntryNotFound")
        content = files[path]
        etag = hashlib.sha256(content).hexdigest() if path.endswith(_LARGE) else _git_oid(content)
        self._send(content, headers={"X-Repo-Commit": oid, "ETag": f'"{etag}"'})


def _git_oid(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


_REPO = r"([\w.-]+/[\w.-]+)"
_ROUTES: list[tuple[str, Any]] = [
    (r"POST /api/repos/create", _Handler._create),
    (rf"GET /api/models/{_REPO}(?:/revision/(.+))?", _Handler._about),
    (rf"GET /api/models/{_REPO}/tree/(.+?)/?", _Handler._tree),
    (r"POST /api/validate-yaml", _Handler._validate),
    (rf"POST /api/models/{_REPO}/preupload/(.+)", _Handler._preupload),
    (rf"POST /{_REPO}\.git/info/lfs/objects/batch", _Handler._batch),
    (r"PUT /upload/(\w+)", _Handler._upload),
    (rf"POST /api/models/{_REPO}/commit/(.+)", _Handler._receive),
    (rf"(?:GET|HEAD) /{_REPO}/resolve/([^/]+)/(.+)", _Handler._resolve),
]


@contextmanager
def serving() -> Iterator[StandIn]:
    """A stand-in that listens on this machine."""
    hub = StandIn()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    server.daemon_threads = True
    hub.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
