import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from harness.catalog import load_catalog
from tests.builders.commands import Emergence
from tests.builders.headers import write_headers

SHIPPED = Path(__file__).parents[2] / "harness/ladder/weights"


def checkpoint(place: str, *, rows: int = 3, state: dict[str, int] | None = None) -> Path:
    """A folder with a model that no other one has the same weights as: the place is part of its config."""
    folder = write_headers(Path(place), {"model.embed_tokens.weight": [rows, 4], "model.norm.weight": [4]})
    (folder / "config.json").write_text(json.dumps({"model_type": "llama", "place": place}))
    if state is not None:
        (folder / "trainer_state.json").write_text(json.dumps(state))
    return folder


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def models(text: str, *keys: str) -> list[tuple[object, ...]]:
    return [tuple(model.get(key) for key in keys) for model in yaml.safe_load(text)["models"]]


@pytest.mark.parametrize(
    ("folders", "named"),
    [
        (["runs/70m/seed3/checkpoint-1000"], ("70m-seed3-checkpoint-1000", 3, 1000)),
        (["runs/70m-seed3-step_1000", "runs/x"], ("70m-seed3-step_1000", 3, 1000)),
        (["runs/160m/run-2/global_step500/hf", "runs/x"], ("160m-run-2-global_step500-hf", 2, 500)),
        (["runs/160m/run-2/seed_7/iter_0000500"], ("160m-run-2-seed_7-iter_0000500", "run2-seed7", 500)),
        (["runs/70m/step2000", "runs/70m/step3000"], ("70m-step2000", None, 2000)),
        (["runs/last"], ("last", None, None)),
        (["runs/my model (v2)/ckpt-5", "runs/x"], ("my_model_v2_-ckpt-5", None, 5)),
    ],
)
def test_names_of_folders_tell_run_and_step(
    emergence: Emergence, folders: Sequence[str], named: tuple[object, ...]
) -> None:
    for folder in folders:
        checkpoint(folder)
    done = emergence("family-from", "runs", "--tokens-per-step", "2M")
    name, run, step = named
    tokens = None if step is None else int(str(step)) * 2_000_000
    assert models(done.out, "name", "run", "tokens")[0] == (name, run, tokens)


def test_parameters_are_counted_in_the_weights(emergence: Emergence) -> None:
    checkpoint("runs/small")
    checkpoint("runs/large", rows=7)
    done = emergence("family-from", "runs")
    assert models(done.out, "name", "params", "params_non_embedding") == [("large", 32, 4), ("small", 16, 4)]
    assert "2 models of 2 sizes, 16 to 32 parameters\n" in done.err
    assert "not known: training tokens of large and 1 more; write `tokens` into the file" in done.err


def test_experts_that_a_token_does_not_use_are_not_active(emergence: Emergence, place: Path) -> None:
    shapes = {"model.embed_tokens.weight": [3, 4], "model.layers.0.mlp.experts.gate_up_proj": [8, 4, 10]}
    folder = write_headers(place / "moe", shapes)
    (folder / "config.json").write_text('{"model_type": "qwen3_moe", "num_experts": 8, "num_experts_per_tok": 2}')
    found = models(emergence("family-from", "moe").out, "params", "params_non_embedding", "params_active")
    assert found == [(332, 320, 332 - 240)]


def test_tokens_are_those_that_the_trainer_counted_unless_told(emergence: Emergence) -> None:
    checkpoint("runs/checkpoint-10", state={"num_input_tokens_seen": 777, "global_step": 10})
    checkpoint("runs/last", state={"global_step": 20})
    done = emergence("family-from", "runs")
    assert models(done.out, "tokens") == [(777,), (None,)]
    told = emergence("family-from", "runs", "--tokens-per-step", "100")
    assert models(told.out, "tokens") == [(1000,), (2000,)]
    assert "guessed: tokens, from steps x 100\n" in told.err


def test_the_end_of_a_training_is_its_last_checkpoint(emergence: Emergence, place: Path) -> None:
    shutil.copytree(checkpoint("end"), place / "runs/checkpoint-20")
    shutil.copytree(place / "end", place / "runs", dirs_exist_ok=True)
    done = emergence("family-from", "runs")
    assert (done.code, models(done.out, "name")) == (0, [("runs-checkpoint-20",)])
    assert f"left out: {place / 'runs'}: has the same files as {place / 'runs/checkpoint-20'}" in done.err


def test_a_folder_without_a_whole_model_is_one_line_and_left_out(emergence: Emergence, place: Path) -> None:
    checkpoint("runs/checkpoint-10")
    (place / "runs/checkpoint-20").mkdir()
    shutil.copytree(place / "runs/checkpoint-10", place / "runs/again")
    checkpoint("runs/tmp-checkpoint-30")
    (place / "runs/checkpoint-10/global_step10").mkdir()
    done = emergence("family-from", "runs")
    assert (done.code, models(done.out, "name")) == (1, [("runs-checkpoint-10",)])
    lines = [line for line in done.err.splitlines() if line.startswith("left out: ")]
    assert [line.split(": ")[1].rpartition("/")[2] for line in lines] == ["checkpoint-20", "again"]
    assert lines[1].endswith("runs/again: has the same files as " + str(place / "runs/checkpoint-10"))
    assert "no config; expected config.json" in lines[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "nowhere: no such folder; expected config.json, weights and a tokenizer, or checkpoints"),
        (["run*"], "run*: nothing fits the pattern"),
        (["empty"], "empty: no model below it"),
        (["half"], "half: no folder has a whole model; nothing is written"),
        (["good", "-o", "there.yaml"], "--output there.yaml: is there already; expected the name of a new file"),
        (["good", "--tokens-per-step", "many"], "--tokens-per-step many: expected a whole number above 0"),
        (["good", "--name", "a b"], "family is 'a b'; expected letters, digits"),
        (["good", "-o", "none/f.yaml"], "none/f.yaml: No such file or directory"),
    ],
)
def test_what_the_user_can_fix_is_one_line(
    emergence: Emergence, place: Path, arguments: Sequence[str], message: str
) -> None:
    checkpoint("good")
    for name in ("empty", "half/checkpoint-5"):
        (place / name).mkdir(parents=True)
    (place / "there.yaml").write_text("mine")
    done = emergence("family-from", *arguments)
    assert done.code == 2
    assert message in done.err
    assert (place / "there.yaml").read_text() == "mine"
    assert done.out == ""


def test_the_written_file_passes_check_and_runs(emergence: Emergence, place: Path) -> None:
    for step, weights in ((10, "12k"), (20, "26k")):
        shutil.copytree(SHIPPED / weights, place / f"runs/toy/checkpoint-{step}")
    assert emergence("family-from", "runs", "-o", "runs/mine.yaml", "--name", "mine").code == 0
    assert models((place / "runs/mine.yaml").read_text(), "path") == [("toy/checkpoint-10",), ("toy/checkpoint-20",)]
    assert emergence("check", "runs/mine.yaml").code == 0
    family = load_catalog([place / "runs/mine.yaml"]).family("mine")
    assert [(m.params, m.params_non_embedding) for m in family.models] == [(11568, 3376), (26336, 9952)]
    asked = ("--task", "add_2", "--shots", "0", "--limit", "2", "--engine", "simulated", "--executor", "inline")
    done = emergence("run", "--include-path", "runs/mine.yaml", "--family", "mine", *asked)
    assert (done.code, "2 cells evaluated, 0 failed" in done.err) == (0, True)
