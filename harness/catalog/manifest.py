"""The manifest of a mirror: which models and data sets `emergence prepare` put there, at which commit of the hub."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from harness.bounded.files import kind_of, read_bytes
from harness.bounded.json_text import parsed_json
from harness.bounded.limits import RECORD_BYTES, UnreadableError
from harness.errors import CatalogError
from harness.wording import count, quoted

FILE = "emergence-mirror.json"
"""Name of the manifest in a mirror."""
SCHEMA = 1

RepositoryKind = Literal["model", "data set"]


@dataclass(frozen=True, kw_only=True, slots=True)
class MirroredFile:
    """One file of a repository, as it was downloaded."""

    path: str
    """Path below the folder of its repository, with `/`."""
    bytes: int
    """Size."""
    sha256: str
    """SHA-256 of its bytes, 64 hex digits."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Repository:
    """A model or a data set of the hub in a mirror."""

    kind: RepositoryKind
    """What it is."""
    name: str
    """Name on the hub."""
    asked: str
    """Branch, tag or commit that was asked for."""
    revision: str
    """Commit that it stood for."""
    folder: str
    """Folder below that of the mirror, with `/`."""
    files: tuple[MirroredFile, ...]
    """Its files, in the order of their paths."""
    parts: tuple[str | None, ...] = ()
    """Parts of a data set that are complete, by their names; None for the only one. Empty for a model."""
    licence: str | None = None
    """Licence that its card gives; None when it gives none."""
    prepared_at: str = ""
    """When its last file came (UTC, ISO 8601)."""
    versions: Mapping[str, str] | None = None
    """Package -> version that downloaded it; None when not known."""

    def changed(self, folder: Path) -> str | None:
        """What is other than when it was downloaded, by sizes alone; None when nothing is.

        Args:
            folder: the folder of the mirror.
        """
        for file in self.files:
            path = folder / self.folder / file.path
            try:
                size = path.stat().st_size
            except OSError:
                return f"{path}: is missing, and {FILE} names it"
            if size != file.bytes:
                return f"{path}: has {count(size)} bytes, and {count(file.bytes)} by {FILE}"
        return None


def read_manifest(folder: Path) -> tuple[Repository, ...]:
    """What the manifest of a mirror names; nothing for a folder that has none.

    Raises:
        CatalogError: it is there and cannot be read, or is no manifest.
    """
    path = folder / FILE
    try:
        if kind_of(path) is None:
            return ()
        content = parsed_json(read_bytes(path, RECORD_BYTES))
    except UnreadableError as error:
        raise CatalogError(f"{path}: {error}") from error
    schema = content.get("schema") if isinstance(content, dict) else None
    if schema != SCHEMA:
        raise CatalogError(f"{path}: `schema` is {quoted(schema)}; expected {SCHEMA}, as `emergence prepare` writes it")
    try:
        return tuple(_repository(entry) for entry in content["repositories"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CatalogError(f"{path}: is no manifest of a mirror; make it again with `emergence prepare`") from error


def manifest_text(repositories: Iterable[Repository]) -> str:
    """The manifest of a mirror that holds these, as its file has it."""
    entries = [asdict(each) for each in sorted(repositories, key=lambda each: (each.kind, each.folder))]
    return json.dumps({"schema": SCHEMA, "repositories": entries}, indent=1, ensure_ascii=False) + "\n"


def _repository(entry: Mapping[str, Any]) -> Repository:
    texts = {name: entry[name] for name in ("kind", "name", "asked", "revision", "folder")}
    if not all(isinstance(text, str) for text in texts.values()) or texts["kind"] not in ("model", "data set"):
        raise ValueError("expected texts")
    files = tuple(
        MirroredFile(path=str(file["path"]), bytes=int(file["bytes"]), sha256=str(file["sha256"]))
        for file in entry["files"]
    )
    places = (texts["folder"], *(file.path for file in files))
    if any(part in ("", ".", "..") for place in places for part in place.split("/")):
        raise ValueError("expected folders and files below the mirror")
    return Repository(
        **texts,
        files=files,
        parts=tuple(part if part is None else str(part) for part in entry.get("parts", ())),
        licence=entry.get("licence"),
        prepared_at=str(entry.get("prepared_at", "")),
        versions=entry.get("versions"),
    )
