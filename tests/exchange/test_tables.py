"""A table becomes cells of a results folder that draw the curves that `--table` draws."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pytest

from harness.analysis.curves import Curve, curves
from harness.analysis.curves.table import table_curves
from harness.exchange import Import, Sizes, import_files
from harness.specs import MetricSpec
from harness.store import Store
from tests.builders import PROB, cell, model, result, task
from tests.builders.commands import Emergence

PYTHIA = Path(__file__).parents[1] / "validation" / "data" / "pythia.parquet"
HEAD = "family,model,params,task,metric,n_shot,value,n\n"
ROWS = "lab,small,7e7,colours,acc,0,0.5,100\nlab,large,7e8,colours,acc,0,0.75,100\n"


def written(folder: Path, text: str = HEAD + ROWS, name: str = "scores.csv") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    return folder / name


def by_name(drawn: tuple[Curve, ...]) -> Mapping[tuple[str, int, str, str], Curve]:
    return {(one.task, one.shots, one.metric.name, one.split or ""): one for one in drawn}


@pytest.mark.parametrize("scale", ["params", "flops"])
def test_curves_are_those_of_the_table(tmp_path: Path, scale: str) -> None:
    rows = pd.read_parquet(PYTHIA)
    rows = rows[rows["task"].isin(["sciq", "lambada_openai"]) & rows["model"].str.contains("step3000|step143000")]
    rows = rows.assign(
        chance=[0.25 if (t, m[:3]) == ("sciq", "acc") else None for t, m in zip(rows.task, rows.metric, strict=True)]
    )
    rows.loc[(rows["task"] == "lambada_openai") & (rows["metric"] == "acc"), "chance"] = 0.0
    rows.to_parquet(tmp_path / "rows.parquet")
    store = Store(tmp_path / "r")
    import_files("table", [tmp_path / "rows.parquet"], store, Import(sizes=Sizes()))
    of_cells, of_table = by_name(curves(store.results(), scale=scale)), by_name(table_curves(rows, scale))
    assert of_cells.keys() == of_table.keys()
    for name, one in of_cells.items():
        other = of_table[name]
        assert (one.family, one.models, one.x, one.y) == (other.family, other.models, other.x, other.y), name
        assert (one.n, one.stderr, one.metric) == (other.n, other.stderr, other.metric), name


def test_cells_are_marked_and_the_table_is_kept(emergence: Emergence, tmp_path: Path) -> None:
    path = written(tmp_path / "a")
    done = emergence("import", "table", path, "--results", tmp_path / "r", "--licence", "MIT")
    assert (done.code, "imported 2 cells from 1 file of table" in done.err) == (0, True)
    store = Store(tmp_path / "r")
    for one in store.results():
        source = one.provenance.source
        assert source is not None
        assert (one.cell.engine, source.tool, source.file, source.licence) == (
            "imported:table", "table", "scores.csv", "MIT",
        )  # fmt: skip
    (copy,) = (store.root / ".imported").iterdir()
    assert (copy.suffix, copy.read_text()) == (".csv", path.read_text())
    assert "imported 0 cells" in emergence("import", "table", path, "--results", tmp_path / "r").err


def test_a_leaderboard_comes_back_with_its_scores(emergence: Emergence, tmp_path: Path) -> None:
    store = Store(tmp_path / "results")
    metrics = (MetricSpec(name="acc", chance=0.25), PROB)
    for params in (1000, 4000):
        for seed in (0, 1):
            asked = cell(of=task("colours", metrics=metrics), model=model(params), shots=2, seed=seed)
            store.write(result(asked, values=[1.0, 0.0, 1.0, float(seed)]))
    emergence("leaderboard", "--results", store.root, "-o", tmp_path / "board.csv")
    done = emergence("import", "table", tmp_path / "board.csv", "--results", tmp_path / "again")
    assert done.code == 0, done.err
    emergence("leaderboard", "--results", tmp_path / "again", "-o", tmp_path / "again.csv")
    kept = ["family", "model", "params", "task", "kind", "shots", "seed", "metric", "value", "stderr", "n", "chance"]
    before, after = (pd.read_csv(tmp_path / name)[kept] for name in ("board.csv", "again.csv"))
    pd.testing.assert_frame_equal(before, after)


def test_tables_of_others_are_read_as_columns_say(emergence: Emergence, tmp_path: Path) -> None:
    path = written(tmp_path, "Model;size;right;N\nsmall;70M;50,0%;100\n")
    options = ("--columns", "value=right,family=lab,task=colours,metric=acc,n_shot=5")
    done = emergence("import", "table", path, "--results", tmp_path / "r", *options)
    assert done.code == 0, done.err
    assert "read otherwise than written: params written in short: '70M' is 70,000,000" in done.err
    (one,) = Store(tmp_path / "r").results()
    assert (one.cell.shots, one.cell.model.params, one.scores[0].value) == (5, 70_000_000, 0.5)


def test_what_differs_in_a_condition_is_never_joined(emergence: Emergence, tmp_path: Path) -> None:
    rows = HEAD.replace("\n", ",condition\n") + "lab,a,7e7,t,acc,0,0.5,9,plain\nlab,a,7e7,t,acc,0,0.6,9,chat\n"
    emergence("import", "table", written(tmp_path, rows), "--results", tmp_path / "r", "--chance", "t=0.5")
    found = Store(tmp_path / "r").results()
    assert len({one.cell.task_digest for one in found}) == 2
    assert {one.cell.metrics[0].chance for one in found} == {0.5}


def test_documents_failures_and_flops_are_said(emergence: Emergence, tmp_path: Path) -> None:
    head = "family,model,params,flops,task,metric,n_shot,value,doc_id,status\n"
    rows = "lab,a,100,6e6,t,acc,0,1,d1,ok\nlab,a,100,6e6,t,acc,0,0,d2,ok\nlab,b,200,6e6,t,acc,0,,d1,failed\n"
    done = emergence("import", "table", written(tmp_path, head + rows), "--results", tmp_path / "r")
    assert done.code == 0, done.err
    assert "1 row left out, whose status is failed" in done.err
    assert "1 result given by single documents, of which the mean is kept" in done.err
    assert "1 result whose training tokens follow from its FLOPs, as flops / (6 params)" in done.err
    (one,) = Store(tmp_path / "r").results()
    assert (one.scores[0].value, one.scores[0].n, one.cell.model.tokens) == (0.5, 2, 10_000)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HEAD.replace("params", "flops") + ROWS, "column params is missing"),
        (HEAD + "lab,a,7e7,t,acc,0,-0.5,9\n", "row 1, column value: is -0.5; expected"),
        (HEAD + ROWS + "lab,b,,colours,acc,0,0.5,9\n", "row 3, column params: is empty; expected a number"),
        ("", "No columns to parse from file"),
        (HEAD, "has no rows"),
    ],
)
def test_damage_is_one_line_and_nothing_is_written(emergence: Emergence, tmp_path: Path, text: str, said: str) -> None:
    done = emergence("import", "table", written(tmp_path / "a", text), "--results", tmp_path / "r")
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    assert said in done.err
    assert not [path for path in (tmp_path / "r").rglob("*") if path.is_file()]


def test_columns_are_for_tables_alone(emergence: Emergence, tmp_path: Path) -> None:
    done = emergence("import", "lm-eval", tmp_path, "--columns", "value=x", "--results", tmp_path / "r")
    assert (done.code, "--columns is for tables; lm-eval names its fields itself" in done.err) == (2, True)
