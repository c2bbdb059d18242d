"""The index of lm-eval's tasks is made once, and anew when a file changes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.catalog.lm_eval_tasks import index as module
from harness.catalog.lm_eval_tasks.index import indexed
from tests.builders.lm_eval_files import write_lm_eval_folder


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(module, "_MANY", 3)
    return tmp_path / "cache/emergence"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_lm_eval_folder(tmp_path / "theirs")


def test_names_are_found_through_included_files(folder: Path, cache: Path) -> None:
    (folder / "more.yaml").write_text("include: choice.yaml\ntask: more\n")
    found = indexed(folder)
    assert found.tasks["more"] == ["more.yaml", "multiple_choice"]
    assert found.tags == {"their_tag": ["more", "their_choice", "their_text"]}
    assert found.entry("their_group").aggregate == ({"metric": "acc", "weight_by_size": True},)


def test_it_is_kept_and_read_again(
    folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    made = indexed(folder, "1.0")
    assert "reading 6 task files once" in caplog.text
    monkeypatch.setattr(module, "made_index", None)  # nothing is read once more
    assert indexed(folder, "1.0") == made


@pytest.mark.parametrize("edition", ["1.0", "2.0"])
def test_a_changed_file_or_another_edition_makes_it_anew(folder: Path, cache: Path, edition: str) -> None:
    indexed(folder, "1.0")
    if edition == "1.0":
        (folder / "text.yaml").write_text((folder / "text.yaml").read_text().replace("their_text", "new_name"))
        assert "new_name" in indexed(folder, edition)
    state = json.loads(next(cache.glob("tasks-*.json")).read_text())["state"]
    indexed(folder, edition)
    again = json.loads(next(cache.glob("tasks-*.json")).read_text())["state"]
    assert (again == state) == (edition == "1.0")


@pytest.mark.parametrize("content", ["", "{", "[]", '{"state": 1}', "\x00" * 10])
def test_a_damaged_cache_is_made_anew(folder: Path, cache: Path, content: str) -> None:
    made = indexed(folder)
    (kept,) = cache.glob("tasks-*.json")
    kept.write_text(content)
    assert indexed(folder) == made
    assert json.loads(kept.read_text())["index"]["tasks"] == made.tasks


def test_a_cache_that_cannot_be_written_does_no_harm(folder: Path, cache: Path) -> None:
    cache.parent.write_text("a file where the folder would be")
    assert "their_choice" in indexed(folder)


def test_a_file_that_is_no_yaml_is_noted_and_the_others_are_found(folder: Path, cache: Path) -> None:
    (folder / "broken.yaml").write_text("task: [\n")
    found = indexed(folder)
    assert [*found.faults] == ["broken.yaml"]
    assert "their_choice" in found
