"""A part of the templates and expressions of `make security`, and that one without limits would be seen."""

from __future__ import annotations

import time

import pytest

from harness.scoring.rendering import rendered
from tests.security import computations
from tests.security.computations import cases, ends

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
    assert str(ends(lambda: time.sleep(0.05))).startswith("it took 0.")
