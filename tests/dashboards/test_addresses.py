"""Filters, links and the way back: everything chosen stands in the address."""

import pytest
from harness.dashboards import address

from tests.builders import SIZES
from tests.builders.dashboards import (
    charts,
    opened,
    texts,
)


@pytest.mark.usefixtures("shown")
def test_the_address_sets_every_filter() -> None:
    app = opened("curves", task="shapes", shots=["2"], scale="flops", y="centred", fits="hidden")
    assert app.selectbox(key="scale").value == "flops"
    assert app.multiselect(key="shots").value == [2]
    chart, partner = charts(app)
    assert "Training compute 6ND, FLOPs" in chart
    assert "chance-centred acc" in chart
    assert "0-shot" not in chart + partner


@pytest.mark.usefixtures("shown")
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


@pytest.mark.usefixtures("shown")
def test_an_address_with_unknown_values_shows_everything() -> None:
    app = opened("curves", task="no such task", scale="weight", y="<script>")
    assert app.multiselect(key="task").value == []
    assert app.selectbox(key="scale").value == "params"
    assert len(charts(app)) == 4  # both metrics of the first two tasks
    assert "Tasks: there is no 'no such task'. There are colours, letters, shapes." in texts(app)
    assert "Scale axis: there is no 'weight'." in texts(app)
    assert "no such task" not in texts(app.run())


@pytest.mark.usefixtures("shown")
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


@pytest.mark.usefixtures("shown")
def test_a_link_opens_the_verdict_that_it_names() -> None:
    app = opened("verdicts", row="toy / shapes / 0-shot / acc")
    assert '"text":"shapes: acc"' in charts(app)[0]
    assert app.query_params["row"] == "toy / shapes / 0-shot / acc"
    assert '"text":"shapes: acc"' in charts(app.run())[0]
    app.switch_page("views/curves.py").run()
    app.switch_page("views/verdicts.py").run()
    assert '"text":"shapes: acc"' in charts(app)[0]


@pytest.mark.usefixtures("shown")
def test_a_link_to_a_verdict_that_is_not_there_says_so() -> None:
    app = opened("verdicts", row="toy / smells / 0-shot / acc")
    assert charts(app) == []
    assert "Row: there is no 'toy / smells / 0-shot / acc'." in texts(app)


@pytest.mark.usefixtures("shown")
def test_a_link_to_what_a_filter_of_one_option_cannot_choose_says_so() -> None:
    app = opened("curves", family="pythia")
    assert "Families: there is no 'pythia'. There are toy." in texts(app)
    assert "The address asks for something" not in texts(opened("curves", family="toy"))


@pytest.mark.usefixtures("shown")
def test_a_score_of_the_leaderboard_that_the_address_names_leads_to_its_task() -> None:
    app = opened("leaderboard", score=f"toy-{SIZES[0]} / shapes (acc)")
    links = app.get("page_link")
    assert [link.proto.label for link in links] == ["Verdict", "Curve", "Metric or ability", "Documents"]
    assert {link.proto.query_string for link in links} == {"task=shapes"}
    assert app.query_params["score"] == f"toy-{SIZES[0]} / shapes (acc)"
    assert "Score: there is no" in texts(opened("leaderboard", score="toy-1 / shapes (acc)"))


@pytest.mark.usefixtures("shown")
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


@pytest.mark.usefixtures("shown")
def test_one_choice_is_one_step_of_the_history(monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[dict[str, list[str]]] = []
    app = opened("verdicts", task="colours", row="toy / colours / 2-shot / acc")
    write = address._write
    monkeypatch.setattr(address, "_write", lambda changes: steps.append(changes) or write(changes))
    app.multiselect(key="task").unselect("colours").select("shapes").run()  # the verdict goes with its task
    assert len(steps) == 1
    assert {key: app.query_params.get(key) for key in ("task", "row")} == {"task": "shapes", "row": None}
