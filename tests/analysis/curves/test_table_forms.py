"""Tables as people publish them."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from harness.analysis.curves.table import in_our_columns, table_curves, told_columns
from harness.errors import TableError
from harness.reading import read_table
from tests.builders.tables import RISING, counted, scored

SIZES_IN_WORDS = ["1k", "2k", "4k", "8k", "16k", "32k", "64k", "128k"]


def read(frame: pd.DataFrame, told: dict[str, str] | None = None) -> tuple[pd.DataFrame, tuple[str, ...]]:
    return in_our_columns(frame, "t", told)


def test_a_table_in_our_columns_stays_as_it_is() -> None:
    table, said = read(scored())
    assert said == ()
    pd.testing.assert_frame_equal(table, scored())


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ({"value": "Score", "model": "Model Name"}, "columns read: Model Name as model, Score as value"),
        ({"params": "size", "n_shot": "num_fewshot"}, "columns read: size as params, num_fewshot as n_shot"),
        (
            {"task": "Benchmark", "stderr": "standard_error"},
            "columns read: Benchmark as task, standard_error as stderr",
        ),
    ],
)
def test_other_names_of_columns_are_read_and_said(names: dict[str, str], sentence: str) -> None:
    table, said = read(scored().rename(columns=names))
    assert said == (sentence,)
    assert set(table.columns) == set(scored().columns)


def test_large_and_small_letters_do_not_matter() -> None:
    table, said = read(scored().rename(columns=str.upper))
    assert (set(table.columns), said) == (set(scored().columns), ())


def test_two_columns_that_may_be_meant_are_left_alone() -> None:
    frame = scored().rename(columns={"n_shot": "num_fewshot"}).assign(nshot=5, num_shots=0)
    table, _ = read(frame)
    assert table["n_shot"].tolist() == [0] * 8  # the first of the other names, since each is in the table once
    twice = scored().drop(columns="value").assign(Score=0.5, SCORE=0.6)
    assert "value" not in read(twice)[0]


def test_columns_that_the_user_names_come_first() -> None:
    frame = scored().rename(columns={"value": "right", "family": "who"})
    table, said = read(frame, {"value": "right", "family": "who", "prompt": "terse"})
    assert table["prompt"].unique().tolist() == ["terse"]
    assert said == ("prompt is 'terse' in every row",)
    assert table_curves(table)[0].y == pytest.approx([k / 200 for k in RISING])


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"value": "nothing"}, "t: --columns value=nothing: no such column; it has family, model, params, task"),
        ({"vlaue": "x"}, "--columns vlaue=x: unknown column 'vlaue'"),
    ],
)
def test_a_column_that_is_not_there_is_named(told: dict[str, str], message: str) -> None:
    with pytest.raises(TableError) as error:
        read(scored(), told)
    assert message in str(error.value)


@pytest.mark.parametrize("text", ["value", "=score", "value="])
def test_what_names_no_column_is_refused(text: str) -> None:
    with pytest.raises(TableError, match="expected OURS=THEIRS, such as value=score"):
        told_columns([text])


def test_sizes_may_be_written_in_short() -> None:
    table, said = read(scored(params=SIZES_IN_WORDS))
    assert table["params"].tolist() == [1e3 * 2**i for i in range(8)]
    assert said == ("params written in short: '1k' is 1,000",)


def test_sizes_in_billions_are_told_by_the_head_of_their_column() -> None:
    frame = scored().drop(columns="params")
    frame["#Params (B)"] = [0.07, 0.16, 0.41, 1.0, 1.4, 2.8, 6.9, 12]
    table, said = read(frame)
    assert table["params"].tolist() == pytest.approx([7e7, 1.6e8, 4.1e8, 1e9, 1.4e9, 2.8e9, 6.9e9, 1.2e10])
    assert said == ("columns read: #Params (B) as params",)


def test_scores_in_percent_become_shares_with_their_errors() -> None:
    plain = scored()
    table, said = read(plain.assign(value=plain["value"] * 100, stderr=plain["stderr"] * 100))
    assert table["value"].tolist() == pytest.approx(plain["value"].tolist())
    assert table["stderr"].tolist() == pytest.approx(plain["stderr"].tolist())
    assert said == ("scores in percent, read as shares of 1: acc",)


@pytest.mark.parametrize("metric", ["bleu", "perplexity", "brier"])
def test_metrics_that_are_no_shares_keep_their_numbers(metric: str) -> None:
    plain = scored(metric=metric)
    table, said = read(plain.assign(value=plain["value"] * 100))
    assert (table["value"].max() > 1, said) == (True, ())


def test_percent_signs_are_read() -> None:
    table, said = read(scored(value=[f"{100 * k / 200:.1f} %" for k in RISING]))
    assert table["value"].tolist() == pytest.approx([k / 200 for k in RISING])
    assert said == ("value with percent signs: read as shares of 1",)


def test_the_filter_none_goes_without_saying() -> None:
    table, _ = read(scored(metric="acc,none"))
    assert set(table["metric"]) == {"acc"}
    assert set(read(scored(metric="exact_match,strict"))[0]["metric"]) == {"exact_match,strict"}


def wide(**columns: Any) -> pd.DataFrame:
    frame = counted()[["family", "model", "params"]].assign(n_shot=0, n=200)
    scores = {"arc_easy": [k / 200 for k in RISING], "piqa/acc_norm": [0.5] * 7 + [None], "Average": 0.4, "note": "x"}
    return frame.assign(**scores, **columns)


def test_a_column_per_task_becomes_a_row_per_score() -> None:
    table, said = read(wide())
    assert said == ("a row per model and a column per task: 2 tasks", "columns left out: Average, note")
    assert len(table) == 15
    assert set(zip(table["task"], table["metric"], strict=True)) == {("arc_easy", "score"), ("piqa", "acc_norm")}
    curves = {curve.task: curve for curve in table_curves(table)}
    assert curves["arc_easy"].y == pytest.approx([k / 200 for k in RISING])


def test_shots_in_the_head_of_a_column_are_those_of_its_scores() -> None:
    frame = wide().rename(columns={"arc_easy": "arc_easy (5-shot)", "piqa/acc_norm": "piqa 10-shot"})
    table, _ = read(frame.drop(columns="n_shot"))
    assert set(zip(table["task"], table["n_shot"], strict=True)) == {("arc_easy", 5), ("piqa", 10)}


@pytest.mark.parametrize("name", ["Unnamed: 0", "#", "rank", "Step", "id", "Likes"])
def test_numbers_that_are_no_scores_are_left_out_and_said(name: str) -> None:
    table, said = read(wide(**{name: [3.0 * i for i in range(8)]}))
    assert set(table["task"]) == {"arc_easy", "piqa"}
    assert table["value"].max() == max(RISING) / 200
    assert said[1] == f"columns left out: Average, note, {name}"


@pytest.mark.parametrize("name", ["数学", "2wiki", "index_search", "steps_left"])
def test_tasks_may_have_names_of_any_script_and_begin_like_other_words(name: str) -> None:
    assert name in set(read(wide(**{name: 0.5}))[0]["task"])


@pytest.mark.parametrize(
    ("head", "task", "metric"),
    [
        ("arc_easy.acc,none", "arc_easy", "acc"),
        ("arc_easy (acc_norm)", "arc_easy", "acc_norm"),
        ("gsm8k.exact_match,strict-match", "gsm8k", "exact_match,strict-match"),
        ("mmlu (5-shot)/acc", "mmlu", "acc"),
        ("humaneval|pass@1", "humaneval", "pass@1"),
        ("v1.2 (hard)", "v1.2 (hard)", "score"),
        ("arc_easy_acc", "arc_easy_acc", "score"),
    ],
)
def test_metrics_in_the_head_of_a_column_are_those_of_its_scores(head: str, task: str, metric: str) -> None:
    table, _ = read(counted()[["family", "model", "params"]].assign(n=200, n_shot=0, **{head: 0.5}))
    assert set(zip(table["task"], table["metric"], strict=True)) == {(task, metric)}


def test_dashes_in_a_column_of_scores_are_gaps() -> None:
    table, _ = read(wide(copa=["-", "\u2014", "n/a", "40%", "50 %", "0.6", "", None]))
    assert table[table["task"] == "copa"]["value"].tolist() == [0.4, 0.5, 0.6]


def test_columns_without_a_score_above_1_are_named_among_those_in_percent() -> None:
    table, said = read(wide(mmlu=[25.0, 26, 27, 28, 30, 40, 50, 60]))
    assert table[table["task"] == "mmlu"]["value"].max() == 0.6
    assert said[-1] == (
        "scores in percent, read as shares of 1: score; also those of arc_easy, of which none is above 1"
    )


def test_the_size_that_cannot_be_read_is_the_one_that_is_named() -> None:
    with pytest.raises(TableError, match=r"row 3, column params: is many; expected a number"):
        table_curves(read(scored(params=["1k", "2,000", "many", "8k", "16k", "32k", "64k", "128k"]))[0])
    table, said = read(scored(params=["1,000", "2k", "4k", "8k", "16k", "32k", "64k", "128k"]))
    assert table["params"].tolist() == [1e3 * 2**i for i in range(8)]
    assert said == ("params written in short: '1,000' is 1,000",)


def test_all_columns_that_are_missing_are_named_at_once() -> None:
    with pytest.raises(TableError) as error:
        table_curves(scored().drop(columns=["family", "metric", "value"]).assign(accuracy=0.5))
    assert "column family, and column metric, and column k or value are missing; it has model," in str(error.value)
    assert "--columns family=COLUMN,metric=COLUMN,k=COLUMN names the ones that are meant; family=NAME is" in str(
        error.value
    )


HEAD = ("family", "model", "params", "task", "metric", "n_shot", "value", "n")
ROWS = (("toy", "a", "1000", "t", "acc", "0", "0.25", "100"), ("toy", "b", "2000", "t", "acc", "0", "0.5", "100"))


def separated(sign: str) -> str:
    return "".join(sign.join(row) + "\n" for row in (HEAD, *ROWS))


OBJECTS = [{**dict(zip(HEAD, row, strict=True)), "n": 100, "n_shot": 0, "value": float(row[6])} for row in ROWS]
FORMS = {
    "semicolons.csv": separated(";").replace("0.", "0,"),
    "tabs.csv": separated("\t"),
    "powers.csv": separated(";").replace("0.", "0,").replace("2000", "2,0e3"),
    "mark.csv": "\ufeff" + separated(","),
    "lines.jsonl": "".join(json.dumps({**one, "params": f"{int(one['params']) // 1000}k"}) + "\n" for one in OBJECTS),
    "list.json": json.dumps([{**one, "value": 100 * one["value"]} for one in OBJECTS]),
}


@pytest.mark.parametrize("name", FORMS)
def test_files_of_every_form_give_the_same_curve(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text(FORMS[name], encoding="utf-8")
    (curve,) = table_curves(read_table(path))
    assert (curve.models, curve.y, curve.x) == (("a", "b"), (0.25, 0.5), (1000.0, 2000.0))


@pytest.mark.parametrize("rows", [separated(",").replace("0.", "0,"), separated(",").replace("100\n", "100,\n")])
def test_rows_of_more_cells_than_there_are_names_are_refused_and_not_shifted(tmp_path: Path, rows: str) -> None:
    (tmp_path / "t.csv").write_text(rows)
    with pytest.raises(TableError, match="has rows with more cells than its first line has names; expected as many"):
        read_table(tmp_path / "t.csv")


def test_gaps_in_columns_of_texts_are_gaps(tmp_path: Path) -> None:
    path = tmp_path / "gaps.csv"
    frame = scored(params=["1k", None, "4k", "", "16k", "32k", "64k", "128k"], metric=["acc", None, *["acc"] * 6])
    frame.to_csv(path, index=False)
    table = read_table(path)
    assert table["params"].isna().tolist() == [False, True, False, True, *[False] * 4]
    assert table["metric"].isna().sum() == 1
