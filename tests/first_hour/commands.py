"""The commands of README and documentation: those in blocks of a shell, and those that stand in a sentence."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
_BLOCK = re.compile(r"^```(?:sh|bash|shell|console)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_ANY_BLOCK = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
_INLINE = re.compile(r"`((?:emergence|make|pip|hf|python3?) [^`]+)`")


class Command(NamedTuple):
    """One line that a reader would copy."""

    page: str
    """Where it stands."""
    text: str
    """The command without its comment."""

    @property
    def words(self) -> list[str]:
        """Its words, as a shell would read them."""
        return shlex.split(self.text)


def commands() -> list[Command]:
    """Every command once, with the first page it stands on."""
    found: dict[str, Command] = {}
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        lines = [line for block in _BLOCK.findall(text) for line in block.replace("\\\n", " ").splitlines()]
        lines += _INLINE.findall(" ".join(_ANY_BLOCK.sub("", text).split()))
        for line in lines:
            # a comment begins where a shell begins one, and never inside quotes
            words = shlex.split(line, comments=True)
            if words:
                command = " ".join(line.split(" #")[0].split()) if "#" in line else " ".join(line.split())
                found.setdefault(command, Command(str(page.relative_to(ROOT)), command))
    return list(found.values())
