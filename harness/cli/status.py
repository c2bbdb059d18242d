"""`emergence status`: what the results folder holds."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from harness.analysis.runs import fallbacks, mixed
from harness.cli.options import Json, Results
from harness.cli.output import print_json, say, table
from harness.store import Store


def command(results: Results = Path("results"), as_json: Json = False) -> None:
    """Show cells done and failed, the first line of each failure, what fell back to lm-eval, and mixed provenance."""
    done, failures, problems = Store(results).outcomes()
    for problem in problems:
        say(f"skipped {problem}")
    differing, left = mixed(done), fallbacks(done)
    if as_json:
        print_json(
            {
                "done": len(done),
                "failed": [{"cell": f.cell.label, "error": f.error, "message": f.message} for f in failures],
                "fallbacks": [{"model": m, "reason": why, "cells": n} for (m, why), n in left.items()],
                "mixed": differing,
                "problems": [str(problem) for problem in problems],
            }
        )
        return
    families = Counter((r.cell.model.family, r.cell.suite) for r in done)
    broken = Counter((f.cell.model.family, f.cell.suite) for f in failures)
    keys = sorted(families.keys() | broken.keys())
    print(table(("family", "suite", "done", "failed"), [(*k, families[k], broken[k]) for k in keys]))
    for failure in failures:
        print(f"failed: {failure.cell.label}: {failure.error}: {failure.message}")
    for (model, reason), n in left.items():
        print(f"lm-eval's code: {model}: {n} {'cell' if n == 1 else 'cells'}: {reason}")
    for name, values in differing.items():
        print(f"mixed {name}: {', '.join(values)}")
