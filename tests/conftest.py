"""Shared settings and the command line: nothing in the tests reaches a hub, and slow tests run when asked for."""

from __future__ import annotations

import gc
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.builders.commands import Emergence

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # a shell starts what runs in the background so, and commands that tests interrupt would never hear of it
    signal.signal(signal.SIGINT, signal.default_int_handler)
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("OMP_NUM_THREADS", "1")
FOLDERS = {
    "dashboards": "pages",
    "ladder": "ladder",
    "lm_eval_tasks": "parity",
    "tracking": "processes",
} | dict.fromkeys(("outside", "first_hour", "fuzz", "security", "preparing", "exchange"), "outside")
"""Folder -> the marker that all its tests carry."""
FILES = (
    dict.fromkeys(
        (
            *("catalog/test_lm_eval_tasks.py", "catalog/test_mirror.py", "catalog/test_shipped_families.py"),
            *("cli/test_doctor.py", "cli/test_formats.py", "cli/test_lm_eval_words.py", "cli/test_tasks_of_lm_eval.py"),
            *("cli/test_watch.py", "engines/test_server.py", "engines/test_vllm.py", "store/test_bucket.py"),
            *("cli/test_treatments.py", "report/test_supplement.py", "engines/tuning/test_learning.py"),
            *(
                "engines/tuning/test_distilling.py",
                "engines/tuning/test_head.py",
                "engines/tuning/test_tuner.py",
                "engines/tuning/test_ways.py",
            ),
        ),
        "outside",
    )
    | dict.fromkeys(
        (
            *("analysis/forecast/test_forecast.py", "analysis/forecast/test_many_points.py"),
            *("analysis/growth/test_parameters.py", "analysis/verdict/test_artefact.py"),
            *("analysis/verdict/test_extrapolation.py", "schedule/test_simulation.py"),
            *("analysis/forecast/test_weighed.py", "analysis/laws/test_rare_abilities.py"),
        ),
        "calibration",
    )
    | dict.fromkeys(
        (
            "catalog/test_task_code.py",
            *(f"cli/test_{name}.py" for name in ("check", "chosen_documents", "energy", "run", "shell")),
        ),
        "processes",
    )
)
"""File -> the same, for tests of these kinds that lie beside others of their subject."""
LONGEST = ("packaging", "ray", "processes", "sandbox", "parity")
"""Markers of tests that take long, the longest first."""
pytest.register_assert_rewrite("tests.builders", "tests.engines.tree.parity", "tests.executors.processes")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--run-slow", action="store_true", help="also run tests marked slow")
    parser.addoption("--device", choices=("cpu", "cuda"), default="cpu", help="where the engines' tests run models")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--device") == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""  # what takes a GPU by itself must not find one


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if not item.path.is_relative_to(config.rootpath / "tests"):
            continue
        place = item.path.relative_to(config.rootpath / "tests")
        if (marker := FOLDERS.get(place.parts[0]) or FILES.get(place.as_posix())) is not None:
            item.add_marker(marker)
    if not config.getoption("--run-slow"):
        chosen = [item for item in items if "slow" not in item.keywords]
        config.hook.pytest_deselected(items=[item for item in items if "slow" in item.keywords])
        items[:] = chosen
    # files that take long come first, so that none runs alone at the end
    rank = {item.path: len(LONGEST) for item in items}
    for item in items:
        found = (LONGEST.index(mark.name) for mark in item.iter_markers() if mark.name in LONGEST)
        rank[item.path] = min(rank[item.path], *found, len(LONGEST))
    items.sort(key=lambda item: rank[item.path])


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()  # or an engine that frees memory would look through all that was imported, each time


def pytest_unconfigure() -> None:
    gc.unfreeze()  # or DuckDB reports what is there at the very end as leaked


@pytest.fixture
def emergence(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Emergence:
    """`emergence("plan", "--suite", "toy")` in an empty working folder."""
    from harness.cli import main
    from tests.builders.commands import Done

    monkeypatch.chdir(tmp_path)

    def call(*arguments: str | Path) -> Done:
        monkeypatch.setattr(sys, "argv", ["emergence", *(str(a) for a in arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        captured = capsys.readouterr()
        return Done(int(end.value.code or 0), captured.out, captured.err)

    return call


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    """A folder with two tasks, a suite and a family of four sizes."""
    from tests.builders.commands import write_toy

    return write_toy(tmp_path / "toy")


@pytest.fixture
def options(toy: Path) -> tuple[str, ...]:
    """Options that choose the toy suite and family on the simulated engine."""
    from tests.builders.commands import toy_options

    return toy_options(toy)
