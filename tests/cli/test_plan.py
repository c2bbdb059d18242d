import json
import re
from pathlib import Path

import pytest
import yaml

from tests.builders.commands import Done, Emergence


def test_plan_says_what_the_documents_of_each_task_can_show(emergence: Emergence, options: tuple[str, ...]) -> None:
    lines = emergence("plan", *options).out.splitlines()
    assert "detectable: smallest gain over chance seen with 80% power in a one-sided test at 5%" in lines
    at = next(i for i, line in enumerate(lines) if line.endswith("needed for +0.05"))
    # 40 documents at chance 0.25: 16 right are significant, and 80 % of evaluations of a true 45.4 % have them
    assert [line.split() for line in lines[at + 2 : at + 4]] == [
        ["toy", "jumps", "40", "0.250", "0.204", "494"],
        ["toy", "stays", "40", "0.250", "0.204", "494"],
    ]


def test_plan_as_json_gives_the_resolution_with_every_cell(emergence: Emergence, options: tuple[str, ...]) -> None:
    cells = json.loads(emergence("plan", *options, "--json", "--limit", "10").out)
    assert {cell["documents"] for cell in cells} == {10}
    assert {cell["chance"] for cell in cells} == {0.25}
    assert {round(cell["mde"], 4) for cell in cells} == {0.4232}
    assert {cell["documents_needed"] for cell in cells} == {494}


def test_plan_says_when_its_times_are_those_of_gpus_that_are_not_here(
    emergence: Emergence, options: tuple[str, ...], toy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    family = yaml.safe_load((toy / "family.yaml").read_text())
    family["models"][-1]["gpus"] = 1
    (toy / "family.yaml").write_text(yaml.safe_dump(family))
    said = "the time takes a GPU for 4 cells whose models ask for one, and none is seen here"
    slow = ("plan", "--suite", "toy", "--family", "steps", "--include-path", toy, "--engine", "lm-eval")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    monkeypatch.setattr("harness.engines.devices._DRIVERS", (Path("/nowhere"),))
    assert said in emergence(*slow).out
    assert said not in emergence("plan", *options).out
    monkeypatch.setattr("harness.engines.devices._DRIVERS", (toy,))
    assert said not in emergence(*slow).out


def on_gpus(emergence: Emergence, toy: Path, *options: str, params: int = 10**9) -> Done:
    family = yaml.safe_load((toy / "family.yaml").read_text())
    family["models"][-1]["params"] = params
    (toy / "family.yaml").write_text(yaml.safe_dump(family))
    slow = ("plan", "--suite", "toy", "--family", "steps", "--include-path", toy, "--engine", "lm-eval")
    return emergence(*slow, *options)


def test_plan_tells_time_bound_and_cost_on_a_cluster(emergence: Emergence, toy: Path) -> None:
    said = on_gpus(emergence, toy, "--gpus", "4", "--price", "2.5").out
    assert re.search(r"on 4 GPUs of 80 GB: about \S.*, and no less than .* in any order; \d+ loads of models", said)
    assert re.search(r"GPU hours of work in \S+ GPU hours of cluster, \d+\.\d\d at 2.5 per GPU hour", said)


def test_plan_of_one_cell_on_cpus_counts_in_the_singular_and_names_no_gpu_hours_of_work(
    emergence: Emergence, options: tuple[str, ...]
) -> None:
    said = emergence("plan", *options, "--model", "m10", "--shots", "0", "--task", "jumps", "--gpus", "1").out
    assert "1 cell: 0 done, 0 failed, 1 to do" in said
    assert "on 1 GPU of 80 GB: about" in said
    assert "no model of these cells takes a GPU; " in said
    assert "0 GPU hours of work" not in said
    assert not re.search(r"\b1 (cells|GPUs|workers)\b", said)


def test_plan_as_json_has_the_cluster_beside_the_cells(emergence: Emergence, toy: Path) -> None:
    found = json.loads(on_gpus(emergence, toy, "--gpus", "2", "--price", "3", "--json").out)
    cluster = found["cluster"]
    assert len(found["cells"]) == 16
    assert cluster["seconds"] >= cluster["bound_seconds"] > 0
    assert cluster["gpu_hours"] == pytest.approx(2 * cluster["seconds"] / 3600)
    assert cluster["cost"] == pytest.approx(3 * cluster["gpu_hours"])
    assert 0 < cluster["gpu_hours_used"] <= cluster["gpu_hours"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--gpus", "2", "--gpus-per-node", "2"), "needs 8 GPUs of 80 GB on one node (280 GB of weights in float32)"),
        (("--gpus", "2", "--gpu-memory", "much"), "--gpu-memory much: expected a size such as 80GB"),
        (("--gpus", "2", "--gpu-memory", "0GB"), "--gpu-memory 0GB: expected a size such as 80GB"),
        (("--price", "2"), "--price and --gpu-memory: expected with --gpus"),
    ],
)
def test_a_cluster_that_cannot_be_is_one_line(
    emergence: Emergence, toy: Path, options: tuple[str, ...], message: str
) -> None:
    done = on_gpus(emergence, toy, *options, params=70 * 10**9)
    assert done.code == 2
    assert message in done.err
    assert len(done.err.strip().splitlines()) == 1
