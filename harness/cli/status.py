"""`emergence status`: what the results folder holds."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from harness.cli.options import Json, Results
from harness.cli.output import print_json, say, table
from harness.records import CellResult
from harness.store import Store


def command(results: Results = Path("results"), as_json: Json = False) -> None:
    """Show cells done and failed, the first line of each failure, what fell back to lm-eval, and mixed provenance."""
    done, failures, problems = Store(results).outcomes()
    for problem in problems:
        say(f"skipped {problem}")
    mixed = _mixed(done)
    fallbacks = Counter((r.cell.model.name, r.provenance.fallback) for r in done if r.provenance.fallback is not None)
    if as_json:
        print_json(
            {
                "done": len(done),
                "failed": [{"cell": f.cell.label, "error": f.error, "message": f.message} for f in failures],
                "fallbacks": [{"model": m, "reason": why, "cells": n} for (m, why), n in sorted(fallbacks.items())],
                "mixed": mixed,
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
    for (model, reason), n in sorted(fallbacks.items()):
        print(f"lm-eval's code: {model}: {n} {'cell' if n == 1 else 'cells'}: {reason}")
    for name, values in mixed.items():
        print(f"mixed {name}: {', '.join(values)}")


def _mixed(done: tuple[CellResult, ...]) -> dict[str, list[str]]:
    """Provenance that is not the same for all cells: such numbers may differ for reasons that are not the model."""
    seen: dict[str, set[str]] = {}
    for result in done:
        made = result.provenance
        facts = {**made.versions, "device": made.device, "engine": result.cell.engine}
        facts["deterministic"] = "yes" if made.deterministic else "no"
        for name, value in facts.items():
            seen.setdefault(name, set()).add(value)
    return {name: sorted(values) for name, values in sorted(seen.items()) if len(values) > 1}
