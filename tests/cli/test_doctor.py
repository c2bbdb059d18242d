"""Each thing that runs need, and what to do where it is missing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.builders.commands import Emergence


def test_every_line_says_ok_missing_or_optional_and_what_to_do(emergence: Emergence, tmp_path: Path) -> None:
    done = emergence("doctor", "--results", tmp_path / "new")
    assert done.code == 0
    lines = done.out.splitlines()
    assert {line.split(maxsplit=1)[1].split(":")[0] for line in lines} >= {
        *("package", "libraries", "devices", "memory", "sandbox", "hub cache", "results"),
    }
    for line in lines:
        assert line.startswith("ok ") or " -> " in line
    assert not (tmp_path / "new").exists()


def test_a_results_folder_that_cannot_be_is_missing_and_ends_with_2(
    emergence: Emergence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    done = emergence("doctor", "--results", tmp_path / "file", "--json")
    assert done.code == 2
    [found] = [finding for finding in json.loads(done.out) if finding["about"] == "results"]
    assert (found["state"], found["todo"]) == ("missing", "give another --results")
    assert "1 of these stop runs" in done.err
    assert (
        "missing   results: ftp://bucket/run: results are kept in"
        in emergence("doctor", "--results", "ftp://bucket/run").out
    )


def test_a_cluster_that_is_not_there_is_missing(emergence: Emergence, tmp_path: Path) -> None:
    done = emergence("doctor", "--address", "127.0.0.1:1", "--results", tmp_path / "r")
    assert done.code == 2
    assert "missing   cluster: Ray could not join the cluster at 127.0.0.1:1" in done.out
