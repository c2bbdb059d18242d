"""A small Hugging Face hub on loopback: what `huggingface_hub` and `datasets` ask of one, with faults on demand."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

import pytest
import yaml

LARGE = 1000
"""Bytes from which on a file is one of LFS, of which the hub tells the SHA-256."""
RepositoryKind = Literal["models", "datasets"]


@dataclass(kw_only=True)
class Fault:
    """What goes wrong with requests whose path holds a text, and how many times."""

    path: str
    times: int
    status: int = 200
    code: str = ""
    cut_after: int | None = None
    spoilt: bool = False
    method: str = ""


@dataclass(kw_only=True)
class Held:
    """A repository: its folder, its revisions, and why it is refused."""

    folder: Path
    commit: str
    revisions: dict[str, str]
    refused: tuple[int, str] | None = None
    card: Mapping[str, Any] = field(default_factory=dict)

    def files(self) -> list[Path]:
        return sorted(path for path in self.folder.rglob("*") if path.is_file())


class FakeHub:
    """The hub; repositories are folders, and each has one commit at a time."""

    def __init__(self) -> None:
        self.held: dict[tuple[str, str], Held] = {}
        self.faults: list[Fault] = []
        self.asked: list[tuple[str, str, str | None]] = []
        """Method, path and range of each request."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.address = f"http://127.0.0.1:{self._server.server_port}"

    def add(self, kind: RepositoryKind, name: str, folder: Path, *, revision: str = "main", **also: Any) -> str:
        """Put a folder on the hub, and give its commit."""
        digest = hashlib.sha1(f"{kind} {name} {revision}".encode())
        for path in sorted(folder.rglob("*")):
            digest.update(path.read_bytes() if path.is_file() else b"")
        commit = digest.hexdigest()
        known = self.held.get((kind, name))
        revisions = {**(known.revisions if known else {}), revision: commit}
        self.held[kind, name] = Held(folder=folder, commit=commit, revisions=revisions, **also)
        self.held[kind, f"{name}@{commit}"] = self.held[kind, name]
        return commit

    def fails(self, path: str, times: int = 1, **fault: Any) -> None:
        """Let the next requests fail whose path holds this text."""
        self.faults.append(Fault(path=path, times=times, **fault))

    def fault(self, method: str, path: str) -> Fault | None:
        for fault in self.faults:
            if fault.path in path and fault.times > 0 and fault.method in ("", method):
                fault.times -= 1
                return fault
        return None

    def requests_for(self, text: str, method: str = "GET") -> list[tuple[str, str, str | None]]:
        return [asked for asked in self.asked if asked[0] == method and text in asked[1]]

    def start(self) -> None:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _handler(hub: FakeHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            pass

        def do_HEAD(self) -> None:
            self._answer()

        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self._answer()

        def _answer(self) -> None:
            path = unquote(urlsplit(self.path).path)
            hub.asked.append((self.command, path, self.headers.get("Range")))
            self._fault = hub.fault(self.command, path)
            if self._fault is not None and self._fault.status != 200:
                self._refuse(self._fault.status, self._fault.code)
                return
            parts = path.strip("/").split("/")
            if parts[0] == "api":
                self._api(parts[1], parts[2:])
            elif "resolve" in parts:
                kind = "datasets" if parts[0] == "datasets" else "models"
                at = parts.index("resolve")
                name = "/".join(parts[1 if kind == "datasets" else 0 : at])
                self._file(kind, name, parts[at + 1], "/".join(parts[at + 2 :]))
            else:
                self._refuse(404, "")

        def _repository(self, kind: str, name: str, revision: str) -> tuple[Held, str] | None:
            held = hub.held.get((kind, name))
            if held is None:
                self._refuse(401, "RepoNotFound")
                return None
            if held.refused is not None:
                self._refuse(*held.refused)
                return None
            commit = held.revisions.get(revision, revision)
            if (kind, f"{name}@{commit}") not in hub.held:
                self._refuse(404, "RevisionNotFound")
                return None
            return hub.held[kind, f"{name}@{commit}"], commit

        def _api(self, kind: str, parts: list[str]) -> None:
            verbs = [verb for verb in ("revision", "tree", "paths-info") if verb in parts]
            at = parts.index(verbs[0]) if verbs else len(parts)
            name, rest = "/".join(parts[:at]), parts[at + 1 :]
            found = self._repository(kind, name, rest[0] if rest else "main")
            if found is None:
                return
            held, commit = found
            match verbs[0] if verbs else "revision":
                case "revision":
                    files = [_sibling(held.folder, path) for path in held.files()]
                    about = {"id": name, "sha": commit, "private": False, "gated": False, "downloads": 0, "tags": []}
                    self._json({**about, "siblings": files, "cardData": dict(held.card)})
                case "tree":
                    self._json(_tree(held, "/".join(rest[1:]), commit, recursive="recursive=true" in self.path.lower()))
                case _:
                    asked = json.loads(self._body) if self._body.startswith(b"{") else {}
                    paths = asked.get("paths", [])
                    everything = _tree(held, "", commit, recursive=True)
                    self._json([entry for entry in everything if entry["path"] in paths])

        def _file(self, kind: str, name: str, revision: str, path: str) -> None:
            found = self._repository(kind, name, revision)
            if found is None:
                return
            held, commit = found
            file = held.folder / path
            if not file.is_file():
                self._refuse(404, "EntryNotFound", commit)
                return
            content = file.read_bytes()
            start = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").partition("-")[0])
            body = content[start:]
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(body)))
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            self.send_header("ETag", f'"{_etag(content)}"')
            self.send_header("X-Repo-Commit", commit)
            self.send_header("Accept-Ranges", "bytes")
            self.end_headers()
            if self.command == "HEAD":
                return
            fault = self._fault
            if fault is not None and fault.spoilt:
                body = bytes(255 - byte for byte in body)
            if fault is not None and fault.cut_after is not None:
                self.wfile.write(body[: fault.cut_after])
                self.wfile.flush()
                self.close_connection = True
                self.connection.shutdown(2)
                return
            self.wfile.write(body)

        def _json(self, content: Any) -> None:
            body = json.dumps(content).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def _refuse(self, status: int, code: str, commit: str | None = None) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            if code:
                self.send_header("X-Error-Code", code)
                self.send_header("X-Error-Message", code)
            if commit:
                self.send_header("X-Repo-Commit", commit)
            if status == 429:
                self.send_header("Retry-After", "0")
            self.end_headers()

    Handler._body = b""
    return Handler


def _etag(content: bytes) -> str:
    if len(content) >= LARGE:
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def _sibling(folder: Path, path: Path) -> dict[str, Any]:
    content = path.read_bytes()
    said: dict[str, Any] = {"rfilename": path.relative_to(folder).as_posix(), "size": len(content)}
    if len(content) >= LARGE:
        said["lfs"] = {"sha256": _etag(content), "size": len(content), "pointerSize": 130}
    return {**said, "blobId": "0" * 40}


def _tree(held: Held, below: str, commit: str, *, recursive: bool) -> list[dict[str, Any]]:
    top = held.folder / below
    found = []
    for path in sorted(top.rglob("*") if recursive else top.iterdir() if top.is_dir() else []):
        where = path.relative_to(held.folder).as_posix()
        if path.is_dir():
            found.append({"type": "directory", "oid": "1" * 40, "size": 0, "path": where})
            continue
        content = path.read_bytes()
        entry: dict[str, Any] = {"type": "file", "oid": "0" * 40, "size": len(content), "path": where}
        if len(content) >= LARGE:
            entry["lfs"] = {"oid": _etag(content), "size": len(content), "pointerSize": 130}
        found.append(entry)
    return found


def card_of(folder: Path) -> Mapping[str, Any]:
    """The YAML at the top of a README."""
    path = folder / "README.md"
    return yaml.safe_load(path.read_text().split("---")[1]) if path.is_file() else {}


@contextmanager
def fake_hub(monkeypatch: pytest.MonkeyPatch, cache: Path) -> Iterator[FakeHub]:
    """A hub that the libraries of this process ask, with caches of their own."""
    import datasets
    import huggingface_hub
    from huggingface_hub import constants

    hub = FakeHub()
    hub.start()
    for module in (constants, datasets.config):
        monkeypatch.setattr(module, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(module, "HF_ENDPOINT" if module is datasets.config else "ENDPOINT", hub.address)
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub.address + "/{repo_id}/resolve/{revision}/{filename}"
    )
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache / "hub"))
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", cache / "datasets")
    unhurried = SimpleNamespace(**{**vars(time), "sleep": lambda _: None})
    monkeypatch.setattr("huggingface_hub.utils._http.time", unhurried)
    monkeypatch.setattr("huggingface_hub.file_download.time", unhurried)
    monkeypatch.setattr("harness.preparing.downloading.pause", lambda _: 0.0)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setenv("HF_ENDPOINT", hub.address)
    monkeypatch.setenv("HF_HUB_CACHE", str(cache / "hub"))
    huggingface_hub.HfFileSystem.clear_instance_cache()
    try:
        yield hub
    finally:
        hub.stop()
        huggingface_hub.HfFileSystem.clear_instance_cache()
