import json
from pathlib import Path

import pandas as pd
import pytest

from harness.analysis.verdict import evidence_texts
from harness.store import Store
from tests.builders import SIZES, cell, model, result
from tests.builders.commands import Emergence
from tests.builders.tables import counted

JUMP = (50, 49, 51, 50, 48, 52, 50, 160)
RISE = (50, 52, 75, 90, 110, 125, 140, 160)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "some.csv"
    counted(JUMP).to_csv(path, index=False)
    return path


def test_a_table_of_anybodys_results_is_judged(emergence: Emergence, table: Path) -> None:
    done = emergence("verdicts", "--table", table, "--json")
    assert (done.code, done.err) == (0, "")
    (found,) = json.loads(done.out)
    assert (found["family"], found["task"], found["label"]) == ("toy", "colours", "emergent")
    assert SIZES[-3] < found["threshold_low"] < found["threshold"] < found["threshold_high"] < SIZES[-1]
    assert set(found["evidence"]) == set(evidence_texts())
    assert found["evidence"]["p_ext"] < 0.01
    assert found["n"] == [200] * 8


def test_the_table_has_plain_words_scores_and_the_threshold_with_its_interval(
    emergence: Emergence, table: Path
) -> None:
    head, _, line = emergence("verdicts", "--table", table).out.splitlines()
    assert head.split()[0] == "task"
    assert "emergent (" in line
    assert "0.250" in line
    assert "0.800" in line
    assert "M (" in line
    assert line.endswith("<0.001")
    assert len(line) < 120


def test_several_families_have_a_column(emergence: Emergence, tmp_path: Path) -> None:
    rows = [counted(), counted(family="other", model=[f"o{i}" for i in range(8)])]
    pd.concat(rows).to_csv(tmp_path / "t.csv", index=False)
    head, _, first, second = emergence("verdicts", "--table", "t.csv").out.splitlines()
    assert [line.split()[0] for line in (head, first, second)] == ["family", "other", "toy"]


@pytest.mark.parametrize("verb", [("verdicts",), ("forecast", "--at", "1e9"), ("curves",)])
def test_curves_that_are_not_joined_are_told_apart(emergence: Emergence, tmp_path: Path, verb: tuple[str, ...]) -> None:
    pd.concat([counted(condition="base"), counted(condition="tuned")]).to_csv(tmp_path / "t.csv", index=False)
    lines = emergence(*verb, "--table", "t.csv").out.splitlines()[2:]
    assert {word for line in lines for word in ("condition base", "condition tuned") if word in line} == {
        "condition base",
        "condition tuned",
    }
    counted().to_csv(tmp_path / "t.csv", index=False)
    assert not {"setting", "conditions"} & set(emergence(*verb, "--table", "t.csv").out.splitlines()[0].split())


def test_what_passed_before_the_smallest_size_is_said_to_have(emergence: Emergence, tmp_path: Path) -> None:
    counted((80, 90, 100, 110, 120, 130, 140, 150)).to_csv(tmp_path / "t.csv", index=False)
    assert "  <1k  " in emergence("verdicts", "--table", "t.csv").out


def test_noise_between_runs_can_be_told(emergence: Emergence, tmp_path: Path) -> None:
    # 30 points of 1000 documents: much for documents, nothing for runs that differ by 15 points.
    counted((250, 260, 270, 280, 285, 290, 300, 310), n=1000).to_csv(tmp_path / "t.csv", index=False)
    sure, unsure = (
        json.loads(emergence("verdicts", "--table", "t.csv", "--run-sd", sd, "--json").out)[0] for sd in ("0", "0.15")
    )
    assert (sure["evidence"]["run_sd"], unsure["evidence"]["run_sd"]) == (0.0, 0.15)
    assert (sure["label"], unsure["label"]) == ("smooth", "inconclusive")


@pytest.mark.parametrize("value", ["-0.1", "0.5", "nan"])
def test_noise_between_runs_must_be_possible(emergence: Emergence, table: Path, value: str) -> None:
    done = emergence("verdicts", "--table", table, "--run-sd", value)
    assert (done.code, done.out) == (2, "")
    assert done.err == f"error: --run-sd {value}: expected 0 or more, and less than 0.5\n"


def test_reasons_stand_below_the_table_one_paragraph_per_curve(emergence: Emergence, table: Path) -> None:
    text = emergence("verdicts", "--table", table, "--reasons").out
    assert "toy colours, 0-shot: Absent in the 7 smaller sizes" in text
    assert max(map(len, text.splitlines())) < 120


def test_a_loss_as_scale_names_the_loss_at_the_threshold(emergence: Emergence, tmp_path: Path) -> None:
    counted(RISE, loss=[4 - i / 4 for i in range(8)]).to_csv(tmp_path / "t.csv", index=False)
    (found,) = json.loads(emergence("verdicts", "--table", "t.csv", "--scale", "loss", "--json").out)
    assert 2.25 < found["threshold_low"] <= found["threshold"] <= found["threshold_high"] <= 4
    assert f"{found['threshold']:.3g} (" in emergence("verdicts", "--table", "t.csv", "--scale", "loss").out


def test_documents_below_the_results_folder_are_read(emergence: Emergence, tmp_path: Path) -> None:
    store = Store(tmp_path / "results")
    for size in SIZES[:4]:
        store.write(result(cell(model=model(size)), values=(1.0, 0.0) * 20))
    before = json.loads(emergence("verdicts", "--json").out)
    damaged = next((tmp_path / "results").rglob("samples.parquet"))
    damaged.write_bytes(b"half and its end, PAR1")
    done = emergence("verdicts", "--json")
    assert f"skipped {damaged.relative_to(tmp_path)}: cannot be read" in done.err
    assert json.loads(done.out)[0]["label"] == before[0]["label"] == "flat-above-chance"


def test_a_task_without_chance_level_has_a_verdict_and_no_threshold(emergence: Emergence, tmp_path: Path) -> None:
    counted(RISE).drop(columns="chance").to_csv(tmp_path / "t.csv", index=False)
    (found,) = json.loads(emergence("verdicts", "--table", "t.csv", "--json").out)
    assert (found["threshold"], found["evidence"]["mde"]) == (None, None)
    assert "The metric has no chance level" in " ".join(found["reasons"])


def test_a_family_at_one_place_of_the_axis_is_named_once_and_not_judged(emergence: Emergence, tmp_path: Path) -> None:
    rows = [counted(RISE, task=task, tokens=4_000_000) for task in ("colours", "shapes")]
    pd.concat(rows).to_csv(tmp_path / "t.csv", index=False)
    done = emergence("verdicts", "--table", "t.csv", "--scale", "tokens")
    assert (done.code, done.out) == (0, "")
    assert done.err == "toy: all 8 models lie at one place of this axis, 4M training tokens: nothing to judge\n"
    found = json.loads(emergence("verdicts", "--table", "t.csv", "--scale", "tokens", "--json").out)
    assert [one["label"] for one in found] == ["inconclusive"] * 2


def test_many_checkpoints_of_many_sizes_are_judged_with_a_line_of_progress(
    emergence: Emergence, tmp_path: Path
) -> None:
    steps = [1e9 * 1.1**step for step in range(40)]
    rows = [
        {"model": f"toy-{size}-step{step}", "params": size, "tokens": tokens, "loss": 4 - step / 20 - size / 1e9}
        | {"k": 50 + 2 * step}
        for size in (10**8, 2 * 10**8)
        for step, tokens in enumerate(steps)
    ]
    frame = pd.DataFrame(rows).assign(family="toy", task="sums", metric="acc", n_shot=0, n=200, chance=0.25)
    frame.to_csv(tmp_path / "t.csv", index=False)
    by_loss = emergence("verdicts", "--table", "t.csv", "--scale", "loss", "--json")
    assert by_loss.err.splitlines()[0] == "judging 1 curve of up to 80 points"
    (found,) = json.loads(by_loss.out)
    assert (found["left_out"], len(found["models"]), len(found["checkpoints"])) == (0, 80, 80)
    by_compute = emergence("verdicts", "--table", "t.csv", "--scale", "flops")
    assert "up to 78 earlier checkpoints left out on the axis of flops" in by_compute.err
    assert "--scale tokens draws a curve for each size" in by_compute.err
