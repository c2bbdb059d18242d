"""Writes `constraints.txt` and `locks/`: every package that make installs, its version, and the hashes of its files.

`make lock` keeps the versions that are written there while pyproject.toml still allows them, adds what an extra newly
asks for and drops what nobody asks for any more. `make lock LOCK=--upgrade` takes the newest of everything,
`make lock LOCK="--upgrade-package ruff"` of one package. uv finds versions that hold on every system and on every
Python that pyproject.toml allows, and lists the hashes of all their files on PyPI: one lock serves all machines.

* `build.txt`: what builds packages that come as source, ours among them; installed first.
* `dev.txt`: what the package, its tests and its figures need.
* `torch.txt`: torch, and on Linux the libraries of its build for NVIDIA GPUs.
* `torch-cpu.txt`: torch's build for the CPU alone, which PyPI does not have. make prefers it where pip is told of a
  place that has it, as by `PIP_FIND_LINKS`; its hashes are of the files that pip found where this was run.
* one for each other extra, with what it adds to these.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent
LOCKS = ROOT / "locks"
CONSTRAINTS = ROOT / "constraints.txt"

INSTALLED = ("dev", "png")
"""Extras that make installs with the package; each other one has a lock of its own."""
NOT_LOCKED = frozenset({"inspect", "mlflow", "seqeval", "trackio", "vllm"})
"""Extras whose packages need others than the locked ones: vllm a torch of its own, inspect-ai an older fsspec than
s3fs, mlflow an older pandas, trackio an older pillow, seqeval a package to build it; nothing that
make does needs them."""

_HEADER = "# Written by make lock (tests/lock.py), not by hand.\n"
_CONSTRAINTS_HEADER = f"{_HEADER}# The versions in locks/ without their hashes; pyproject.toml keeps the ranges.\n"
_TORCH = re.compile(r"torch|triton|cuda-.*|nvidia-(?!ml-py).*")
"""torch and what its build for NVIDIA GPUs needs; codecarbon needs nvidia-ml-py on every machine."""

Lock = dict[str, str]
"""Name of a package -> its lines in a lock: version, systems, hashes."""


def read(text: str) -> Lock:
    """The packages of a lock."""
    lock: Lock = {}
    for lines in re.split(r"(?m)^(?=[a-z0-9])", re.sub(r"(?m)^#.*\n", "", text)):
        if lines.strip():
            name = re.split(r"[=\s]", lines)[0]
            lock[name] = lock.get(name, "") + lines  # twice where systems need different versions
    return lock


def pins(lock: Mapping[str, str]) -> list[str]:
    """One line per version, without hashes: `name==version ; systems`."""
    return sorted(
        line.removesuffix(" \\") for lines in lock.values() for line in lines.splitlines() if line[:1].strip()
    )


def resolve(wanted: Sequence[str], held: Sequence[str], python: str, options: Sequence[str] = ()) -> Lock:
    """Versions and hashes of `wanted` and of all that it needs, with the pins `held`."""
    kept = "".join(path.read_text() for path in sorted(LOCKS.glob("*.txt")) if path.name != "torch-cpu.txt")
    with tempfile.TemporaryDirectory() as folder:
        asked, pinned, out = (Path(folder, name) for name in ("asked.in", "pinned.txt", "out.txt"))
        asked.write_text("\n".join(wanted))
        pinned.write_text("\n".join(held))
        out.write_text(kept)  # uv prefers what it finds here
        command = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--universal", "--generate-hashes"]
        command += ["--no-annotate", "--no-header", "--python-version", python, "--constraint", str(pinned)]
        command += ["--system-certs"]  # as pip does, for networks with certificates of their own
        command += ["--no-emit-package", "pip"]  # it comes with Python and must not change while it installs
        command += [*options, "--output-file", str(out), str(asked)]
        if subprocess.run(command, check=False, stdout=subprocess.DEVNULL).returncode:
            sys.exit("error: uv found no versions, for the reason above; locks/ and constraints.txt are as they were")
        return read(out.read_text())


def torch_cpu(version: str) -> Lock:
    """The CPU build of torch that pip finds on this machine, and the hashes already listed for the same version."""
    pin = f"torch=={version}+cpu"
    path = LOCKS / "torch-cpu.txt"
    known = read(path.read_text()).get("torch", "") if path.exists() else ""
    hashes = set(re.findall(r"sha256:[0-9a-f]{64}", known)) if known.startswith(f"{pin} ") else set()
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, pin]
        subprocess.run(command, check=False, capture_output=True)  # it need not be there
        hashes |= {f"sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}" for file in Path(folder).glob("*.whl")}
    return {"torch": " \\\n".join([pin, *(f"    --hash={found}" for found in sorted(hashes))]) + "\n"} if hashes else {}


def locks(project: Mapping[str, dict], options: Sequence[str]) -> dict[str, Lock]:
    """Name of each lock -> what it holds; an extra that adds nothing has none."""
    package = project["project"]
    extras: dict[str, list[str]] = package["optional-dependencies"]
    python = package["requires-python"].removeprefix(">=")
    builders = project["build-system"]["requires"]
    wanted = [*package["dependencies"], *builders, *(each for extra in INSTALLED for each in extras[extra])]
    everything = resolve(wanted, [], python, options)
    held = pins(everything)
    build = resolve(builders, held, python)
    torch = {name: lines for name, lines in everything.items() if _TORCH.fullmatch(name)}
    version = torch["torch"].split()[0].removeprefix("torch==")
    dev = {name: lines for name, lines in everything.items() if name not in build and name not in torch}
    found = {"build": build, "dev": dev, "torch": torch, "torch-cpu": torch_cpu(version)}
    for extra in sorted(extras.keys() - INSTALLED - NOT_LOCKED):
        alone = resolve(extras[extra], held, python, options)
        found[extra] = {name: lines for name, lines in alone.items() if name not in everything}
        held += pins(found[extra])
    return {name: lock for name, lock in found.items() if lock}


def main(options: Sequence[str]) -> None:
    """Write the locks anew, and the constraints from them."""
    made = locks(tomllib.loads((ROOT / "pyproject.toml").read_text()), options)
    for old in LOCKS.glob("*.txt"):
        if old.stem not in made:
            old.unlink()
    for name, lock in made.items():
        _write(LOCKS / f"{name}.txt", _HEADER + "".join(lock[package] for package in sorted(lock)))
    versions = {line for name, lock in made.items() if name != "torch-cpu" for line in pins(lock)}
    _write(CONSTRAINTS, _CONSTRAINTS_HEADER + "".join(f"{line}\n" for line in sorted(versions)))


def _write(path: Path, text: str) -> None:
    if not path.exists() or path.read_text() != text:  # make installs anew after every write
        path.write_text(text)


if __name__ == "__main__":
    main(sys.argv[1:])
