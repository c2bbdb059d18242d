"""A part of the templates and expressions of `make security`, and that one without limits would be seen."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.scoring import limited, limited_fence
from harness.scoring.kernel import guards
from harness.scoring.rendering import rendered
from tests.security import computations
from tests.security.computations import cases, ends, escapes

pytestmark = pytest.mark.processes

EVERY = 9


def test_templates_and_expressions_of_others_end_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMERGENCE_LIMITS", "0.2")
    chosen = list(cases())[::EVERY]
    tried = {f"{case.kind}: {case.name} {case.where}": case.attempt() for case in chosen}
    assert tried == dict.fromkeys(tried)
    assert {case.kind for case in chosen} >= {"templates of tasks", "regular expressions"}


def test_a_computation_that_goes_on_or_gives_what_it_must_not_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ends(lambda: rendered("a", {})) == "it was computed"
    assert ends(lambda: rendered("a", {}), refused=False) is None
    assert ends(lambda: rendered("{{ a }}", {})) is None
    monkeypatch.setattr(computations, "SECONDS", 0.01)
    assert str(ends(lambda: sum(range(2_000_000)))).startswith("it took 0.")


@pytest.mark.skipif(len(guards()) < 2, reason="this kernel lacks Landlock or seccomp")
def test_code_that_broke_out_of_a_template_reaches_no_file_network_or_process(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = {case.name: case.attempt() for case in escapes()}
    assert tried == dict.fromkeys(tried)
    monkeypatch.setattr(limited, "fence_arguments", lambda: ("", ""))
    limited._Process.running().end()
    try:
        harm = {case.name: case.attempt() for case in escapes() if case.name in ("read a file", "write a file")}
    finally:
        limited._Process.running().end()
    assert "precious" in str(harm["read a file"])
    assert str(harm["write a file"]).startswith("it changed the folder")


def test_a_folder_of_packages_can_be_read_and_a_home_on_the_path_only_where_it_holds_code(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("site-packages/a", "home/package", "home/letters"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("home/package/__init__.py", "home/module.py", "home/secret.txt", "home/letters/one.txt"):
        (tmp_path / name).touch()
    monkeypatch.setattr(limited_fence.sys, "path", [str(tmp_path / "site-packages"), str(tmp_path / "home")])
    found = {path for path in limited_fence._readable() if path.startswith(str(tmp_path))}
    expected = ("site-packages", "home/", "home/package", "home/module.py")
    assert found == {f"{tmp_path}/{name}" for name in expected}
