"""Tables of the Open LLM Leaderboard, column by column, and the table in its form that is exported."""

import csv
import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from harness.errors import HarnessError
from harness.exchange.files import foreign_file
from harness.exchange.open_llm import read_open_llm
from harness.exchange.types import Contents
from harness.store import Store
from tests.builders import cell, model, result, task
from tests.builders.commands import Emergence
from tests.builders.published_open_llm import baseline_row, new_row, old_row, table_file

PYTHIA = ("EleutherAI/pythia-70m", "EleutherAI/pythia-12b")
KINDS = ("contents.parquet", "contents.csv", "contents.json", "contents.jsonl")


def contents(path: Path) -> Contents:
    found = read_open_llm(foreign_file(path))
    assert found is not None
    return found


@pytest.mark.parametrize("name", KINDS)
def test_a_table_of_version_2_says_model_size_commit_and_shares(tmp_path: Path, name: str) -> None:
    path = table_file(tmp_path / name, new_row("lab/small", 0.5, 0.375), new_row("lab/large", 7.25, 0.5))
    results = contents(path).results
    assert len(results) == 12
    first = results[0]
    assert (first.model, first.params, first.dtype, first.variant) == ("lab/small", 500_000_000, "bfloat16", None)
    assert (first.revision, first.chat) == ("62bd457b6fe961a42a631306577e622c83876cb6", None)
    assert (first.tool, first.tool_version, first.version) == ("open-llm-leaderboard", "2", "2")
    assert first.date == datetime(2024, 6, 12, tzinfo=UTC)
    assert [(one.task, one.shots, one.scores[0].metric, one.scores[0].value) for one in results[:6]] == [
        ("leaderboard_ifeval", 0, "strict_acc", 0.375),
        ("leaderboard_bbh", 3, "acc_norm", 0.375),
        ("leaderboard_math_hard", 4, "exact_match", 0.375),
        ("leaderboard_gpqa", 0, "acc_norm", 0.375),
        ("leaderboard_musr", 0, "acc_norm", 0.375),
        ("leaderboard_mmlu_pro", 5, "acc", 0.375),
    ]


def test_a_table_of_version_1_has_percent_links_and_baselines(tmp_path: Path) -> None:
    row = old_row("lab/small", 0.5, 37.5, **{"Model sha": "", "DROP": 12.5})
    del row["model_name_for_query"]
    path = table_file(tmp_path / "contents.csv", row, old_row("lab/large", -1, 50.0), baseline_row())
    found = contents(path)
    assert [f"{number} {remark.what} {remark.text}" for remark, number in found.remarks.items() if number] == [
        "1 row left out, which names no model, such as a baseline"
    ]
    small = {one.task: one for one in found.results if one.model == "lab/small"}
    assert [(one.task, one.shots, one.scores[0].metric, one.scores[0].value) for one in small.values()] == [
        ("arc_challenge", 25, "acc_norm", 0.375),
        ("hellaswag", 10, "acc_norm", 0.375),
        ("mmlu", 5, "acc", 0.375),
        ("truthfulqa_mc2", 0, "acc", 0.375),
        ("winogrande", 5, "acc", 0.375),
        ("gsm8k", 5, "exact_match", 0.375),
        ("drop", 3, "f1", 0.125),
    ]
    arc = small["arc_challenge"]
    assert (arc.revision, arc.dtype, arc.params, arc.version) == ("main", "float16", 500_000_000, "1")
    assert next(one for one in found.results if one.model == "lab/large").params is None


def test_scores_that_are_missing_and_precisions_that_are_treatments(tmp_path: Path) -> None:
    row = new_row("lab/small", 0.5, 0.375, **{"GPQA Raw": None, "Precision": "4bit", "Chat Template": True})
    found = contents(table_file(tmp_path / "c.csv", row)).results
    assert [one.task for one in found if one.task == "leaderboard_gpqa"] == []
    assert (found[0].dtype, found[0].variant, found[0].chat) == (None, "4bit", "template")


def test_documents_and_chance_levels_are_known(emergence: Emergence, tmp_path: Path) -> None:
    rows = [new_row(name, size, 0.375) for name, size in zip(PYTHIA, (0.07, 12.0), strict=True)]
    path = table_file(tmp_path / "contents.parquet", *rows, new_row("lab/x", 1.0, 0.5, Flagged=True))
    done = emergence("import", "open-llm", path, "--results", tmp_path / "r")
    assert done.code == 0
    assert "6 results of models that the leaderboard has flagged" in done.err
    assert "imported 18 cells from 1 file of open-llm" in done.err
    assert "left out" not in done.err
    cells = [one for one in Store(tmp_path / "r").results() if one.cell.model.family == "pythia"]
    assert {(one.cell.task, one.n_expected, one.cell.metrics[0].chance) for one in cells} == {
        ("leaderboard_ifeval", 541, 0.0),
        ("leaderboard_bbh", 5761, 0.2885036095206113),
        ("leaderboard_math_hard", 1324, 0.0),
        ("leaderboard_gpqa", 1192, 0.25),
        ("leaderboard_musr", 756, (250 / 2 + 256 / 5 + 250 / 3) / 756),
        ("leaderboard_mmlu_pro", 12032, 0.1),
    }
    source = cells[0].provenance.source
    assert source is not None
    assert source.label == "open-llm-leaderboard 2: contents.parquet"
    assert sorted(copy.suffix for copy in (tmp_path / "r" / ".imported").iterdir()) == [".parquet"]


def test_models_are_chosen_by_name_and_strangers_are_named(emergence: Emergence, tmp_path: Path) -> None:
    names = ("EleutherAI/pythia-70m", "lab/a", "lab/b", "other/c")
    path = table_file(tmp_path / "c.csv", *(new_row(name, 1.0 + i, 0.375) for i, name in enumerate(names)))
    done = emergence("import", "open-llm", path, "--results", tmp_path / "r", "--model", "pythia-*,lab/*")
    assert "6 results of other models left out" in done.err
    assert "2 models that no family names are filed under imported, as if trained alike: lab/a, lab/b; " in done.err
    assert {one.cell.model.name for one in Store(tmp_path / "r").results()} == set(names[:3])
    done = emergence("import", "open-llm", path, "--results", tmp_path / "r", "--model", "gpt*")
    assert done.code == 2
    assert "no result of 'gpt*'; there are EleutherAI/pythia-70m, lab/a, lab/b, other/c" in done.err


def test_a_table_of_which_nothing_can_be_imported_is_an_error(
    emergence: Emergence, store: Store, tmp_path: Path
) -> None:
    emergence("export", "open-llm", "--results", store.root, "-o", tmp_path / "out.csv")
    done = emergence("import", "open-llm", tmp_path / "out.csv", "--results", tmp_path / "b")
    assert done.code == 2
    assert "nothing to import: 2 tasks left out, whose number of documents no file says: colours, shapes" in done.err


def test_the_numbers_of_documents_make_whole_numbers_of_published_shares() -> None:
    """Shares of Llama-2-7b in `eval_results/base_llm_leaderboard_v2_eval.csv` of ryoungj/ObsScaling (Apache-2.0)."""
    shares = {5761: 0.34750911300121506, 1192: 0.26677852348993286, 1324: 0.012084592145015106}
    shares |= {12032: 0.18608710106382978, 756: 0.36904761904761907}
    for n, share in shares.items():
        assert share * n == pytest.approx(round(share * n), abs=1e-9)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"IFEval Raw": "high"}, r"contents.csv: row 1: IFEval Raw is 'high'; expected a number"),
        ({"#Params (B)": "many"}, r"row 1: #Params \(B\) is 'many'; expected a number"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(HarnessError, match=said):
        contents(table_file(tmp_path / "contents.csv", new_row("lab/small", 0.5, 0.375, **changes)))


def test_other_files_of_a_folder_are_left_out(emergence: Emergence, tmp_path: Path) -> None:
    table_file(tmp_path / "data" / "train.parquet", new_row("lab/small", 0.5, 0.375))
    table_file(tmp_path / "data" / "other.csv", {"a": 1})
    (tmp_path / "data" / "state.json").write_text('{"_fingerprint": "x", "rows": [{"a": 1}]}')
    done = emergence("import", "open-llm", tmp_path / "data", "--results", tmp_path / "r")
    assert done.code == 0
    assert "2 other files left out" in done.err
    assert "imported 6 cells from 1 file of open-llm" in done.err


@pytest.mark.parametrize("name", ["x.csv", "x.jsonl", "x.json", "x.parquet"])
def test_another_table_is_none_of_these(emergence: Emergence, tmp_path: Path, name: str) -> None:
    path = table_file(tmp_path / name, {"a": 1, "fullname": "x"})
    done = emergence("import", "open-llm", path, "--results", tmp_path / "r")
    assert done.code == 2
    assert f"{name}: is no result file of open-llm; expected a column of models" in done.err


# --- what is exported ------------------------------------------------------------------------------------------------


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Two sizes on two tasks, of which one is asked with two seeds."""
    made = Store(tmp_path / "results")
    for params in (1000, 4000):
        for name, shots, seed in (("colours", 0, 0), ("shapes", 2, 0), ("shapes", 2, 1)):
            asked = cell(of=task(name), model=model(params), shots=shots, seed=seed)
            made.write(result(asked, values=[1.0, float(seed), 1.0, 1.0]))
    return made


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_a_row_is_a_model_with_raw_and_normalised_scores(emergence: Emergence, store: Store) -> None:
    done = emergence("export", "open-llm", "--results", store.root)
    assert done.code == 0
    small, large = rows_of(done.out)
    assert list(small)[:5] == ["eval_name", "Precision", "Type", "T", "Weight type"]
    assert (small["fullname"], small["#Params (B)"], small["Precision"]) == ("toy-1000", "1e-06", "float32")
    assert (small["Type"], small["Hub License"], small["MoE"], small["Chat Template"]) == ("", "", "False", "False")
    chance = store.results()[0].cell.metrics[0].chance
    assert chance is not None
    assert float(small["colours, 0-shot (acc) Raw"]) == 0.75
    assert float(small["colours, 0-shot (acc)"]) == pytest.approx(100 * (0.75 - chance) / (1 - chance))
    assert float(small["shapes, 2-shot (acc) Raw"]) == 0.875  # over two seeds
    assert float(small["Average ⬆️"]) == pytest.approx(100 * (0.8125 - chance) / (1 - chance))
    assert large["fullname"] == "toy-4000"


def test_formulas_in_names_are_defused(emergence: Emergence, tmp_path: Path) -> None:
    path = table_file(tmp_path / "c.csv", new_row("=HYPERLINK(1)", 0.5, 0.375, Model="x"))
    emergence("import", "open-llm", path, "--results", tmp_path / "r")
    (row,) = rows_of(emergence("export", "open-llm", "--results", tmp_path / "r").out)
    assert row["fullname"] == "'=HYPERLINK(1)"


def test_no_cell_of_any_column_is_a_formula(emergence: Emergence, tmp_path: Path) -> None:
    asked = cell(model=model(name="=a", variant="=b", revision="=c"), of=task("=d"), prompt="=e")
    Store(tmp_path / "r").write(result(asked))
    written = emergence("export", "open-llm", "--results", tmp_path / "r").out
    assert "'=a" in written
    assert "'=b" in written
    cells = [text for line in csv.reader(io.StringIO(written)) for text in line]
    assert [text for text in cells if text.startswith("=")] == []


def test_import_export_and_import_is_the_identity(emergence: Emergence, tmp_path: Path) -> None:
    rows = [new_row("lab/small", 0.123456789, 0.375), new_row("lab/large", 7.25, 0.12345678901234567)]
    table_file(tmp_path / "contents.parquet", *rows, new_row("lab/large", 7.25, 0.5, **{"Chat Template": True}))
    emergence("import", "open-llm", tmp_path / "contents.parquet", "--results", tmp_path / "a")
    out = tmp_path / "out.csv"
    assert "18 cells written to" in emergence("export", "open-llm", "--results", tmp_path / "a", "-o", out).err
    emergence("import", "open-llm", out, "--results", tmp_path / "b")
    a, b = ({one.cell.key: (one.cell, one.scores) for one in Store(tmp_path / n).results()} for n in "ab")
    assert len(a) == 18
    assert a == b


def test_scores_of_ours_come_back_from_the_table(emergence: Emergence, store: Store, tmp_path: Path) -> None:
    emergence("export", "open-llm", "--results", store.root, "-o", tmp_path / "out.csv")
    documents = ("--documents", "colours=4", "--documents", "shapes=4")
    done = emergence("import", "open-llm", tmp_path / "out.csv", "--results", tmp_path / "b", *documents)
    assert "imported 4 cells" in done.err
    found = {(one.cell.model.params, one.cell.task, one.cell.shots): one for one in Store(tmp_path / "b").results()}
    assert {key: one.scores[0].value for key, one in found.items()} == {
        (params, name, shots): value
        for params in (1000, 4000)
        for name, shots, value in (("colours", 0, 0.75), ("shapes", 2, 0.875))
    }
