import shutil
from pathlib import Path

import plotly.graph_objects as go
import pytest

from harness import figures
from harness.analysis.curves import Curve, curves
from harness.analysis.study import Study, headline, partner, study
from harness.errors import MachineError
from harness.leaderboard import centred
from harness.specs import MetricSpec
from tests.builders import PROB, SIZES, failed, grown, task

RISE = (50, 52, 75, 90, 110, 125, 140, 160)
SMOOTH = (0.25, 0.28, 0.33, 0.38, 0.44, 0.5, 0.57, 0.7)


def rising(**changes: object) -> Study:
    return study(grown(RISE, smooth=SMOOTH, **changes))  # type: ignore[arg-type]


def lines(figure: go.Figure) -> list[go.Scatter]:
    return [trace for trace in figure.data if trace.mode == "lines+markers"]


def sharp(made: Study) -> tuple[Curve, ...]:
    return headline(made.curves)


def test_a_line_shows_values_and_their_intervals() -> None:
    made = rising()
    (line,) = lines(figures.curve_figure(sharp(made)))
    (curve,) = sharp(made)
    assert line.x == curve.x
    assert line.y == curve.y
    assert [y + bar for y, bar in zip(line.y, line.error_y.array, strict=True)] == pytest.approx(curve.high)
    assert [y - bar for y, bar in zip(line.y, line.error_y.arrayminus, strict=True)] == pytest.approx(curve.low)


def test_axes_are_named_and_scale_is_logarithmic() -> None:
    layout = figures.curve_figure(sharp(rising())).layout
    assert (layout.xaxis.type, layout.xaxis.title.text) == ("log", "Parameters (log scale)")
    assert layout.yaxis.title.text == "acc (share of documents)"
    assert "100k" in layout.xaxis.ticktext


def test_a_loss_says_that_lower_is_better() -> None:
    loss = MetricSpec(name="prob_correct", higher_is_better=False, chance=0.75, best=0.0, continuous=True)
    drawn = curves(grown(RISE, of=task(metrics=(loss,))))
    assert figures.curve_figure(drawn).layout.yaxis.title.text == "prob_correct (mean, lower is better)"


def test_hover_names_model_interval_and_documents() -> None:
    (line,) = lines(figures.curve_figure(sharp(rising())))
    assert line.customdata[0].startswith("<b>toy-1000</b> (1k)<br>acc 0.250")
    assert "95 % interval 0.195 to 0.314" in line.customdata[0]
    assert line.customdata[0].endswith("n = 200")


def chance_lines(figure: go.Figure) -> list[go.Scatter]:
    return [trace for trace in figure.data if trace.name == "chance"]


def test_the_chance_level_is_a_dashed_line_over_all_sizes() -> None:
    (line,) = chance_lines(figures.curve_figure(sharp(rising())))
    assert (line.y, line.line.dash) == ((0.25, 0.25), "dash")
    assert line.x[0] < SIZES[0] < SIZES[-1] < line.x[1]


def test_a_metric_without_chance_has_no_chance_line() -> None:
    free = task(metrics=(MetricSpec(name="prob_correct", chance=None, best=None), PROB))
    assert chance_lines(figures.curve_figure(sharp(study(grown(RISE, of=free))))) == []


def test_a_ring_marks_the_first_reliable_size() -> None:
    made = rising()
    figure = figures.curve_figure(sharp(made), made.verdicts)
    (ring,) = [trace for trace in figure.data if trace.mode == "markers"]
    assert (ring.x, ring.y) == ((16000.0,), (75 / 200,))
    assert "Ring:" in figures.caption(figure)


def test_a_line_is_broken_where_a_model_has_no_score() -> None:
    results = list(grown(RISE))
    lost = results.pop(4)
    figure = figures.curve_figure(headline(curves(results, [failed(lost.cell)])))
    (line,) = lines(figure)
    assert line.y[4] is None
    assert line.x[4] == 256000.0
    assert not line.connectgaps
    assert "toy-256000" in figures.caption(figure)


def test_the_caption_says_what_bars_and_documents_are() -> None:
    made = study([r for seed in (0, 1) for r in grown(RISE, shots=2, seed=seed)])
    caption = figures.caption(figures.curve_figure(sharp(made)))
    assert "95 % interval" in caption
    assert "n = 200 documents per point, mean of up to 2 few-shot seeds." in caption


def test_settings_differ_in_colour_and_in_shape() -> None:
    made = study([r for shots in (0, 1, 2, 4) for r in grown(RISE, shots=shots)])
    drawn = lines(figures.curve_figure(sharp(made)))
    assert [line.name for line in drawn] == ["0-shot", "1-shot", "2-shot", "4-shot"]
    assert len({line.line.color for line in drawn}) == len({line.marker.symbol for line in drawn}) == 4


def test_sharp_and_smooth_stand_side_by_side_in_the_same_colours() -> None:
    made = study([r for shots in (0, 2) for r in grown(RISE, smooth=SMOOTH, shots=shots)])
    figure = figures.sharp_and_smooth(sharp(made), partner(made.curves), made.verdicts)
    left = [line for line in lines(figure) if line.xaxis == "x"]
    right = [line for line in lines(figure) if line.xaxis == "x2"]
    assert [line.line.color for line in left] == [line.line.color for line in right]
    assert right[0].y == SMOOTH
    assert figure.layout.yaxis2.title.text == "prob_correct (mean)"
    assert [line.showlegend for line in [*left, *right]] == [True, True, False, False]


def test_a_task_without_a_partner_has_one_panel() -> None:
    alone = study(grown(RISE, of=task(metrics=(MetricSpec(name="acc", chance=0.25),))))
    assert len(lines(figures.sharp_and_smooth(sharp(alone), partner(alone.curves)))) == 1


def test_the_overview_has_a_panel_per_task() -> None:
    made = study([r for name in "abcdef" for r in grown(RISE, of=task(name))])
    figure = figures.overview(made.curves, made.verdicts)
    assert [note.text for note in figure.layout.annotations] == list("abcdef")
    assert len(lines(figure)) == 6
    assert sum(bool(line.showlegend) for line in lines(figure)) == 1


@pytest.mark.parametrize("tasks", [1, 4, 5, 30])
def test_the_overview_fits_any_number_of_tasks(tasks: int) -> None:
    drawn = curves([r for i in range(tasks) for r in grown(RISE[:3], of=task(f"t{i:02}"))])
    assert len(lines(figures.overview(drawn))) == tasks


def test_the_heat_map_leaves_missing_scores_blank() -> None:
    table = centred([*grown((50, 200)), *grown((125,), shots=2)])
    (heat,) = figures.heat_map(table).data
    assert heat.x == ("toy-1000", "toy-4000")
    assert [list(row) for row in heat.z] == [[0.0, 1.0], [0.5, None]]


def test_a_fragment_brings_no_script_from_elsewhere() -> None:
    html = figures.to_div(figures.curve_figure(sharp(rising())))
    assert "<script src" not in html
    assert "cdn" not in html


def test_names_cannot_become_markup_in_a_fragment() -> None:
    made = study(grown(RISE, of=task("</script><script>alert(1)</script>")))
    assert "<script>alert" not in figures.to_div(figures.overview(made.curves))


def test_a_png_is_as_wide_as_asked_where_a_browser_can_draw_it(tmp_path: Path) -> None:
    path = tmp_path / "curve.png"
    figure = figures.curve_figure(sharp(rising()))
    if not any(map(shutil.which, ("chromium", "chrome", "google-chrome", "chromium-browser"))):
        with pytest.raises(MachineError, match="Chrome or Chromium"):
            figures.to_png(figure, path)
        return
    figures.to_png(figure, path, width=600, scale=1)
    header = path.read_bytes()[:24]
    assert header.startswith(b"\x89PNG")
    assert int.from_bytes(header[16:20], "big") == 600


def test_without_a_browser_the_message_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROWSER_PATH", str(tmp_path / "no-browser"))
    monkeypatch.setenv("PATH", str(tmp_path))
    path = tmp_path / "curve.png"
    with pytest.raises(MachineError, match=r"needs kaleido .* and Chrome or Chromium"):
        figures.to_png(figures.curve_figure(sharp(rising())), path)
    assert not path.exists()
