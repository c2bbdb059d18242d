"""Results in an object store: a local copy that is brought up to date before it is read, and sent on after each write.

    s3://bucket/run/<family>/<model>/<task>/<cell>/cell.json      as in a folder (see `store.layout`)

The promises are those of a folder: the header of a cell is sent last, so a cell is complete or absent, also for
readers who come in between. Whatever cannot be sent ends the run, as a full disk does. Several runs below one address
take cells by leases, where the store has conditional writes (see `store.lease_files`).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from harness.errors import StoreError
from harness.store.files import replace_file
from harness.store.layout import FAILURE, HEADER, RUNS, SAMPLES, cell_files

BUCKET_ADDRESS = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]+):/+(?P<rest>.*)", re.IGNORECASE)
"""The address of an object store, also as `Path` writes it: `s3:/bucket/run`."""
CACHE = "EMERGENCE_CACHE"
"""Variable with the folder of the local copies; the user's cache folder where it is not set."""
_SCHEMES = {"s3": "s3fs", "gs": "gcsfs", "memory": "fsspec"}
"""Scheme of an address -> the package that reaches it."""
_SEEN = ".seen.json"
"""In the local copy: what each file was at the other end when it was fetched or sent."""
_ORDER = (SAMPLES, FAILURE, HEADER)
"""Files of a cell in the order in which they travel: a header never comes before its samples."""


class Bucket:
    """One address, and its local copy."""

    def __init__(self, address: str) -> None:
        """Reach the address; nothing is fetched yet.

        Raises:
            StoreError: the package for it is not installed, or it cannot be reached.
        """
        found = BUCKET_ADDRESS.match(address)
        assert found is not None
        scheme, rest = found["scheme"].lower(), found["rest"].rstrip("/")
        self.address = f"{scheme}://{rest}"
        if scheme not in _SCHEMES:
            known = ", ".join(f"{name}://" for name in ("s3", "gs"))
            raise StoreError(f"{self.address}: results are kept in a folder, or below {known}; expected one of these")
        try:
            import fsspec

            with self._reported():
                self._files: Any = fsspec.filesystem(scheme, use_listings_cache=False)
        except ImportError as error:
            needed = _SCHEMES[scheme]
            raise StoreError(f"{self.address}: reaching it takes the package {needed}: pip install {needed}") from error
        self._root = rest
        self._sending = threading.Lock()
        self.local = _cache() / hashlib.sha256(self.address.encode()).hexdigest()[:16]

    def fetch(self) -> None:
        """Bring the local copy up to date: fetch what is new or changed, and remove what is gone.

        Raises:
            StoreError: the address cannot be reached or read.
        """
        seen = self._seen()  # before the list, so that what another process sends meanwhile is not taken for gone
        with self._reported():
            there = {name: _mark(info) for name, info in self._listed()}
        for name in sorted(there, key=lambda name: _ORDER.index(_kind(name))):
            path = self.local / name
            if seen.get(name) != there[name] or not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                with self._reported():
                    content = self._files.cat_file(f"{self._root}/{name}")
                replace_file(path, content, to_disk=False)
        for name in seen.keys() - there.keys():
            with suppress(OSError):
                (self.local / name).unlink()
        self._remember(there)

    def send(self, folder: Path) -> None:
        """Send the files of a folder of the local copy, and remove at the other end what is gone from it.

        Raises:
            StoreError: something cannot be sent; what was sent before counts only if the header is among it.
        """
        changed: dict[str, str | None] = {}
        for kind in _ORDER:
            path = folder / kind
            name = path.relative_to(self.local).as_posix()
            if path.exists():
                changed[name] = self._put(name, path.read_bytes())
            elif kind == FAILURE and name in self._seen():
                with self._reported():
                    self._files.rm_file(f"{self._root}/{name}")
                changed[name] = None
        with self._sending:  # several threads write cells
            self._remember({**self._seen(), **changed})

    def send_rest(self) -> None:
        """Send cells that an earlier run wrote here and could not send before it ended.

        Raises:
            StoreError: they cannot be sent.
        """
        seen = self._seen()
        for entry, _ in cell_files(self.local):
            path = Path(entry.path)
            if path.relative_to(self.local).as_posix() not in seen and path.name in (HEADER, FAILURE):
                self.send(path.parent)

    def send_file(self, path: Path) -> None:
        """Send one file of the local copy, such as the record of a run.

        Raises:
            StoreError: it cannot be sent.
        """
        self._put(path.relative_to(self.local).as_posix(), path.read_bytes())

    def fetch_cell(self, folder: Path) -> None:
        """Bring the files of one cell up to date in the local copy, the header last.

        Raises:
            StoreError: they cannot be read.
        """
        for kind in (SAMPLES, HEADER):
            path = folder / kind
            content = self.read(path.relative_to(self.local).as_posix())
            if content is None:
                return
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(path, content, to_disk=False)

    def create(self, name: str, content: bytes) -> bool:
        """Make an object, unless there is one of that name: then False.

        Raises:
            StoreError: it cannot be written.
        """
        try:
            with self._reported():
                self._files.pipe_file(f"{self._root}/{name}", content, mode="create")
            return True
        except FileExistsError:
            return False

    def read(self, name: str, *, most: int | None = None) -> bytes | None:
        """An object, or its first bytes; None when there is none.

        Raises:
            StoreError: it cannot be read.
        """
        try:
            with self._reported():
                content: bytes = self._files.cat_file(f"{self._root}/{name}", end=most)
        except FileNotFoundError:
            return None
        return content

    def write(self, name: str, content: bytes) -> None:
        """Write an object that is no result.

        Raises:
            StoreError: it cannot be written.
        """
        with self._reported():
            self._files.pipe_file(f"{self._root}/{name}", content)

    def remove(self, name: str) -> None:
        """Remove an object that may be gone already.

        Raises:
            StoreError: it cannot be removed.
        """
        with suppress(FileNotFoundError), self._reported():
            self._files.rm_file(f"{self._root}/{name}")

    def names_below(self, folder: str) -> list[str]:
        """Names of the objects in one folder.

        Raises:
            StoreError: they cannot be listed.
        """
        with suppress(FileNotFoundError), self._reported():
            return [path.rpartition("/")[2] for path in self._files.find(f"{self._root}/{folder}")]
        return []

    def check_writable(self) -> None:
        """Find out before hours of work whether results can be sent.

        Raises:
            StoreError: they cannot.
        """
        probe = f"{self._root}/.writing-{os.getpid()}"
        with self._reported():
            self._files.pipe_file(probe, b"")
            self._files.rm_file(probe)

    def _put(self, name: str, content: bytes) -> str:
        with self._reported():
            self._files.pipe_file(f"{self._root}/{name}", content)
            return _mark(self._files.info(f"{self._root}/{name}"))

    def _listed(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Files of ours below the address, by their path below it."""
        try:
            listing = self._files.find(self._root, detail=True)
        except FileNotFoundError:
            return
        root = self._root.strip("/")
        for path, info in listing.items():
            name = path.strip("/").removeprefix(root).lstrip("/")
            parts = name.split("/")
            ours = parts[-1] in _ORDER or (parts[0] == RUNS and parts[-1].endswith(".json"))
            if ours and not any(part in ("", ".", "..") or "\\" in part or "\0" in part for part in parts):
                yield name, info

    def _seen(self) -> dict[str, str]:
        try:
            seen = json.loads((self.local / _SEEN).read_bytes())
        except (OSError, ValueError):
            return {}
        return seen if isinstance(seen, dict) else {}

    def _remember(self, seen: dict[str, str | None] | dict[str, str]) -> None:
        self.local.mkdir(parents=True, exist_ok=True, mode=0o700)
        kept = {name: mark for name, mark in seen.items() if mark is not None}
        replace_file(self.local / _SEEN, json.dumps(kept).encode(), to_disk=False)

    @contextmanager
    def _reported(self) -> Iterator[None]:
        """Turns what goes wrong at the other end into one line; each library has errors of its own."""
        try:
            yield
        except (StoreError, FileNotFoundError, FileExistsError, ImportError):
            raise
        except Exception as error:
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise StoreError(f"{self.address}: cannot be reached or written: {lines[0]}") from error


def _kind(name: str) -> str:
    last = name.rpartition("/")[2]
    return last if last in _ORDER else HEADER


def _mark(info: dict[str, Any]) -> str:
    """What tells one version of a file from another: its digest where the store has one, and its size."""
    digest = next((info[key] for key in ("ETag", "etag", "md5Hash", "LastModified", "created") if info.get(key)), "")
    return f"{digest} {info.get('size')}"


def _cache() -> Path:
    usual = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "emergence"
    return Path(os.environ.get(CACHE) or usual) / "results"
