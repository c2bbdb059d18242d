"""What is concluded of a curve: label, evidence by name, onset, and what goes with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from harness.analysis.curves import Curve

Label = Literal[
    "emergent",
    "smooth",
    "flat",
    "flat-above-chance",
    "inverse",
    "u-shaped",
    "inverted-u",
    "metric-artefact",
    "inconclusive",
]


class Answer(NamedTuple):
    """A verdict before the continuous metric has been heard."""

    label: Label
    """The short answer."""
    qualifier: str | None = None
    """`sharp`, `apparent` or `rising`; None when there is nothing to add."""
    rule: str = ""
    """Which rule decided: `sizes`, `documents`, `spread`, `turn`, `fall`, `small`, `unforeseen`, `broken`, `rise`,
    `above`, `rest`."""


class Jump(NamedTuple):
    """The largest single step of a curve: a description, not a claim."""

    share: float
    """Part of max - min that this step makes up, 0 to 1."""
    below: str
    """Model before the step."""
    above: str
    """Model after the step."""


class Flip(NamedTuple):
    """A verdict that changes when one size is left out."""

    model: str
    """The size left out."""
    label: Label
    """What the others alone would say."""


class Place(NamedTuple):
    """Where an ability passes chance by the practical effect, in the unit of the scale."""

    at: float | None
    """By the form that describes the curve best, kept between sizes clearly below and above; None when that lies
    outside the sizes measured."""
    low: float | None
    """Lower end of the 95 % interval; None when it lies outside the sizes measured."""
    high: float | None
    """Upper end of the 95 % interval; None when it lies outside the sizes measured."""
    form: str
    """The form behind `at`."""


class Partner(NamedTuple):
    """What the continuous metric of the same samples does."""

    metric: str
    """Its name."""
    z_trend: float | None
    """Trend over all sizes, positive when it improves; None when it cannot be tested."""
    sizes: int
    """Its sizes."""
    sizes_below: int
    """Those below the threshold of the headline, all of them when there is none; 0 when none lies above it."""
    z_below: float | None
    """Trend over these sizes; None with fewer than 3."""
    p_below: float | None
    """Two-sided p of `z_below`."""
    q_below: float | None
    """The same, corrected over all partners tested together."""
    share_below: float | None
    """Rise of the fitted line over these sizes as a share of the whole range; None when it has no range."""
    rises_below: bool | None
    """True when it improves there, significantly and by a material share; None when it cannot be tested."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What the headline metric of one setting shows over the sizes of one family."""

    curve: Curve
    """The curve that was judged."""
    label: Label
    """The short answer."""
    qualifier: str | None
    """`sharp` or `apparent`, perhaps `metric-robust`, for an emergent ability; `rising` for a flat curve that rises
    significantly but by less than matters; else None."""
    threshold: float | None
    """Scale at which the ability passes chance by the practical effect; None when it does not rise, or had before the
    smallest size."""
    threshold_low: float | None
    """Lower end of its 95 % interval; None when it lies below the smallest size, or there is no threshold."""
    threshold_high: float | None
    """Upper end of its 95 % interval; None when it lies above the largest size, or there is no threshold."""
    reliable_from: float | None
    """Smallest scale from which this and all larger sizes are above chance; None when there is none."""
    reliable_model: str | None
    """The model at `reliable_from`."""
    evidence: Mapping[str, float | None]
    """Numbers by name, see `EVIDENCE`; None where a number does not exist."""
    jump: Jump | None
    """The largest step upwards; None when the curve does not rise."""
    partner: Partner | None
    """The continuous metric beside it; None when the task has none."""
    flips: tuple[Flip, ...]
    """Sizes without which the verdict would be another; one alone carries the verdict."""
    reasons: tuple[str, ...]
    """Why, in plain sentences."""


EVIDENCE: Mapping[str, str] = {
    "p_trend": "two-sided p of the Cochran-Armitage trend over scale",
    "q_trend": "the same, corrected over all curves judged together (Benjamini-Hochberg)",
    "z_trend": "its statistic, positive when larger is better",
    "range": "rise of the fitted straight line from the smallest to the largest size",
    "range_stderr": "standard error of that rise",
    "p_top": "exact one-sided p of the largest size against chance",
    "q_top": "the same, corrected",
    "gain": "largest size minus chance",
    "p_ext": "apparent emergence: chance of the largest sizes under laws fitted to the smaller ones",
    "p_ext_noise": "the same, documents discounted for the scatter of the curve; both must be small",
    "held_out": "largest sizes held out for p_ext",
    "foreseen": "best prediction for the sizes held out",
    "below_high": "upper 95 % bound of the pooled score of the sizes not held out",
    "p_sharp": "sharp emergence: likelihood ratio of the largest sizes leaving every smooth curve",
    "p_jump": "sharp emergence further down: likelihood ratio of chance and then a line against every smooth curve",
    "p_turn": "larger p of two arms of opposite sign, corrected over where they meet",
    "dispersion": "scatter about the best form over what documents explain, at least 1",
    "breakthroughness": "range over the median step (emergence score)",
    "linearity": "range over the root mean square step",
    "mde": "smallest gain over chance the largest size would have shown (5 %, power 80 %)",
    "run_sd": "spread between training runs assumed, at a score of one half",
}
"""What the numbers in `Verdict.evidence` are."""
