r"""Tables for papers: the wide leaderboard and the verdicts as LaTeX with booktabs."""

from __future__ import annotations

import re
from collections.abc import Sequence

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
}
_SIGNS = re.compile("|".join(map(re.escape, _SPECIAL)))
_NUMBER = re.compile(r"[-+<]?[\d.,]+(e-?\d+)?[kMBT%]?")


def escaped(text: str) -> str:
    r"""A text as LaTeX prints it.

    >>> escaped("acc_norm 50% {a}")
    'acc\\_norm 50\\% \\{a\\}'
    """
    return _SIGNS.sub(lambda sign: _SPECIAL[sign[0]], text)


def latex_table(head: Sequence[str], rows: Sequence[Sequence[str]], caption: str) -> str:
    """A table with the rules of booktabs; columns of numbers are set flush right.

    Args:
        head: names of the columns.
        rows: cells as people read them.
        caption: what the table shows, in one sentence.
    """
    right = [all(_NUMBER.fullmatch(row[i]) or row[i] in ("", "-") for row in rows) for i in range(len(head))]
    lines = [
        r"% needs \usepackage{booktabs}",
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{escaped(caption)}}}",
        rf"\begin{{tabular}}{{{''.join('r' if one else 'l' for one in right)}}}",
        r"\toprule",
        _line(head),
        r"\midrule",
        *map(_line, rows),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[str]) -> str:
    return " & ".join(map(escaped, cells)) + r" \\"
