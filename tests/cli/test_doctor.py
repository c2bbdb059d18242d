"""Each thing that runs need, and what to do where it is missing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml

from tests.builders.commands import Done, Emergence
from tests.builders.mirrors import task_of, write_data_set

SHIPPED = Path(__file__).parents[2] / "harness/ladder/weights"


def test_every_line_says_ok_missing_or_optional_and_what_to_do(emergence: Emergence, tmp_path: Path) -> None:
    done = emergence("doctor", "--results", tmp_path / "new")
    assert done.code == 0
    lines = done.out.splitlines()
    assert {line.split(maxsplit=1)[1].split(":")[0] for line in lines} >= {
        *("package", "libraries", "devices", "memory", "ray", "sandbox", "hub cache", "data cache", "results"),
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


@pytest.fixture
def sums(tmp_path: Path) -> Path:
    """A task of a data set of the hub, in a mirror with the model and the data set."""
    shutil.copytree(SHIPPED / "12k", tmp_path / "mirror/org/small")
    write_data_set(tmp_path / "mirror/datasets/org/sums")
    (tmp_path / "sums.yaml").write_text(yaml.safe_dump(task_of("org/sums")))
    return tmp_path / "sums.yaml"


def looked(done: Done, about: str) -> list[tuple[str, str, str]]:
    """State, what was found, and what to do, of the lines about something."""
    lines = [line for line in json.loads(done.out) if line["about"].startswith(about)]
    return [(line["state"], line["found"], line["todo"]) for line in lines]


def test_the_models_and_data_sets_of_a_plan_are_opened_in_the_mirror(
    emergence: Emergence, tmp_path: Path, sums: Path
) -> None:
    chosen = ("--task", "sums,add_3", "--include_path", sums, "--model", "org/small,org/other", "--json")
    done = emergence("doctor", *chosen, "--mirror", tmp_path / "mirror", "--shots", "0")
    assert done.code == 2
    [small, other] = looked(done, "model org")
    assert small[0] == "ok"
    assert small[1].startswith("in the mirror, at ")
    assert small[1].endswith("; 24.3 kB of weights, config and tokenizer open")
    assert (other[0], "org/other: not in the mirror; expected" in other[1]) == ("missing", True)
    assert other[2].startswith("`emergence prepare` with the same options downloads it")
    assert looked(done, "data set") == [("ok", "in the mirror: 6 in train, 9 in test", "")]
    assert looked(done, "tasks") == [("ok", "1 task with files of 256 documents", "")]
    assert "1 of these stop runs" in done.err


def test_a_tokenizer_that_does_not_open_is_found_before_a_run(emergence: Emergence, tmp_path: Path, sums: Path) -> None:
    (tmp_path / "mirror/org/small/tokenizer.json").write_text("[]")
    done = emergence("doctor", "--model", "org/small", "--mirror", tmp_path / "mirror", "--task", "add_3", "--json")
    [(state, found, _)] = looked(done, "model org")
    assert (state, "tokenizer.json holds a list; expected keys and values" in found) == ("missing", True)


def test_a_split_that_the_data_set_lacks_is_named(emergence: Emergence, tmp_path: Path, sums: Path) -> None:
    sums.write_text(yaml.safe_dump(task_of("org/sums", test_split="validation")))
    options = ("--task", "sums", "--include_path", sums, "--mirror", tmp_path / "mirror", "--json")
    [found] = looked(emergence("doctor", *options, "--engine", "simulated"), "data set")
    assert found[:2] == ("missing", "has no split validation; it has train, test")


def test_options_that_choose_nothing_are_a_line_of_their_own(emergence: Emergence) -> None:
    done = emergence("doctor", "--task", "none_such", "--json")
    [(state, found, _)] = looked(done, "plan")
    assert (done.code, state) == (2, "missing")
    assert found.startswith("unknown task 'none_such'; known: ")


def test_without_a_mirror_the_caches_are_looked_at(emergence: Emergence, sums: Path) -> None:
    done = emergence("doctor", "--task", "sums", "--include_path", sums, "--model", "org/small", "--json")
    [(state, found, todo)] = looked(done, "model org")
    assert (state, found) == ("missing", "not in this machine's hub cache")
    assert "emergence prepare" in todo
    [(state, found, _)] = looked(done, "data set")
    assert (state, found.startswith("data set org/sums cannot be had: ")) == ("missing", True)


@pytest.mark.parametrize("there", [True, False])
def test_a_browser_for_pictures_is_looked_for(
    emergence: Emergence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    browser = tmp_path / "chromium"
    browser.write_text("")
    browser.chmod(0o755 if there else 0o644)
    monkeypatch.setenv("BROWSER_PATH", str(browser))
    [(state, found, todo)] = looked(emergence("doctor", "--json"), "pictures")
    assert (state, str(browser) in found, "BROWSER_PATH" in todo) == (
        ("ok", True, False) if there else ("optional", False, True)
    )
