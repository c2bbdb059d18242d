"""Programs judged by a test: of HumanEval's kind, and of MBPP's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from harness.errors import HarnessError
from harness.scoring.judged import has_test, judged_source, trial_of
from harness.scoring.metrics import Answer, corpus_metric
from harness.scoring.sandbox import Sandbox, SandboxError, Trial, open_sandbox

pytestmark = pytest.mark.sandbox

PROMPT = '''import math
def area(r):
    """The area of a circle."""
    return math.pi * r * r
def ring(outer, inner):
    """The area between two circles."""
'''
TEST = """def check(candidate):
    for r in range(3):
        assert abs(candidate(r + 1, r) - area(r + 1) + area(r)) < 1e-9
"""
HUMAN_EVAL = {"prompt": PROMPT, "entry_point": "ring", "test": TEST}
MBPP = {
    "text": "Write a function to add.",
    "test_list": ["assert add(1, 2) == 3", "assert add('a', 'b') == 'ab'", "assert add([1], [2]) == [1, 2]"],
    "test_setup_code": "",
}


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    return open_sandbox()


def passes(sandbox: Sandbox, source: str, test: str, **changes: str) -> bool:
    return sandbox.judge(source, Trial(test=test, **changes)).values == (True,)


def passed(doc: dict[str, Any], question: str, *outputs: str) -> tuple[float, ...]:
    answers = [Answer(doc=doc, target="", output=output, question=question) for output in outputs]
    return corpus_metric("pass_at_1")(answers).per_sample


def test_a_completed_prompt_is_judged_by_its_test_with_the_help_of_the_prompt() -> None:
    right, wrong = "    return area(outer) - area(inner)\n", "    return area(outer)\n"
    whole = f"{PROMPT}{right}"
    assert passed(HUMAN_EVAL, PROMPT, right, wrong, whole, "    return (\n", "") == (1, 0, 1, 0, 0)


def test_helpers_of_the_prompt_are_those_of_the_prompt_whatever_the_program_makes_of_them() -> None:
    assert passed(HUMAN_EVAL, PROMPT, "    return 0\ndef area(r):\n    return 0\n") == (0,)


def test_a_text_that_calls_check_itself_is_judged_once() -> None:
    doc = {**HUMAN_EVAL, "test": f"{TEST}\ncheck(ring)"}
    assert passed(doc, PROMPT, "    return area(outer) - area(inner)", "    return 0") == (1, 0)


def test_a_list_of_asserts_judges_a_whole_program() -> None:
    question = "Write a function to add.\n[BEGIN]\n"
    outputs = ("def add(a, b):\n    return a + b\n", "def add(a, b):\n    return 3\n", "add = 3")
    assert passed(MBPP, question, *outputs) == (1, 0, 0)
    fenced = f"Here:\n```python\n{outputs[0]}```\nDone."
    assert passed(MBPP, question, fenced) == (1,)
    assert passed(MBPP, "Add.\n```python\n", f"{outputs[0]}```\nDone.") == (1,)


@pytest.mark.parametrize(
    ("program", "test", "setup"),
    [
        ("def f(*x, **y): return x, y", "assert f(1, b=2) == ((1,), {'b': 2})", ""),
        ("def f(x): x.append(1); x[0] = 'a'", "x = [0]\nf(x)\nassert x == ['a', 1]", ""),
        ("def f(x): x['b'] = {1}", "x = {'a': 0}\nf(x)\nassert x == {'a': 0, 'b': {1}}", ""),
        ("def f(x): yield from range(x)", "assert list(f(3)) == [0, 1, 2]", ""),
        (
            "def f(x): raise ValueError('no')",
            "try:\n    f(1)\n    assert 0\nexcept ValueError as e:\n    assert str(e) == 'no'",
            "",
        ),
        ("class E(Exception): pass\ndef f(x): raise E", "try:\n    f(1)\n    assert 0\nexcept RuntimeError: pass", ""),
        ("import re\ndef f(x): return re.match('a', x)", "assert f('a')\nassert not f('b')", ""),
        ("def f(p): return p.a + 1", "assert f(Point(2)) == 3", "class Point:\n    def __init__(self, a): self.a = a"),
        (
            "class Node:\n    def __init__(self, a): self.a, self.left = a, None\ndef f(n): return n.left.a",
            "assert f(root) == 2\nassert root.left.a == 2",
            "root = Node(1)\nroot.left = Node(2)",
        ),
        ("def f(x): return math.floor(x)", "assert f(2.5) == 2", "import math"),
        ("def f(x): return (1, [2], {3}, {(4,): None})", "assert f(0) == (1, [2], {3}, {(4,): None})", ""),
    ],
)
def test_programs_are_judged_as_if_the_test_stood_beside_them(
    sandbox: Sandbox, program: str, test: str, setup: str
) -> None:
    assert passes(sandbox, program, test, setup=setup)
    assert not passes(sandbox, "def f(*x): return 'other'", test, setup=setup)


@pytest.mark.parametrize(
    ("program", "status", "message"),
    [
        ("def f(x): return 2", "error", "AssertionError: "),
        ("def f(x): return y", "error", "NameError: name 'y' is not defined"),
        ("def f(x: return", "error", "SyntaxError: "),
        ("import os\nos._exit(0)", "error", "GoneError: the program gave no answer"),
        ("def f(x): raise SystemExit(0)", "error", "SystemExit: 0"),
        ("def f(x): return 'x' * 10 ** 7", "error", "ValueError: a value of 1000"),
        ("def f(x): return [0] * 10 ** 9", "error", "MemoryError"),
    ],
)
def test_what_went_wrong_is_said(sandbox: Sandbox, program: str, status: str, message: str) -> None:
    done = sandbox.judge(program, Trial(test="assert f(1) == 1"))
    assert (done.status, done.values) == (status, ())
    assert done.message.startswith(message)


def test_a_program_that_ended_before_it_was_asked_is_said_to_have_given_no_answer(sandbox: Sandbox) -> None:
    done = sandbox.judge("import os\nos._exit(0)", Trial(setup="import time\ntime.sleep(0.3)", test="assert f(1) == 1"))
    assert done.message == "GoneError: the program gave no answer"


def test_a_program_that_does_not_end_is_ended(sandbox: Sandbox) -> None:
    hurried = replace(sandbox, limits=replace(sandbox.limits, wall_seconds=0.5))
    assert hurried.judge("def f(x):\n    while True: pass", Trial(test="assert f(1)")).status == "timeout"
    assert passes(sandbox, "def f(x): return x", "assert f(1) == 1")


@pytest.mark.parametrize(
    ("test", "why"),
    [
        ("import numpy\nassert f(1) == 1", "ModuleNotFoundError: No module named 'numpy'"),
        ("assert f(1) ==", "SyntaxError: invalid syntax"),
    ],
)
def test_a_test_that_cannot_run_fails_no_program_but_the_cell(sandbox: Sandbox, test: str, why: str) -> None:
    with pytest.raises(SandboxError, match=f"the test of a program cannot run in the sandbox: {why}"):
        sandbox.judge("def f(x): return x", Trial(test=test))
    assert not passes(sandbox, "import numpy", "assert f(1) == 1")


def test_only_documents_with_a_test_and_no_pairs_are_judged_by_it() -> None:
    assert has_test(HUMAN_EVAL)
    assert has_test(MBPP)
    assert not has_test({**HUMAN_EVAL, "tests": [[0, 1]]})
    assert not has_test({"text": "x"})


@pytest.mark.parametrize(
    ("doc", "message"),
    [
        ({"test": 1, "entry_point": "f"}, "a document's `test` is 1; expected the text of a function `check`"),
        (
            {"test": "def check(f): pass"},
            "a document's `entry_point` is None; expected the function that `test` checks",
        ),
        ({"test_list": "assert f(1)"}, "a document's `test_list` is 'assert f.1.'; expected a list of asserts"),
        ({"test_list": []}, "a document's `test_list` is ..; expected a list of asserts"),
    ],
)
def test_a_test_of_another_form_is_one_line(doc: dict[str, object], message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        trial_of(doc, "")


def test_a_prompt_in_a_block_of_code_is_the_beginning_of_the_program() -> None:
    question = f"Complete it:\n```python\n{PROMPT}```\nHere it is:\n```python\n{PROMPT}"
    assert judged_source(HUMAN_EVAL, question, "    return 0\n```\nDone.", "ring") == f"{PROMPT}    return 0\n"
