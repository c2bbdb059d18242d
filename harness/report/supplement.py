"""Everything behind a figure in one zip archive, for the supplement of a paper: same results, same bytes."""

from __future__ import annotations

import io
import platform
import zipfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from typing import Any

import pandas as pd

from harness import figures
from harness.analysis.curves import Curve
from harness.analysis.curves.frame import frame, point_rows
from harness.analysis.verdict import Judged, to_json
from harness.leaderboard import to_csv
from harness.records import CellResult
from harness.version import __version__
from harness.wording import visible_json

_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The date of every file in the archive, the first that the format can hold."""
_PACKAGES = ("numpy", "pandas", "plotly", "scipy")
"""Packages that the numbers and the figure depend on."""


def figure_supplement(
    drawn: Sequence[Curve],
    pictures: Sequence[Any],
    judged: Iterable[Judged],
    *,
    command: str,
    results: Iterable[CellResult] = (),
    notes: Sequence[str] = (),
) -> bytes:
    """The archive: figure, its points, the scores behind them, verdicts, and how all this was made.

    Args:
        drawn: the curves of the figure.
        pictures: the figure, or several, made by functions of `harness.figures`.
        judged: verdicts on curves; those on curves of the figure are kept.
        command: the command that made the figure.
        results: cells from which the curves were drawn up; none where they came from a table.
        notes: what else a reader should know, a sentence each.
    """
    shown = {(*curve.setting, curve.metric.name) for curve in drawn}
    verdicts = [to_json(row) for row in judged if (*row.curve.setting, row.curve.metric.name) in shown]
    rows = point_rows(drawn)
    cells = _behind(drawn, results)
    files = {
        **_pictures(pictures),
        "figure.html": figures.to_page(pictures, "Figure").encode(),
        "points.csv": _text(to_csv(pd.DataFrame([{**row, "runs": len(row["runs"])} for row in rows]))),
        "verdicts.json": _text(visible_json(verdicts, indent=1) + "\n"),
        "provenance.json": _text(visible_json(_provenance(command, cells), indent=1) + "\n"),
    }
    if runs := [{**_point(row), **run} for row in rows for run in row["runs"] if len(row["runs"]) > 1]:
        files["runs.csv"] = _text(to_csv(pd.DataFrame(runs)))
    if cells:
        files["results.csv"] = _text(to_csv(frame(cells)))
    return _archive({"README.txt": _text(_readme(files, command, notes)), **files})


def _pictures(drawn: Sequence[Any]) -> dict[str, bytes]:
    """Each figure as SVG, which is the same on every machine."""
    names = ["figure.svg"] if len(drawn) == 1 else [f"figure-{number}.svg" for number in range(1, len(drawn) + 1)]
    return {name: figures.to_picture(figure, "svg") for name, figure in zip(names, drawn, strict=True)}


def _text(text: str) -> bytes:
    return text.encode(errors="backslashreplace")  # half a pair of surrogates has no UTF-8


_CONTENTS = {
    "figure.svg": "the figure as a picture",
    "figure-1.svg": "the first figure as a picture, and so on",
    "figure.html": "the same, with a label at each point; open it in a browser, no network is needed",
    "points.csv": "every point of the figure with its 95 % interval, a row each; runs is the number of training runs",
    "runs.csv": "every training run of the points that have several",
    "results.csv": "every score behind the points, a row per cell and metric; `emergence curves --table results.csv`, "
    "with the same choices, draws the figure again, and `emergence verdicts --table results.csv` judges it",
    "verdicts.json": "what was concluded from each curve of the figure: label, threshold, evidence, reasons",
    "provenance.json": "the command, versions of programs, and files of others from which results were read",
}


def _readme(files: Mapping[str, bytes], command: str, notes: Sequence[str]) -> str:
    lines = ["This archive holds everything behind a figure.", ""]
    lines += [f"{name}: {what}." for name, what in _CONTENTS.items() if name in files]
    lines += ["", f"Made by emergence-harness {__version__} with this command:", "", f"    {command}", ""]
    lines += [f"{note}" for note in notes]
    return "\n".join(lines).rstrip() + "\n"


def _behind(drawn: Sequence[Curve], results: Iterable[CellResult]) -> list[CellResult]:
    """The cells whose scores lie on the curves, or would if their model had a place on the axis."""
    asked = {(curve.family, curve.task, curve.shots, curve.prompt) for curve in drawn if curve.source is None}
    cells = ((one, one.cell) for one in results)
    return [one for one, cell in cells if (cell.model.family, cell.task, cell.shots, cell.prompt) in asked]


def _point(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "runs"}


def _provenance(command: str, cells: Sequence[CellResult]) -> dict[str, Any]:
    ran = [one.provenance for one in cells]
    sources = {one.source.sha256: one.source for one in ran if one.source is not None}
    return {
        "command": command,
        "drawn_with": {
            "emergence-harness": __version__,
            "python": platform.python_version(),
            **{name: metadata.version(name) for name in _PACKAGES},
        },
        "evaluated_with": {
            "engine": _counts(one.cell.engine for one in cells),
            "dtype": _counts(one.cell.model.dtype for one in cells),
            "device": _counts(one.device for one in ran),
            "code": _counts(one.git_commit or "outside a repository" for one in ran),
            "versions": _counts(f"{name} {version}" for one in ran for name, version in one.versions.items()),
        },
        "read_from": [
            {
                "tool": one.tool,
                "version": one.tool_version,
                "file": one.file,
                "sha256": one.sha256,
                "licence": one.licence,
            }
            for one in sorted(sources.values(), key=lambda one: (one.file, one.sha256))
        ],
    }


def _counts(values: Iterable[str]) -> dict[str, int]:
    """Value -> number of results."""
    return dict(sorted(Counter(values).items()))


def _archive(files: Mapping[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr, entry.create_system = 0o644 << 16, 3
            archive.writestr(entry, data, zipfile.ZIP_DEFLATED, 6)
    return content.getvalue()
