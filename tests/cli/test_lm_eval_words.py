"""Command lines of lm-eval, in our words."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml

from harness.cli.lm_eval_words import Grammar, translated
from harness.errors import PlanError
from harness.store import Store
from tests.builders.commands import Emergence
from tests.builders.mirrors import task_of, write_data_set

SHIPPED = Path(__file__).parents[2] / "harness/ladder/weights"
OURS = Grammar(
    options=(
        *("--model", "--task", "--tasks", "--dtype", "--batch-size", "--results", "--trust-remote-code", "--engine"),
        *("--apply-chat-template", "--gen-kwargs", "--num-fewshot", "--system-instruction", "--limit"),
    ),
    flags=("--trust-remote-code", "--apply-chat-template"),
)


@pytest.mark.parametrize(
    ("typed", "ours"),
    [
        ("--model hf --model_args pretrained=org/x,dtype=bfloat16", "--model org/x --dtype bfloat16"),
        ("--model=hf --model-args=pretrained=org/x,revision=step1000", "--model org/x@step1000"),
        ("--model_args pretrained=./x dtype=auto revision=main", "--model ./x"),
        (
            "--model hf --model_args pretrained=x,dtype=torch.float16,trust_remote_code=True",
            "--model x --dtype float16 --trust-remote-code",
        ),
        ("--model hf --model_args pretrained=x,trust_remote_code=False,backend=causal", "--model x"),
        ('--model hf --model_args {"pretrained":"org/x","dtype":"half"}', "--model org/x --dtype float16"),
        ("--model dummy", "--engine simulated"),
        ("--model a --model b,c", "--model a --model b,c"),
        ("--tasks a b,c --num_fewshot 5", "--tasks a,b,c --num-fewshot 5"),
        ("--batch_size auto", ""),
        ("--batch_size auto:4", ""),
        ("--batch_size auto --max_batch_size 64", "--batch-size 64"),
        ("--batch_size 128 --max_batch_size 64", "--batch-size 64"),
        ("--batch_size 16", "--batch-size 16"),
        ("--output_path out", "--results out"),
        ("--log_samples --write_out --show_config --check_integrity --predict_only", ""),
        ("--use_cache sqlite --cache_requests true --cache_requests --seed 0,1,2,3 --verbosity DEBUG", ""),
        ("--wandb_args project=x name=y --hf_hub_log_args a=b --trackio_args project=x", ""),
        ("--apply_chat_template --fewshot_as_multiturn", "--apply-chat-template"),
        ("--apply_chat_template true --fewshot_as_multiturn False", "--apply-chat-template"),
        ("--trust_remote_code True", "--trust-remote-code"),
        ("--trust_remote_code false --limit 0.1", "--limit 0.1"),
        ("--gen_kwargs temperature=0 do_sample=false", "--gen-kwargs temperature=0,do_sample=false"),
        ("--system_instruction --log_samples", "--system-instruction --log_samples"),
        ("-- --log_samples", "-- --log_samples"),
    ],
)
def test_lm_evals_words_become_ours(typed: str, ours: str) -> None:
    assert translated(typed.split(), OURS).arguments == ours.split()


@pytest.mark.parametrize(
    ("typed", "note"),
    [
        ("--log_samples", "--log-samples is not needed: samples are always kept: emergence samples shows them"),
        (
            "--batch_size auto:4",
            "--batch-size auto:4 is not needed: batches are filled by the tokens that",
        ),
        (
            "--model_args pretrained=x,parallelize=True",
            "--model-args parallelize=True is not needed: a model takes",
        ),
        ("--use_cache x", "--use-cache is not needed: results are the cache"),
    ],
)
def test_what_is_not_needed_is_said_in_a_line(typed: str, note: str) -> None:
    [said] = translated(typed.split(), OURS).notes
    assert said.startswith(note)


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (
            "--model hf",
            "--model hf says in lm-eval how a model is loaded: expected --model NAME of",
        ),
        ("--model org/x --model_args dtype=float16", "--model org/x with --model-args: expected names of models alone"),
        ("--model_args pretrained=x,peft=y", "--model-args peft=y: merge it into its base (merge_and_unload, save_pre"),
        ("--model_args pretrained=x,load_in_8bit=True", "--model-args load_in_8bit=True: save the treated model with"),
        ("--model_args pretrained=x,dtype=int8", "--model-args dtype=int8: expected float32, bfloat16 or float16"),
        (
            "--model_args pretrained=x,max_length=99",
            "--model-args max_length=99: the context is the model's own;",
        ),
        (
            "--model_args pretrained=x,trust_remote_cod=1",
            "--model-args: unknown key 'trust_remote_cod'; did you mean",
        ),
        (
            "--model_args pretrained=x,zzz=1",
            "--model-args: unknown key 'zzz'; known: pretrained, revision, dtype",
        ),
        ("--model_args x", "--model-args 'x': expected key=value, such as pretrained=NAME,dtype=float16"),
        (
            "--model sglang --model_args pretrained=x",
            "--model sglang says in lm-eval how a model is loaded; here",
        ),
        ("--samples {}", "--samples is an option of lm-eval; here --docs takes the documents with these numbers"),
        ("--metadata a=b", "--metadata is an option of lm-eval; here `metadata` stands in a task's YAML file"),
        ("--config x.yaml", "--config is an option of lm-eval; here every option is given on the command line"),
        ("--output_path out.json", "--output-path out.json: results are kept in a folder; expected --results FOLDER"),
        ("--apply_chat_template chatml", "--apply-chat-template chatml: expected no name, since each model's own"),
        ("--tasks list", "--tasks list: `emergence list tasks` lists them, those with a word by --match WORD"),
    ],
)
def test_what_cannot_be_had_is_one_line_that_says_what_to_do(typed: str, message: str) -> None:
    with pytest.raises(PlanError) as caught:
        translated(typed.split(), OURS)
    assert str(caught.value).startswith(message)


def test_a_command_line_of_lm_eval_runs_as_it_is(emergence: Emergence, tmp_path: Path) -> None:
    shutil.copytree(SHIPPED / "12k", tmp_path / "small")
    typed = (
        "run --model hf --model_args pretrained=./small,dtype=float32 "
        "--tasks add_2 two_hop --num_fewshot 1 --limit 0.01 "
        "--batch_size auto:4 --output_path out --log_samples --device cpu --gen_kwargs max_gen_toks=3 --seed 42"
    )
    done = emergence(*typed.split(), "--executor", "inline", "--seeds", "1")
    assert done.code == 0, done.err
    notes = [line for line in done.err.splitlines() if line.startswith("note: ")]
    assert [note.split()[1] for note in notes] == ["--log-samples", "--seed", "--batch-size"]
    results = Store(tmp_path / "out").results()
    assert {(result.cell.task, result.cell.shots, result.cell.limit) for result in results} == {
        ("add_2", 1, 3),
        ("two_hop", 1, 3),
    }
    assert {result.cell.generation for result in results} == {'{"max_gen_toks":3}'}


def test_without_a_verb_options_of_lm_eval_run(emergence: Emergence, tmp_path: Path) -> None:
    done = emergence("--model", "dummy", "--tasks", "add_2", "--limit", "2", "--executor", "inline")
    assert done.code == 0, done.err
    assert len(Store(tmp_path / "results").results()) > 1
    assert json.loads(emergence("ls", "suites", "--json").out)
    listing = emergence("--model", "dummy", "--tasks", "list")
    assert (listing.code, "`emergence list tasks` lists them" in listing.err) == (2, True)
    refused = emergence("validate", "--tasks", "x")
    assert (refused.code, refused.err) == (
        2,
        "error: validate is a verb of lm-eval; here `emergence check PATH` looks at task files\n",
    )


def test_a_share_of_documents_is_taken_of_each_task_and_rounded_up(emergence: Emergence, tmp_path: Path) -> None:
    write_data_set(tmp_path / "mirror/datasets/org/sums")
    (tmp_path / "sums.yaml").write_text(yaml.safe_dump(task_of("org/sums")))
    options = ("--tasks", "sums,add_2", "--include_path", tmp_path / "sums.yaml", "--engine", "simulated")
    done = emergence("run", *options, "--limit", "0.3", "--mirror", tmp_path / "mirror", "--executor", "inline")
    assert done.code == 0, done.err
    results = Store(tmp_path / "results").results()
    assert {(result.cell.task, result.cell.limit) for result in results} == {("sums", 3), ("add_2", 77)}


def test_the_help_of_run_has_its_options_in_named_groups(emergence: Emergence) -> None:
    said = emergence("run", "--help").out
    for group in ("Which models", "What is asked", "Where they run", "How they run", "What is agreed to", "Results"):
        assert f" {group} " in said
    assert " Options " in said  # --help itself
