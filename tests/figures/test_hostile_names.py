"""Names of others in figures: plotly shows every one of them letter by letter, in every kind of figure."""

import re
from collections.abc import Callable, Iterator
from html import unescape
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from harness import figures
from harness.analysis.compare import choose_side, compare_pairs, pair_up
from harness.analysis.forecast import forecasts
from harness.analysis.growth import traces
from harness.analysis.verdict import Study, resolutions, study, with_traces
from harness.leaderboard import centred_table
from harness.store import DocumentScores
from harness.wording import visible
from tests.builders import cell, model, result, task
from tests.builders.hostile import MARKUP, TERMINAL, foreign, joined

NAME = joined(MARKUP, TERMINAL)


@pytest.fixture(scope="module")
def made() -> Study:
    """Two settings, judged."""
    return study([*foreign(NAME), *foreign(NAME, shots=2)])


def compared() -> go.Figure:
    """Two models on the same documents of two tasks."""
    results = [
        result(cell(model=model(size, name=f"{size}"), of=task(f"{place} {NAME}"), prompt=NAME), values=values)
        for place in range(2)
        for size, values in ((1000, [1.0, 0.0] * 20), (4000, [1.0] * 39 + [0.0]))
    ]
    read = {
        r.cell: DocumentScores(
            tuple(s.doc_hash for s in r.samples or ()), {"acc": np.array([s.scores["acc"] for s in r.samples or ()])}
        )
        for r in results
    }
    pairs = pair_up(choose_side("1000", [*read]), choose_side("4000", [*read]), results).pairs
    return figures.comparison_figure(compare_pairs(pairs, read.get).comparisons, a=f"A {NAME}", b=f"B {NAME}")


def forecast(made: Study) -> go.Figure:
    """The first curve carried on."""
    (found,) = forecasts([made.judged[0].curve], 1e8)
    return figures.forecast_figure(found, *traces([found.curve], until=1e8))  # type: ignore[arg-type]


KINDS: dict[str, Callable[[Study], go.Figure]] = {
    "curves": lambda made: figures.curve_figure(with_traces(made.judged)),
    "sharp and smooth": lambda made: figures.sharp_and_smooth(with_traces(made.judged)),
    "overview": lambda made: figures.overview(made.judged),
    "forecast": forecast,
    "heat map": lambda made: figures.heat_map(centred_table(made.results)),
    "shots": lambda made: figures.shots_by_scale([row.curve for row in made.judged]),
    "power": lambda made: figures.power_figure(resolutions(made.judged)),
    "comparison": lambda _: compared(),
    "counts": lambda made: figures.verdict_counts(made.judged),
}
OURS = re.compile(r"</?b>|<br>|<extra></extra>")
"""What figures themselves tell plotly."""
TEMPLATE = re.compile(r"%{(x|y|text|customdata)}")


def told(part: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Every text of a figure with the name of its field, less what only we read."""
    if isinstance(part, str):
        yield name, part
    elif isinstance(part, dict):
        for key, value in part.items():
            if key not in {"meta", "template"}:
                yield from told(value, key)
    elif isinstance(part, list | tuple | np.ndarray):
        for value in part:
            yield from told(value, name)


@pytest.mark.parametrize("kind", KINDS)
def test_every_name_is_shown_letter_by_letter(made: Study, kind: str) -> None:
    figure = KINDS[kind](made)
    found = [*told(figure.to_dict())]
    for field, text in found:
        left = TEMPLATE.sub("", OURS.sub("", text)) if field.endswith("template") else OURS.sub("", text)
        assert not set("<>$") & set(left), f"{field}: {text}"
        assert visible(text) == text
        if field.endswith("template"):
            assert "%{" not in left
    assert any(visible(NAME) in unescape(text) for _, text in found)


@pytest.mark.parametrize("kind", ["curves", "sharp and smooth", "shots", "forecast", "comparison"])
def test_a_heading_is_the_name_itself(made: Study, kind: str) -> None:
    assert NAME in figures.heading(KINDS[kind](made))


def test_a_caption_printed_into_a_picture_is_shown_letter_by_letter(made: Study) -> None:
    from harness.figures.page import _printed

    figure = _printed(KINDS["curves"](made), 900)
    below = figure.layout.annotations[-1].text
    assert not set("<>$") & set(below.replace("<br>", ""))
