"""What is loaded when: light verbs must not pay for torch, Ray or plotly."""

import subprocess
import sys

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


def heavy_after(*arguments: str) -> list[str]:
    """Heavy modules a fresh interpreter has loaded after one command."""
    program = f"""
import sys
sys.argv = ["emergence", *{arguments!r}]
try:
    from harness.cli import main
    main()
except SystemExit as end:
    assert end.code in (0, None), end.code
print("HEAVY", *[name for name in {HEAVY!r} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return done.stdout.strip().splitlines()[-1].split()[1:]


@pytest.mark.parametrize(
    "arguments",
    [("--help",), ("run", "--help"), ("list",), ("check",), ("plan", "--suite", "all", "--results", "nowhere")],
    ids=" ".join,
)
def test_light_verbs_load_nothing_heavy(arguments: tuple[str, ...]) -> None:
    assert heavy_after(*arguments) == []
