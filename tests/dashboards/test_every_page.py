"""What holds for every page: words, titles, results that are missing or hostile, and the card of a task."""

import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from harness.dashboards import state
from streamlit.testing.v1.element_tree import Element

from harness.runs.record import planned
from harness.store import JUDGED, Store
from tests.builders import SIZES, cell, failed, grown, model, result, task
from tests.builders.curves import RISE
from tests.builders.dashboards import (
    APP,
    PAGES,
    answered,
    charts,
    html_tables,
    markup,
    opened,
    texts,
    walk,
)
from tests.builders.runs import record


def test_no_folder_beside_the_app_is_called_pages() -> None:
    # Streamlit would take it for an older kind of app and run a page without the app around it.
    assert not (APP.parent / "pages").exists()


@pytest.mark.usefixtures("shown")
def test_every_page_has_a_title_and_prints_no_stray_text() -> None:
    for app in walk():
        assert len(app.title) == 1
        # Streamlit prints whatever stands alone in a page, such as a docstring under a constant, above the title.
        assert app.main[0].type == "title"


@pytest.mark.usefixtures("shown")
def test_everything_to_operate_or_look_at_has_a_label() -> None:
    for app in walk():
        widgets = [*app.selectbox, *app.multiselect, *app.radio, *app.get("download_button"), *app.get("button_group")]
        assert widgets
        assert all(_label(widget) for widget in widgets)
        assert all(chart.proto.alt for chart in app.get("plotly_chart"))


def _label(widget: Element) -> str:
    return str(widget.proto.label)


def test_every_page_shows_engines_families_and_prompts_that_are_called_alike(own: Store) -> None:
    for engine, family, prompt in (("tree", "toy", "default"), ("simulated", "a-b", "c"), ("simulated", "a", "b-c")):
        for shots in (0, 2):
            for one in grown(RISE, of=task("shapes"), shots=shots, engine=engine, prompt=prompt):
                model = replace(one.cell.model, family=family)
                own.write(replace(one, cell=replace(one.cell, model=model), samples=()))
    assert [len(charts(app)) for app in walk(of="shapes")][PAGES.index("shots")] == 4


@pytest.mark.usefixtures("shown")
def test_one_view_is_of_one_moment_of_the_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    stamps = []
    look = Store.stamp
    monkeypatch.setattr(Store, "stamp", lambda store: stamps.append(store) or look(store))
    for app in walk():
        stamps.clear()
        app.run()
        assert len(stamps) == 1


def test_pages_with_verdicts_say_when_these_rest_on_the_scores_of_cells(
    own: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    sentence = "rest here on the scores of cells"
    assert not any(sentence in texts(app) for app in walk())
    monkeypatch.setattr(state, "MOST_DOCUMENTS", 100)
    assert not any(sentence in texts(app) for app in walk())  # somebody has weighed every document before
    shutil.rmtree(own.root / JUDGED)
    state._study.clear()
    saying = {page for page, app in zip(PAGES, walk(), strict=True) if sentence in texts(app)}
    assert saying == {"overview", "curves", "verdicts", "metric"}


def test_pages_with_verdicts_say_that_they_are_provisional_while_a_run_goes_on(own: Store) -> None:
    now = datetime.now(UTC)
    assert "Provisional" not in texts(opened("verdicts"))
    own.write_run(record(started_at=now, heard_at=now, plan=planned([cell(model=model(99_000_000))])))
    sentence = "Provisional: a run goes on, and 1 cell is still to come."
    saying = {page for page, app in zip(PAGES, walk(), strict=True) if sentence in texts(app)}
    assert saying == {"curves", "verdicts", "metric", "forecast", "shots"}
    overview = "".join(html.proto.body for html in opened().get("html"))
    assert "Provisional: a run goes on, and 1 cell of this family is still to come." in overview


@pytest.mark.usefixtures("shown")
def test_filters_that_leave_nothing_say_so() -> None:
    for app in walk(task="letters", shots="2"):
        assert "Take away a filter" in texts(app)


def test_a_missing_folder_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMERGENCE_RESULTS", str(tmp_path / "nowhere"))
    for app in walk():
        assert "`emergence run` makes some" in texts(app)


def test_a_store_with_failures_only_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Store(tmp_path).write(failed())
    monkeypatch.setenv("EMERGENCE_RESULTS", str(tmp_path))
    for app in walk():
        assert "There are no results yet: all 1 cells failed" in texts(app)


def test_a_store_of_damaged_files_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Store(tmp_path)
    made.write(result())
    made.path(result().cell).joinpath("cell.json").write_text("{")
    monkeypatch.setenv("EMERGENCE_RESULTS", str(tmp_path))
    for app in walk():
        assert "all 1 files found cannot be read" in texts(app)


def test_names_in_files_written_by_others_are_never_markdown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "**x** <script>alert(1)</script> $y$ :material/x:"
    made = Store(tmp_path)
    for shots in (0, 2):
        for one in grown(RISE, of=task(name), shots=shots):
            made.write(replace(one, samples=()))
    monkeypatch.setenv("EMERGENCE_RESULTS", str(tmp_path))
    for app in walk():
        assert "script" not in markup(app)
        assert not any("<script" in table.proto.body for table in app.get("html"))
    _, newest = html_tables(opened())
    assert newest[1][2] == name


def test_the_folder_can_be_an_argument(shown: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EMERGENCE_RESULTS")
    monkeypatch.setattr("sys.argv", ["app.py", str(shown.root)])
    assert "39 results" in texts(opened())


@pytest.mark.usefixtures("shown")
def test_every_page_tells_what_a_task_asks() -> None:
    for page in (*PAGES, "samples", "runs"):
        app = opened(page, about="shapes")
        sidebar = "\n".join(text.value for text in app.sidebar.text)
        assert "Chance: 0.25" in sidebar, page
        assert app.query_params["about"] == "shapes"


@pytest.mark.usefixtures("shown")
def test_a_page_that_ends_early_has_its_address_and_its_card_all_the_same() -> None:
    app = opened("shots", task=["letters", "no such task"], about="shapes")
    assert "Nothing here was asked with several numbers of demonstrations." in texts(app)
    assert "Tasks: there is no 'no such task'." in texts(app)
    assert app.query_params["task"] == "letters"
    assert "Chance: 0.25" in "\n".join(text.value for text in app.sidebar.text)


def test_the_card_of_a_task_has_an_example_with_its_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answered(Store(tmp_path), SIZES[0], [1, 0])
    monkeypatch.setenv("EMERGENCE_RESULTS", str(tmp_path))
    app = opened("overview", about="colours")
    assert "Right answer: red" in "\n".join(text.value for text in app.sidebar.text)
    assert len(app.sidebar.code) == 1
