"""What compression takes from the embedded models: from the run to curves, a comparison and a leaderboard."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

import harness
from tests.builders.commands import Emergence

RUN = ("run", "--task", "one_hop", "--model", "ladder-12k,ladder-26k,ladder-43k", "--shots", "0", "--limit", "6")
TREATED = ("none", "int8", "sparse50")


def test_each_treatment_has_a_curve_over_the_sizes_and_is_compared_with_the_plain_models(emergence: Emergence) -> None:
    inline = ("--executor", "inline", "--treatment")
    assert emergence(*RUN, *inline, "none").code == 0
    plain = sorted(path.parent.name for path in Path("results").rglob("cell.json"))
    done = emergence(*RUN, *inline, ",".join(TREATED))
    assert done.code == 0, done.err
    assert "3 of 9 cells are done already" in done.err
    headers = [json.loads(path.read_text()) for path in Path("results").rglob("cell.json")]
    assert {key[-8:] for key in plain} <= {header["key"][:8] for header in headers}
    assert len({header["key"] for header in headers}) == 9

    points = json.loads(emergence("curves", "--json").out)
    curves = {(p["conditions"].split("variant ")[1].split(",")[0], p["model"]) for p in points}
    assert curves == {
        (name, f"ladder-{size}") for name in ("plain", "int8", "sparse50") for size in ("12k", "26k", "43k")
    }

    compared = json.loads(emergence("compare", "variant=none", "variant=int8", "--json").out)
    assert [(one["a"]["variant"], one["b"]["variant"], one["n"]) for one in compared["comparisons"]] == [
        (None, "int8", 6)
    ] * 3

    assert emergence("leaderboard", "-o", "board.csv").code == 0
    board = pd.read_csv("board.csv").drop_duplicates(["model", "variant"])
    sizes = board.assign(variant=board["variant"].fillna("none")).pivot(
        index="model", columns="variant", values="weight_bytes"
    )
    assert (sizes["int8"] < sizes["sparse50"]).all()
    assert (sizes["sparse50"] < sizes["none"]).all()
    assert "nan" not in emergence("leaderboard", "--format", "markdown", "--profile", "wide").out

    treated = next(header for header in headers if header["cell"]["model"]["variant"] == "sparse50")
    assert treated["cell"]["model"]["treatment"] == '{"method":"prune","share":0.5}'
    assert treated["provenance"]["weights"]["treated"] > 0


def test_a_model_that_cannot_take_a_treatment_fails_with_one_sentence(emergence: Emergence, tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("treatments:\n- {name: fifths, method: prune, share: 0.2, group: 5}\n")
    done = emergence(*RUN, "--executor", "inline", "--treatment", "fifths", "--include-path", own)
    assert done.code == 1
    assert "ladder-12k: cannot be made fifths@" in done.err
    assert "rows of 16 weights; expected a multiple of 5" in done.err
    failed = json.loads(next(Path("results").rglob("failure.json")).read_text())
    assert "--treatment fifths" in failed["repeat"]
    assert f"--include-path {own}" in failed["repeat"]


def test_models_are_trained_on_the_task_once_for_each_seed_and_compared(emergence: Emergence, tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("treatments:\n- {name: quick, method: lora, rank: 2, steps: 2, batch: 4}\n")
    sizes = sorted(f"ladder-{path.name}" for path in (Path(harness.__file__).parent / "ladder" / "weights").iterdir())
    asked = ("run", "--task", "topic", "--model", sizes[0], "--shots", "0", "--limit", "6", "--executor", "inline")
    options = ("--treatment", "none,quick@16,32", "--seeds", "2", "--include-path", own)
    done = emergence(*asked, *options)
    assert done.code == 0, done.err
    headers = [json.loads(path.read_text()) for path in Path("results").rglob("cell.json")]
    found = {(str(h["cell"]["model"]["variant"]).rpartition("@")[0], h["cell"]["seed"]): h for h in headers}
    assert set(found) == {("", 0), ("quick@16", 0), ("quick@16", 1), ("quick@32", 0), ("quick@32", 1)}
    tuning = found["quick@32", 1]["provenance"]["tuning"]
    assert (tuning["documents"], tuning["steps"], tuning["left_out"]) == (32, 2, 0)
    card = json.loads((Path("results") / ".variants" / tuning["folder"] / "variant.json").read_text())
    assert (card["seed"], card["task"], len(card["loss"])) == (1, "topic", 2)
    assert len(list((Path("results") / ".variants").rglob("variant.json"))) == 4
    compared = json.loads(emergence("compare", "variant=none", "variant=quick@16", "--json").out)
    assert {one["n"] for one in compared["comparisons"]} == {6}
    assert "4 of 4 cells are done already" in emergence(*asked, "--treatment", "quick@16,32", *options[2:]).err
