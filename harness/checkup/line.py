"""One line of a checkup."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckupLine:
    """One thing that was looked at."""

    about: str
    """What, in a word or two."""
    state: Literal["ok", "missing", "optional"]
    """`missing` stops runs; `optional` is missing too, and only some runs need it."""
    found: str
    """What was found, in words."""
    todo: str = ""
    """What to do about it; empty where there is nothing to do."""
