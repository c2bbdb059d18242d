"""Finds the result files of other programs, and reads each as the format that it has."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.bounded.files import files_below, kind_of, read_bytes
from harness.bounded.json_text import parsed_json
from harness.bounded.limits import RESULT_FILE_BYTES, UnreadableError
from harness.errors import HarnessError
from harness.exchange import lm_eval_results
from harness.exchange.types import Published

_DATED = re.compile(r"results_(?P<date>.+)\.json")
"""Name of a result file of lm-eval 0.4; its sample files have the same date."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ResultFile:
    """A file that was read."""

    path: Path
    """Where it lies."""
    content: bytes
    """Its bytes."""
    sha256: str
    """Their hash, in 64 hex digits."""
    modified: float
    """When it was written, in seconds since 1970."""
    tool: str | None
    """Program that wrote it; None for a JSON file that is no result file."""
    raw: Any
    """The JSON value in it."""
    samples: Mapping[str, Path]
    """Task -> file with its documents, where there is one."""

    def published(self) -> Iterator[Published]:
        """Its results.

        Raises:
            HarnessError: a value in it is not what the program writes there.
        """
        return lm_eval_results.published(self.raw, str(self.path))

    @property
    def means(self) -> int:
        """Number of rows that are means over others."""
        return lm_eval_results.groups(self.raw)


def result_files(paths: Sequence[Path]) -> Iterator[tuple[Path, bool]]:
    """Each JSON file once, and whether the user named it, in place of its folder.

    Raises:
        HarnessError: there is no such file or folder, or it cannot be read.
    """
    seen: set[Path] = set()
    for place in paths:
        try:
            kind = kind_of(place)
            if kind is None:
                raise UnreadableError("no such file or folder")
            found = [p for p in files_below(place) if p.suffix == ".json"] if kind == "a folder" else [place]
        except UnreadableError as error:
            raise HarnessError(f"{place}: {error}") from error
        for path in sorted(found):
            if path not in seen:
                seen.add(path)
                yield path, kind != "a folder"


def read_file(path: Path) -> ResultFile:
    """A JSON file.

    Raises:
        HarnessError: it cannot be read, or is no JSON.
    """
    try:
        content = read_bytes(path, RESULT_FILE_BYTES)
        raw = parsed_json(content)
        modified = path.stat().st_mtime
    except (UnreadableError, OSError) as error:
        raise HarnessError(f"{path}: {error}") from error
    is_known = lm_eval_results.is_results(raw)
    return ResultFile(
        path=path,
        content=content,
        sha256=hashlib.sha256(content).hexdigest(),
        modified=modified,
        tool=lm_eval_results.TOOL if is_known else None,
        raw=raw,
        samples=_samples(path, raw) if is_known else {},
    )


def _samples(path: Path, raw: Mapping[str, Any]) -> dict[str, Path]:
    """The sample files that lie beside a result file and have its date."""
    named = _DATED.fullmatch(path.name)
    if named is None:
        return {}
    beside = {task: path.with_name(f"samples_{task}_{named['date']}.jsonl") for task in raw["results"]}
    return {task: file for task, file in beside.items() if "/" not in str(task) and file.exists()}
