"""Filters and metrics of lm-eval whose regular expressions come from other people: computed under limits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lm_eval.api.instance import Instance

from harness.errors import HarnessError
from harness.scoring.limited import Allowance, filtered, without

_IGNORED = "regexes_to_ignore"
_READS = {"multi_choice_regex": "choices"}
"""Filter -> the field of a document that it looks at."""
_BATCH = 2000


def apply_limited(entry: Mapping[str, Any], instances: Sequence[Instance]) -> bool:
    """Apply one entry of a task's `filter_list`, if it holds regular expressions; False when it does not.

    Raises:
        ComputationError: a regular expression takes too long on an answer; `item` is the position among `instances`.
        HarnessError: a filter fails.
    """
    names = [step["function"] for step in entry["filter"]]
    if any(map(callable, names)) or not any("regex" in name for name in names):
        return False
    steps = [(step["function"], {key: step[key] for key in step if key != "function"}) for step in entry["filter"]]
    fields = {_READS[name] for name in names if name in _READS}
    for start in range(0, len(instances), _BATCH):
        batch = instances[start : start + _BATCH]
        docs = [{name: request.doc[name] for name in fields if name in request.doc} for request in batch]
        try:
            answers = filtered(steps, [request.resps for request in batch], docs)
        except HarnessError as error:
            error.item = None if error.item is None else start + error.item
            raise
        for request, answer in zip(batch, answers, strict=True):
            request.filtered_resps[entry["name"]] = answer
    return True


def limit_metrics(functions: dict[str, Callable[..., Any]], options: dict[str, dict[str, Any]]) -> None:
    """Let metrics that ignore what regular expressions match get texts from which that has been taken out before.

    Args:
        functions: lm-eval's metric functions by name; changed in place.
        options: their arguments; changed in place.
    """
    allowance = Allowance()
    for name, given in options.items():
        patterns = given.pop(_IGNORED, None)
        if patterns:
            functions[name] = _ignoring(name, tuple(patterns), functions[name], allowance)


def _ignoring(
    name: str, patterns: Sequence[str], function: Callable[..., Any], allowance: Allowance
) -> Callable[..., Any]:
    def computed(*, references: Sequence[str], predictions: Sequence[str], **kwargs: Any) -> Any:
        n = len(references)
        try:
            kept = without(patterns, [*references, *predictions], allowance)
        except HarnessError as error:
            error.item, error.key = None, f"metric_list: {name}"  # its caller knows the document
            raise
        return function(references=kept[:n], predictions=kept[n:], **kwargs)

    return computed
