"""Published results give the same curves and verdicts whether they come as lm-eval's JSON files or as a tidy table.

Two of Pythia's files lie beside the table as they were published. The others are written here in the same layout, from
the table's rows, and the published ones show that the layout is right.
"""

import json
from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest

from harness.analysis.curves import Curve, curves
from harness.analysis.curves.table import table_curves
from harness.analysis.verdict import judge
from harness.exchange import Import, Sizes, import_files
from harness.records import CellResult
from harness.store import Store
from tests.builders.tables import Published

FINAL = "step143000"


@pytest.fixture(scope="module")
def rows(data: Published) -> pd.DataFrame:
    """Pythia's scores at the end of training, without the mean over MMLU that no file has."""
    table = pd.read_parquet(data("pythia.parquet"))
    return table[table["model"].str.endswith(f"@{FINAL}") & ~table["task"].str.startswith("mmlu")]


def size(row: Any) -> str:
    return str(row.model).removeprefix("pythia-").removesuffix(f"@{FINAL}")


def as_json(rows: pd.DataFrame) -> Iterator[tuple[str, dict[str, Any]]]:
    """A file for each model and number of shots, in the layout of lm-eval 0.3."""
    for (model, shots), some in rows.groupby(["model", "n_shot"]):
        results: dict[str, dict[str, float]] = {}
        for row in some.itertuples():
            results.setdefault(str(row.task), {}).update({row.metric: row.value, f"{row.metric}_stderr": row.stderr})
        args = f"pretrained=EleutherAI/pythia-v1.1-{size(next(some.itertuples()))},revision={FINAL}"
        config = {"model": "hf-causal", "model_args": args, "num_fewshot": shots, "limit": None}
        yield f"{model}-{shots}.json", {"results": results, "versions": dict.fromkeys(results, 0), "config": config}


@pytest.fixture(scope="module")
def imported(rows: pd.DataFrame, data: Published, tmp_path_factory: pytest.TempPathFactory) -> list[CellResult]:
    """The two published files, and all others in their layout."""
    folder = tmp_path_factory.mktemp("pythia")
    published = {(size_of(raw), raw["config"]["num_fewshot"]): raw for raw in published_files(data)}
    versions = {task: version for raw in published.values() for task, version in raw["versions"].items()}
    for name, twin in as_json(rows):
        twin["versions"] = {task: versions[task] for task in twin["results"]}
        raw = published.get((size_of(twin), twin["config"]["num_fewshot"]), twin)
        (folder / name).write_text(json.dumps(raw))
    store = Store(folder / "results")
    sizes = {f"pythia-v1.1-{size(row)}": int(row.params) for row in rows.itertuples()}
    import_files("lm-eval", [folder], store, Import(sizes=Sizes(told=sizes)))
    return [one for one in store.results() if one.cell.task in {*rows["task"]}]


def published_files(data: Published) -> Iterator[dict[str, Any]]:
    for path in sorted((data("pythia.parquet").parent / "lm_eval_0.3").glob("*.json")):
        yield json.loads(path.read_text())


def size_of(raw: dict[str, Any]) -> str:
    return str(raw["config"]["model_args"]).removeprefix("pretrained=EleutherAI/pythia-v1.1-").partition(",")[0]


def by_name(drawn: Iterator[Curve] | tuple[Curve, ...]) -> dict[tuple[str, int, str], Curve]:
    return {(curve.task, curve.shots, curve.metric.name): curve for curve in drawn}


def test_the_layout_written_here_is_that_of_the_published_files(rows: pd.DataFrame, data: Published) -> None:
    written = {(size_of(raw), raw["config"]["num_fewshot"]): raw for _, raw in as_json(rows)}
    published = list(published_files(data))
    assert len(published) == 2
    for raw in published:
        twin = written[size_of(raw), raw["config"]["num_fewshot"]]
        assert twin.keys() <= raw.keys()
        assert twin["config"].items() <= raw["config"].items()
        for task, scores in twin["results"].items():
            assert raw["results"][task] == scores


def test_scores_and_curves_are_the_same(rows: pd.DataFrame, imported: list[CellResult]) -> None:
    chance = {(one.cell.task, metric.name): metric.chance for one in imported for metric in one.cell.metrics}
    table = rows.assign(chance=[chance[row.task, row.metric] for row in rows.itertuples()])
    of_files, of_table = by_name(curves(imported)), by_name(table_curves(table))
    assert len(of_files) == 28
    assert of_files.keys() == of_table.keys()
    for name, curve in of_files.items():
        other = of_table[name]
        assert (curve.x, curve.y, curve.n, curve.metric) == (other.x, other.y, other.n, other.metric), name
        assert curve.stderr == pytest.approx(other.stderr, rel=1e-12), name
    ours, theirs = (
        judge(tuple(curve for name, curve in some.items() if name[0] in ("sciq", "lambada_openai")))
        for some in (of_files, of_table)
    )
    assert [one.verdict.label for one in ours] == [
        one.verdict.label for one in theirs if one.curve.metric.name == "acc"
    ]
