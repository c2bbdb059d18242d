from dataclasses import replace
from pathlib import Path

import pytest

from harness import figures
from harness.analysis.curves import curves
from harness.store.trainings import trainings
from tests.builders import SIZES, cell, counted, model, task
from tests.builders.hostile import MARKUP, TERMINAL, joined
from tests.builders.trained import training_card


def test_scale_by_treatment_has_a_panel_for_each_task_and_a_line_for_each_variant() -> None:
    results = [
        counted(cell(of=task(name), model=model(params, variant=variant, run=run)), 50 + 10 * at, 200)
        for name in ("colours", "shapes")
        for at, params in enumerate(SIZES)
        for variant in (None, "int8", "sparse50")
        for run in ("a", "b")
    ]
    figure = figures.treatment_figure([one for one in curves(results) if one.rank == 0])
    lines = [trace for trace in figure.data if trace.mode == "lines+markers"]
    assert [trace.name for trace in lines] == ["as it is", "int8", "sparse50"] * 2
    assert [trace.showlegend for trace in lines] == [True] * 3 + [False] * 3
    assert {trace.xaxis for trace in lines} == {"x", "x2"}
    assert all(min(trace.error_y.array) > 0 for trace in lines)
    caption = figures.caption(figure)
    assert "2 training runs of each size" in caption
    assert "<svg" in figures.to_svg(figure, width=800)


@pytest.mark.parametrize("name", ["toy-1000", joined(MARKUP, TERMINAL)])
def test_loss_has_a_panel_for_each_task_and_a_dashed_line_for_the_development_split(name: str, tmp_path: Path) -> None:
    for task_name, seed, development in (("a", 0, [[20, 0.9]]), ("a", 1, []), ("b", 0, [])):
        training_card(tmp_path, model="toy", task=task_name, seed=seed, development_loss=development)
    found = [replace(one, model=name) for one in trainings(tmp_path).trainings]
    figure = figures.loss_figure(found)
    assert [trace.line.dash for trace in figure.data] == ["solid", "dash", "solid", "solid"]
    assert [trace.showlegend for trace in figure.data] == [True, False, False, False]
    assert {trace.xaxis for trace in figure.data} == {"x", "x2"}
    assert list(figure.data[0].y) == [2.0, 1.0, 0.5, 0.1]
    assert len({trace.line.color for trace in figure.data}) == 1
    shown = figure.data[0].name + "".join(figure.data[0].customdata).replace("<b>", "").replace("</b>", "")
    assert not set("<>$") & set(shown.replace("<br>", ""))
    assert "64 training documents" in figures.caption(figure)
