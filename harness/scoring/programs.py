"""Programs that a model completed, judged by what they return, or by a test of their own (see `judged`).

The program is the document's own prompt followed by the output, as in HumanEval (Chen et al. 2021): for the prompt
`def f(x): return` and the output ` x+1` it is `def f(x): return x+1`. The function called is the document's
`entry_point`, else the last one whose definition begins in the prompt. A document's `tests` are pairs `[x, y]`: the
program passes when `f(x) == y` for all of them. Only the x enter the sandbox; y is compared here.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from math import comb
from typing import Any, NamedTuple

from harness.errors import HarnessError
from harness.scoring.judged import has_test, judged_source, trial_of
from harness.scoring.metrics import Answer, CorpusValue, mean_stderr
from harness.scoring.sandbox import Execution, Sandbox, Trial, open_sandbox
from harness.wording import quoted

_DEFINITION = re.compile(r"^\s*def\s+(\w+)\s*\(", re.MULTILINE)
_AT_ONCE = 4
"""Number of programs that run in parallel, each in a process of its own."""
_MOST_KEPT = 100_000
"""Number of verdicts that are cached, of some 150 bytes each."""


class Case(NamedTuple):
    """One call of the function and what it must return, both JSON values."""

    argument: Any
    expected: Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Program:
    """A completed program with the calls it is judged by."""

    source: str
    """Python text."""
    entry: str
    """Name of the function that is called."""
    tests: tuple[Case, ...]
    """Never empty."""


@dataclass(frozen=True, kw_only=True, slots=True)
class JudgedProgram:
    """A completed program with the test that judges it."""

    source: str
    """Python text."""
    trial: Trial
    """The test."""


def pass_at(answers: Sequence[Answer], *, k: int) -> CorpusValue:
    """Chance that one of k programs per document passes all tests; runs model-written code, in the sandbox.

    Raises:
        HarnessError: a document has fewer than k programs.
    """
    written = [programs_of(answer) for answer in answers]
    if (fewest := min(map(len, written))) < k:
        raise too_few_programs(f"pass_at_{k}", fewest)
    verdicts = iter(run_programs([program for programs in written for program in programs], open_sandbox()))
    passed = [sum(next(verdicts) for _ in programs) for programs in written]
    values = tuple(pass_at_k(len(programs), c, k) for programs, c in zip(written, passed, strict=True))
    value, stderr = mean_stderr(values)
    return CorpusValue(value, stderr, values)


def too_few_programs(metric: str, n: int) -> HarnessError:
    """The error for a `pass_at_K` when a document has only n programs, fewer than K."""
    return HarnessError(
        f"{metric} needs as many programs per document, there {'is' if n == 1 else 'are'} {n}; "
        "raise `repeats`, sample (generation_kwargs: do_sample: true) and let no filter keep fewer"
    )


def programs_of(answer: Answer) -> list[Program | JudgedProgram]:
    """The programs of an answer, one per output."""
    return [program_of(replace(answer, output=output)) for output in answer.outputs or (answer.output,)]


def program_of(answer: Answer) -> Program | JudgedProgram:
    """The program of an answer: its question, then its output.

    Where the document brings a test along, `judged` says which part of the output is the program. Otherwise a space is
    put between two words that would run into one, because a task's filter may have taken it away.

    Raises:
        HarnessError: the document has no tests, or no function to call.
    """
    question, output = answer.question, answer.output
    if has_test(answer.doc):
        trial = trial_of(answer.doc, question)
        return JudgedProgram(source=judged_source(answer.doc, question, output, trial.entry), trial=trial)
    joint = " " if question[-1:].isidentifier() and output[:1].isalnum() else ""
    return Program(source=question + joint + output, entry=entry_of(answer.doc, question), tests=tests_of(answer.doc))


def run_programs(programs: Sequence[Program | JudgedProgram], sandbox: Sandbox) -> list[bool]:
    """Whether each program passes its tests, in order; equal programs with equal tests run once.

    Returned values are compared at once and discarded: 64 KiB of JSON can take 2 MiB here, and a cell has thousands.
    """
    names = [(sandbox, _digest(program)) for program in programs]
    unknown = {name: program for name, program in zip(names, programs, strict=True) if name not in _verdicts}
    known = {name: _verdicts[name] for name in names if name not in unknown}
    with ThreadPoolExecutor(max_workers=min(_AT_ONCE, os.cpu_count() or 1)) as threads:
        known |= zip(unknown, threads.map(lambda program: _passes(sandbox, program), unknown.values()), strict=True)
    if len(_verdicts) + len(unknown) > _MOST_KEPT:
        _verdicts.clear()
    _verdicts.update(known)
    return [known[name] for name in names]


_verdicts: dict[tuple[Sandbox, bytes], bool] = {}
"""Verdicts of programs already run: pass@1 and pass@10 of a cell, and its 0 and 2 shots, share many programs."""


def _digest(program: Program | JudgedProgram) -> bytes:
    """A hash of a program and its tests, stored in place of the program, which may be long."""
    tests = program.trial if isinstance(program, JudgedProgram) else [program.entry, program.tests]
    return hashlib.sha256(json.dumps([type(program).__name__, program.source, tests]).encode()).digest()


def _passes(sandbox: Sandbox, program: Program | JudgedProgram) -> bool:
    if isinstance(program, JudgedProgram):
        return sandbox.judge(program.source, program.trial).values == (True,)
    arguments = [[test.argument] for test in program.tests]
    return passes(sandbox.call(program.source, program.entry, arguments), program.tests)


def passes(execution: Execution, tests: Sequence[Case]) -> bool:
    """True when every call returned and gave the expected value."""
    if execution.status != "returned" or len(execution.values) != len(tests):
        return False
    return all(equal(value, test.expected) for value, test in zip(execution.values, tests, strict=True))


def equal(value: Any, expected: Any) -> bool:
    """Equality of JSON values: 2 and 2.0 are equal as in Python, True and 1 are not, tuples came back as lists.

    >>> equal([2.0, {"a": None}], [2, {"a": None}]), equal(True, 1), equal("1", 1)
    (True, False, False)
    """
    if isinstance(value, bool) or isinstance(expected, bool):
        return value is expected
    if isinstance(value, list) and isinstance(expected, list):
        return len(value) == len(expected) and all(map(equal, value, expected))
    if isinstance(value, dict) and isinstance(expected, dict):
        return value.keys() == expected.keys() and all(equal(value[key], expected[key]) for key in value)
    return bool(value == expected)


def pass_at_k(n: int, c: int, k: int) -> float:
    """Unbiased estimate of the chance that one of k samples passes, from n samples of which c passed.

    1 - C(n-c, k) / C(n, k): Chen et al. (2021), "Evaluating Large Language Models Trained on Code", eq. 1; in whole
    numbers, which cannot overflow here. Plugging c/n into 1-(1-p)^k would be biased.

    >>> pass_at_k(1, 1, 1), pass_at_k(5, 2, 1)
    (1.0, 0.4)
    >>> pass_at_k(5, 2, 2)  # 1 - C(3,2)/C(5,2) = 1 - 3/10
    0.7
    """
    if not 0 <= c <= n or not 1 <= k <= n:
        raise ValueError(f"pass_at_k(n={n}, c={c}, k={k}): expected 0 <= c <= n and 1 <= k <= n")
    return 1.0 - comb(n - c, k) / comb(n, k)


def check_tests(doc: Mapping[str, Any], question: str) -> None:
    """Check that a document has what its programs are judged by.

    Raises:
        HarnessError: it has not.
    """
    if has_test(doc):
        trial_of(doc, question)
        return
    tests_of(doc)
    entry_of(doc, question)


def entry_of(doc: Mapping[str, Any], question: str) -> str:
    """Name of the function that the tests of a document call.

    Raises:
        HarnessError: the document names none, and its question defines none.
    """
    entry = doc.get("entry_point")
    if isinstance(entry, str):
        return entry
    names: list[str] = _DEFINITION.findall(question)
    if not names:
        raise HarnessError(f"the prompt {quoted(question)} defines no function and its document names no entry_point")
    return names[-1]


def tests_of(doc: Mapping[str, Any]) -> tuple[Case, ...]:
    """The tests of a document.

    Raises:
        HarnessError: there are none, or they are no pairs.
    """
    tests = doc.get("tests")
    if not isinstance(tests, list | tuple) or not tests or any(not _is_pair(test) for test in tests):
        others = "" if "tests" in doc else ", or a `test` function, or a `test_list` of asserts"
        raise HarnessError(f"a document's `tests` is {quoted(tests)}; expected pairs [argument, expected]{others}")
    return tuple(Case(*test) for test in tests)


def _is_pair(test: Any) -> bool:
    return isinstance(test, list | tuple) and len(test) == 2
