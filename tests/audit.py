"""`make audit`: which of the locked packages have published vulnerabilities, as PyPI knows them.

pip-audit alone says "No known vulnerabilities found" also where nobody answered it. Here the exit code is 0 only when
every package was looked up and none has a known vulnerability, 1 when one has, and 2 when some could not be looked up.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any, NamedTuple

from tests.lock import LOCKS

_DATABASE = "the vulnerability database of PyPI (pypi.org)"


class Answer(NamedTuple):
    """What there is to say, and the exit code that goes with it."""

    text: str
    code: int


def answer(printed: str, errors: str) -> Answer:
    """What pip-audit's JSON means; `errors` is what it said when there is none."""
    try:
        asked: list[dict[str, Any]] = json.loads(printed)["dependencies"]
    except ValueError:
        reason = (errors.strip().splitlines() or ["pip-audit said nothing"])[-1][:120]
        return Answer(f"error: {_DATABASE} cannot be reached, so nothing was looked up ({reason})", 2)
    missing = [package["name"] for package in asked if "skip_reason" in package]
    if len(missing) == len(asked):
        return Answer(f"error: {_DATABASE} cannot be reached, so none of {len(asked)} packages was looked up", 2)
    found = [
        f"{package['name']} {package['version']}: {each['id']}, mended in {', '.join(each['fix_versions']) or 'none'}"
        for package in asked
        for each in package.get("vulns", ())
    ]
    if missing:
        found.append(f"error: {_DATABASE} does not know {', '.join(missing)}")
        return Answer("\n".join(found), 2)
    if found:
        return Answer("\n".join([*found, f"known vulnerabilities in {len(asked)} packages: {len(found)}"]), 1)
    return Answer(f"no known vulnerability in {len(asked)} packages", 0)


def main() -> int:
    """Ask, say, and return the exit code."""
    files = [f"--requirement={path}" for path in sorted(LOCKS.glob("*.txt")) if path.name != "torch-cpu.txt"]
    command = [sys.executable, "-m", "pip_audit", "--disable-pip", "--require-hashes", "--progress-spinner=off"]
    asked = subprocess.run([*command, "--format=json", *files], check=False, capture_output=True, text=True)
    text, code = answer(asked.stdout, asked.stderr)
    print(text, file=sys.stderr if code == 2 else sys.stdout)
    return code


if __name__ == "__main__":
    sys.exit(main())
