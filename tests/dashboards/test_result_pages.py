"""What each page says of the results (all but Samples and Runs), run by Streamlit's own test driver."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from harness.leaderboard import tidy_table, to_csv, wide_table
from harness.store import Store
from tests.builders import SIZES, cell, grown, made_with, model, result, task
from tests.builders.classes import chosen
from tests.builders.curves import RISE
from tests.builders.dashboards import (
    answered,
    charts,
    column,
    html_tables,
    numbers,
    opened,
    texts,
)


@pytest.mark.usefixtures("shown")
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
    assert "<bdi>toy</bdi></strong>: Of 5 abilities 5 rise." in "".join(html.proto.body for html in app.get("html"))
    assert "A cell is one model asked" in texts(app)
    families, newest = html_tables(app)
    assert families[1] == ["toy", "1k to 16.4M", "toy", "8", "3", "39", "1"]
    assert len(newest) == 9
    assert newest[1][-1] == "ValueError: no <b>answer</b>"
    (chart,) = charts(app)
    assert json.loads(chart)["data"][0]["y"] == ["rises"]
    assert "39 results, 1 failure, 0 unreadable files" in texts(app)


@pytest.mark.usefixtures("shown")
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


@pytest.mark.usefixtures("shown")
def test_sharp_and_smooth_stand_on_one_axis_with_what_the_test_says() -> None:
    app = opened("metric", task="shapes", shots="0")
    (chart,) = charts(app)
    assert ("acc (headline)" in chart, "prob_correct (continuous)" in chart) == (True, True)
    assert "prob_correct" in texts(app)
    assert [link.proto.label for link in app.get("page_link")] == ["Verdict", "Curve", "Documents", "Leaderboard"]


@pytest.mark.usefixtures("shown")
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


@pytest.mark.usefixtures("shown")
def test_shots_by_scale_shows_the_gain_from_demonstrations() -> None:
    app = opened("shots", of="shapes")
    (chart,) = charts(app)
    assert "gain over 0-shot" in chart
    assert app.selectbox(key="of").value == "shapes"


def test_shots_by_scale_needs_several_shot_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Store(tmp_path)
    for one in grown(RISE):
        made.write(replace(one, samples=()))
    monkeypatch.setenv("EMERGENCE_RESULTS", str(tmp_path))
    assert "`emergence run --shots 0,2,5`" in texts(opened("shots"))


def test_the_downloaded_tables_are_the_leaderboard_exports_byte_for_byte(
    shown: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = {}
    monkeypatch.setattr("streamlit.download_button", lambda label, data, *, key, **more: made.update({key: data}))
    opened("leaderboard")
    outcomes = shown.results(), shown.failures()
    assert made["download leaderboard"]() == to_csv(tidy_table(*outcomes))
    assert made["download leaderboard-wide"]() == to_csv(wide_table(*outcomes))


def test_the_numbers_of_a_figure_can_be_downloaded(shown: Store, monkeypatch: pytest.MonkeyPatch) -> None:
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


@pytest.mark.usefixtures("shown")
def test_what_cannot_be_compared_is_said_as_plain_text() -> None:
    app = opened("compare", a="<b>nobody</b>")
    assert "These two cannot be compared." in texts(app)
    assert "<b>nobody</b>" in "\n".join(element.value for element in app.text)


@pytest.mark.usefixtures("shown")
def test_models_without_a_place_on_the_axis_are_told() -> None:
    assert "Choose another scale axis" in texts(opened("curves", scale="loss"))


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


@pytest.mark.usefixtures("shown")
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
