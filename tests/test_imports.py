"""What is loaded when: light verbs must not pay for torch, Ray or plotly, and tests do not lean on each other."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

HEAVY = (
    "torch",
    "ray",
    "lm_eval",
    "transformers",
    "datasets",
    "pandas",
    "plotly",
    "streamlit",
    "scipy",
    "pyarrow",
    "duckdb",
)


def heavy_after(*arguments: str, heavy: tuple[str, ...] = HEAVY) -> list[str]:
    """Heavy modules a fresh interpreter has loaded after one command."""
    program = f"""
import sys
import tomllib
sys.argv = ["emergence", *{arguments!r}]
try:
    from harness.cli import main
    main()
except SystemExit as end:
    assert end.code in (0, None), end.code
print("HEAVY", *[name for name in {heavy!r} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return done.stdout.strip().splitlines()[-1].split()[1:]


@pytest.mark.processes
@pytest.mark.parametrize(
    "arguments",
    [("--help",), ("run", "--help"), ("list",), ("check",), ("plan", "--suite", "all", "--results", "nowhere")],
    ids=" ".join,
)
def test_light_verbs_load_nothing_heavy(arguments: tuple[str, ...]) -> None:
    assert heavy_after(*arguments) == []


@pytest.mark.processes
def test_help_reads_no_files_of_the_catalogue() -> None:
    readers = (
        "pydantic",
        "yaml",
        "harness.catalog.catalogue",
        "harness.catalog.yaml_files",
        "harness.scoring.questions",
    )
    assert heavy_after("--help", heavy=readers) == []


def test_no_test_imports_another_test_module() -> None:
    """What several tests need lies in `tests/builders`, or in a module of their folder that holds no tests."""
    tests = Path(__file__).parent
    leaning = [
        f"{path.relative_to(tests)}:{node.lineno} imports {name}"
        for path in tests.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        for name in imported(node)
        if name.startswith("tests.") and any(part.startswith("test_") or part == "conftest" for part in name.split("."))
    ]
    assert leaning == []


def imported(node: ast.AST) -> list[str]:
    """Every module that a statement may import, under its full name."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        module = node.module or ""
        absolute = "tests." + module if node.level else module
        return [f"{absolute}.{alias.name}" for alias in node.names]
    return []


BY_THEIR_OWN_NAME = (
    "harness.analysis.curves.frame",  # loads pandas
    "harness.analysis.curves.table",  # loads pandas
    "harness.analysis.stats.distributions",  # has the names of scipy.stats
)


def test_packages_of_the_analysis_are_used_through_their_public_names() -> None:
    root = Path(__file__).parent.parent
    around = [
        f"{path.relative_to(root)}:{node.lineno} imports {node.module}"
        for top in ("harness", "dashboards")
        for path in sorted((root / top).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module not in BY_THEIR_OWN_NAME
        if (node.module or "").startswith("harness.analysis.") and (node.module or "").count(".") > 2
        if (root / "harness" / "analysis" / (node.module or "").split(".")[2]) not in path.parents
    ]
    assert around == []


def test_every_package_is_shipped() -> None:
    root = Path(__file__).parents[1]
    listed = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["packages"]
    folders = {path.parent.relative_to(root) for path in (root / "harness").rglob("__init__.py")}
    folders |= {Path("harness") / path.parent.relative_to(root) for path in (root / "dashboards").rglob("__init__.py")}
    assert set(listed) == {".".join(folder.parts) for folder in folders} | {"harness.tasks"}
