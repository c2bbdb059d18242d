"""Where everything lies below a results folder, and how its files are found.

    results/<family>/<org--model>@<revision>[+variant]/<task>/<shots>shot-<prompt>-seed<k>-<key8>/
        cell.json          self-describing header, written last: where it is, the cell is complete
        samples.parquet    one row per document
        failure.json       instead of both, when the cell failed
    results/.runs/         what each run was to evaluate and how far it is (see `runs.record`)
    results/.imported/     copies of the files of other programs from which cells were read
    results/.judged/       verdicts on the cells, so that nobody judges them twice (see `kept_verdicts`)
    results/.variants/     what was trained for cells, so that nobody trains it twice (see `store.variants`)

Merging two results folders is copying them together. Records of runs and verdicts can be deleted at any
time, and variants while no run goes on.
"""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from harness.bounded.limits import FOLDERS
from harness.plan import Cell
from harness.wording import letters_of

HEADER = "cell.json"
SAMPLES = "samples.parquet"
FAILURE = "failure.json"
RUNS = ".runs"
SOURCES = ".imported"
_MOST_BYTES = 120
"""Of a name that is not ASCII, as a part of a path: file systems take 255 for a whole part, which may hold two."""
JUDGED = ".judged"
TRAINED = ".variants"


def cell_folder(root: Path, cell: Cell) -> Path:
    """Folder of one cell below the results folder `root`."""
    folder = _folder(root, cell, path_part)
    if folder.relative_to(root).as_posix().isascii():
        return folder
    # until names of all scripts were folders, `_` stood for what is not ASCII: such results stay where they are
    older = _folder(root, cell, _ascii_part)
    return older if older.is_dir() else folder


def path_part(name: str) -> str:
    """A name as one component of a path: letters of any script, no separators, not hidden, never empty or too long.

    >>> path_part("org/model v2"), path_part("../etc"), path_part("数学 1")
    ('org_model_v2', '_etc', '数学_1')
    """
    part = letters_of(unicodedata.normalize("NFC", name), "._=-", "_").lstrip(".") or "_"
    if part.isascii() or len(part.encode()) <= _MOST_BYTES:
        return part
    begun = part.encode()[:_MOST_BYTES].decode(errors="ignore")
    return f"{begun}-{hashlib.sha256(name.encode(errors='surrogatepass')).hexdigest()[:8]}"


def _ascii_part(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._=-]+", "_", name).lstrip(".") or "_"


def _folder(root: Path, cell: Cell, part: Callable[[str], str]) -> Path:
    model = f"{part(cell.model.name.replace('/', '--'))}@{part(cell.model.revision[:12])}"
    if cell.model.variant:
        model += f"+{part(cell.model.variant)}"
    name = f"{cell.shots}shot-{part(cell.prompt)}-seed{cell.seed}-{cell.key[:8]}"
    return root / part(cell.model.family) / model / part(cell.task) / name


def cell_files(folder: str | Path) -> Iterator[tuple[os.DirEntry[str], os.DirEntry[str] | None]]:
    """Header and failure files below a folder, ordered by path, each with the samples that lie beside it, if any.

    A folder that lies deeper than allowed comes in place of what it holds. Not `os.walk`: the dashboard looks at each
    click whether anything changed, and this takes half the time.
    """
    deepest = FOLDERS.allowed
    waiting: list[tuple[str | Path, int]] = [(folder, 1)]
    while waiting:
        here, depth = waiting.pop()
        try:
            with os.scandir(here) as listing:
                entries = {entry.name: entry for entry in listing}
        except OSError:
            continue
        for name in (HEADER, FAILURE):
            if name in entries:
                yield entries[name], entries.get(SAMPLES)
                break  # a header next to a failure means that a later attempt went well
        # the folder of a cell is never hidden; hidden ones hold the records of runs, or are not ours
        inside = [
            entries[name]
            for name in sorted(entries, reverse=True)
            if not name.startswith(".") and entries[name].is_dir(follow_symlinks=False)
        ]
        if depth < deepest:
            waiting += [(entry.path, depth + 1) for entry in inside]
        else:
            yield from ((entry, None) for entry in reversed(inside))


def newest_records(root: Path, most: int) -> list[Path]:
    """Files of the run records that were written last, the newest first, at most `most`."""
    found: list[tuple[int, Path]] = []
    with suppress(OSError), os.scandir(root / RUNS) as listing:
        for entry in listing:
            if entry.name.endswith(".json") and not entry.name.startswith(".") and entry.is_file(follow_symlinks=False):
                with suppress(FileNotFoundError):
                    found.append((entry.stat().st_mtime_ns, Path(entry.path)))
    return [path for _, path in sorted(found, reverse=True)[:most]]
