import csv
import io
import json
import os
from pathlib import Path

import pytest
import yaml

from harness.store import Store
from tests.builders.commands import Emergence

INLINE = ("--executor", "inline")


def test_help_names_every_verb(emergence: Emergence) -> None:
    done = emergence("--help")
    assert done.code == 0
    shown = ("curves", "verdicts", "forecast", "compare", "leaderboard", "report", "dashboard")
    for verb in ("list", "check", "plan", "run", "status", *shown):
        assert verb in done.out


@pytest.mark.parametrize(
    ("verb", "said"),
    [
        ("verdicts", "otherwise 0.006"),
        ("curves", "`results` unless told"),
        ("plan", "`embedded` unless told"),
        ("run", "the suite's unless told"),
        ("check", "what comes with the package unless told"),
    ],
)
def test_help_says_what_an_option_is_when_it_is_not_given(emergence: Emergence, verb: str, said: str) -> None:
    shown = " ".join(emergence(verb, "--help").out.replace("│", " ").split())
    assert said in shown


def test_list_shows_own_and_shipped_things(emergence: Emergence, toy: Path) -> None:
    done = emergence("list", "--json", "--include-path", toy)
    data = json.loads(done.out)
    assert {"steps", "pythia"} <= {family["name"] for family in data["families"]}
    assert {"toy", "classification"} <= {suite["name"] for suite in data["suites"]}
    assert {"lm-eval", "simulated"} <= {engine["name"] for engine in data["engines"]}
    assert "jumps" in emergence("list", "tasks", "--include-path", toy).out


def test_list_shows_the_models_of_a_family_with_their_sources(emergence: Emergence) -> None:
    shown = emergence("list", "models", "pythia-deduped").out
    assert shown.startswith("pythia-deduped, decoder:\n")
    assert "154 checkpoints of each on the hub, step0 to step143000" in shown
    assert "tokens: README, 143,000 steps of 2,097,152 tokens" in shown
    (family,) = json.loads(emergence("list", "models", "qwen3-moe", "--json").out)
    (model,) = family["models"]
    assert (family["kind"], model["params"], model["active"]) == ("decoder", 30_532_122_624, 3_353_032_704)


def test_list_counts_the_checkpoints_of_a_family(emergence: Emergence) -> None:
    families = {one["name"]: one for one in json.loads(emergence("list", "families", "--json").out)}
    assert list(families) == sorted(families)
    assert (families["pythia"]["models"], families["pythia"]["checkpoints"]) == (10, 1540)
    assert (families["bert"]["kind"], families["bert"]["checkpoints"]) == ("encoder", None)


def test_families_are_named_after_models_alone(emergence: Emergence) -> None:
    done = emergence("list", "tasks", "pythia")
    assert (done.code, done.err) == (2, "error: pythia: expected after `list models` alone\n")
    assert emergence("list", "models", "pytia").err.startswith("error: unknown family 'pytia'; known: bert, ")


def test_list_of_something_else_lists_what_there_is(emergence: Emergence) -> None:
    done = emergence("list", "modles")
    assert (done.code, done.err) == (
        2,
        "error: unknown list 'modles'; known: engines, families, models, suites, tasks, trainings, treatments\n",
    )


def test_check_says_what_it_saw(emergence: Emergence, toy: Path) -> None:
    done = emergence("check", toy)
    assert done.code == 0
    assert "all right" in done.err


def test_plan_counts_cells_and_writes_nothing(emergence: Emergence, options: tuple[str, ...], tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    done = emergence("plan", *options)
    assert done.code == 0
    assert "16 cells: 0 done, 0 failed, 16 to do" in done.out
    assert "requests" in done.out
    assert "prompt tokens" in done.out
    assert sorted(tmp_path.rglob("*")) == before


def test_plan_as_json_has_one_object_per_cell(emergence: Emergence, options: tuple[str, ...]) -> None:
    cells = json.loads(emergence("plan", *options, "--json", "--shots", "0,1,2").out)
    assert len(cells) == 2 * 4 * 3
    assert {cell["status"] for cell in cells} == {"to do"}
    assert all(cell["requests"] == 160 for cell in cells)


def test_a_run_is_resumed_and_presented(emergence: Emergence, options: tuple[str, ...]) -> None:
    first = emergence("run", *options, *INLINE, "--shots", "0")
    assert first.code == 0
    assert "8 cells evaluated, 0 failed" in first.err
    assert first.out == ""
    second = emergence("run", *options, *INLINE)
    assert "8 of 16 cells are done already" in second.err
    assert "8 cells evaluated, 0 failed" in second.err
    assert "16 cells: 16 done" in emergence("plan", *options).out
    assert "steps" in emergence("status").out
    rows = list(csv.DictReader(io.StringIO(emergence("leaderboard").out)))
    assert len(rows) == 16 * 2
    assert {row["status"] for row in rows} == {"ok"}
    assert "" not in {row["value"] for row in rows}
    points = json.loads(emergence("curves", "--json").out)
    assert len(points) == 16 * 2
    verdicts = {(v["task"], v["shots"]): v for v in json.loads(emergence("verdicts", "--json").out)}
    assert verdicts["jumps", 0]["label"] == "smooth"
    assert 100 < verdicts["jumps", 0]["threshold"] < 1000 == verdicts["jumps", 0]["reliable_from"]
    assert verdicts["stays", 0]["threshold"] is None
    table = emergence("verdicts")
    assert "threshold (95 %)" in table.out
    assert "documents per size" not in table.out
    assert "documents per size" in emergence("verdicts", "--reasons").out


def test_how_the_tree_engine_was_told_to_run_is_kept_with_the_result(emergence: Emergence) -> None:
    asked = ("--task", "topic", "--model", "ladder-12k", "--shots", "0", "--limit", "2", "--engine", "tree")
    done = emergence("run", *asked, *INLINE, "--token-budget", "512", "--deterministic")
    assert done.code == 0, done.err
    (result,) = Store(Path("results")).results()
    made = result.provenance
    assert (made.token_budget, made.batch_size, made.deterministic, made.fallback) == (512, None, True, None)


def test_the_report_is_one_file_without_links_to_elsewhere(
    emergence: Emergence, options: tuple[str, ...], tmp_path: Path
) -> None:
    emergence("run", *options, *INLINE)
    assert emergence("report", "-o", "page.html").code == 0
    page = (tmp_path / "page.html").read_text()
    assert "jumps" in page
    assert 'src="http' not in page
    assert '<link rel="stylesheet" href="http' not in page


def test_a_failing_cell_is_told_kept_and_retried_on_demand(
    emergence: Emergence, options: tuple[str, ...], toy: Path
) -> None:
    spec = yaml.safe_load((toy / "stays.yaml").read_text())
    spec["config"]["simulate"] = {"fail": True}
    (toy / "stays.yaml").write_text(yaml.safe_dump(spec))
    first = emergence("run", *options, *INLINE)
    assert first.code == 1
    assert "8 cells evaluated, 8 failed" in first.err
    assert "failed: m10 stays" in emergence("status").out
    again = emergence("run", *options, *INLINE)
    assert again.code == 1
    assert "8 cells failed before and are left alone" in again.err
    assert "0 cells evaluated, 0 failed" in again.err
    retried = emergence("run", *options, *INLINE, "--retry-failed")
    assert "0 cells evaluated, 8 failed" in retried.err
    rows = list(csv.DictReader(io.StringIO(emergence("leaderboard").out)))
    assert {row["value"] for row in rows if row["status"] == "failed"} == {""}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--shots", "-1"), "--shots -1: expected 0 or more"),
        (("--shots", "two"), "--shots two: expected whole numbers such as 0,2,5"),
        (("--shots", "41"), "--shots 41: task jumps has 40 demonstrations to give"),
        (("--seeds", "0"), "--seeds 0: expected 1 or more"),
        (("--limit", "0"), "--limit 0: expected 1 or more"),
        (("--suite", "tyo"), "unknown suite 'tyo'; known: algorithms, arithmetic,"),
        (("--task", "jump"), "unknown task 'jump'; did you mean jumps?"),
        (("--family", "pythai"), "unknown family 'pythai'; known: bert, bloom,"),
        (("--model", "m11"), "unknown model 'm11'; known: m10, m100"),
        (("--model", "./nowhere"), "no such folder; expected"),
        (("--prompts", "terse"), "task jumps: unknown prompt 'terse'; known: default"),
        (
            ("--engine", "tre"),
            "unknown engine 'tre'; known: auto, encoder, lm-eval, seq2seq, server, simulated, tree, vllm",
        ),
        (("--executor", "slurm"), "unknown executor 'slurm'; known: inline, ray"),
        (("--workers", "0"), "--workers 0: expected 1 or more"),
        (("--task", "two_steps", "--suite", "codegen"), "agree with --confirm_run_unsafe_code"),
    ],
)
def test_what_the_user_can_fix_is_one_line_and_exit_2(
    emergence: Emergence, options: tuple[str, ...], arguments: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    done = emergence("run", *options, *arguments)
    assert done.code == 2
    (line,) = done.err.splitlines()
    assert line.startswith("error: ")
    assert message in line
    assert not (tmp_path / "results").exists()


def test_a_suite_with_a_typo_names_file_and_key(emergence: Emergence, options: tuple[str, ...], toy: Path) -> None:
    (toy / "suite.yaml").write_text("suite: toy\ntasks: [jumps, stayz]\n")
    done = emergence("run", *options)
    assert done.code == 2
    assert done.err.startswith(f"error: {toy / 'suite.yaml'}: tasks[1]: unknown task 'stayz'; did you mean stays?")


def test_a_data_file_that_is_no_jsonl_is_named(emergence: Emergence, options: tuple[str, ...], toy: Path) -> None:
    (toy / "test.jsonl").write_text("question,label\n")
    done = emergence("plan", *options)
    assert done.code == 2
    assert "test.jsonl: line 1 is not JSON; expected JSONL" in done.err


def test_results_that_cannot_be_written_stop_the_run_before_it_starts(
    emergence: Emergence, options: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "taken").write_text("a file")
    done = emergence("run", *options, *INLINE, "--results", "taken")
    assert done.code == 2
    assert "error: " in done.err
    assert "cannot be written" in done.err


def test_a_disk_that_turns_read_only_ends_the_run_with_one_line_and_keeps_what_is_done(
    emergence: Emergence, options: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        written.append(descriptor)
        if len(written) > 6:  # three cells of two files each
            raise OSError(30, "Read-only file system")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    done = emergence("run", *options, *INLINE)
    assert done.code == 2
    assert "cannot be written: Read-only file system" in done.err
    monkeypatch.setattr(os, "fsync", real)
    assert "16 cells: 3 done, 0 failed, 13 to do" in emergence("plan", *options).out
    assert emergence("run", *options, *INLINE).code == 0


def test_an_empty_results_folder_is_said_so(emergence: Emergence) -> None:
    for verb in ("curves", "verdicts", "leaderboard", "report"):
        done = emergence(verb)
        assert done.code == 2, verb
        assert "no results; expected a folder that `emergence run` wrote to" in done.err


def test_both_spellings_of_an_option_are_one(emergence: Emergence, options: tuple[str, ...]) -> None:
    one = emergence("plan", *options, "--num_fewshot", "1", "--json").out
    two = emergence("plan", *options, "--num-fewshot", "1", "--json").out
    assert one == two
    assert {cell["shots"] for cell in json.loads(one)} == {1}


def test_a_damaged_result_is_reported_and_evaluated_again(
    emergence: Emergence, options: tuple[str, ...], tmp_path: Path
) -> None:
    emergence("run", *options, *INLINE)
    header = next((tmp_path / "results").rglob("cell.json"))
    header.write_text("{")
    again = emergence("run", *options, *INLINE)
    assert f"skipped {header.relative_to(tmp_path)}: is damaged" in again.err
    assert "1 cells evaluated, 0 failed" in again.err


def test_a_model_folder_without_a_tokenizer_stops_the_run_in_one_line(
    emergence: Emergence, toy: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "bare"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "llama"}')
    header = b'{"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}'
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(8))
    done = emergence("run", "--suite", "toy", "--include-path", toy, "--model", folder)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"error: {folder}: no tokenizer; expected one of tokenizer.json")
    assert not (tmp_path / "results").exists()
