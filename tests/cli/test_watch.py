import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import yaml

from harness.store import Store
from tests.builders.commands import Done, Emergence

SHIPPED = Path(__file__).parents[2] / "harness/ladder/weights"
ASKED = ("--task", "add_2", "--shots", "0", "--limit", "2", "--executor", "inline")
SIMULATED = (*ASKED, "--engine", "simulated")
PERIOD = 77.0
"""Seconds between two looks, by which the tests tell this wait from all others."""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("harness.cli.watch.SETTLING_SECONDS", 0.0)
    family = {"family": "mine", "tokens_per_step": 1000, "checkpoints": "runs/*/checkpoint-*"}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(family))
    return tmp_path


def write(name: str, weights: str = "12k") -> Path:
    return Path(shutil.copytree(SHIPPED / weights, Path("runs") / name))


def results() -> dict[str, tuple[int | None, str | int | None]]:
    return {r.cell.model.name: (r.cell.model.tokens, r.cell.model.run) for r in Store(Path("results")).results()}


@pytest.fixture
def watch(emergence: Emergence, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Done]:
    """The command, with what happens before each further look; after that it is interrupted."""

    def call(*then: Callable[[], object], arguments: Sequence[str] = SIMULATED) -> Done:
        coming, sleep = list(then), time.sleep

        def wait(seconds: float) -> None:
            if seconds != PERIOD:
                sleep(seconds)
            elif coming:
                coming.pop(0)()
            else:
                raise KeyboardInterrupt

        monkeypatch.setattr("time.sleep", wait)
        return emergence("watch", "mine.yaml", "--every", f"{PERIOD:.0f}s", *arguments)

    return call


def lines(done: Done) -> list[str]:
    """What was said, without the time of day."""
    return [line.split(" ", 1)[1] if line[2:3] == line[5:6] == ":" else line for line in done.err.splitlines()]


def test_checkpoints_are_evaluated_as_they_come_and_nothing_twice(watch: Callable[..., Done]) -> None:
    write("70m/checkpoint-10")
    done = watch(lambda: write("70m/checkpoint-20", "26k"), lambda: None, lambda: write("160m/checkpoint-10", "43k"))
    assert done.code == 0
    assert [line for line in lines(done) if not line[0].isdigit()] == [
        "complete: runs/70m/checkpoint-10",
        "complete: runs/70m/checkpoint-20",
        "no new checkpoint in 2 folders",
        "complete: runs/160m/checkpoint-10",
        "stopped: what was finished is kept; the same command goes on from there",
    ]
    assert "3 checkpoints evaluated, 0 cells failed" in done.err
    assert results() == {
        "70m-checkpoint-10": (10_000, None),
        "70m-checkpoint-20": (20_000, None),
        "160m-checkpoint-10": (10_000, None),
    }


def test_a_new_start_goes_on_where_the_last_one_ended(watch: Callable[..., Done]) -> None:
    write("70m/checkpoint-10")
    watch()
    again = watch(lambda: write("70m/checkpoint-20", "26k"))
    assert "evaluated before: 70m-checkpoint-10" in lines(again)
    assert "1 checkpoint evaluated, 0 cells failed" in again.err


def test_a_checkpoint_in_pieces_is_waited_for_and_said_once(watch: Callable[..., Done]) -> None:
    folder = write("70m/checkpoint-10")
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(weights[:-10])
    done = watch(lambda: None, lambda: (folder / "model.safetensors").write_bytes(weights))
    said = lines(done)
    assert len([line for line in said if line.startswith("waiting for runs/70m/checkpoint-10: model.safeten")]) == 1
    assert "complete: runs/70m/checkpoint-10" in said
    assert set(results()) == {"70m-checkpoint-10"}


def test_rotation_is_said_and_does_not_stop_it(watch: Callable[..., Done]) -> None:
    write("70m/checkpoint-10")
    done = watch(
        lambda: (shutil.rmtree("runs/70m/checkpoint-10"), write("70m/checkpoint-20", "26k")),
        lambda: shutil.rmtree("runs/70m/checkpoint-20"),
    )
    assert [line for line in lines(done) if line.endswith(" is gone")] == [
        "runs/70m/checkpoint-10 is gone",
        "runs/70m/checkpoint-20 is gone",
    ]
    assert (done.code, set(results())) == (0, {"70m-checkpoint-10", "70m-checkpoint-20"})


def test_a_faulty_checkpoint_is_said_and_the_others_are_evaluated(watch: Callable[..., Done]) -> None:
    bad = write("70m/checkpoint-10")
    config = (bad / "config.json").read_text().replace('"num_hidden_layers": 1', '"num_hidden_layers": 3')
    (bad / "config.json").write_text(config.replace('"vocab_size": 512', '"vocab_size": 2000'))
    write("70m/checkpoint-20", "26k")
    done = watch(lambda: write("70m/checkpoint-30", "43k"), arguments=ASKED)
    assert done.code == 1
    assert "FAILED 70m-checkpoint-10 add_2" in done.err
    assert "2 cells evaluated" not in done.err
    assert set(results()) == {"70m-checkpoint-20", "70m-checkpoint-30"}


def test_a_checkpoint_that_cannot_be_asked_like_this_does_not_keep_the_others_back(watch: Callable[..., Done]) -> None:
    write("70m/checkpoint-10")
    (write("70m/checkpoint-20", "26k") / "chat_template.jinja").write_text("{{ messages[0].content }}")
    done = watch(arguments=(*SIMULATED, "--apply-chat-template"))
    assert any("checkpoint-10 is left alone: " in line and "no chat template" in line for line in lines(done))
    assert (done.code, set(results())) == (1, {"70m-checkpoint-20"})
    assert "1 checkpoint evaluated, 0 cells failed, 1 checkpoint left alone" in done.err


def test_a_model_that_nobody_can_ask_among_them_is_waited_for_with_its_reason(watch: Callable[..., Done]) -> None:
    bad = write("70m/checkpoint-10")
    (bad / "config.json").write_text('{"model_type": "bert", "architectures": ["BertForMultipleChoice"]}')
    write("70m/checkpoint-20", "26k")
    done = watch()
    assert any("waiting for runs/70m/checkpoint-10: is a BertForMultipleChoice" in line for line in lines(done))
    assert set(results()) == {"70m-checkpoint-20"}


def test_once_looks_once(emergence: Emergence) -> None:
    write("70m/seed3/checkpoint-10")
    family = {"family": "mine", "models": [{"name": "mine-70m", "path": "runs/70m/seed3/checkpoint-*", "run": 3}]}
    Path("mine.yaml").write_text(yaml.safe_dump(family))
    done = emergence("watch", "mine.yaml", "--once", *SIMULATED)
    assert (done.code, results()) == (0, {"mine-70m-checkpoint-10": (None, "3")})


def test_runs_are_read_from_the_places_of_folders(emergence: Emergence) -> None:
    Path("mine.yaml").write_text("{family: mine, checkpoints: 'runs/**/checkpoint-*'}")
    write("70m/seed3/checkpoint-10")
    assert emergence("watch", "mine.yaml", "--once", *SIMULATED).code == 0
    assert results() == {"70m-seed3-checkpoint-10": (None, "3")}


def test_the_same_family_file_is_run_like_any_other(emergence: Emergence) -> None:
    write("70m/checkpoint-10")
    asked = ("--include-path", "mine.yaml", "--family", "mine", *SIMULATED)
    assert emergence("run", *asked).code == 0
    assert set(results()) == {"70m-checkpoint-10"}
    shutil.rmtree("runs")
    done = emergence("run", *asked)
    assert (done.code, done.err) == (2, "error: mine.yaml: checkpoints is 'runs/*/checkpoint-*'; no folder fits it\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("mine.yaml", "--every", "soon"), "--every soon: expected a time such as 30s, 10m or 1h"),
        (("nothing.yaml",), "nothing.yaml"),
        (("hub.yaml",), "hub.yaml: names no folder; expected `checkpoints`, a pattern such as runs/*/checkpoint-*"),
        (("taken.yaml",), "taken.yaml: family pythia is already defined in "),
        (("mine.yaml", "--task", "add_9"), "unknown task 'add_9'"),
        (("empty.yaml",), "empty.yaml: `models` is missing"),
    ],
)
def test_what_the_user_can_fix_is_said_before_anything_is_watched(
    emergence: Emergence, arguments: tuple[str, ...], message: str
) -> None:
    Path("hub.yaml").write_text("{family: mine, models: [{name: org/a, params: 1M}]}")
    Path("taken.yaml").write_text("{family: pythia, checkpoints: 'runs/*'}")
    Path("empty.yaml").write_text("{family: mine}")
    done = emergence("watch", *arguments, *(() if "--task" in arguments else SIMULATED))
    assert done.code == 2
    assert message in done.err
    assert not Path("results").exists()


@pytest.mark.processes
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(number: signal.Signals) -> None:
    write("70m/checkpoint-10")
    command = [sys.executable, "-m", "harness", "watch", "mine.yaml", "--every", "1s", *SIMULATED]
    watching = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert watching.stderr is not None
    said = []
    for line in watching.stderr:
        said.append(line)
        if "no new checkpoint in 1 folder" in line:
            watching.send_signal(number)
    assert watching.wait(timeout=60) == 0
    assert said[-2:] == [
        "stopped: what was finished is kept; the same command goes on from there\n",
        "1 checkpoint evaluated, 0 cells failed\n",
    ]
    assert set(results()) == {"70m-checkpoint-10"}
