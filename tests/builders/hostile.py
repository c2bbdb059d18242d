"""Names that files of others may hold, and that nothing which shows them may obey."""

from dataclasses import replace
from typing import Any

from harness.records import CellResult
from tests.builders.cells import ACC, PROB, grown, task

TERMINAL = (
    "\x1b[31mred\x1b[0m",  # colours
    "\x1b]0;title\x07",  # the window's title
    "\x9b2J",  # clears the screen, in one character
    "a\rb",  # writes over what stands on the line
    "a\nerror: all results are wrong",  # a line that nobody said
    "a\tb\x08\x7f",
    "\u202egnp.exe",  # read from right to left
    "\u2028a\u200bb\ufeff",  # a line end and letters without a shape
    "half \ud83d of a pair",
)
BROWSER = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "$x^2$",
    ":material/home:",
    "**bold**",
    "[link](javascript:alert(1))",
)
MARKUP = (
    *BROWSER,
    "<b>bold</b>",
    "<a href='javascript:alert(1)'>here</a>",
    "a<br>b",
    "&lt;b&gt; &amp; <",
    "</td></table><h1>",
    "%{x} %{customdata} <extra>",
)
MARKDOWN = (
    "a|b",
    "a\\|b",
    "**bold** `code`",
    "![picture](https://example.org/x.png)",
    ":material/home: :red[a]",
)
FORMULAS = (
    "=1+1",
    '=HYPERLINK("http://example.org","here")',
    "+1-800",
    "-2+3+cmd|' /C calc'!A0",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "  =1",
    "'=1",
    "''=1",
    '"=1"',
    "＝1",
    "'\tfoo",
    "-",
    "--help",
)
HARMLESS = ("naïve", "日本語 ✓", "a-b", "pythia-70m", "-0.5", "-3e-7", "'quoted'", "क्\u200dष", "a\u00a0b", "5 = 5", "'")
"""Names that are shown as they are."""
NAMES = (*TERMINAL, *MARKUP, *MARKDOWN, *FORMULAS)
"""All that is no harmless name."""


def joined(*kinds: tuple[str, ...]) -> str:
    """One name of all of these; half a pair of surrogates is left out, for no file of text can hold it."""
    return " ".join(name for kind in kinds for name in kind if name.isascii() or "\ud83d" not in name)


def foreign(name: str, **changes: Any) -> list[CellResult]:
    """A family of eight sizes whose ability rises, in which `name` is in every name; `changes` go to each cell."""
    metrics = (replace(ACC, name=f"sharp {name}"), replace(PROB, name=f"smooth {name}"))
    right, smooth = (50, 52, 75, 90, 110, 125, 140, 160), (0.25, 0.28, 0.33, 0.38, 0.44, 0.5, 0.57, 0.7)
    made = grown(right, smooth=smooth, of=task(name, suite=name, metrics=metrics), prompt=name, **changes)
    return [
        replace(
            one,
            cell=replace(
                one.cell,
                model=replace(one.cell.model, name=f"{one.cell.model.params} {name}", family=f"family {name}"),
            ),
            scores=tuple(replace(s, metric=m.name) for s, m in zip(one.scores, metrics, strict=True)),
        )
        for one in made
    ]
