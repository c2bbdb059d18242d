"""Tasks of lm-eval that execute programs, such as HumanEval and MBPP, made to be judged in the harness's sandbox.

lm-eval hands programs and tests to `code_eval` of the library `evaluate`, which runs both together in a process without
a fence. Here the documents' own tests judge the programs (`harness.scoring.judged`), and none of lm-eval's code for it
runs:

* a metric `pass_at_k` that calls `code_eval` becomes `pass_at_K`, once for each of its K;
* filters that cut the program out of an answer are left out, since `judged_source` does that;
* examples that a function of the file lists are read from its text;
* the reference answer is a program, `canonical_solution` or `code`, and not the test that lm-eval keeps there.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from typing import Any

from harness.bounded.files import read_text
from harness.bounded.limits import CONFIG_BYTES, UnreadableError
from harness.catalog.functions import TaskFunction, functions_in
from harness.errors import CatalogError
from harness.wording import quoted

_PASS_AT = re.compile(r"pass_at_(k|[1-9][0-9]*)")
_RUNS = "code_eval"
"""Metric of `evaluate` that executes programs."""


def judged_here(config: Mapping[str, Any]) -> dict[str, Any] | None:
    """The config of a task whose programs can be judged in the sandbox; None for any other.

    Raises:
        CatalogError: its examples cannot be read without running code.
    """
    metrics = config.get("metric_list")
    if not config.get("unsafe_code") or not isinstance(metrics, list) or not metrics:
        return None
    names = [name for entry in metrics for name in _passes(entry)]
    target = str(config.get("doc_to_target"))
    answer = next(
        (field for test, field in (("test_list", "code"), ("test", "canonical_solution")) if test in target), None
    )
    if not names or len(names) < len(metrics) or answer is None:
        return None
    shown = dict(config.get("fewshot_config") or {})
    if isinstance(samples := shown.get("samples"), TaskFunction):
        shown["samples"] = listed_by(samples)
    shown.setdefault("doc_to_target", config.get("doc_to_target"))
    filters = [one for one in config.get("filter_list") or () if not any(functions_in(one))]
    changed = {
        **{key: value for key, value in config.items() if key != "filter_list"},
        "metric_list": [{"metric": name} for name in dict.fromkeys(names)],
        "fewshot_config": shown,
        "doc_to_target": answer,
        **({"filter_list": filters} if filters else {}),
    }
    changed.setdefault("target_delimiter", "")
    return changed


def _passes(entry: Any) -> Iterator[str]:
    """Our metrics in place of one that executes programs; none in place of any other."""
    metric = entry.get("metric") if isinstance(entry, Mapping) else None
    if not isinstance(metric, TaskFunction) or _PASS_AT.fullmatch(metric.name) is None or _RUNS not in _text(metric):
        return
    number = metric.name.rpartition("_")[2]
    given = entry.get("k", 1) if number == "k" else int(number)
    for k in given if isinstance(given, list) else [given]:
        yield f"pass_at_{k}"


def listed_by(function: TaskFunction) -> list[dict[str, Any]]:
    """The documents that a function lists, which does nothing but return them; it is read, and not run.

    Raises:
        CatalogError: it does more than that.
    """
    try:
        for node in ast.parse(_text(function)).body:
            if isinstance(node, ast.FunctionDef) and node.name == function.name:
                (given,) = [one for one in node.body if not isinstance(one, ast.Expr)]
                if isinstance(given, ast.Return) and given.value is not None:
                    samples = ast.literal_eval(given.value)
                    if isinstance(samples, list) and all(isinstance(one, dict) for one in samples):
                        return samples
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        pass
    raise CatalogError(
        f"{function.path}: {quoted(function.name)} would run in a task that executes programs; expected a function "
        "that only returns a list of examples, or fewshot_config.samples written out"
    )


def _text(function: TaskFunction) -> str:
    try:
        return read_text(function.path, CONFIG_BYTES)
    except UnreadableError as error:
        raise CatalogError(f"{function.path}: {error}") from error
