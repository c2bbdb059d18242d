"""lm-eval's task as it scores answers: filters and metrics, for documents with one right answer or several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.engines.best_answer import best
from harness.engines.document_task import DocumentTask
from harness.engines.limited_scores import apply_limited, limit_metrics
from harness.engines.shots import DocumentFields
from harness.errors import HarnessError


class ScoredTask(DocumentTask):
    """lm-eval's task, whose metrics see one right answer at a time; the best score of a document counts."""

    def __init__(self, *, trusted: bool = False, **kwargs: Any) -> None:
        """Create lm-eval's task from a config.

        Args:
            trusted: True when templates and regular expressions need no limits on time and memory.
            kwargs: as for `DocumentTask`.
        """
        self._numbers: Mapping[int, int] = {}
        super().__init__(trusted=trusted, **kwargs)
        if not trusted:
            limit_metrics(self._metric_fn_list, self._metric_fn_kwargs)

    def apply_filters(self) -> None:
        """Apply the task's filters to the answers; regular expressions of others under limits."""
        for entry, usual in zip(self.config.filter_list or [None], self._filters, strict=True):
            try:
                is_done = entry is not None and not self._trusted and apply_limited(entry, self._instances)
            except HarnessError as error:
                with self._named(0 if error.item is None else self._instances[error.item].doc_id):
                    error.item = None
                    error.key = f"filter_list: {entry['name']}"
                    raise
            if not is_done:
                usual.apply(self._instances)

    def process_results(self, doc: DocumentFields, results: Sequence[Any]) -> Mapping[str, Any]:
        """The values of lm-eval's metrics for a document; with several right answers, the best value of each metric."""
        with self._named(self._numbers.get(id(doc), 0)):
            return self._values(doc, results)

    def _values(self, doc: DocumentFields, results: Sequence[Any]) -> Mapping[str, Any]:
        targets = self._targets(doc)
        if len(targets) == 1 or callable(self.config.process_results) or self.multiple_input:
            row: Mapping[str, Any] = super().process_results(doc, results)
            return row
        rows = []
        for i, target in enumerate(targets):
            with self._told(target):
                of_one = results[i : i + 1] if self.OUTPUT_TYPE == "loglikelihood" else results
                rows.append(super().process_results(doc, of_one))
        # a larger likelihood is better, even for `perplexity`, which is computed from it afterwards
        larger = {} if self.OUTPUT_TYPE == "loglikelihood" else self.higher_is_better()
        return {name: best([row[name] for row in rows], larger=larger.get(name, True)) for name in rows[0]}
