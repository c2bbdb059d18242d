from dataclasses import replace
from datetime import UTC, datetime, timedelta

from harness.records import CellResult
from harness.runs.progress import costs, current, fallbacks, foreign_code, mixed, pace, setups, tallies, up_to_date
from harness.runs.record import Progress, RunRecord, planned
from harness.specs import MetricSpec
from tests.builders import cell, failed, model, result, task
from tests.builders.runs import CELLS, record

START = datetime(2026, 1, 1, tzinfo=UTC)


def made(of: CellResult, **changes: object) -> CellResult:
    return replace(of, provenance=replace(of.provenance, **changes))  # type: ignore[arg-type]


def ended(minute: float) -> CellResult:
    return made(result(), started_at=START + timedelta(minutes=minute), seconds=0.0)


def test_pace_counts_the_cells_after_the_first() -> None:
    assert pace([ended(0), ended(1), ended(2)]) == 1.0
    assert pace([ended(0), failed(failed_at=START + timedelta(seconds=30))]) == 2.0


def test_pace_forgets_what_an_earlier_run_did() -> None:
    assert pace([ended(0), *(ended(600 + half / 2) for half in range(5))]) == 2.0


def test_there_is_no_pace_before_the_second_cell() -> None:
    assert pace([]) is None
    assert pace([ended(0)]) is None
    assert pace([ended(0), ended(0)]) is None


def test_a_setting_that_another_size_was_asked_is_absent() -> None:
    small, large = model(1000), model(4000)
    results = [result(cell(model=small, shots=shots)) for shots in (0, 2, 4)]
    failures = [failed(cell(model=large, shots=2))]
    found = {(t.model, t.task): t[3:6] for t in tallies([*results, result(cell(model=large))], failures)}
    assert found == {("toy-1000", "colours"): (3, 0, 0), ("toy-4000", "colours"): (1, 1, 1)}


def test_a_treated_model_owes_what_models_treated_alike_were_asked() -> None:
    plain = [result(cell(shots=shots)) for shots in (0, 2, 4)]
    treated = [result(cell(model=model(size, variant="int8"), shots=shots)) for size, shots in ((1000, 0), (4000, 2))]
    found = {t.model: t[3:6] for t in tallies([*plain, *treated], [])}
    assert found == {"toy-1000": (3, 0, 0), "toy-1000+int8": (1, 0, 1), "toy-4000+int8": (1, 0, 1)}


def test_another_family_owes_nothing() -> None:
    other = model(1000, family="other", name="other-1000")
    found = tallies([result(cell(shots=2)), result(cell(model=other, of=task("shapes")))], [])
    assert [(t.family, t.task, t.absent) for t in found] == [("other", "shapes", 0), ("toy", "colours", 0)]


def test_a_failure_that_was_made_good_is_done() -> None:
    (found,) = tallies([result()], [failed()])
    assert (found.done, found.failed) == (1, 0)


def test_a_run_is_followed_by_the_cells_it_planned() -> None:
    run = record()
    came = made(result(CELLS[0]), started_at=run.started_at, seconds=20.0)
    gone = failed(CELLS[1], failed_at=run.started_at + timedelta(seconds=40))
    [found] = up_to_date([run], [came, result(cell(shots=8))], [gone], run.heard_at)
    assert found.progress == Progress(total=4, done=1, failed=1, first_seconds=20.0, elapsed_seconds=40.0)
    assert [key for of in found.plan for keys in of.tasks.values() for key in keys] == [c.key for c in CELLS[2:]]


def test_a_failure_that_a_run_tries_again_is_to_come_until_the_run_has_tried() -> None:
    run = record(plan=planned([cell()]))
    for minutes, to_come in ((-1, 1), (1, 0)):
        before = failed(failed_at=run.started_at + timedelta(minutes=minutes))
        runs = up_to_date([run], [], [before], run.heard_at)
        (found,) = tallies([], [before], runs)
        assert (found.failed, found.planned, runs[0].progress.failed) == (1, to_come, 1 - to_come)


def test_clocks_of_other_machines_spoil_no_rate() -> None:
    run = record()
    early = made(result(CELLS[0]), started_at=run.started_at - timedelta(hours=1))
    late = made(result(CELLS[1]), started_at=run.heard_at + timedelta(days=365 * 999))
    [found] = up_to_date([run], [early, late], [], run.heard_at)
    assert found.progress == Progress(total=4, done=2)


def test_what_a_run_did_stays_as_it_told_once_another_is_started() -> None:
    old = record(ending="interrupted", progress=Progress(total=4, done=1))
    new = record(started_at=old.heard_at + timedelta(hours=1), heard_at=old.heard_at + timedelta(hours=2))
    results = [result(asked) for asked in CELLS]
    found = up_to_date([new, old], results, [], new.heard_at)
    assert [one.progress.done for one in found] == [4, 1]


def test_what_was_finished_since_another_run_was_started_is_credited_to_that_one() -> None:
    """The first was killed on another machine a minute after it began, and still counts as going on."""
    killed = record()
    new = record(started_at=killed.heard_at + timedelta(seconds=30), heard_at=killed.heard_at + timedelta(minutes=2))
    results = [
        made(result(asked), started_at=killed.started_at, seconds=seconds)
        for asked, seconds in zip(CELLS, (30.0, 70.0, 100.0), strict=False)
    ]
    found = up_to_date([new, killed], results, [], new.heard_at)
    assert [one.state(new.heard_at) for one in found] == ["going on", "going on"]
    assert found[1].progress == Progress(total=4, done=2, first_seconds=30.0, elapsed_seconds=70.0)
    assert [sum(len(keys) for of in one.plan for keys in of.tasks.values()) for one in found] == [1, 1]


def test_a_run_is_followed_in_its_own_family() -> None:
    run = record()
    elsewhere = [result(replace(asked, model=replace(asked.model, family="other"))) for asked in CELLS]
    [found] = up_to_date([run], elsewhere, [], run.heard_at)
    assert found.progress == Progress(total=4)


def test_cells_that_two_runs_plan_are_to_come_once() -> None:
    small, large = model(1000), model(4000)
    asked = [cell(model=large, shots=shots) for shots in (0, 2, 4)]
    shapes = cell(model=small, of=task("shapes"))
    runs = [record(plan=planned(asked)), record(plan=planned([*asked[1:], shapes]))]
    found = tallies([result(cell(model=small, shots=8))], [], runs)
    assert {(t.model, t.task): (t.done, t.planned) for t in found} == {
        ("toy-1000", "colours"): (1, 0),
        ("toy-1000", "shapes"): (0, 1),
        ("toy-4000", "colours"): (0, 3),
        ("toy-4000", "shapes"): (0, 0),
    }


def test_a_plan_is_known_before_anything_came_back() -> None:
    found = tallies([], [], [record(plan=planned([cell(model=model(4000)), cell()]))])
    assert [(t.model, t.done, t.planned) for t in found] == [("toy-1000", 0, 1), ("toy-4000", 0, 1)]


def test_plans_hold_while_runs_go_on_or_until_one_is_started_after_they_broke_off() -> None:
    def at(*hours: float, **changes: object) -> RunRecord:
        started, heard = (START + timedelta(hours=hour) for hour in hours)
        return record(started_at=started, heard_at=heard, **changes)

    now = START + timedelta(hours=9)
    going, killed = at(0, 9), at(0.1, 2)
    finished, interrupted = at(0.2, 3, ending="finished"), at(0.3, 4, ending="interrupted")
    assert current([], now) == ()
    assert current([interrupted, finished, killed, going], now) == (interrupted, killed, going)  # side by side
    later = at(5, 6, ending="finished")
    assert current([later, interrupted, finished, killed, going], now) == (going,)
    assert current([at(7, 8), later, interrupted], now) == (at(7, 8),)


def test_the_same_model_in_two_folders_is_one() -> None:
    results = [result(cell(model=model(path=folder))) for folder in ("/a", "/b")]
    assert [(c.model, c.cells, c.documents) for c in costs(results)] == [("toy-1000", 2, 8)]


def test_energy_is_that_of_the_cells_that_were_measured() -> None:
    plain = result()
    (found,) = costs([plain, made(plain, energy_wh=2.0), made(plain, energy_wh=0.5)])
    assert (found.energy_wh, found.measured, found.cells, found.seconds) == (2.5, 2, 3, 3.0)
    (found,) = costs([plain])
    assert found.energy_wh is None


def test_cells_made_alike_are_one_row() -> None:
    old = made(result(), versions={"torch": "2.8"}, git_commit="c" * 40, git_dirty=True)
    new = made(result(), versions={"torch": "2.9"}, started_at=START + timedelta(days=1))
    first, second = setups([new, old, old])
    assert (first.versions, first.commit, first.cells) == ("torch 2.8", "cccccccccc+", 2)
    assert (second.versions, second.commit, second.cells) == ("torch 2.9", "", 1)
    assert second.last_at - first.first_at == timedelta(days=1, seconds=1)


def test_what_differs_between_cells_is_named() -> None:
    assert mixed([result(), result()]) == {}
    other = made(result(), versions={"torch": "2.9"}, device="cuda")
    assert mixed([made(result(), versions={"torch": "2.8"}), other]) == {
        "device": ["cpu", "cuda"],
        "torch": ["2.8", "2.9"],
    }


def test_programs_that_were_held_by_unequal_fences_are_mixed_and_what_ran_none_is_no_matter() -> None:
    ran = result(cell(of=task(metrics=(MetricSpec(name="pass_at_1", chance=0.0, best=1.0),))))
    strong, weak = made(ran, fence="bubblewrap+landlock+seccomp"), made(ran, fence="none")

    assert mixed([strong, strong, result()]) == {}
    assert mixed([strong, weak, result()]) == {"fence": ["bubblewrap+landlock+seccomp", "none"]}
    assert mixed([strong, ran]) == {"fence": ["bubblewrap+landlock+seccomp", "not recorded"]}


def test_code_of_others_is_named_with_the_models_and_tasks_it_ran_for() -> None:
    first, second = "modeling_theirs.py@1f0c9d3e5a7b", "pickle pytorch_model.bin"
    small = made(result(), foreign_code=(first, second))
    large = made(result(cell(model=model(4000), of=task("shapes"))), foreign_code=(first,))
    assert foreign_code([large, small, result()]) == (
        (first, ("toy-1000", "toy-4000"), ("colours", "shapes"), 2),
        (second, ("toy-1000",), ("colours",), 1),
    )
    assert foreign_code([result()]) == ()


def test_two_versions_of_one_file_are_mixed_and_cells_without_it_are_no_matter() -> None:
    one, other = (made(result(), foreign_code=(f"metric.py@{digits}", "pickle a.bin")) for digits in ("aa", "bb"))
    assert mixed([one, one, result()]) == {}
    assert mixed([one, other, result()]) == {"code metric.py": ["aa", "bb"]}


def test_fallbacks_are_counted_by_model_and_reason() -> None:
    assert fallbacks([made(result(), fallback="ALiBi"), made(result(), fallback="ALiBi"), result()]) == {
        ("toy-1000", "ALiBi"): 2
    }
