"""Which curve of a tracker the score of a cell belongs to, and at which place on it.

The curve is named after task, shots and every other axis on which cells of the run differ; the model is its axis: a
point lies at the parameters of its model, and where the run has several checkpoints of a model, also on a curve of that
model alone, at the tokens that it was trained on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from operator import attrgetter

from harness.plan import AXES, Cell, axes
from harness.records import CellResult
from harness.tracking.messages import Scored

_NAMED = axes(free=("family", "model", "revision", "task", "task_digest", "shots"))
"""Axes that the name of a curve tells where cells differ on them."""


class Series:
    """Names of curves for the cells of one run."""

    def __init__(self, cells: Iterable[Cell]) -> None:
        """The cells whose scores are to come."""
        asked = tuple(cells)
        of = {name: attrgetter(AXES[name].field) for name in _NAMED}
        self._differing = tuple(name for name in _NAMED if len({of[name](cell) for cell in asked}) > 1)
        self._several_families = len({cell.model.family for cell in asked}) > 1
        trained: dict[tuple[object, ...], set[int]] = defaultdict(set)
        for cell in asked:
            trained[_who(cell)].add(cell.model.tokens or 0)
        self._checkpoints = {who: tokens for who, tokens in trained.items() if len(tokens) > 1}

    def places(self, result: CellResult) -> Iterator[Scored]:
        """The scores of a cell, once for each curve that they lie on."""
        model, tokens = result.cell.model, self._checkpoints.get(_who(result.cell))
        if tokens is None or (model.tokens or 0) == max(tokens):
            yield self._scored(result, self.curve(result.cell), "params", model.params)
        if tokens is not None and model.tokens is not None:
            yield self._scored(result, f"{model.name}/{self.curve(result.cell)}", "tokens", model.tokens)

    def curve(self, cell: Cell) -> str:
        """Name of the curve over parameters, such as `arc_easy/5-shot seed 1`."""
        values = cell.setting().value
        words = [f"{cell.shots}-shot", *(AXES[name].label_of(values(name)) for name in self._differing)]
        family = f"{cell.model.family}/" if self._several_families else ""
        return f"{family}{cell.task}/{' '.join(words)}"

    @staticmethod
    def _scored(result: CellResult, curve: str, over: str, at: int) -> Scored:
        scores = {score.metric: score.value for score in result.scores}
        errors = {f"{score.metric}_stderr": score.stderr for score in result.scores if score.stderr is not None}
        model = result.cell.model
        return Scored(
            curve=curve,
            over="tokens" if over == "tokens" else "params",
            at=at,
            family=model.family,
            model=model.name,
            params=model.params,
            tokens=model.tokens,
            scores={**scores, **errors},
        )


def _who(cell: Cell) -> tuple[object, ...]:
    """Equal for the checkpoints of one training."""
    model = cell.model
    return model.family, model.name, model.run, model.dtype, model.variant
