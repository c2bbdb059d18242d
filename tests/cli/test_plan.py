import json

from tests.cli.conftest import Emergence


def test_plan_says_what_the_documents_of_each_task_can_show(emergence: Emergence, options: tuple[str, ...]) -> None:
    lines = emergence("plan", *options).out.splitlines()
    assert "detectable: smallest gain over chance seen with 80% power in a one-sided test at 5%" in lines
    at = next(i for i, line in enumerate(lines) if line.endswith("needed for +0.05"))
    # 40 documents at chance 0.25: 2.4865 * sqrt(.1875 / 40)
    assert [line.split() for line in lines[at + 2 : at + 4]] == [
        ["toy", "jumps", "40", "0.250", "0.170", "483"],
        ["toy", "stays", "40", "0.250", "0.170", "483"],
    ]


def test_plan_as_json_gives_the_resolution_with_every_cell(emergence: Emergence, options: tuple[str, ...]) -> None:
    cells = json.loads(emergence("plan", *options, "--json", "--limit", "10").out)
    assert {cell["documents"] for cell in cells} == {10}
    assert {cell["chance"] for cell in cells} == {0.25}
    assert {round(cell["mde"], 4) for cell in cells} == {0.3405}
    assert {cell["documents_needed"] for cell in cells} == {483}
