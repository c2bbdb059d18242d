"""What is read, judged and drawn once, so that nobody waits for it again."""

import shutil
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from harness.dashboards import state
from harness.dashboards.serve import head_start, other_axes

from harness.analysis.curves.scale import SCALES
from harness.kept_verdicts import kept_study
from harness.reading import document_reader
from harness.store import JUDGED, Store
from tests.builders import SIZES, grown, task
from tests.builders.curves import RISE
from tests.builders.dashboards import (
    answered,
    charts,
    opened,
)


def test_new_results_appear_without_a_restart(own: Store) -> None:
    app = opened("curves")
    for one in grown(RISE, of=task("numbers")):
        own.write(replace(one, samples=()))
    app.run()
    assert "numbers" in app.multiselect(key="task").options


def test_another_axis_reads_no_document_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Store(tmp_path)
    for size in SIZES:
        answered(made, size, [1] * 20 + [0] * 20)
    monkeypatch.setenv("EMERGENCE_RESULTS", str(tmp_path))
    app = opened("verdicts")
    monkeypatch.setattr(Store, "scores", None)  # reading would fail
    app.selectbox(key="scale").select("flops").run()
    assert not app.exception
    assert len(app.dataframe[0].value) == 1


@pytest.mark.usefixtures("shown")
def test_a_figure_is_drawn_anew_for_other_filters_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened("shots")
    first = charts(app)
    app.selectbox(key="of").select("shapes").run()
    second = charts(app)
    assert first != second
    monkeypatch.setattr("harness.figures.shots_by_scale", None)  # drawing would fail
    app.selectbox(key="of").select("colours").run()
    assert not app.exception
    assert charts(app) == first


def test_the_head_start_judges_what_the_first_page_asks_for(own: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    head_start()
    monkeypatch.setattr(state, "conclude", None)  # judging again would fail
    (chart,) = charts(opened())
    assert '"rises"' in chart


def test_the_other_axes_are_judged_when_the_first_page_has_been_seen(
    own: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened("curves")
    other_axes(patience=0)
    monkeypatch.setattr(state, "conclude", None)  # judging again would fail
    for axis in ("flops", "tokens"):
        app.selectbox(key="scale").select(axis).run()
        assert not app.exception
        assert charts(app)


def test_verdicts_of_one_axis_are_found_again_whatever_else_was_judged(
    own: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "MOST_DOCUMENTS", 100)
    shutil.rmtree(own.root / JUDGED)
    asked: list[str] = []
    monkeypatch.setattr(state, "conclude", lambda *of, **more: asked.append(more["scale"]) or kept_study(*of, **more))
    for axis in ("params", "flops", "params", "flops"):
        state.current_study(axis)
    assert asked == ["params", "flops"]
    kept_study(own, own.outcomes(), items=document_reader(own))  # as the command line does
    assert state.current_study("params").by_document
    assert asked == ["params", "flops", "params"]


def test_every_other_axis_is_judged_ahead_and_compute_first(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(state, "current_study", asked.append)
    monkeypatch.setattr(state, "looked", threading.Event())
    state.looked.set()
    other_axes(patience=0)
    assert asked[0] == "flops"
    assert sorted(asked) == sorted(SCALES[1:])


def test_what_is_seen_first_waits_neither_for_pandas_nor_for_figures() -> None:
    needed = "from harness.dashboards import charts, state, summary"
    late = "{'pandas', 'harness.figures'} & set(sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; {needed}; print({late})"], check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == "set()"


def test_a_head_start_on_nothing_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMERGENCE_RESULTS", str(tmp_path / "nowhere"))
    head_start()
