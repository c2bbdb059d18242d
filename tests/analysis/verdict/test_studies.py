from dataclasses import replace

from harness.analysis.stats import detectable_effect, resolution
from harness.analysis.verdict import Study, resolutions, study
from harness.plan import Cell
from harness.specs import MetricSpec
from tests.builders import cell, grown, model, result, task
from tests.builders.curves import RISE

FALL = (160, 150, 140, 130, 120, 110, 100, 90)


def test_judged_curves_are_chosen_by_family_and_task() -> None:
    ours = [*grown(RISE), *grown(RISE, of=task("shapes"), shots=2)]
    theirs = [replace(r, cell=replace(r.cell, model=model(r.cell.model.params, family="other"))) for r in grown(RISE)]
    made = study([*ours, *theirs])
    assert made.families == ("other", "toy")
    assert [row.curve.task for row in made.of("toy")] == ["colours", "shapes"]
    assert [(row.curve.task, row.curve.shots) for row in made.of("toy", "shapes")] == [("shapes", 2)]
    assert made.of("toy", "letters") == ()


def test_larger_models_that_do_worse_but_stay_above_chance_are_said_to() -> None:
    (row,) = study(grown(FALL)).judged
    assert row.verdict.reasons[0].startswith("Larger models do worse (fitted line -0.35")
    assert "yet the largest is still above chance" in row.verdict.reasons[0]


def test_the_finest_curve_of_a_task_says_what_its_documents_can_show() -> None:
    made = study([*grown(RISE), *grown(RISE, shots=2, n=400)])
    found = resolutions(made.judged)["colours"]
    assert (found.documents, found.chance) == (400, 0.25)
    assert found.mde == resolution(task(n_docs=400), None).mde == detectable_effect(400, 0.25)


def test_a_task_without_chance_level_has_no_effect_to_detect() -> None:
    free = task(metrics=(MetricSpec(name="acc", chance=None),))
    assert resolutions(study(grown(RISE, of=free)).judged)["colours"].mde is None


def test_documents_are_read_when_asked_for() -> None:
    asked: list[Cell] = []
    made = study([result(cell())], items=asked.append)
    assert asked == [cell()]
    assert isinstance(made, Study)
    assert made.scale == "params"
