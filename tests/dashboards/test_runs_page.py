"""The Runs page on folders of cells that no run wrote down; `test_recorded_runs` shows it on records of runs."""

from datetime import UTC, datetime, timedelta

from harness.store import HEADER, Store
from tests.builders import cell, failed, made_with, model, result, task
from tests.builders.dashboards import HOSTILE, column, markup, numbers, opened, texts
from tests.builders.trained import training_card


def test_an_empty_folder_says_what_to_do(store: Store) -> None:
    assert not store.root.exists()
    assert "`emergence run` starts a run" in texts(opened("runs"))


def test_done_failed_and_absent_are_counted_by_model_and_task(store: Store) -> None:
    for shots in (0, 2, 4):
        store.write(result(cell(model=model(1000), shots=shots)))
    store.write(result(cell(model=model(4000))))
    store.write(failed(cell(model=model(4000), shots=2)))
    app = opened("runs")
    found = numbers(app)
    assert [found[f"Cells {what}"] for what in ("done", "failed", "absent")] == ["4", "1", "1"]
    assert column(app, "toy-1000") == ["✓ 3"]
    assert column(app, "toy-4000") == ["✓ 1  ✗ 1  … 1"]


def test_a_run_going_on_is_seen_with_its_pace(store: Store) -> None:
    now = datetime.now(UTC)
    for shots in (0, 2, 4):
        store.write(made_with(result(cell(shots=shots)), started_at=now - timedelta(seconds=1 + 20 * shots)))
    store.write(made_with(result(cell(model=model(4000))), started_at=now - timedelta(seconds=1)))
    app = opened("runs")
    assert "A run is going on; what is absent takes about" in texts(app)
    assert numbers(app)["Cells a minute"] == "2.25"


def test_a_run_long_ago_is_over(store: Store) -> None:
    store.write(result())
    assert "No run seems to be going on" in texts(opened("runs"))


def test_new_cells_are_counted_without_a_restart(store: Store) -> None:
    store.write(result())
    app = opened("runs")
    store.write(result(cell(shots=2)))
    app.run()
    assert numbers(app)["Cells done"] == "2"


def test_failures_come_with_their_traceback_the_newest_first(store: Store) -> None:
    store.write(failed(traceback="Traceback of the first"))
    later = datetime(2026, 1, 2, tzinfo=UTC)
    store.write(failed(cell(shots=2), error="WorkerDied", traceback="", failed_at=later))
    app = opened("runs")
    assert column(app, "Error") == ["WorkerDied", "ValueError"]
    assert "There is none" in app.code[0].value
    app.selectbox(key="failure").select_index(1).run()
    assert app.code[0].value == "Traceback of the first"


def test_a_file_that_cannot_be_read_is_named(store: Store) -> None:
    lost = result()
    store.write(lost)
    store.write(result(cell(shots=2)))
    (store.path(lost.cell) / HEADER).write_text("half of a hea")
    app = opened("runs")
    assert numbers(app)["Files unreadable"] == "1"
    assert "not JSON" in str(column(app, "What is wrong"))


def test_time_and_energy_are_added_up_by_model(store: Store) -> None:
    store.write(made_with(result(), seconds=60.0, energy_wh=1.5))
    store.write(result(cell(model=model(4000))))
    app = opened("runs")
    assert column(app, "Seconds") == [60.0, 1.0]
    assert column(app, "Seconds per 1000 documents") == [15000.0, 250.0]
    assert "Together 1 min 1 s of answering" in texts(app)
    assert "1.5 Wh, measured in 1 of 2 cells" in texts(app)


def test_energy_nobody_measured_is_no_zero(store: Store) -> None:
    store.write(result())
    app = opened("runs")
    assert "energy was not measured" in texts(app)
    assert not any("Energy, Wh" in found.value for found in app.dataframe)


def test_results_made_alike_bring_no_warning(store: Store) -> None:
    store.write(result())
    store.write(result(cell(shots=2)))
    assert not opened("runs").warning


def test_mixed_versions_and_engines_are_warned_of(store: Store) -> None:
    store.write(made_with(result(), versions={"torch": "2.8"}))
    code = ("modeling_theirs.py@1f0c9d3e5a7b",)
    store.write(made_with(result(cell(engine="tree")), versions={"torch": "2.9"}, fallback="ALiBi", foreign_code=code))
    app = opened("runs")
    assert "Not all cells were made alike" in app.warning[0].value
    assert column(app, "What") == ["engine", "torch"]
    assert column(app, "Values") == ["simulated, tree", "2.8, 2.9"]
    assert column(app, "Why") == ["ALiBi"]
    assert column(app, "Code") == ["modeling_theirs.py@1f0c9d3e5a7b"]
    assert column(app, "Versions") == ["torch 2.9", "torch 2.8"]


def test_what_a_run_left_behind_is_never_markdown(store: Store) -> None:
    hostile = cell(model=model(1000, name=HOSTILE, family=HOSTILE), of=task(HOSTILE))
    store.write(made_with(result(hostile), host=HOSTILE, versions={HOSTILE: HOSTILE}, device=HOSTILE, fallback=HOSTILE))
    store.write(result())
    store.write(failed(cell(shots=8), error=HOSTILE, message=HOSTILE, traceback=HOSTILE))
    app = opened("runs")
    assert app.code[0].value == HOSTILE
    assert "script" not in markup(app)
    assert "script" not in "".join(block.label for block in app.expander)


def test_trainings_are_shown_with_their_loss(store: Store) -> None:
    store.write(result())
    training_card(store.root, model=HOSTILE)
    training_card(store.root, seed=1, model="damaged").write_text("{")
    app = opened("runs")
    assert [[*curve] for curve in column(app, "Loss")] == [[2.0, 1.0, 0.5, 0.1]]
    assert HOSTILE not in markup(app)
    assert numbers(app)["Files unreadable"] == "1"
