from dataclasses import replace
from datetime import UTC, datetime, timedelta

from harness.analysis.runs import costs, fallbacks, makings, mixed, pace, tallies
from harness.records import CellResult
from tests.builders import cell, failed, model, result, task

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
    found = {(t.model, t.task): t[3:] for t in tallies([*results, result(cell(model=large))], failures)}
    assert found == {("toy-1000", "colours"): (3, 0, 0), ("toy-4000", "colours"): (1, 1, 1)}


def test_a_treated_model_owes_what_models_treated_alike_were_asked() -> None:
    plain = [result(cell(shots=shots)) for shots in (0, 2, 4)]
    treated = [result(cell(model=model(size, variant="int8"), shots=shots)) for size, shots in ((1000, 0), (4000, 2))]
    found = {t.model: t[3:] for t in tallies([*plain, *treated], [])}
    assert found == {"toy-1000": (3, 0, 0), "toy-1000+int8": (1, 0, 1), "toy-4000+int8": (1, 0, 1)}


def test_another_family_owes_nothing() -> None:
    other = model(1000, family="other", name="other-1000")
    found = tallies([result(cell(shots=2)), result(cell(model=other, of=task("shapes")))], [])
    assert [(t.family, t.task, t.absent) for t in found] == [("other", "shapes", 0), ("toy", "colours", 0)]


def test_a_failure_that_was_made_good_is_done() -> None:
    (found,) = tallies([result()], [failed()])
    assert (found.done, found.failed) == (1, 0)


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
    first, second = makings([new, old, old])
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


def test_fallbacks_are_counted_by_model_and_reason() -> None:
    assert fallbacks([made(result(), fallback="ALiBi"), made(result(), fallback="ALiBi"), result()]) == {
        ("toy-1000", "ALiBi"): 2
    }
