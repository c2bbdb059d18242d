"""Files that verbs write for the user."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.cli.output import say
from harness.errors import HarnessError
from harness.wording import defused

if TYPE_CHECKING:
    from harness.figures import Paper


def write_text(path: Path, text: str) -> None:
    """Write a text as UTF-8 with its line ends as they are; the old file stays when that fails.

    Raises:
        HarnessError: the file cannot be written.
    """
    write_bytes(path, text.encode(errors="backslashreplace"))  # half a pair of surrogates has no UTF-8


def csv_text(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> str:
    r"""Comma-separated, full precision, missing values empty; what a spreadsheet takes for a formula is no formula.

    >>> csv_text(["class", "f1"], [{"class": "=A1", "f1": 0.5}, {"class": "b"}])
    "class,f1\n'=A1,0.5\nb,\n"
    """
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        values = (row.get(name) for name in columns)
        writer.writerow([defused(value) if isinstance(value, str) else value for value in values])
    return sink.getvalue()


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file as a whole; the old file stays when that fails.

    Raises:
        HarnessError: the file cannot be written.
    """
    if not path.name:
        raise HarnessError(f"{path}: is a folder; expected a file")
    temporary = path.with_name(f".{path.name}.writing-{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise HarnessError(f"{path}: cannot be written: {error.strerror or error}") from error


def paper_of(
    figure: Path | None, width: str | None, font: float | None, option: str = "--figure FILE.svg, .pdf or .png"
) -> Paper | None:
    """The place in a paper for which a picture is asked; None when it is for a screen.

    Args:
        figure: file of the picture; None when there is none.
        width: what `--width` says.
        font: what `--font` says.
        option: how a picture is asked for.

    Raises:
        HarnessError: there is no picture, or nothing has such a width or such letters.
    """
    if width is None and font is None:
        return None
    from harness.figures import PICTURES, Paper

    if figure is None or figure.suffix.removeprefix(".").lower() not in PICTURES:
        raise HarnessError(f"{'--font' if width is None else '--width'} is for pictures: expected {option} beside it")
    usual = Paper()
    return Paper(width=width or usual.width, font=font or usual.font)


def write_figures(path: Path, drawn: Sequence[Any], title: str, paper: Paper | None = None) -> None:
    """Write figures to an HTML page, or a single one to a picture, and say so on stderr.

    Args:
        path: file to write; `.html` takes any number of figures, `.png`, `.svg` and `.pdf` take one.
        drawn: figures made by functions of `harness.figures`.
        title: title of the page.
        paper: the place in a paper that a picture has to fit; None draws it for a screen.

    Raises:
        HarnessError: there is nothing to draw, the file is of another kind, or cannot be written.
    """
    from harness.figures import PICTURES, caption, to_page, to_picture

    if not drawn:
        raise HarnessError(f"{path}: there is nothing to draw")
    kind = path.suffix.removeprefix(".").lower()
    if kind == "html":
        write_text(path, to_page(drawn, title))
    elif kind not in PICTURES:
        raise HarnessError(f"{path}: expected a file named .html, .{', .'.join(PICTURES)}")
    elif len(drawn) > 1:
        raise HarnessError(
            f"{path}: holds one figure, and there are {len(drawn)}: choose with --family, --task, --shots and "
            "--metric, or write to .html"
        )
    else:
        write_bytes(path, to_picture(drawn[0], kind, paper=paper))
    if paper is not None:
        say(f"caption: {caption(drawn[0])}")
    say(f"{len(drawn)} figure{'s' if len(drawn) > 1 else ''} written to {path}")
