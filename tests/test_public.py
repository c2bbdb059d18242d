"""The public Python interface: what `import harness` offers, and the code of the notebook page, run as it stands."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import harness

ROOT = Path(__file__).parents[1]
CODE = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "notebook.md").read_text(encoding="utf-8"), flags=re.DOTALL)


def test_importing_the_package_loads_nothing_but_itself():
    heavy = {"numpy", "pandas", "scipy", "torch", "transformers", "ray", "lm_eval", "plotly", "duckdb", "pydantic"}
    code = f"import sys, harness; print(sorted({heavy!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", [name for name in harness.__all__ if not name.startswith("_")])
def test_every_public_name_is_there_and_explains_itself_with_an_example(name):
    thing = getattr(harness, name)
    assert name in dir(harness)
    assert thing.__doc__
    if callable(thing):
        assert ">>> " in thing.__doc__, f"{name} has no example"


def test_an_unknown_name_is_no_public_name():
    with pytest.raises(AttributeError, match="no attribute 'banana'"):
        _ = harness.banana


def test_the_page_shows_results_as_a_figure_in_at_most_eight_lines():
    assert len([line for line in CODE[0].splitlines() if line.strip()]) <= 8


def test_the_code_of_the_page_runs_from_the_catalogue_to_a_figure(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    asked = 'suites=["arithmetic"], families=["embedded"], shots=[0, 2])'
    smaller = asked.replace(")", ', limit=30, engine="simulated")').replace('suites=["arithmetic"]', 'tasks=["add_3"]')
    assert asked in CODE[1]
    exec(CODE[1].replace(asked, smaller).replace('results="results"', 'results="results", executor="inline"'), {})
    exec(CODE[0], {})
    said = capsys.readouterr().out
    assert said.startswith("98 0\n")
    assert said.count("add_3 ") == 2
    assert (tmp_path / "add_3.html").stat().st_size > 1000


def test_the_law_of_the_page_gives_the_numbers_that_stand_there(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    exec(CODE[2], {})
    assert capsys.readouterr().out.strip() in (ROOT / "docs" / "notebook.md").read_text(encoding="utf-8")
