"""`emergence import`: files of others become cells of the store."""

import csv
import json
import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from harness.exchange.tasks import known_task
from harness.store import Store
from tests.builders.commands import Emergence
from tests.builders.published import lm_eval_file, option_row, sample_file, text_row

REAL = Path(__file__).parents[1] / "validation" / "data" / "lm_eval_0.3"
SIZES = ("--params", "pythia-v1.1-70m=70426624", "--params", "EleutherAI/pythia-v1.1-12b=11.8B")


def test_published_files_become_cells_with_documents_counted_from_their_errors(
    emergence: Emergence, tmp_path: Path
) -> None:
    done = emergence("import", "lm-eval", REAL, "--results", tmp_path / "r", *SIZES, "--licence", "Apache-2.0")
    assert done.code == 0
    assert "imported 152 cells from 2 files of lm-eval" in done.err
    assert "152 results without a date" in done.err
    found = {(r.cell.model.name, r.cell.task): r for r in Store(tmp_path / "r").results()}
    assert found["EleutherAI/pythia-v1.1-70m", "crows_pairs_english"].n_expected == 1677
    arc = found["EleutherAI/pythia-v1.1-12b", "arc_easy"]
    assert arc.cell.model.params == 11_800_000_000
    assert (arc.cell.engine, arc.cell.shots, arc.cell.kind) == ("imported:lm-eval", 5, "qa")
    assert (arc.n_expected, arc.scores[0].n) == (2376, 2376)
    assert [(m.name, m.chance, m.best) for m in arc.cell.metrics] == [("acc", 0.25, 1.0), ("acc_norm", 0.25, 1.0)]
    assert arc.provenance.source is not None
    assert arc.provenance.source.licence == "Apache-2.0"
    assert arc.provenance.source.file == "pythia_12b_five_shot_step143000.json"
    lambada = found["EleutherAI/pythia-v1.1-70m", "lambada_openai"]
    assert [(m.name, m.continuous, m.higher_is_better) for m in lambada.cell.metrics] == [
        ("acc", False, True),
        ("ppl", True, False),
    ]


def test_documents_follow_from_every_share_of_a_published_file_as_the_table_has_them(
    emergence: Emergence, tmp_path: Path
) -> None:
    emergence("import", "lm-eval", REAL, "--results", tmp_path / "r", *SIZES)
    counted = {r.cell.task: r.n_expected for r in Store(tmp_path / "r").results()}
    known = {name: task.n for name in counted if (task := known_task(name)) is not None and task.n is not None}
    assert len(known) == 8
    assert {name: counted[name] for name in known} == known


def test_tasks_whose_documents_nobody_counted_are_left_out_and_named(emergence: Emergence, tmp_path: Path) -> None:
    results = {
        "colours": {"acc,none": 0.75, "acc_stderr,none": 0.25},
        "sums": {"bleu,none": 0.2, "bleu_stderr,none": 0.1},
    }
    path = lm_eval_file(
        tmp_path / "a", results=results, **{"n-samples": None, "config": {"model_args": "pretrained=x"}}
    )
    done = emergence("import", "lm-eval", path, "--results", tmp_path / "r", "--params", "x=7B")
    said = "1 task left out, whose number of documents no file says: sums; --documents sums=N gives it"
    assert said in done.err
    assert [one.cell.task for one in Store(tmp_path / "r").results()] == ["colours"]


def test_a_copy_of_the_file_is_kept_with_all_its_keys(emergence: Emergence, tmp_path: Path) -> None:
    path = lm_eval_file(tmp_path / "files")
    emergence("import", "lm-eval", path, "--results", tmp_path / "r")
    (copy,) = (tmp_path / "r" / ".imported").iterdir()
    assert copy.read_bytes() == path.read_bytes()
    assert json.loads(copy.read_text())["something_new"] == {"kept": True}
    result = Store(tmp_path / "r").results()[0]
    assert result.provenance.source is not None
    assert copy.name == f"{result.provenance.source.sha256}.json"


def test_importing_again_writes_nothing(emergence: Emergence, tmp_path: Path) -> None:
    path = lm_eval_file(tmp_path / "files")
    assert "imported 2 cells" in emergence("import", "lm-eval", path, "--results", tmp_path / "r").err
    again = emergence("import", "lm-eval", path.parent, "--results", tmp_path / "r")
    assert again.code == 0
    assert "imported 0 cells from 1 file of lm-eval, 2 were there already" in again.err


def test_answers_beside_the_file_are_read(emergence: Emergence, tmp_path: Path) -> None:
    path = lm_eval_file(tmp_path / "files")
    rows = [option_row(i, [-3.0, -1.0, -2.0, -9.0], right=1 if i else 0) for i in range(4)]
    sample_file(path.parent, "colours", rows)
    texts = [text_row(i, f" {i}!", f"{i}", chosen="strict-match", right="0") for i in range(4)]
    texts += [text_row(i, f" {i}!", f" {i}!", chosen="flexible-extract", right=" 1!") for i in range(4)]
    sample_file(path.parent, "sums", texts)
    emergence("import", "lm-eval", path, "--results", tmp_path / "r")
    store = Store(tmp_path / "r")
    results = {r.cell.task: r.cell for r in store.results()}
    first, second, *_ = store.samples(results["colours"])
    assert (first.prompt, first.target, first.output) == ("Q0:", " option 0", " option 1")
    assert first.option_loglikelihoods == (-3.0, -1.0, -2.0, -9.0)
    assert (first.scores, second.scores) == ({"acc": 0.0, "acc_norm": 0.0}, {"acc": 1.0, "acc_norm": 1.0})
    zero, one, *_ = store.samples(results["sums"])
    assert (zero.output, zero.target) == ("0", "0")
    assert zero.scores == {"exact_match,strict-match": 1.0, "exact_match,flexible-extract": 0.0}
    assert one.scores == {"exact_match,strict-match": 0.0, "exact_match,flexible-extract": 1.0}


def test_the_score_of_a_guess_follows_from_the_options_of_the_documents(emergence: Emergence, tmp_path: Path) -> None:
    configs = {"colours": {"output_type": "multiple_choice", "doc_to_choice": "{{options}}"}}
    path = lm_eval_file(tmp_path / "files", configs=configs)
    sample_file(path.parent, "colours", [option_row(i, [-3.0, -1.0, -2.0], right=1) for i in range(4)])
    emergence("import", "lm-eval", path, "--results", tmp_path / "r")
    found = {r.cell.task: r.cell for r in Store(tmp_path / "r").results()}
    assert found["colours"].metrics[0].chance == pytest.approx(1 / 3)


def test_what_files_do_not_say_is_said(emergence: Emergence, tmp_path: Path) -> None:
    configs = {"colours": {"output_type": "multiple_choice", "doc_to_choice": "{{options}}"}}
    done = emergence("import", "lm-eval", lm_eval_file(tmp_path / "a", configs=configs), "--results", tmp_path / "r")
    assert "score of a guess not known for 2 tasks: colours, sums; --chance colours=SCORE gives it" in done.err
    assert "kind not known of 2 tasks, filed under qa: colours, sums" in done.err
    assert "1 row of groups left out" in done.err


def test_other_versions_and_other_prompts_are_never_joined(emergence: Emergence, tmp_path: Path) -> None:
    lm_eval_file(tmp_path / "a" / "1")
    lm_eval_file(tmp_path / "a" / "2", versions={"colours": 2.0, "sums": 3.0})
    done = emergence("import", "lm-eval", tmp_path / "a", "--results", tmp_path / "r")
    assert "1 task kept apart by version or prompt, which differ between the files: colours" in done.err
    assert "imported 3 cells from 2 files" in done.err
    digests = [r.cell.task_digest for r in Store(tmp_path / "r").results() if r.cell.task == "colours"]
    assert len({*digests}) == 2


def test_the_latest_of_several_scores_is_taken_and_said(emergence: Emergence, tmp_path: Path) -> None:
    later = {"colours": {"acc,none": 1.0, "acc_stderr,none": 0.0}}
    lm_eval_file(tmp_path / "a" / "1", results=later, date=1_900_000_000.0)
    lm_eval_file(tmp_path / "a" / "2", results={"colours": {"acc,none": 0.5, "acc_stderr,none": 0.2}})
    done = emergence("import", "lm-eval", tmp_path / "a", "--results", tmp_path / "r")
    assert "1 result stood in several files with different scores: the latest was taken" in done.err
    (result,) = Store(tmp_path / "r").results()
    assert result.scores[0].value == 1.0


def test_a_family_gives_sizes_and_tokens_of_the_checkpoint(emergence: Emergence, tmp_path: Path) -> None:
    family = tmp_path / "lab.yaml"
    models = [
        {"name": "lab/small", "params": 71_000_000, "revision": f"step{n}", "tokens": n * 10} for n in (1000, 2000)
    ]
    family.write_text(json.dumps({"family": "lab", "models": models}))
    path = lm_eval_file(tmp_path / "a")
    emergence("import", "lm-eval", path, "--results", tmp_path / "r", "--family", family)
    model = Store(tmp_path / "r").results()[0].cell.model
    assert (model.family, model.params, model.tokens, model.revision) == ("lab", 71_000_000, 20_000, "step2000")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nowhere",), "nowhere: no such file or folder"),
        (("notes.json",), "notes.json: is no result file of lm-eval; expected `results`, `versions` and `config`"),
        (("broken.json",), "broken.json: is not JSON"),
        (("empty",), "empty: no result file of lm-eval there; expected results_*.json"),
        (("real", "--params", "x"), "--params is 'x'; expected MODEL=SIZE, such as pythia-70m=70.4M"),
        (("real", "--params", "x=0"), "params is 0; expected more than 0"),
        (("real", "--chance", "x=2"), "--chance is 'x=2'; expected TASK=SCORE, such as arc_easy=0.25"),
        (("real", "--documents", "x=0"), "--documents is 'x=0'; expected TASK=NUMBER, such as arc_easy=2376"),
        (("real",), "parameters of 2 models are not known: EleutherAI/pythia-v1.1-12b, EleutherAI/pythia-v1.1-70m; "),
    ],
)
def test_what_is_wrong_is_one_line_and_nothing_is_written(
    emergence: Emergence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("notes.json").write_text('{"a": 1}')
    Path("broken.json").write_text('{"a": ')
    Path("empty").mkdir()
    Path("real").symlink_to(REAL)
    done = emergence("import", "lm-eval", *arguments, "--results", "r")
    assert done.code == 2
    assert said in done.err
    assert not list(Path("r").rglob("cell.json"))


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"acc,none": 1.5}, "metric acc came out as 1.5"),
        ({"acc,none": 0.5, "acc_stderr,none": -1}, "metric acc came out as 0.5 +- -1"),
        ({"acc,none": -0.1}, "metric acc came out as -0.1"),
    ],
)
def test_scores_that_cannot_be_are_refused(
    emergence: Emergence, tmp_path: Path, row: dict[str, float], said: str
) -> None:
    path = lm_eval_file(tmp_path / "a", results={"colours": row})
    done = emergence("import", "lm-eval", path, "--results", tmp_path / "r")
    assert done.code == 2
    assert said in done.err


def test_a_whole_number_beyond_all_floats_is_no_score(emergence: Emergence, tmp_path: Path) -> None:
    path = lm_eval_file(tmp_path / "a", results={"colours": {"acc,none": 0.5, "perplexity,none": 10**400}})
    assert emergence("import", "lm-eval", path, "--results", tmp_path / "r").code == 0
    assert [s.metric for s in Store(tmp_path / "r").results()[0].scores] == ["acc"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"lm_eval_version": "v" * 3000}, "expected at most 2,000 characters"),
        ({"versions": {"colours": "v" * 3000, "sums": 1}}, "expected at most 2,000 characters"),
        ({"results": {"colours": {"a" * 3000: 0.5}}}, "expected at most 2,000 characters"),
        ({"results": {"c" * 300: {"acc": 0.5}}, "group_subtasks": {}}, "expected at most 200 characters"),
        ({"config": {"model_args": f"pretrained=lab/{'x' * 300}"}}, "expected at most 200 characters"),
    ],
)
def test_names_and_texts_that_no_cell_can_have_are_refused_before_anything_is_written(
    emergence: Emergence, tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    path = lm_eval_file(tmp_path / "a", **{"n-samples": {"c" * 300: {"effective": 4}}, **changes})
    sizes = [f"{name}=1000" for name in ("lab/small", f"lab/{'x' * 300}")]
    documents = ("--documents", "colours=4,sums=4")
    done = emergence("import", "lm-eval", path, "--results", tmp_path / "r", "--params", ",".join(sizes), *documents)
    assert done.code == 2
    assert said in done.err
    assert not list((tmp_path / "r").rglob("cell.json"))


def test_a_document_with_a_number_that_no_table_has_is_refused_before_anything_is_written(
    emergence: Emergence, tmp_path: Path
) -> None:
    path = lm_eval_file(tmp_path / "a")
    sample_file(path.parent, "colours", [{**option_row(0, [-3.0, -1.0], right=1), "doc_id": 10**30}])
    done = emergence("import", "lm-eval", path, "--results", tmp_path / "r")
    assert done.code == 2
    assert "a document has the number 1000000000000000000000000000000; expected one of 64 bits" in done.err
    assert not list((tmp_path / "r").rglob("cell.json"))


def test_a_file_of_more_values_than_memory_has_room_for_is_refused(
    emergence: Emergence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMERGENCE_LIMITS", "0.1")
    path = lm_eval_file(tmp_path / "a", something_new=[0] * 700_000)
    done = emergence("import", "lm-eval", path, "--results", tmp_path / "r")
    assert done.code == 2
    assert "values; expected at most 600,000" in done.err


def test_a_long_system_instruction_is_kept_and_can_be_read_again(emergence: Emergence, tmp_path: Path) -> None:
    path = lm_eval_file(tmp_path / "a", system_instruction="Be brief. " * 500)
    assert emergence("import", "lm-eval", path, "--results", tmp_path / "r").code == 0
    store = Store(tmp_path / "r")
    assert not store.problems()
    assert {one.cell.system for one in store.results()} == {"Be brief. " * 500}


def test_scores_that_are_no_numbers_are_left_out(emergence: Emergence, tmp_path: Path) -> None:
    path = lm_eval_file(tmp_path / "a", results={"colours": {"acc,none": 0.5, "perplexity,none": math.nan}})
    assert emergence("import", "lm-eval", path, "--results", tmp_path / "r").code == 0
    assert [s.metric for s in Store(tmp_path / "r").results()[0].scores] == ["acc"]


def test_imported_cells_are_shown_like_any_others(emergence: Emergence, tmp_path: Path) -> None:
    emergence("import", "lm-eval", REAL, "--results", tmp_path / "r", *SIZES)
    for verb in ("status", "curves", "verdicts", "leaderboard", "tasks"):
        assert emergence(verb, "--results", tmp_path / "r").code == 0


def test_scores_equal_those_of_the_published_table(emergence: Emergence, tmp_path: Path) -> None:
    emergence("import", "lm-eval", REAL, "--results", tmp_path / "r", *SIZES)
    table = pd.read_parquet(REAL.parent / "pythia.parquet")
    expected = {(row.model, row.task, row.n_shot, row.metric): row.value for row in table.itertuples()}
    compared = 0
    for result in Store(tmp_path / "r").results():
        name = result.cell.model.name.replace("EleutherAI/pythia-v1.1-", "pythia-") + "@" + result.cell.model.revision
        for score in result.scores:
            if (known := expected.get((name, result.cell.task, result.cell.shots, score.metric))) is not None:
                assert score.value == pytest.approx(known, abs=1e-12)
                compared += 1
    assert compared >= 20


def test_tables_and_the_report_say_where_results_come_from(emergence: Emergence, tmp_path: Path) -> None:
    emergence("import", "lm-eval", lm_eval_file(tmp_path / "a"), "--results", tmp_path / "r", "--licence", "MIT")
    table = [*csv.DictReader(emergence("leaderboard", "--results", tmp_path / "r").out.splitlines())]
    assert {row["source"] for row in table} == {"lm-eval 0.4.9: results_2026-03-01T12-00-00.000000.json"}
    emergence("report", "--results", tmp_path / "r", "-o", tmp_path / "r.html")
    assert "<dt>Read from files of</dt><dd>lm-eval 0.4.9, MIT</dd>" in (tmp_path / "r.html").read_text()
