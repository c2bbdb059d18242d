"""A command of the program in a process of its own, with what it took and whether it ended as it must."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from harness.wording import visible

MOST_SECONDS = 10.0
"""Within which a command says what is wrong with a file."""
MOST_MEGABYTES = 1_000
"""Memory of a file's own that a command may take, besides what it takes for a good one."""
_PATIENCE = 900.0  # on the clock, which on a busy machine says little
_LONGEST_LINE = 6_000
# In a small process of its own: a process counts as its own memory what the one that started it had at that moment.
_MEASURE = """
import json, resource, subprocess, sys
path, patience, *line = sys.argv[1:]
try:
    code = subprocess.run(line, timeout=float(patience)).returncode
except subprocess.TimeoutExpired:
    code = -9
used = resource.getrusage(resource.RUSAGE_CHILDREN)
with open(path, "w") as file:
    json.dump([code, used.ru_utime + used.ru_stime, used.ru_maxrss / 1e3], file)
"""


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    """Exit code; negative for a signal."""
    out: str
    """Standard output."""
    err: str
    """Standard error."""
    seconds: float
    """Processor time, which does not depend on what else the machine does; one that waits is killed in the end."""
    megabytes: float
    """Most memory at one moment."""


def command(arguments: Sequence[str | Path], folder: Path) -> Ended:
    """`emergence` with these arguments in a folder, killed after a minute."""
    out, err, used = (folder / name for name in ("out.log", "err.log", "used.json"))
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    line = [sys.executable, "-m", "harness", *map(str, arguments)]
    with out.open("wb") as to_out, err.open("wb") as to_err:
        measuring = [sys.executable, "-I", "-c", _MEASURE, str(used), str(_PATIENCE), *line]
        subprocess.run(measuring, cwd=folder, stdout=to_out, stderr=to_err, env=environment, check=True)
    code, seconds, megabytes = json.loads(used.read_text())
    texts = [path.read_text(errors="surrogateescape")[:1_000_000] for path in (out, err)]
    return Ended(code, *texts, seconds, megabytes)


def harm(ended: Ended, usual: Ended, *, code: int = 2) -> str | None:
    """What is wrong with a command's end: it took long or much memory, gave a traceback, or says nothing.

    Args:
        ended: the command with a hostile file.
        usual: the same with a good one.
        code: the exit code that it must have.
    """
    extra = ended.megabytes - usual.megabytes
    if ended.seconds > MOST_SECONDS + usual.seconds:
        return f"took {ended.seconds:.0f} s"
    if extra > MOST_MEGABYTES:
        return f"took {extra:,.0f} MB more than a good file"
    if ended.code != code:
        return f"ended with {ended.code}, not {code}: {ended.err[-300:]!r}"
    lines = ended.err.splitlines()
    if "Traceback" in ended.err or (code and not lines):  # what goes on may pass over a file that is none
        return f"no sentence: {ended.err[-300:]!r}"
    if any(visible(line) != line or len(line) > _LONGEST_LINE for line in (*lines, *ended.out.splitlines())):
        return f"a line that is no printable one: {ended.err[:300]!r}"
    return None
