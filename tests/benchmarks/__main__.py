"""`python -m tests.benchmarks`: every benchmark, printed as a table."""

from __future__ import annotations

from harness.cli.output import table
from tests.benchmarks import bridge, start_up


def main() -> None:
    """Run all benchmarks; medians, with the fastest and the slowest run beside them."""
    print(table(("what", "median s", "fastest", "slowest", "runs"), start_up.rows()))
    print()
    print(table(("cell on the largest embedded model", "lm_eval s", "ours s", "ratio", "runs"), bridge.rows()))


if __name__ == "__main__":
    main()
