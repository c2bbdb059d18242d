"""A zip archive holds everything behind a figure, and the same results give the same bytes."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from harness.store import Store
from tests.builders import grown, made_with, task
from tests.builders.commands import Emergence

RISE = (50, 52, 75, 90, 110, 125, 140, 160)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path / "results")
    for name in ("colours", "=shapes"):
        for one in grown(RISE, of=task(name)):
            made.write(replace(made_with(one, git_commit="abc"), samples=()))
    return made


def supplement(emergence: Emergence, tmp_path: Path, *more: str | Path) -> dict[str, bytes]:
    done = emergence("curves", "--results", "results", *more, "--supplement", "s.zip")
    assert done.code == 0, done.err
    assert "everything behind" in done.err
    with zipfile.ZipFile(tmp_path / "s.zip") as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


CHOICE = ("--task", "colours", "--metric", "headline")


def test_the_archive_has_figure_points_scores_verdicts_and_how_it_was_made(
    emergence: Emergence, store: Store, tmp_path: Path
) -> None:
    files = supplement(emergence, tmp_path, *CHOICE)
    assert list(files) == [
        *("README.txt", "figure.svg", "figure.html", "points.csv", "verdicts.json", "provenance.json", "results.csv")
    ]
    points = pd.read_csv(io.BytesIO(files["points.csv"]))
    assert points["value"].tolist() == [right / 200 for right in RISE]
    (verdict,) = json.loads(files["verdicts.json"])
    assert (verdict["task"], verdict["metric"], verdict["label"]) == ("colours", "acc", "smooth")
    made = json.loads(files["provenance.json"])
    assert made["command"] == "emergence curves --results results --task colours --metric headline --supplement s.zip"
    assert made["evaluated_with"]["code"] == {"abc": len(RISE)}
    assert made["evaluated_with"]["engine"] == {"simulated": len(RISE)}
    assert {"python", "plotly", "emergence-harness"} <= made["drawn_with"].keys()
    readme = files["README.txt"].decode()
    assert all(name in readme for name in files if name != "README.txt")
    assert made["command"] in readme
    assert b"<svg" in files["figure.svg"][:200]


def test_the_figure_can_be_drawn_again_from_the_archive(emergence: Emergence, store: Store, tmp_path: Path) -> None:
    files = supplement(emergence, tmp_path, *CHOICE)
    (tmp_path / "results.csv").write_bytes(files["results.csv"])
    emergence("curves", "--table", "results.csv", *CHOICE, "--supplement", "again.zip")
    with zipfile.ZipFile(tmp_path / "again.zip") as again:
        assert again.read("points.csv") == files["points.csv"]
        assert again.read("figure.svg") == files["figure.svg"]
        assert "results.csv" not in again.namelist()
        assert "The scores were read from the table results.csv." in again.read("README.txt").decode()


def test_the_same_results_give_the_same_bytes(emergence: Emergence, store: Store, tmp_path: Path) -> None:
    supplement(emergence, tmp_path)
    first = (tmp_path / "s.zip").read_bytes()
    supplement(emergence, tmp_path)
    assert (tmp_path / "s.zip").read_bytes() == first


def test_several_figures_have_a_picture_each_and_no_cell_is_a_formula(
    emergence: Emergence, store: Store, tmp_path: Path
) -> None:
    files = supplement(emergence, tmp_path, "--metric", "headline")
    assert {"figure-1.svg", "figure-2.svg"} <= files.keys()
    for name in ("points.csv", "results.csv"):
        assert b"'=shapes" in files[name]
        assert b",=shapes" not in files[name]


def test_another_kind_of_file_is_refused(emergence: Emergence, store: Store) -> None:
    done = emergence("curves", "--results", "results", "--supplement", "s.tar")
    assert (done.code, done.err) == (2, "error: s.tar: expected a file named .zip for --supplement\n")
