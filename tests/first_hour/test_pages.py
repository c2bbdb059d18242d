"""Every command of README and documentation is executed, or stands in a list here with the reason why not."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from harness.engines.devices import why_no_gpu
from tests.builders.commands import Emergence
from tests.first_hour.commands import PAGES, ROOT, Command, commands

QUICK = ("--engine", "simulated", "--executor", "inline", "--limit", "8")
"""What is added to a run, so that it takes no more than a moment; of an option the last value counts."""
NOT_HERE = {
    r"make \w+( .*)?": "takes minutes, or the whole machine",
    r"(pip|hf) .*": "needs a network",
    r"(ray|sbatch|srun|kubectl|docker|apptainer|ssh) .*": "needs a cluster",
    r"python -m tests\.(benchmarks|calibration|chaos|fuzz|security).*": "measures for minutes",
    r"emergence (run|track) .*(--track|--to) .*": "needs trackers of experiments; tests/tracking have them",
    r"emergence watch .*": "watches until it is interrupted; tests/cli start it",
    r"emergence dashboard": "serves until it is interrupted; tests/dashboards start it",
    r"emergence compose three_steps .*": "needs programs that models write; see tests/cli/test_compose.py",
    r"emergence report --png-dir .*": "needs a Chromium; tests/browser has one",
    r"emergence run .*--treatment .*|emergence compare variant=none .*": "treats models; tests/outside do that",
    r".* --address HOST:6379\b.*": "needs a cluster",
    r"emergence prepare .*|.* --mirror /shared/mirror\b.*": "needs a network, or what was downloaded over one",
    r"emergence (-v )?(run|check|plan|prepare|status|verdicts|report)( --suite all)?": "a name, not all of a command",
    r"emergence list trainings.*": "needs models that were trained; see tests/cli/test_treatments.py",
    r"emergence law tuning.*": "needs models tuned on several amounts of documents; tests/lawbook have a table of them",
    r"emergence (compose|order|track|classes|energy)": "a name, not all of a command",
    r"emergence classes .*--model encoder-12k": "needs a model trained on the task; tests/engines/tuning have one",
    r"emergence track": "a name, not all of a command",
    r"emergence (.* )?[A-Z]{3,}( .*)?": "a word in capitals stands for a name",
}
"""Form of a command -> why no test executes it."""


def reason(command: Command) -> str | None:
    return next((why for form, why in NOT_HERE.items() if re.fullmatch(form, command.text)), None)


HERE = [command for command in commands() if reason(command) is None]
RUNS = [command for command in HERE if "emergence run " in command.text]


def fenced(page: str, kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with everything that the pages name."""
    root = tmp_path_factory.mktemp("place")
    shipped = ROOT / "harness" / "ladder" / "weights"
    for folder in ("70m", "checkpoints/last", "runs/70m/checkpoint-10", "runs/70m/checkpoint-20"):
        shutil.copytree(shipped / "12k", root / folder)
    shutil.copytree(shipped / "26k", root / "160m")
    (root / "my-family.yaml").write_text(fenced("docs/models.md", "yaml")[0])
    repository = root / "hub" / "models--my-org--mine-410m"
    shutil.copytree(shipped / "43k", repository / "snapshots" / "c0ffee")
    (repository / "refs").mkdir()
    for name in ("main", "v1"):
        (repository / "refs" / name).write_text("c0ffee")
    (root / "my-treatments.yaml").write_text(fenced("docs/treatments.md", "yaml")[0])
    tasks = root / "my-tasks"
    (tasks / "data").mkdir(parents=True)
    for name, text in zip(("suite", "capitals"), fenced("docs/tasks.md", "yaml"), strict=False):
        (tasks / f"{name}.yaml").write_text(text)
    for split in ("test", "fewshot"):
        (tasks / "data" / f"capitals.{split}.jsonl").write_text(fenced("docs/tasks.md", "json")[0])
    two = [{"name": "a", "params": "1M"}, {"name": "b", "params": "1M", "dtype": "bfloat16"}]
    (root / "two.yaml").write_text(yaml.safe_dump({"family": "two", "models": two}))
    shutil.copytree(ROOT / "tests" / "validation" / "data" / "lm_eval_0.3", root / "published")
    rows = [f"f,m{size},1e{size},t,acc,0,{50 + 12 * size},200,0.25" for size in range(6, 11)]
    (root / "results.csv").write_text("\n".join(["family,model,params,task,metric,n_shot,k,n,chance", *rows]) + "\n")
    return root


@pytest.fixture
def typed(emergence: Emergence, place: Path, monkeypatch: pytest.MonkeyPatch) -> Emergence:
    """The command line in that folder."""
    monkeypatch.chdir(place)
    monkeypatch.setenv("HF_HUB_CACHE", str(place / "hub"))
    if not (place / "results").exists():
        for given in (
            "--task one_hop,add_3 --family embedded --shots 0,5",
            "--task one_hop --family pythia --shots 0,5",
            "--task one_hop --family two --include_path two.yaml --shots 0 --energy",
            "--suite capitals-suite --family pythia --include_path my-tasks --prompts all",
        ):
            assert emergence("run", *given.split(), *QUICK).code == 0
        # classes are found in answers, which simulated models have none of
        answered = (
            "--task topic,entities --model ladder-2k,ladder-12k,ladder-184k --shots 0 --executor inline --limit 20"
        )
        assert emergence("run", *answered.split()).code == 0
    return emergence


@pytest.mark.parametrize("command", [one for one in HERE if one.words[-1] != "-r"], ids=lambda one: one.text[:70])
def test_every_command_of_the_pages_does_what_it_is_there_for(
    typed: Emergence, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = command.words
    while "=" in words[0]:
        monkeypatch.setenv(*words.pop(0).split("=", 1))
    assert words.pop(0) == "emergence"
    done = typed(*words, *((*QUICK, "--results", "others") if command in RUNS else ()))
    assert done.code == 0, f"{command.page}: {command.text}\n{done.err}"


def test_the_pages_remove_the_cells_of_an_earlier_text_of_a_task(typed: Emergence, place: Path) -> None:
    (command,) = [one.text for one in HERE if one.words[-1] == "-r"]
    assert (
        typed("run", "--task", "capitals", "--include_path", "my-tasks", "--results", "old/results", *QUICK).code == 0
    )
    cells = list((place / "old").rglob("cell.json"))
    (digest,) = {yaml.safe_load(cell.read_text())["cell"]["task_digest"] for cell in cells}
    shell = ["bash", "-c", command.replace("61a6b0c1d2e3", digest)]
    subprocess.run(shell, cwd=place / "old", check=True)
    assert cells
    assert not list((place / "old").rglob("cell.json"))


@pytest.mark.slow
@pytest.mark.parametrize("command", RUNS, ids=lambda one: one.text[:70])
def test_every_run_of_the_pages_ends_well_as_it_is_written(command: Command, place: Path, tmp_path: Path) -> None:
    """With real models on Ray; a GPU that this machine does not have is all that is left out."""
    for name in ("70m", "160m", "checkpoints", "runs", "my-family.yaml"):
        (tmp_path / name).symlink_to(place / name)
    if "pythia" in command.text:
        pytest.skip("its weights are on the hub")
    device = " --device cpu" if why_no_gpu() else ""
    around = {**os.environ, "HF_HUB_CACHE": str(place / "hub"), "PATH": f"{Path(sys.executable).parent}:{os.defpath}"}
    shell = ["bash", "-c", command.text + device]
    done = subprocess.run(shell, cwd=tmp_path, env=around, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_what_is_not_executed_is_there_and_says_why() -> None:
    told = [one.text for one in commands() if reason(one)]
    for form in NOT_HERE:
        assert any(re.fullmatch(form, text) for text in told), f"no page has a command like {form}"
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {text.split()[1] for text in told if text.startswith("make ")} <= targets
    assert len(HERE) >= 30
    assert len(PAGES) > 10
