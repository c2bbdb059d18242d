"""Tables of OpenEuroLLM's evaluations, column by column."""

from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.exchange.files import foreign_file
from harness.exchange.oellm import read_oellm
from harness.exchange.types import Contents
from harness.store import Store
from tests.builders.commands import Emergence
from tests.builders.published_oellm import COLLECTED, DOCUMENTS, JOBS, SIZES, oellm_table


def contents(path: Path) -> Contents:
    found = read_oellm(foreign_file(path))
    assert found is not None
    return found


def test_a_row_is_a_score_and_rows_of_one_evaluation_are_a_cell(tmp_path: Path) -> None:
    found = {(one.model, one.task): one for one in contents(oellm_table(tmp_path)).results}
    assert set(found) == {
        ("small", "flores200:swe_Latn-eng_Latn"),
        ("small", "global_mgsm_de"),
        ("small", "arc_easy"),
        ("lab/large", "arc_easy"),
    }
    large = found["lab/large", "arc_easy"]
    assert [(score.metric, score.value, score.stderr) for score in large.scores] == [
        ("acc", 0.625, None),
        ("acc_norm", 0.75, None),
    ]
    assert (large.shots, large.n, large.version, large.asked, large.tool) == (10, None, None, {}, "oellm")
    assert found["small", "global_mgsm_de"].scores[0].metric == "exact_match,flexible-extract"
    assert found["small", "flores200:swe_Latn-eng_Latn"].scores[0].value == 42.5


def test_the_plan_beside_it_says_who_evaluated_and_what_is_missing(emergence: Emergence, tmp_path: Path) -> None:
    path = oellm_table(tmp_path / "runs", jobs=JOBS)
    asked = {(one.model, one.task): one.asked for one in contents(path).results}
    assert asked["small", "arc_easy"] == {"suite": "lm_eval"}
    assert asked["lab/large", "arc_easy"] == {"suite": "lighteval"}
    assert asked["small", "global_mgsm_de"] == {}
    done = emergence("import", "oellm", path.parent, "--results", tmp_path / "r", *SIZES, *DOCUMENTS)
    assert done.code == 0
    assert "1 row left out, whose number of demonstrations is unknown" in done.err
    assert "1 job of jobs.csv without a score" in done.err
    assert "1 task kept apart by version or prompt, which differ between the files: arc_easy" in done.err
    assert "imported 4 cells from 1 file of oellm" in done.err
    cells = {(one.cell.model.name, one.cell.task): one for one in Store(tmp_path / "r").results()}
    chrf = cells["small", "flores200:swe_Latn-eng_Latn"]
    assert (chrf.cell.metrics[0].continuous, chrf.cell.metrics[0].best, chrf.n_expected) == (True, None, 1012)
    assert cells["small", "arc_easy"].n_expected == 2376  # the table of known tasks
    assert sorted(copy.suffix for copy in (tmp_path / "r" / ".imported").iterdir()) == [".csv", ".csv"]


def test_a_plan_alone_has_no_scores(emergence: Emergence, tmp_path: Path) -> None:
    (tmp_path / "jobs.csv").write_text(JOBS)
    done = emergence("import", "oellm", tmp_path, "--results", tmp_path / "r")
    assert done.code == 2
    assert "jobs.csv alone has no scores, its result files are those of lm-eval" in done.err


def test_numbers_of_demonstrations_that_pandas_wrote_as_fractions_are_read(tmp_path: Path) -> None:
    path = oellm_table(tmp_path, collected=COLLECTED.replace(",10,", ",10.0,").replace("unknown", "5.0"))
    assert sorted(one.shots for one in contents(path).results) == [0, 0, 0, 5, 10]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("0.375", "high", r"eval_results.csv: row 3: performance is 'high'; expected a number"),
        ("0.375", "nan", r"row 3: performance is 'nan'; expected a number"),
        (",unknown,", ",-1,", r"row 4: n_shot is -1; expected a whole number, or unknown"),
        (",unknown,", ",few,", r"row 4: n_shot is 'few'; expected a whole number, or unknown"),
        ("lab/large,arc_easy,unknown", ",arc_easy,unknown", r"row 4: model_name or task is empty; expected a name"),
        ('0.375,"acc,none"', "0.375", r"line 4 has 4 cells; expected 5"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(HarnessError, match=said):
        contents(oellm_table(tmp_path, collected=COLLECTED.replace(old, new, 1)))


def test_a_plan_without_its_columns_is_named(tmp_path: Path) -> None:
    path = oellm_table(tmp_path, jobs="a,b\n1,2\n")
    with pytest.raises(HarnessError, match=r"jobs.csv: has the columns \['a', 'b'\]; expected "):
        contents(path)


def test_another_table_is_none_of_these(emergence: Emergence, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    done = emergence("import", "oellm", tmp_path / "x.csv", "--results", tmp_path / "r")
    assert "x.csv: is no result file of oellm; expected the columns model_name, task, n_shot, performance" in done.err
