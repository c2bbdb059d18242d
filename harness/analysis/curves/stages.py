"""Which measurements are stages of one training, and which of them belong on an axis.

A model of one size after many amounts of training and models of many sizes are two different roads to the same compute.
Scores along the two differ, so that a curve over compute must not mix them: a bend in it could be the change from one
road to the other. On the axes of parameters and compute each size therefore stands there with its most trained stage
alone. Over tokens each size has a curve of its own. On the axis of loss all stages of all sizes are points of one
curve, because there a score follows the loss, whichever size and training gave it (Du et al. 2024, arXiv:2403.15796,
section 2; Gadre et al. 2024, arXiv:2403.08540).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from harness.analysis.curves.scale import OF_PARAMETERS, Scale
from harness.analysis.curves.types import Measurement
from harness.wording import natural_order, number

Training = tuple[str, str, float | None, str | None]
"""Family, name, parameters and training run of a model; the name is empty where stages of one size have own names."""
_FEWEST_STAGES = 3
"""Differently named models of a family with equally many parameters are stages of one training when they were trained
on so many different amounts of tokens. With two they may as well be two models."""


class Stages(NamedTuple):
    """The trainings of which several stages were measured."""

    renamed: frozenset[tuple[str, float | None]]
    """Family and parameters of sizes whose stages have names of their own, such as `1024x28-step_2385`."""
    several: frozenset[Training]
    """Trainings that were measured after different amounts of tokens."""
    labels: dict[Training, tuple[str, str]]
    """What sets the curve of each of these apart from others: its condition. Runs of one size share a curve."""

    def training(self, one: Measurement) -> Training:
        """The training that a measurement is a stage of."""
        params = one.scales["params"]
        name = "" if (one.family, params) in self.renamed else one.model
        return (one.family, name, params, one.run)

    def mixed(self, measurements: Sequence[Measurement]) -> bool:
        """True for several sizes of which one or more have several stages."""
        of_sizes = {(one.family, one.scales["params"] or one.model) for one in measurements}
        return len(of_sizes) > 1 and not self.several.isdisjoint(map(self.training, measurements))

    def final(self, measurements: Sequence[Measurement]) -> list[Measurement]:
        """The measurements of the most trained stage; if equally trained, of the one evaluated last."""
        last: dict[Training, Measurement] = {}
        for one in sorted(measurements, key=lambda m: m.age):
            last[self.training(one)] = one
        return [one for one in measurements if _as_trained(one, last[self.training(one)])]


def _as_trained(one: Measurement, last: Measurement) -> bool:
    if one.model == last.model:
        return one.revision == last.revision
    # of another name and equally trained: another run of the same size
    return one.scales["tokens"] == last.scales["tokens"]


def stages_of(measurements: Iterable[Measurement]) -> Stages:
    """The stages among measurements that succeeded."""
    done = [one for one in measurements if one.failure is None and one.scales["tokens"] is not None]
    tokens: dict[tuple[str, float | None], set[float | None]] = {}
    names: dict[tuple[str, float | None], set[str]] = {}
    for one in done:
        size = (one.family, one.scales["params"])
        tokens.setdefault(size, set()).add(one.scales["tokens"])
        names.setdefault(size, set()).add(one.model)
    renamed = frozenset(
        size
        for size, seen in tokens.items()
        if size[1] is not None and len(seen) >= _FEWEST_STAGES and len(names[size]) >= len(seen)
    )
    stages = Stages(renamed, frozenset(), {})
    trained: dict[Training, set[float]] = {}
    for one in done:
        trained.setdefault(stages.training(one), set()).add(one.scales["tokens"] or 0.0)
    several = {training: max(seen) for training, seen in trained.items() if len(seen) > 1}
    return stages._replace(several=frozenset(several), labels=_labels(several))


def _labels(several: Mapping[Training, float]) -> dict[Training, tuple[str, str]]:
    """The condition of each training: the first model of its size, or the parameters where stages have own names.

    Args:
        several: the trainings, with the tokens after which each ends.
    """
    sizes = {one: (one[0], one[2] or one[1], bool(one[1]), last) for one, last in several.items()}
    named: dict[tuple[object, ...], str] = {}
    for one in sorted(several, key=lambda one: natural_order(one[1])):
        named.setdefault(sizes[one], one[1] or number(one[2] or 0.0))
    # With all digits where fewer would not tell two sizes apart.
    called = Counter((size[0], label) for size, label in named.items())
    exact = {size: f"{size[1]:,.0f}" for size, label in named.items() if not size[2] and called[size[0], label] > 1}
    return {one: ("model" if one[1] else "size", exact.get(sizes[one], named[sizes[one]])) for one in several}


def pooled(scale: Scale, stages: Stages, measurements: Sequence[Measurement]) -> list[Measurement]:
    """The measurements that can be points of one curve on this axis; see the module."""
    if scale in OF_PARAMETERS or (scale == "flops" and stages.mixed(measurements)):
        return stages.final(measurements)
    return list(measurements)
