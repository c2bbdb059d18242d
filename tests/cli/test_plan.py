import json
from pathlib import Path

import pytest
import yaml

from tests.builders.commands import Emergence


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
