"""The fence around the process that computes what other people wrote (see `limited`): what the kernel lets it do.

That process reads Python's own files and installed packages, since it imports some of them when it is first asked for
what needs them. Beyond the pipes to the harness it needs nothing else, so where the kernel has Landlock and seccomp it
opens no other file, changes none, and has no network, no other process and no other system call than a program of the
sandbox has (see `kernel` and `calls`).
"""

from __future__ import annotations

import functools
import importlib.util
import os
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from harness.scoring.fence import system_files
from harness.scoring.kernel import call_filter, guards, ruleset

_PACKAGES = ("harness", "jinja2", "markupsafe", "lm_eval", "transformers", "tokenizers")
"""What the process imports; each may be installed in a folder of its own, as `pip install --editable` does."""
_ENDINGS = (".py", ".so", ".dist-info", ".egg-info", ".pth")


@functools.cache
def fence_arguments() -> tuple[str, ...]:
    """Arguments for `guest.guard_of`, bytes in hexadecimal; the paths after the first two can be read."""
    calls = call_filter().hex() if "seccomp" in guards() else ""
    return (calls, ruleset().hex(), *dict.fromkeys(_readable())) if "landlock" in guards() else (calls, "")


def _readable() -> Iterator[str]:
    yield from system_files()
    yield "/etc/localtime"  # a chat template may ask for the date
    for prefix in (sys.prefix, sys.base_prefix):
        yield from (f"{prefix}/lib", f"{prefix}/lib64", f"{prefix}/pyvenv.cfg")
    yield from (sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"))
    for name in _PACKAGES:
        spec = importlib.util.find_spec(name)
        yield from map(str, (spec.submodule_search_locations or ()) if spec else ())
    for folder in sys.path:
        if os.path.isdir(folder):
            yield from _code_in(Path(folder).resolve())


def _code_in(folder: Path) -> Iterator[str]:
    """What a folder of `sys.path` holds of Python: all of one that holds packages alone, else the packages in it.

    `PYTHONPATH` can name the home folder of a user, who has more in it than code.
    """
    if folder.name in ("site-packages", "dist-packages"):
        yield str(folder)
        return
    yield f"{folder}/"
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(_ENDINGS) or os.path.isfile(os.path.join(entry.path, "__init__.py")):
                yield entry.path
