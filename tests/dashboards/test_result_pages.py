"""The pages that show what the results say (all but Samples and Runs), run by Streamlit's own test driver."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest
from harness.dashboards import address, state
from harness.dashboards.serve import head_start, other_axes
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Element

from harness.leaderboard import tidy_table, to_csv, wide_table
from harness.store import JUDGED, Store
from tests.builders import SIZES, cell, failed, grown, made_with, model, result, task
from tests.builders.classes import chosen
from tests.builders.curves import RISE
from tests.builders.dashboards import APP, column, markup, numbers, opened, texts

PAGES = ("overview", "curves", "verdicts", "metric", "forecast", "shots", "classes", "leaderboard", "costs", "compare")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store that no test changes, so that it is judged once: three tasks, two of them also with examples."""
    made = Store(tmp_path_factory.mktemp("shared") / "results")
    asked = [(name, shots) for name in ("colours", "shapes") for shots in (0, 2)] + [("letters", 0)]
    results = [r for name, shots in asked for r in grown(RISE, of=task(name), shots=shots)]
    for one in results[1:]:
        made.write(replace(one, samples=()))
    made.write(failed(results[0].cell, message="no <b>answer</b>", failed_at=datetime(2026, 1, 2, tzinfo=UTC)))
    return made


@pytest.fixture
def store(shared: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    """The shared store, shown."""
    monkeypatch.setenv("EMERGENCE_RESULTS", str(shared.root))
    return shared


@pytest.fixture
def own(shared: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A copy of the shared store to write into, shown."""
    monkeypatch.setenv("EMERGENCE_RESULTS", str(tmp_path))
    shutil.copytree(shared.root, tmp_path, dirs_exist_ok=True)
    return Store(tmp_path)


def walk(**address: str | list[str]) -> Iterator[AppTest]:
    """Each page in turn, by one reader: starting the driver takes longer than showing a page."""
    app = opened(**address)
    for page in PAGES:
        yield app.switch_page(f"views/{page}.py").run()
        assert not app.exception, page


def charts(app: AppTest) -> list[str]:
    """Each figure as plotly got it."""
    return [chart.proto.spec for chart in app.get("plotly_chart")]


class _Cells(HTMLParser):
    """What stands in the cells of a table, row by row; markup inside a cell would be lost."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag == "tr":
            self.rows.append([])
        self._inside = tag in ("th", "td")
        if self._inside:
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.rows[-1][-1] += data


def html_tables(app: AppTest) -> list[list[list[str]]]:
    """The light tables of a page, headings first."""
    found = []
    for table in app.get("html"):
        parser = _Cells()
        parser.feed(table.proto.body)
        found += [parser.rows] if parser.rows else []
    return found


def answered(store: Store, params: int, right: list[int], **changes: object) -> None:
    """A cell with samples: one document each that was answered rightly (1) or not (0)."""
    store.write(result(cell(model=model(params), **changes), values=[float(r) for r in right]))


def test_no_folder_beside_the_app_is_called_pages() -> None:
    # Streamlit would take it for an older kind of app and run a page without the app around it.
    assert not (APP.parent / "pages").exists()


@pytest.mark.usefixtures("store")
def test_every_page_has_a_title_and_prints_no_stray_text() -> None:
    for app in walk():
        assert len(app.title) == 1
        # Streamlit prints whatever stands alone in a page, such as a docstring under a constant, above the title.
        assert app.main[0].type == "title"


@pytest.mark.usefixtures("store")
def test_everything_to_operate_or_look_at_has_a_label() -> None:
    for app in walk():
        widgets = [*app.selectbox, *app.multiselect, *app.radio, *app.get("download_button"), *app.get("button_group")]
        assert widgets
        assert all(_label(widget) for widget in widgets)
        assert all(chart.proto.alt for chart in app.get("plotly_chart"))


def _label(widget: Element) -> str:
    return str(widget.proto.label)


@pytest.mark.usefixtures("store")
def test_the_overview_counts_families_cells_and_verdicts() -> None:
    app = opened()
    assert numbers(app) == {
        "Families": "1",
        "Models": "8",
        "Tasks": "3",
        "Cells done": "39",
        "Cells failed": "1",
        "Rises": "5",
    }
    assert "toy</strong>: Of 5 abilities 5 rise." in "".join(html.proto.body for html in app.get("html"))
    assert "A cell is one model asked" in texts(app)
    families, newest = html_tables(app)
    assert families[1] == ["toy", "1k to 16.4M", "toy", "8", "3", "39", "1"]
    assert len(newest) == 9
    assert newest[1][-1] == "ValueError: no <b>answer</b>"
    (chart,) = charts(app)
    assert json.loads(chart)["data"][0]["y"] == ["rises"]
    assert "39 results, 1 failure, 0 unreadable files" in texts(app)


@pytest.mark.usefixtures("store")
def test_few_tasks_are_shown_with_both_metrics_and_reasons() -> None:
    app = opened("curves", task="shapes")
    sharp, smooth = charts(app)
    assert ("prob_correct" in sharp, "prob_correct" in smooth) == (False, True)
    assert "toy, 0-shot: rises. Rises with scale" in texts(app)
    assert "n = 200 documents per size" in texts(app)


def test_many_tasks_get_a_small_panel_each(own: Store) -> None:
    for one in grown(RISE, of=task("numbers")):
        own.write(replace(one, samples=()))
    app = opened("curves")
    for chart, name in zip(charts(app), ("colours", "letters", "numbers", "shapes"), strict=True):
        assert name in chart
        assert "prob_correct" not in chart
    assert texts(app).count("acc (share of documents): rises") == 4
    assert "Bars: 95 % interval." in texts(app)


@pytest.mark.usefixtures("store")
def test_the_address_sets_every_filter() -> None:
    app = opened("curves", task="shapes", shots=["2"], scale="flops", y="centred", fits="hidden")
    assert app.selectbox(key="scale").value == "flops"
    assert app.multiselect(key="shots").value == [2]
    chart, partner = charts(app)
    assert "Training compute 6ND, FLOPs" in chart
    assert "chance-centred acc" in chart
    assert "0-shot" not in chart + partner


@pytest.mark.usefixtures("store")
def test_a_filter_goes_into_the_address_and_along_to_other_pages() -> None:
    app = opened("curves")
    app.multiselect(key="task").select("colours").run()
    assert app.query_params["task"] == "colours"
    app.switch_page("views/verdicts.py").run()
    assert set(app.dataframe[0].value["Task"]) == {"colours"}
    assert app.query_params["task"] == "colours"
    app.multiselect(key="task").unselect("colours").run()
    assert "task" not in app.query_params
    assert set(app.dataframe[0].value["Task"]) == {"colours", "letters", "shapes"}


@pytest.mark.usefixtures("store")
def test_an_address_with_unknown_values_shows_everything() -> None:
    app = opened("curves", task="no such task", scale="weight", y="<script>")
    assert app.multiselect(key="task").value == []
    assert app.selectbox(key="scale").value == "params"
    assert len(charts(app)) == 4  # both metrics of the first two tasks
    assert "Tasks: there is no 'no such task'. There are colours, letters, shapes." in texts(app)
    assert "Scale axis: there is no 'weight'." in texts(app)
    assert "no such task" not in texts(app.run())


def test_the_verdict_table_sorts_by_number_and_can_be_narrowed(own: Store) -> None:
    for one in grown([50] * 8, of=task("nonsense")):
        own.write(replace(one, samples=()))
    app = opened("verdicts")
    table = app.dataframe[0].value
    assert list(table["Verdict"]) == ["rises"] * 3 + ["flat"] + ["rises"] * 2
    assert all("n = 200 documents per size" in why for why in table["Why"])
    assert table["Change"].iloc[0] > 0.5
    assert table["Threshold"].isna().tolist() == [False, False, False, True, False, False]
    threshold, interval = table["Threshold"].iloc[0], table["95 % interval"].iloc[0]
    assert SIZES[0] < threshold < SIZES[-1]
    assert re.fullmatch(r"<?[\d.]+k-[\d.]+k", interval)
    assert table["95 % interval"].iloc[3] == "–"
    app.multiselect(key="verdict").select("flat").run()
    assert list(app.dataframe[0].value["Task"]) == ["nonsense"]


@pytest.mark.usefixtures("store")
def test_choosing_a_verdict_shows_its_curve_its_evidence_and_a_link() -> None:
    app = opened("verdicts")
    assert charts(app) == []
    key = app.dataframe[0].proto.id.split("-", 2)[2]
    app.session_state[key] = {"selection": {"rows": [1], "columns": [], "cells": []}}
    app.run()
    assert not app.exception
    sharp, smooth = charts(app)
    assert ('"text":"colours: acc"' in sharp, '"text":"colours: prob_correct"' in smooth) == (True, True)
    assert "2-shot" in sharp
    assert "q_trend" in set(app.dataframe[1].value["Evidence"])
    links = app.get("page_link")
    assert [link.proto.label for link in links] == ["Curve", "Metric or ability", "Documents", "Leaderboard"]
    assert all("task=colours&shots=2" in link.proto.query_string for link in links)
    assert app.query_params["row"] == "toy / colours / 2-shot / acc"


@pytest.mark.usefixtures("store")
def test_a_link_opens_the_verdict_that_it_names() -> None:
    app = opened("verdicts", row="toy / shapes / 0-shot / acc")
    assert '"text":"shapes: acc"' in charts(app)[0]
    assert app.query_params["row"] == "toy / shapes / 0-shot / acc"
    assert '"text":"shapes: acc"' in charts(app.run())[0]
    app.switch_page("views/curves.py").run()
    app.switch_page("views/verdicts.py").run()
    assert '"text":"shapes: acc"' in charts(app)[0]


@pytest.mark.usefixtures("store")
def test_a_link_to_a_verdict_that_is_not_there_says_so() -> None:
    app = opened("verdicts", row="toy / smells / 0-shot / acc")
    assert charts(app) == []
    assert "Row: there is no 'toy / smells / 0-shot / acc'." in texts(app)


@pytest.mark.usefixtures("store")
def test_a_link_to_what_a_filter_of_one_option_cannot_choose_says_so() -> None:
    app = opened("curves", family="pythia")
    assert "Families: there is no 'pythia'. There are toy." in texts(app)
    assert "The address asks for something" not in texts(opened("curves", family="toy"))


@pytest.mark.usefixtures("store")
def test_a_score_of_the_leaderboard_that_the_address_names_leads_to_its_task() -> None:
    app = opened("leaderboard", score=f"toy-{SIZES[0]} / shapes (acc)")
    links = app.get("page_link")
    assert [link.proto.label for link in links] == ["Verdict", "Curve", "Metric or ability", "Documents"]
    assert {link.proto.query_string for link in links} == {"task=shapes"}
    assert app.query_params["score"] == f"toy-{SIZES[0]} / shapes (acc)"
    assert "Score: there is no" in texts(opened("leaderboard", score="toy-1 / shapes (acc)"))


@pytest.mark.usefixtures("store")
def test_going_back_takes_the_address_at_its_word(monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened("verdicts", task="colours", row="toy / colours / 2-shot / acc")
    app.multiselect(key="task").select("shapes").run()
    monkeypatch.setattr("harness.dashboards.address.went_back", lambda: True)
    app.query_params.clear()
    app.query_params["task"] = ["colours"]
    app.run()
    assert app.multiselect(key="task").value == ["colours"]
    assert charts(app) == []  # no verdict was chosen there
    app.query_params.clear()
    app.run()
    assert app.multiselect(key="task").value == []


@pytest.mark.usefixtures("store")
def test_one_choice_is_one_step_of_the_history(monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[dict[str, list[str]]] = []
    app = opened("verdicts", task="colours", row="toy / colours / 2-shot / acc")
    write = address._write
    monkeypatch.setattr(address, "_write", lambda changes: steps.append(changes) or write(changes))
    app.multiselect(key="task").unselect("colours").select("shapes").run()  # the verdict goes with its task
    assert len(steps) == 1
    assert {key: app.query_params.get(key) for key in ("task", "row")} == {"task": "shapes", "row": None}


@pytest.mark.usefixtures("store")
def test_sharp_and_smooth_stand_on_one_axis_with_what_the_test_says() -> None:
    app = opened("metric", task="shapes", shots="0")
    (chart,) = charts(app)
    assert ("acc (headline)" in chart, "prob_correct (continuous)" in chart) == (True, True)
    assert "prob_correct" in texts(app)
    assert [link.proto.label for link in app.get("page_link")] == ["Verdict", "Curve", "Documents", "Leaderboard"]


@pytest.mark.usefixtures("store")
def test_a_forecast_has_its_page_and_says_how_well_such_forecasts_did() -> None:
    app = opened("forecast", task="shapes", shots="0", at="1e9")
    (row,) = app.dataframe[0].value.to_dict("records")
    assert (row["Task"], row["Largest"]) == ("shapes", SIZES[-1])
    assert 0.9 < row["Forecast"] <= 1
    assert row["Back-tests inside"].endswith(" of 4")
    assert "diamond" in texts(app)
    (chart,) = charts(app)
    assert "95 % of one further model" in chart  # the band between the largest size and the forecast
    app.text_input(key="at").input("soon").run()
    assert "such as 7e9, 7B or 1.4T" in texts(app)


@pytest.mark.usefixtures("store")
def test_shots_by_scale_shows_the_gain_from_demonstrations() -> None:
    app = opened("shots", of="shapes")
    (chart,) = charts(app)
    assert "gain over 0-shot" in chart
    assert app.selectbox(key="of").value == "shapes"


def test_every_page_shows_engines_families_and_prompts_that_are_called_alike(own: Store) -> None:
    for engine, family, prompt in (("tree", "toy", "default"), ("simulated", "a-b", "c"), ("simulated", "a", "b-c")):
        for shots in (0, 2):
            for one in grown(RISE, of=task("shapes"), shots=shots, engine=engine, prompt=prompt):
                model = replace(one.cell.model, family=family)
                own.write(replace(one, cell=replace(one.cell, model=model), samples=()))
    assert [len(charts(app)) for app in walk(of="shapes")][PAGES.index("shots")] == 4


def test_shots_by_scale_needs_several_shot_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Store(tmp_path)
    for one in grown(RISE):
        made.write(replace(one, samples=()))
    monkeypatch.setenv("EMERGENCE_RESULTS", str(tmp_path))
    assert "`emergence run --shots 0,2,5`" in texts(opened("shots"))


def test_the_downloaded_tables_are_the_leaderboard_exports_byte_for_byte(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = {}
    monkeypatch.setattr("streamlit.download_button", lambda label, data, *, key, **more: made.update({key: data}))
    opened("leaderboard")
    outcomes = store.results(), store.failures()
    assert made["download leaderboard"]() == to_csv(tidy_table(*outcomes))
    assert made["download leaderboard-wide"]() == to_csv(wide_table(*outcomes))


def test_the_numbers_of_a_figure_can_be_downloaded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    made = {}
    monkeypatch.setattr("streamlit.download_button", lambda label, data, *, key, **more: made.update({key: data}))
    opened("curves", task="shapes", shots="2")
    head, first, *_ = made["download shapes"]().splitlines()
    assert head.startswith("family,task,shots,prompt,metric,scale,model,x,value,ci_low,ci_high,n,chance")
    assert first.startswith("toy,shapes,2,default,acc,params,toy-1000,1000.0,0.25,")


def test_the_overview_names_a_few_files_that_cannot_be_read_and_counts_the_others(own: Store) -> None:
    for one in own.results()[:9]:
        (own.path(one.cell) / "cell.json").write_text("{")
    said = texts(opened())
    assert said.count("Skipped") == 2
    assert "Skipped 8 more files, which Runs lists." in said


def test_models_that_cannot_be_told_apart_share_their_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Store(tmp_path)
    answered(made, SIZES[0], [1] * 5 + [0] * 45)
    answered(made, SIZES[1], [1] * 40 + [0] * 10)
    answered(made, SIZES[2], [1] * 41 + [0] * 9)
    monkeypatch.setenv("EMERGENCE_RESULTS", str(tmp_path))
    board = opened("leaderboard").dataframe[0].value
    assert board["rank"].tolist() == ["1–2", "1–2", "3"]
    assert board["model"].tolist() == [f"toy-{size}" for size in (SIZES[2], SIZES[1], SIZES[0])]
    assert board["95 % interval"][0] == "0.604 to 0.916"


def test_two_models_are_compared_on_the_same_documents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Store(tmp_path)
    answered(made, SIZES[0], [1] * 10 + [0] * 30)
    answered(made, SIZES[1], [1] * 35 + [0] * 5)
    monkeypatch.setenv("EMERGENCE_RESULTS", str(tmp_path))
    app = opened("compare")
    assert app.selectbox(key="a").value == f"toy-{SIZES[0]}"
    assert "B is better on 1, worse on 0, with no clear difference on 0." in texts(app)
    assert app.dataframe[0].value["difference"].tolist() == [0.625]
    assert len(charts(app)) == 1


def test_two_settings_are_compared_by_typing_terms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Store(tmp_path)
    answered(made, SIZES[0], [1] * 10 + [0] * 30)
    answered(made, SIZES[0], [1] * 20 + [0] * 20, shots=2)
    monkeypatch.setenv("EMERGENCE_RESULTS", str(tmp_path))
    app = opened("compare", a="shots=0", b="shots=2")
    assert app.dataframe[0].value["difference"].tolist() == [0.25]


@pytest.mark.usefixtures("store")
def test_what_cannot_be_compared_is_said_as_plain_text() -> None:
    app = opened("compare", a="<b>nobody</b>")
    assert "These two cannot be compared." in texts(app)
    assert "<b>nobody</b>" in "\n".join(element.value for element in app.text)


def test_new_results_appear_without_a_restart(own: Store) -> None:
    app = opened("curves")
    for one in grown(RISE, of=task("numbers")):
        own.write(replace(one, samples=()))
    app.run()
    assert "numbers" in app.multiselect(key="task").options


@pytest.mark.usefixtures("store")
def test_one_view_is_of_one_moment_of_the_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    stamps = []
    look = Store.stamp
    monkeypatch.setattr(Store, "stamp", lambda store: stamps.append(store) or look(store))
    for app in walk():
        stamps.clear()
        app.run()
        assert len(stamps) == 1


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


@pytest.mark.usefixtures("store")
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


@pytest.mark.usefixtures("store")
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


@pytest.mark.usefixtures("store")
def test_models_without_a_place_on_the_axis_are_told() -> None:
    assert "Choose another scale axis" in texts(opened("curves", scale="loss"))


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


def test_the_folder_can_be_an_argument(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EMERGENCE_RESULTS")
    monkeypatch.setattr("sys.argv", ["app.py", str(store.root)])
    assert "39 results" in texts(opened())


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


@pytest.mark.usefixtures("store")
def test_every_page_tells_what_a_task_asks() -> None:
    for page in (*PAGES, "samples", "runs"):
        app = opened(page, about="shapes")
        sidebar = "\n".join(text.value for text in app.sidebar.text)
        assert "Chance: 0.25" in sidebar, page
        assert app.query_params["about"] == "shapes"


@pytest.mark.usefixtures("store")
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


def test_classes_have_curves_and_the_confusion_matrix_of_a_cell(own: Store) -> None:
    right = ["glad", "sad"] * 20
    for params in (1_000, 10_000, 100_000):
        own.write(chosen(right, right if params > 1_000 else ["glad"] * 40, params=params))
    app = opened("classes")
    assert [box.options for box in app.selectbox if box.label == "Task"] == [["mood"]]
    assert len(charts(app)) == 2
    assert column(app, "Class")[:2] == ["glad", "sad"]
    assert column(app, "F1")[:2] == [1.0, 1.0]
    app.selectbox(key="cell").set_value("toy-1000 0-shot seed 0").run()
    assert column(app, "Named")[:2] == [40, 0]
    assert "40 documents, of which 0 answers name no class; accuracy 0.500." in texts(app)


@pytest.mark.usefixtures("store")
def test_without_classes_the_page_says_so() -> None:
    assert "No task here has classes" in texts(opened("classes"))


def test_costs_have_a_row_per_model_and_say_what_was_measured(own: Store) -> None:
    for params in (1_000, 10_000):
        known = {"energy_wh": 0.5, "energy_measured_wh": 0.1, "load_seconds": 2.0}
        own.write(made_with(result(cell(model=model(params), of=task("lights"))), **known))
    app = opened("costs", region="FRA")
    said = texts(app)
    assert "1 Wh, 56 mg: 56 g of CO2 per kWh (France 2023" in said
    assert "Recorded for 2 of " in said
    assert "counters gave 20% of it" in said
    assert len(charts(app)) == 2
    assert set(column(app, "Variant")) == {"plain"}
