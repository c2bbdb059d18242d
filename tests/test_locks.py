"""What make installs is written down to the byte: versions, hashes, and nothing that they leave out."""

from __future__ import annotations

import importlib.metadata
import json
import re
import subprocess
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests import audit, lock

PROJECT = tomllib.loads((lock.ROOT / "pyproject.toml").read_text())
EXTRAS: dict[str, list[str]] = PROJECT["project"]["optional-dependencies"]
LOCKS = {path.stem: lock.read(path.read_text()) for path in sorted(lock.LOCKS.glob("*.txt"))}
ALWAYS = ("build", "dev", "torch")
"""Locks that make installs for everyone; `torch-cpu` is another build of what is in `torch`."""


def locked(*names: str) -> dict[str, list[Requirement]]:
    """Name of a package -> its pins in some of the locks."""
    found: dict[str, list[Requirement]] = {}
    for name in names:
        for line in lock.pins(LOCKS[name]):
            pin = Requirement(line)
            found.setdefault(canonicalize_name(pin.name), []).append(pin)
    return found


def fits(wanted: Requirement, pins: dict[str, list[Requirement]]) -> bool:
    """Whether a version that meets a requirement is among the pins."""
    versions = [Version(next(iter(pin.specifier)).version) for pin in pins.get(canonicalize_name(wanted.name), ())]
    return any(wanted.specifier.contains(version, prereleases=True) for version in versions)


class TestTheLocks:
    @pytest.mark.parametrize("name", LOCKS)
    def test_name_one_version_of_each_package_with_hashes_of_its_files(self, name: str) -> None:
        assert LOCKS[name]
        for package, lines in LOCKS[name].items():
            for entry in re.split(r"(?m)^(?=\S)", lines)[1:]:
                assert re.match(
                    rf"{package}==[\w.+!-]+( ; [^\\]+)? \\\n(    --hash=sha256:[0-9a-f]{{64}}( \\)?\n)+$", entry
                )

    @pytest.mark.parametrize("extra", [None, *lock.INSTALLED])
    def test_hold_what_the_package_asks_for(self, extra: str | None) -> None:
        wanted = EXTRAS[extra] if extra else PROJECT["project"]["dependencies"] + PROJECT["build-system"]["requires"]
        missing = [each for each in wanted if not fits(Requirement(each), locked(*ALWAYS))]
        assert missing == [], "run make lock"

    @pytest.mark.parametrize("extra", sorted(EXTRAS.keys() - lock.INSTALLED - lock.NOT_LOCKED))
    def test_hold_what_each_other_extra_asks_for(self, extra: str) -> None:
        own = (extra,) if extra in LOCKS else ()
        missing = [each for each in EXTRAS[extra] if not fits(Requirement(each), locked(*ALWAYS, *own))]
        assert missing == [], "run make lock"

    def test_hold_what_builds_packages_before_any_other(self) -> None:
        builders = [Requirement(each) for each in PROJECT["build-system"]["requires"]]
        assert all(fits(builder, locked("build")) for builder in builders)

    def test_leave_out_nothing_that_an_installed_package_asks_for(self) -> None:
        waiting = [("emergence-harness", extra) for extra in ("", *lock.INSTALLED)]
        asked: set[tuple[str, str]] = set()
        while waiting:
            name, extra = waiting.pop()
            if (name, extra) in asked:
                continue
            asked.add((name, extra))
            for line in importlib.metadata.requires(name) or ():
                wanted = Requirement(line)
                if wanted.marker is None or wanted.marker.evaluate({"extra": extra}):
                    waiting += [(canonicalize_name(wanted.name), more) for more in ("", *wanted.extras)]
        names = {name for name, _ in asked} - {"emergence-harness"}
        assert len(names) > 100
        assert names - locked(*ALWAYS).keys() == set()

    def test_are_the_constraints_without_their_hashes(self) -> None:
        constraints = [line for line in lock.CONSTRAINTS.read_text().splitlines() if not line.startswith("#")]
        assert constraints == sorted({pin for name in LOCKS if name != "torch-cpu" for pin in lock.pins(LOCKS[name])})

    def test_know_the_build_of_torch_for_the_cpu_by_the_same_version(self) -> None:
        [cpu], [usual] = locked("torch-cpu")["torch"], locked("torch")["torch"]
        assert str(cpu.specifier) == f"{usual.specifier}+cpu"


class TestMake:
    def test_installs_nothing_whose_hash_is_not_listed(self) -> None:
        lines = (lock.ROOT / "Makefile").read_text().splitlines()
        installs = [
            line.strip() for line in lines if re.search(r"\bpip3? (install|download)\b|\buv\b.*\binstall\b", line)
        ]
        [locked_install] = [line for line in installs if line.startswith("LOCKED := ")]
        assert {"--require-hashes", "--no-deps", "--no-build-isolation"} <= set(locked_install.split())
        # `make lowest` asks for versions that no lock holds, in an environment of its own
        beside = [line for line in installs if "-lowest/bin/python" in line]
        assert all("$(VENV)-lowest/bin/python --resolution lowest-direct" in line for line in beside)
        [package] = [line for line in installs if line not in (locked_install, *beside)]
        assert {"--no-deps", "--no-build-isolation", "--editable", "."} <= set(package.split())

    def test_installs_again_when_what_it_installs_has_changed(self) -> None:
        [rule] = re.findall(r"(?m)^\$\(INSTALLED\):.*$", (lock.ROOT / "Makefile").read_text())
        assert {"pyproject.toml", *(f"locks/{name}.txt" for name in ALWAYS)} <= set(rule.split())


class TestMakeLock:
    def test_leaves_everything_as_it_is_where_uv_finds_no_versions(self, monkeypatch: pytest.MonkeyPatch) -> None:
        files = [lock.CONSTRAINTS, *sorted(lock.LOCKS.glob("*.txt"))]
        before = [path.read_bytes() for path in files]
        monkeypatch.setattr("subprocess.run", lambda command, **_: subprocess.CompletedProcess(command, 2))
        with pytest.raises(SystemExit, match=r"uv found no versions.*are as they were"):
            lock.main(["--offline"])
        assert [lock.CONSTRAINTS, *sorted(lock.LOCKS.glob("*.txt"))] == files
        assert [path.read_bytes() for path in files] == before


class TestReadingALock:
    TEXT = (
        "# a comment\n"
        "numpy==1.0 ; python_full_version < '3.12' \\\n    --hash=sha256:aa\n"
        "numpy==2.0 ; python_full_version >= '3.12' \\\n    --hash=sha256:bb\n"
        "six==1.17.0 \\\n    --hash=sha256:cc \\\n    --hash=sha256:dd\n"
    )

    def test_keeps_both_versions_where_systems_differ(self) -> None:
        found = lock.read(self.TEXT)
        assert list(found) == ["numpy", "six"]
        assert "".join(found.values()) == self.TEXT.removeprefix("# a comment\n")

    def test_gives_pins_without_hashes(self) -> None:
        assert lock.pins(lock.read(self.TEXT)) == [
            "numpy==1.0 ; python_full_version < '3.12'",
            "numpy==2.0 ; python_full_version >= '3.12'",
            "six==1.17.0",
        ]


CLEAN: dict[str, object] = {"name": "six", "version": "1.17.0", "vulns": []}
SKIPPED: dict[str, object] = {"name": "rich", "skip_reason": "not found"}
VULNERABLE: dict[str, object] = {
    "name": "jinja2",
    "version": "3.1.2",
    "vulns": [{"id": "PYSEC-1", "fix_versions": ["3.1.3", "3.2"], "aliases": [], "description": "long"}],
}


class TestAudit:
    def say(self, *packages: dict[str, object]) -> audit.Answer:
        return audit.answer(json.dumps({"dependencies": packages, "fixes": []}), "")

    def test_says_how_many_packages_were_looked_up(self) -> None:
        assert self.say(CLEAN, CLEAN) == ("no known vulnerability in 2 packages", 0)

    def test_names_the_version_that_mends_a_vulnerability(self) -> None:
        text, code = self.say(CLEAN, VULNERABLE)
        assert text.splitlines() == [
            "jinja2 3.1.2: PYSEC-1, mended in 3.1.3, 3.2",
            "known vulnerabilities in 2 packages: 1",
        ]
        assert code == 1

    def test_is_one_sentence_where_the_database_answers_for_no_package(self) -> None:
        text, code = self.say(SKIPPED, SKIPPED)
        assert text == (
            "error: the vulnerability database of PyPI (pypi.org) cannot be reached, "
            "so none of 2 packages was looked up"
        )
        assert code == 2

    def test_is_one_sentence_where_there_is_no_network(self) -> None:
        text, code = audit.answer("", "Traceback (most recent call last):\n  ...\nConnectionError: Failed to resolve\n")
        assert text == (
            "error: the vulnerability database of PyPI (pypi.org) cannot be reached, so nothing was looked up "
            "(ConnectionError: Failed to resolve)"
        )
        assert code == 2

    def test_fails_when_some_packages_could_not_be_looked_up(self) -> None:
        text, code = self.say(CLEAN, SKIPPED, VULNERABLE)
        assert text.splitlines() == [
            "jinja2 3.1.2: PYSEC-1, mended in 3.1.3, 3.2",
            "error: the vulnerability database of PyPI (pypi.org) does not know rich",
        ]
        assert code == 2
