"""The provider of names of others: each in every place of a results folder, through everything that shows one."""

from __future__ import annotations

import csv
import io
import json
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from functools import lru_cache, partial
from html.parser import HTMLParser
from pathlib import Path
from unittest.mock import patch

from markdown_it import MarkdownIt

from harness.analysis.curves import curves
from harness.analysis.verdict import CurveRow, study
from harness.cli import main
from harness.figures import curve_figure
from harness.report import report_page
from harness.store import Store
from harness.wording import defused, visible
from tests.builders import cell, failed
from tests.builders.hostile import NAMES, foreign
from tests.security import Case

KIND = "names that are shown"


def cases() -> Iterator[Case]:
    """Every name in everything that shows names."""
    for name in NAMES:
        for where, attempt in SHOWN.items():
            yield Case(KIND, ascii(name), where, partial(attempt, name))


def _can_be_written(name: str) -> str:
    """The name, without the half characters that no file holds."""
    return name.encode("utf-8", "ignore").decode() or "half"


@lru_cache(maxsize=1)
def _results(name: str) -> tuple[tempfile.TemporaryDirectory[str], Store]:
    folder = tempfile.TemporaryDirectory()
    store = Store(Path(folder.name) / "results")
    for one in foreign(_can_be_written(name)):
        store.write(replace(one, samples=()))
    store.write(failed(cell(task=_can_be_written(name)), error=_can_be_written(name), message=_can_be_written(name)))
    return folder, store


def _called(name: str, *arguments: str) -> tuple[str, str]:
    _, store = _results(name)
    out, err = io.StringIO(), io.StringIO()
    line = ["emergence", *arguments, "--results", str(store.root)]
    with patch("sys.argv", line), redirect_stdout(out), redirect_stderr(err):
        try:
            main()
        except SystemExit as end:
            if end.code not in (0, None):
                err.write(f"\nended with {end.code}")
    return out.getvalue(), err.getvalue()


def _on_a_terminal(*arguments: str) -> Callable[[str], str | None]:
    def attempt(name: str) -> str | None:
        out, err = _called(name, *arguments)
        for line in (*out.split("\n"), *err.split("\n")):
            if visible(line) != line:
                return f"a line that a terminal obeys: {line[:200]!r}"
        return None if "ended with" not in err else err[-200:]

    return attempt


def _in_csv(name: str) -> str | None:
    out, _ = _called(name, "leaderboard", "--format", "csv")
    for row in csv.reader(io.StringIO(out, newline="")):
        for field in row:
            # a spreadsheet that takes semicolons for separators splits a field again
            if any(defused(part)[:1] == "'" != part[:1] for part in re.split(r"[;\t\r\n]", field)):
                return f"a formula: {field[:100]!r}"
    return None


def _in_markdown(name: str) -> str | None:
    out, _ = _called(name, "leaderboard", "--format", "markdown")
    harmless, _ = _called("harmless", "leaderboard", "--format", "markdown")
    kinds = [[token.type for token in _tokens(text)] for text in (out, harmless)]
    return None if kinds[0] == kinds[1] else "a name became more than text"


def _tokens(text: str) -> list[object]:
    tokens = MarkdownIt("gfm-like", {"linkify": False, "html": True}).parse(text)
    return [inner for token in tokens for inner in (token, *(token.children or ()))]


class _Elements(HTMLParser):
    """The elements of a page with the names of their attributes, and where its links lead."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, tuple[str, ...]]] = []
        self.links: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, tuple(sorted(name for name, _ in attrs))))
        self.links += [value or "" for key, value in attrs if key in ("href", "src", "action")]


def _in_the_report(name: str) -> str | None:
    pages = [
        _Elements(report_page(study(foreign(text), [failed(cell(task=text), error=text, message=text)]), title=text))
        for text in (_can_be_written(name), "harmless")
    ]
    if pages[0].found != pages[1].found:
        return "a name became an element"
    return next((f"a link to {link!r}" for link in pages[0].links if not link.startswith("#")), None)


def _in_a_figure(name: str) -> str | None:
    figure = curve_figure([CurveRow(curve=curve) for curve in curves(foreign(_can_be_written(name)))])
    drawn = json.loads(figure.to_json())
    drawn["layout"].pop("meta")  # is not drawn: pages write it as a heading of theirs
    for text in _texts(drawn):
        if any(sign in text for sign in ("<script", "<img", "<a href", "<h1", "</td")) or visible(text) != text:
            return f"drawn as more than text: {text[:100]!r}"
    return None


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)


SHOWN: Mapping[str, Callable[[str], str | None]] = {
    "status": _on_a_terminal("status"),
    "curves": _on_a_terminal("curves"),
    "verdicts": _on_a_terminal("verdicts", "--reasons"),
    "leaderboard": _on_a_terminal("leaderboard", "--format", "text"),
    "JSON": _on_a_terminal("leaderboard", "--format", "json"),
    "CSV": _in_csv,
    "Markdown": _in_markdown,
    "the report": _in_the_report,
    "a figure": _in_a_figure,
}
"""What shows names -> tries one there."""
