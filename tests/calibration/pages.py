"""Sections of a page in Markdown, each written by a command of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.calibration.table import markdown

_SECTION = "\n## "


def sections_of(path: Path) -> str:
    """Everything from the first section of the page on; empty when there is none."""
    _, mark, sections = path.read_text(encoding="utf-8").partition(_SECTION) if path.exists() else ("", "", "")
    return mark + sections


def write_section(path: Path, title: str, text: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a section with a table, in place of the one with the same title, or at the end of the page.

    Args:
        path: the page.
        title: of the section.
        text: what stands before the table.
        head: names of the columns.
        rows: one cell per column.
    """
    start, *sections = (path.read_text(encoding="utf-8") if path.exists() else "").split(_SECTION)
    made = f"{title}\n\n{text}\n\n{markdown(head, rows)}\n"
    titles = [section.split("\n", 1)[0] for section in sections]
    if title in titles:
        sections[titles.index(title)] = made
    else:
        sections.append(made)
    path.write_text(_SECTION.join([start.rstrip("\n") + "\n", *(s.rstrip("\n") + "\n" for s in sections)]), "utf-8")
