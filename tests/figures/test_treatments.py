from harness import figures
from harness.analysis.curves import curves
from tests.builders import SIZES, cell, counted, model, task


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
