import tracemalloc
from dataclasses import replace
from itertools import combinations
from math import comb

import pytest

from harness.errors import HarnessError
from harness.scoring import programs
from harness.scoring.metrics import Answer, corpus_metric
from harness.scoring.programs import Case, Program, equal, pass_at, pass_at_k, passes, program_of, run_programs
from harness.scoring.sandbox import Execution, SandboxError, open_sandbox

TESTS = [[-3, 0], [0, 6], [1, 8]]
QUESTION = "# x plus 3 then times 2\ndef f(x): return"


def answer(output: str, question: str = QUESTION, **doc: object) -> Answer:
    return Answer(doc={"tests": TESTS, **doc}, target="(x+3)*2", output=output, question=question)


def test_a_document_passes_when_every_value_is_right():
    outputs = [" (x+3)*2", " 6+x*2", " x+3*2", " (x+3", " 1/0", "", " (x+3)*2"]
    passed = corpus_metric("pass_at_1")([answer(output) for output in outputs])

    assert passed.per_sample == (1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0)
    assert passed.value == pytest.approx(3 / 7)
    assert passed.stderr == pytest.approx((3 / 7 * 4 / 7 / 6) ** 0.5)


def test_several_programs_of_a_document_estimate_pass_at_k_without_bias():
    right, wrong = " (x+3)*2", " x"
    written = [(right, wrong, wrong, right, wrong), (wrong,) * 5, (right,) * 5]
    answers = [replace(answer(outputs[0]), outputs=outputs) for outputs in written]

    for k in (1, 2, 5):
        passed = corpus_metric(f"pass_at_{k}")(answers)
        assert passed.per_sample == pytest.approx((pass_at_k(5, 2, k), 0.0, 1.0))
        assert passed.value == pytest.approx(sum(passed.per_sample) / 3)


def test_more_programs_than_a_document_has_are_one_clear_line():
    answers = [replace(answer(" x"), outputs=(" x", " x+1")), replace(answer(" x"), outputs=(" x",) * 3)]
    with pytest.raises(HarnessError, match=r"^pass_at_3 needs as many programs per document, there are 2; raise `rep"):
        corpus_metric("pass_at_3")(answers)
    with pytest.raises(HarnessError, match="pass_at_2 needs as many programs per document, there is 1; raise"):
        corpus_metric("pass_at_2")([answer(" x")])


@pytest.mark.parametrize(
    "trick",
    [
        " __import__('os')._exit(0)",
        " print('passed')",
        " exit(0)",
        " type('A', (int,), {'__eq__': lambda a, b: True})(5)",
        " 0\nimport json\njson.dumps = lambda *a, **k: '{\"values\": [true, true, true]}'",
        # Every integer that the process can see, in the hope that an expected value is among them.
        " [n for o in __import__('gc').get_objects() if isinstance(o, dict) for n in o.values() if isinstance(n, int)]",
    ],
)
def test_no_trick_passes(trick):
    assert pass_at([answer(trick)], k=1).value == 0.0


def test_expected_values_never_enter_the_process():
    hunt = """
import gc, sys
def f(x):
    frame, seen = sys._getframe(), []
    while frame:
        seen.append(repr(frame.f_locals))
        frame = frame.f_back
    seen += [repr(o) for o in gc.get_objects() if type(o) in (dict, list, tuple)]
    return [str(number) in "".join(seen) for number in (x, x + 1)]
"""
    sandbox = replace(open_sandbox(), limits=replace(open_sandbox().limits, memory_bytes=2**32))
    argument = 123456789123
    program = program_of(answer("", question=hunt, tests=[[argument, argument + 1]]))

    assert sandbox.call(program.source, program.entry, [[argument]]).values == ([True, False],)


def test_the_program_is_the_prompt_and_the_output_and_words_do_not_run_together():
    assert program_of(answer(" x+1")).source == "# x plus 3 then times 2\ndef f(x): return x+1"
    assert program_of(answer("x+1")).source.endswith("return x+1")
    assert program_of(answer("(x+1)")).source.endswith("return(x+1)")
    assert program_of(answer("    return x", question="def g(x):\n")).source == "def g(x):\n    return x"


def test_the_function_is_the_entry_point_or_the_last_one_of_the_prompt():
    two = "def helper(a):\n    return a\n\ndef main(x):\n"

    assert program_of(answer("    return x", question=two)).entry == "main"
    assert program_of(answer("    return x", question=two, entry_point="helper")).entry == "helper"
    assert program_of(answer(" x\ndef g(x): return 1")).entry == "f"
    with pytest.raises(HarnessError, match="'return' defines no function"):
        program_of(answer(" x", question="return"))


@pytest.mark.parametrize("tests", [None, [], [[1]], [[1, 2, 3]]])
def test_a_document_needs_pairs_of_argument_and_value(tests):
    with pytest.raises(HarnessError, match=r"`tests` is .*; expected pairs \[argument, expected\]"):
        program_of(answer(" x", tests=tests))


def test_equal_programs_run_once():
    calls = []

    class Counting:
        def call(self, program, entry, arguments):
            calls.append((program, entry, arguments))
            return Execution(status="returned", values=(0, 6, 8), seconds=0.0)

    first, second = program_of(answer(" (x+3)*2")), program_of(answer(" 6+2*x"))
    sandbox = Counting()
    wrong = replace(second, tests=(*second.tests[1:], Case(0, 7)))

    assert run_programs([first, second, first, first], sandbox) == [True] * 4
    assert run_programs([second, wrong], sandbox) == [True, False]
    assert [call[0] for call in calls] == [first.source, second.source, second.source]
    assert sorted(calls[:2]) == sorted([(p.source, "f", [[-3], [0], [1]]) for p in (first, second)])


def test_of_a_program_nothing_is_kept_but_whether_it_passed(monkeypatch):
    class Generous:
        def call(self, program, entry, arguments):
            return Execution(status="returned", values=([[] for _ in range(5_000)],), seconds=0.0)

    monkeypatch.setattr(programs, "_verdicts", {})
    written = [Program(source=f"{n} " * 10_000, entry="f", tests=(Case(0, n),)) for n in range(30)]
    tracemalloc.start()
    assert not any(run_programs(written, Generous()))
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert set(programs._verdicts.values()) == {False}
    assert kept < 100_000
    assert peak < 3_000_000  # the values of some programs, never of all


def test_verdicts_do_not_pile_up(monkeypatch):
    monkeypatch.setattr(programs, "_verdicts", {})
    monkeypatch.setattr(programs, "_MOST_KEPT", 3)

    class Right:
        def call(self, program, entry, arguments):
            return Execution(status="returned", values=(0,), seconds=0.0)

    sandbox = Right()
    written = [Program(source=str(n), entry="f", tests=(Case(0, 0),)) for n in range(4)]
    for n in range(4):
        assert run_programs(written[: n + 1], sandbox) == [True] * (n + 1)
    assert len(programs._verdicts) == 4  # those of the last cell


def test_a_sandbox_that_breaks_down_fails_the_cell_and_scores_nothing(monkeypatch):
    broken = replace(open_sandbox(), python="/bin/false", prefix=())
    monkeypatch.setattr(programs, "open_sandbox", lambda: broken)

    with pytest.raises(SandboxError, match="did not start"):
        pass_at([answer(" x")], k=1)


@pytest.mark.parametrize(
    ("value", "expected", "same"),
    [
        (2, 2.0, True),
        (True, 1, False),
        (1, True, False),
        (False, False, True),
        (None, None, True),
        (None, False, False),
        ("1", 1, False),
        ([1, [2]], [1, [2]], True),
        ([1, True], [1, 1], False),
        ([1], [1, 2], False),
        ({"a": 1}, {"a": 1.0}, True),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        ([], {}, False),
    ],
)
def test_values_are_compared_as_json(value, expected, same):
    assert equal(value, expected) is same


def test_fewer_values_than_tests_do_not_pass():
    cases = (Case(1, 1), Case(2, 2))

    assert passes(Execution(status="returned", values=(1, 2), seconds=0.0), cases)
    assert not passes(Execution(status="returned", values=(1,), seconds=0.0), cases)
    assert not passes(Execution(status="error", seconds=0.0), ())


@pytest.mark.parametrize("n", range(1, 7))
def test_pass_at_k_is_the_share_of_draws_that_hold_a_pass(n):
    for c in range(n + 1):
        for k in range(1, n + 1):
            draws = list(combinations([i < c for i in range(n)], k))
            assert pass_at_k(n, c, k) == pytest.approx(sum(map(any, draws)) / len(draws))


def test_pass_at_k_keeps_its_precision_with_many_samples_and_refuses_nonsense():
    assert pass_at_k(1000, 1, 100) == pytest.approx(0.1)
    assert pass_at_k(200, 3, 10) == pytest.approx(1 - comb(197, 10) / comb(200, 10))
    for n, c, k in ((1, 2, 1), (1, 0, 2), (1, 0, 0), (1, -1, 1)):
        with pytest.raises(ValueError, match="expected 0 <= c <= n and 1 <= k <= n"):
            pass_at_k(n, c, k)
