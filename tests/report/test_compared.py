"""Published results beside one's own: what is comparable joins, the rest is drawn and counted."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from harness.analysis.verdict import study
from harness.figures import sharp_and_smooth
from harness.leaderboard import tidy_table, to_csv
from harness.reading import read_others
from harness.records import CellResult
from harness.report import report_page
from harness.store import Store
from tests.builders import SIZES, cell, counted, grown, made_with, model
from tests.builders.commands import Emergence

RISE = (50, 52, 75, 90, 110)
LARGER = (125, 140, 160)


def larger(**changes: object) -> list[CellResult]:
    """Three sizes more of the same family."""
    return [
        counted(cell(model=model(params), **changes), right, 200)
        for params, right in zip(SIZES[len(RISE) :], LARGER, strict=True)
    ]


def folder(path: Path, results: list[CellResult]) -> Path:
    for one in results:
        Store(path).write(replace(one, samples=()))
    return path


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return folder(tmp_path / "results", list(grown(RISE)))


def test_sizes_of_the_same_setting_join_the_curve_and_its_verdict(tmp_path: Path) -> None:
    others = read_others(folder(tmp_path / "theirs", larger()))
    whole = study(grown(RISE), others=[others])
    (judged,) = whole.judged
    assert judged.curve.x == SIZES
    (compared,) = whole.compared
    assert (compared.joined, compared.known, compared.apart, compared.curves) == (3, 0, {}, ())
    assert compared.sentence() == "theirs: 3 results joined to curves and verdicts"


@pytest.mark.parametrize(
    ("changes", "differs"),
    [
        ({"engine": "imported:lm-eval", "task_digest": "1" * 12}, "engine, task"),
        ({"engine": "tree"}, "engine"),
        ({"limit": 100}, "documents"),
        ({"chat": "template"}, "chat"),
        ({"prompt": "terse"}, "prompt"),
        ({"shots": 5}, "shots"),
        ({"task": "shapes"}, "task"),
        (
            {"metrics": (replace(cell().metrics[0], chance=0.5), cell().metrics[1])},
            "chance level or range of the metric",
        ),
    ],
)
def test_what_is_not_comparable_is_kept_apart_and_counted(
    tmp_path: Path, changes: dict[str, object], differs: str
) -> None:
    whole = study(grown(RISE), others=[read_others(folder(tmp_path / "theirs", larger(**changes)))])
    assert whole.judged[0].curve.x == SIZES[: len(RISE)]
    (compared,) = whole.compared
    assert (compared.joined, compared.apart) == (0, {differs: 3})
    assert f"3 results kept apart, drawn but not judged; what differs: {differs} (3)" in compared.sentence()


def test_another_family_has_a_curve_of_its_own(tmp_path: Path) -> None:
    theirs = [replace(one, cell=replace(one.cell, model=replace(one.cell.model, family="mine"))) for one in larger()]
    (compared,) = study(grown(RISE), others=[read_others(folder(tmp_path / "theirs", theirs))]).compared
    assert compared.apart == {"family": 3}
    assert {(curve.family, curve.source) for curve in compared.curves} == {("mine", "theirs")}


def test_results_that_one_has_too_count_once(tmp_path: Path, own: Path) -> None:
    (tmp_path / "board.csv").write_text(to_csv(tidy_table([*grown(RISE), *larger()])))
    for path in (folder(tmp_path / "theirs", [*grown(RISE), *larger()]), tmp_path / "board.csv"):
        whole = study(*Store(own).outcomes(), others=[read_others(path)])
        (compared,) = whole.compared
        assert (compared.joined, compared.known, compared.apart) == (3, 5, {})
        assert whole.judged[0].curve.x == SIZES


def test_a_table_that_says_nothing_of_conditions_joins_nothing(tmp_path: Path) -> None:
    rows = [f"toy,m{x},{x},colours,acc,0,{k},200,0.25" for x, k in zip(SIZES, (60, 70, 80), strict=False)]
    (tmp_path / "t.csv").write_text("\n".join(["family,model,params,task,metric,n_shot,k,n,chance", *rows]) + "\n")
    (compared,) = study(grown(RISE), others=[read_others(tmp_path / "t.csv")]).compared
    assert compared.joined == 0
    assert compared.apart == {"engine, dtype, variant, task, documents not said": 3}
    assert [(curve.source, curve.y) for curve in compared.curves] == [("t.csv", (0.3, 0.35, 0.4))]


@pytest.mark.outside
def test_the_report_draws_others_with_open_markers_and_says_what_became_of_them(
    emergence: Emergence, own: Path, tmp_path: Path
) -> None:
    published = [made_with(one, source=None) for one in [*grown((60, 70, 80)), *larger()]]
    changed = [replace(one, cell=replace(one.cell, engine="tree")) for one in published]
    theirs = folder(tmp_path / "theirs", changed)
    done = emergence("report", "--results", own, "--compare-with", theirs, "-o", tmp_path / "r.html")
    assert done.code == 0
    assert "theirs: 6 results kept apart, drawn but not judged; what differs: engine (6)" in done.err
    page = (tmp_path / "r.html").read_text()
    assert '<h2 id="compared">' in page
    assert "Open markers: results of others, in no verdict: theirs." in page
    assert "0-shot, theirs" in page
    whole = study(grown(RISE), others=[read_others(theirs)])
    drawn = sharp_and_smooth(whole.judged, beside=whole.compared[0].curves)
    assert [(one.name, one.marker.symbol) for one in drawn.data if one.name and "shot" in one.name] == [
        ("0-shot", "circle"),
        ("0-shot, theirs", "square-open"),
    ] * 2
    assert 'id="compared"' not in report_page(study(*Store(own).outcomes()))


def test_curves_list_others_with_their_source(emergence: Emergence, own: Path, tmp_path: Path) -> None:
    theirs = folder(tmp_path / "theirs", larger(engine="tree"))
    done = emergence("curves", "--results", own, "--compare-with", theirs, "--metric", "acc", "--json")
    rows = json.loads(done.out)
    assert [row["source"] for row in rows] == [None] * len(RISE) + ["theirs"] * len(LARGER)
    drawn = emergence(
        *("curves", "--results", own, "--compare-with", theirs, "--metric", "acc", "--figure", tmp_path / "f.svg")
    )
    assert drawn.code == 0
    assert "0-shot, theirs" in (tmp_path / "f.svg").read_text()


def test_a_source_that_is_not_there_is_one_line(emergence: Emergence, own: Path) -> None:
    done = emergence("report", "--results", own, "--compare-with", "nowhere")
    assert done.code == 2
    assert done.err.splitlines()[-1].startswith("error: nowhere: no results")
