import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.builders.commands import Emergence


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Two recipes of three sizes, the last six checkpoints of each; `clear` tells them apart, `vague` does not."""
    rng = np.random.default_rng(0)
    rows = []
    for recipe, better in (("mix-a", 0.0), ("mix-b", 0.06)):
        for size, params in enumerate((1e8, 3e8, 1e9)):
            for step in range(6):
                about = {"family": recipe, "model": f"{recipe}-{params:.0e}@{step}", "params": params}
                about |= {"tokens": 1e10 * (0.85 + 0.03 * step), "metric": "acc", "n_shot": 0, "n": 2000}
                for task, value in (("clear", 0.4 + 0.1 * size + better), ("vague", 0.5)):
                    rows.append(about | {"task": task, "value": value + rng.normal(0, 0.005)})
    path = tmp_path / "recipes.csv"
    pd.DataFrame(rows).assign(chance=0.25).to_csv(path, index=False)
    return path


def test_signal_and_noise_say_which_task_can_show_anything(emergence: Emergence, table: Path) -> None:
    done = emergence("tasks", "--quality", "--table", table, "--json")
    assert done.code == 0
    clear, vague = json.loads(done.out)
    assert (clear["task"], vague["task"]) == ("clear", "vague")
    assert clear["signal"] == pytest.approx(0.26, abs=0.03)
    assert 0.002 < clear["noise"] < 0.008
    assert clear["source"] == vague["source"] == "late checkpoints"
    assert clear["ratio"] == pytest.approx(clear["signal"] / clear["noise"])
    assert (clear["separates"], clear["models"]) == (True, 6)
    assert [(one["accuracy"], one["pairs"]) for one in clear["decisions"]] == [(1.0, 1), (1.0, 1)]
    assert vague["ratio"] < 6


def test_the_table_shows_them_in_words(emergence: Emergence, table: Path) -> None:
    lines = emergence("tasks", "--quality", "--table", table).out.splitlines()
    assert lines[0].split() == ("task metric models documents smallest gain signal noise from ratio decisions".split())
    assert "100% of 1" in lines[2]
    plain = emergence("tasks", "--table", table).out.splitlines()
    assert "signal" not in plain[0]
    assert plain[2].split()[:4] == ["clear", "acc", "6", "2000"]


def test_without_tokens_the_noise_is_at_least_that_of_documents(emergence: Emergence, tmp_path: Path) -> None:
    rows = [{"model": f"m{i}", "params": 10**i, "k": 50 + 10 * i, "n": 200} for i in range(6, 9)]
    pd.DataFrame(rows).assign(family="toy", task="sums", metric="acc", n_shot=0).to_csv(tmp_path / "t.csv", index=False)
    done = emergence("tasks", "--quality", "--table", "t.csv", "--json")
    assert "no column tokens: noise is that of training runs, or of documents" in done.err
    (found,) = json.loads(done.out)
    assert (found["source"], found["decisions"]) == ("documents", [])
    assert found["noise"] == pytest.approx(0.035, abs=0.002)
