import json
from pathlib import Path

import pytest

from harness.plan import Cell
from harness.records import Weights
from harness.store import SAMPLES, Store
from tests.builders import cell, failed, made_with, model, result, task
from tests.builders.commands import Emergence

WRONG, RIGHT = [0.0] * 20, [1.0] * 20


def asked(params: int, name: str = "colours", **changes: object) -> Cell:
    return cell(of=task(name), model=model(params), **changes)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Two models; the larger one is better on colours, the same on shapes, worse on sounds, and failed on words."""
    made = Store(tmp_path / "results")
    for name, small, large in (
        ("colours", WRONG, RIGHT),
        ("shapes", RIGHT, RIGHT[:15]),
        ("sounds", RIGHT, WRONG),
    ):
        made.write(result(asked(1000, name), values=small))
        made.write(result(asked(4000, name), values=large))
    made.write(result(asked(1000, "words"), values=RIGHT))
    made.write(failed(asked(4000, "words")))
    return made


def test_two_models_are_compared_task_by_task(emergence: Emergence, store: Store) -> None:
    done = emergence("compare", "toy-1000", "toy-4000", "--results", store.root)
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0] == "A toy-1000, B toy-4000"
    rows = {line.split()[0]: line for line in lines if " 0-shot   acc " in line}
    assert list(rows) == ["colours", "shapes", "sounds"]
    assert "0.000  1.000  +1.000  +0.760 to +1.000  <0.001  <0.001  B       20/0/0" in rows["colours"]
    assert "1.000  1.000  +0.000" in rows["shapes"]
    assert " A       0/0/20" in rows["sounds"]
    assert "shapes 0-shot: left out 5 documents that only A has and 0 that only B has" in lines
    assert "not compared, failed in B: ValueError: no answer: words 0-shot" in lines
    assert lines[-1] == "B is better on 1, worse on 1, with no clear difference on 1 of 3 (q < 0.05)"


def test_the_differences_are_drawn(emergence: Emergence, store: Store, tmp_path: Path) -> None:
    done = emergence("compare", "toy-1000", "toy-4000", "--results", store.root, "--figure", "c.html", "--json")
    assert (done.code, done.err) == (0, "1 figure written to c.html\n")
    page = (tmp_path / "c.html").read_text(encoding="utf-8")
    assert "<h2>toy-4000 minus toy-1000</h2>" in page
    assert "after correction for 3 comparisons" in page


def test_json_has_every_number_and_what_was_left_out(emergence: Emergence, store: Store) -> None:
    said = emergence("compare", "toy-1000", "toy-4000", "--results", store.root, "--json", "--metric", "all").out
    data = json.loads(said)
    assert (data["a"], data["b"]) == ("toy-1000", "toy-4000")
    assert data["summary"] == {"better": 1, "worse": 1, "unclear": 1}
    assert data["unpaired"] == [{"task": "words", "setting": "0-shot", "reason": "failed in B: ValueError: no answer"}]
    assert [(one["task"], one["metric"], one["headline"]) for one in data["comparisons"]] == [
        (name, metric, metric == "acc")
        for name in ("colours", "shapes", "sounds")
        for metric in ("acc", "prob_correct")
    ]
    first = data["comparisons"][0]
    assert (first["n"], first["difference"], first["better"]) == (20, 1.0, "B")
    assert (first["higher_b"], first["equal"], first["higher_a"]) == (20, 0, 0)
    assert first["p"] == pytest.approx(2 / 2**20)
    assert first["q"] == pytest.approx(3 / 2 * first["p"])
    assert first["a"] == {
        "family": "toy",
        "model": "toy-1000",
        "revision": "main",
        "variant": None,
        "dtype": "float32",
        "engine": "simulated",
        "shots": 0,
        "prompt": "default",
        "seeds": [0],
        "keys": [asked(1000).key],
    }


def test_settings_are_compared_for_every_model(emergence: Emergence, store: Store) -> None:
    for params in (1000, 4000):
        for seed in (0, 1):
            store.write(result(asked(params, shots=5, seed=seed), values=[1.0] * 18 + [0.0] * 2))
    out = emergence("compare", "shots=0,task=colours", "shots=5", "--results", store.root, "--json").out
    rows = json.loads(out)["comparisons"]
    assert [(one["setting"], one["difference"]) for one in rows] == [
        ("toy-1000", pytest.approx(0.9)),
        ("toy-4000", pytest.approx(-0.1)),
    ]
    assert [(one["a"]["seeds"], one["b"]["seeds"]) for one in rows] == [([0], [0, 1])] * 2


def test_an_unknown_model_lists_the_known_ones(emergence: Emergence, store: Store) -> None:
    done = emergence("compare", "toy-1", "toy-4000", "--results", store.root)
    assert (done.code, done.err) == (2, "error: unknown model 'toy-1'; known: toy-1000, toy-4000\n")


def test_sides_without_a_common_document_are_an_error_that_says_why(emergence: Emergence, tmp_path: Path) -> None:
    store = Store(tmp_path / "results")
    store.write(result(asked(1000)))
    store.write(result(asked(4000, engine="lm-eval")))
    done = emergence("compare", "toy-1000", "toy-4000", "--results", store.root)
    assert done.code == 2
    assert done.err == (
        "error: toy-1000 and toy-4000 have no document in common; "
        "not compared, engine simulated in A, lm-eval in B: colours 0-shot, simulated\n"
    )


def test_damaged_samples_cost_their_task_alone(emergence: Emergence, store: Store) -> None:
    (store.path(asked(4000, "sounds")) / SAMPLES).write_bytes(b"no PAR1")
    done = emergence("compare", "toy-1000", "toy-4000", "--results", store.root)
    assert done.code == 0
    assert done.err.startswith("skipped ")
    assert "not compared, the samples cannot be read: sounds 0-shot" in done.out
    assert done.out.splitlines()[-1].startswith("B is better on 1, worse on 0")


def test_training_noise_that_the_user_assumes_is_counted_and_said(emergence: Emergence, store: Store) -> None:
    done = emergence("compare", "toy-1000", "toy-4000", "--results", store.root, "--run-sd", "0.3")
    assert "errors count an assumed noise between training runs (SD 0.300)" in done.out
    told = json.loads(
        emergence("compare", "toy-1000", "toy-4000", "--results", store.root, "--run-sd", "0.3", "--json").out
    )["comparisons"]
    plain = json.loads(emergence("compare", "toy-1000", "toy-4000", "--results", store.root, "--json").out)[
        "comparisons"
    ]
    assert [one["run_sd"] for one in told] == [0.3] * 3
    assert [(one["run_sd"], one["runs_a"], one["runs_b"]) for one in plain] == [(None, 1, 1)] * 3
    assert told[1]["stderr"] > plain[1]["stderr"]


def test_impossible_training_noise_is_refused(emergence: Emergence, store: Store) -> None:
    done = emergence("compare", "toy-1000", "toy-4000", "--results", store.root, "--run-sd", "1")
    assert (done.code, done.out) == (2, "")
    assert "--run-sd 1.0: expected 0 or more, and less than 0.5" in done.err


def test_runs_of_a_size_are_compared_as_their_mean(emergence: Emergence, tmp_path: Path) -> None:
    store = Store(tmp_path / "results")
    for size, right in ((1000, (4, 6)), (4000, (12, 14))):
        for run, number in enumerate(right):
            asked_of = cell(model=model(size, run=run, revision=f"r{run}"))
            store.write(result(asked_of, values=[1.0] * number + [0.0] * (20 - number)))
    done = emergence("compare", "toy-1000", "toy-4000", "--results", store.root)
    assert "0.250  0.650  +0.400" in done.out
    assert "means over training runs: 2 of A, 2 of B" in done.out
    assert "estimated where sizes have several (SD 0.07" in done.out
    (data,) = json.loads(emergence("compare", "toy-1000", "toy-4000", "--results", store.root, "--json").out)[
        "comparisons"
    ]
    assert (len(data["a"]["keys"]), data["runs_a"], data["run_freedom"]) == (2, 2, pytest.approx(2, abs=0.1))


def test_what_a_variant_takes_stands_below_its_scores(emergence: Emergence, tmp_path: Path) -> None:
    store = Store(tmp_path / "results")
    for variant, packed, seconds in ((None, 400, 2.0), ("int8", 100, 3.0)):
        weights = Weights(number=100, dense_bytes=400, memory_bytes=packed, packed_bytes=packed)
        of = result(cell(model=model(1000, variant=variant)), values=RIGHT)
        store.write(made_with(of, weights=weights, seconds=seconds))
    said = emergence("compare", "variant=none", "variant=int8").out
    assert "B takes 25% of the bytes on disk, 150% of the time for each document of A" in said
    data = json.loads(emergence("compare", "variant=none", "variant=int8", "--json").out)
    assert data["costs"] == pytest.approx({"weight_bytes": 0.25, "seconds": 1.5, "energy": None})
