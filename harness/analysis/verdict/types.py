"""What is concluded of a curve: the label, the numbers behind it, and where the ability sets in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from harness.analysis.curves import Curve
from harness.analysis.growth import Counts, Fits, Trace
from harness.analysis.stats import Array, Index, Mask

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

Rule = Literal[
    "sizes",
    "documents",
    "spread",
    "turn",
    "fall",
    "small",
    "unforeseen",
    "broken",
    "rise",
    "above",
    "rest",
]
"""Which rule of `judge` decided. The first three found too little to judge: too few sizes, too few documents, or
documents whose spread is not known. `small`: neither a clear rise nor a largest size clearly above chance;
`unforeseen`: extrapolation does not foresee the largest sizes; `broken`: no smooth curve fits the rise; `rest`: no
other rule applied. The others are named for what the curve does."""


FORMAT_ARTEFACT, FORMAT_ROBUST = "format-artefact", "format-robust"
"""Qualifiers of a jump, or of flatness, that the other format of the same documents does not show, or shows too."""
ABOVE_CHANCE, NOT_ABOVE_CHANCE = "above-chance", "not-above-chance"
"""Qualifiers of a fall that ends above chance, and of a rise of which no size is above it."""

Tone = Literal["good", "bad", "plain"]
"""Colour of a verdict: `good` for an ability that is there in larger models, `bad` for one that they lose or that the
metric or format only feigns, `plain` for all else."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CurveTests:
    """Every test on B curves of m sizes each, before any is corrected; scores as shares of the best score.

    All fields are arrays over the curves; NaN stands where a test does not exist.
    """

    counts: Counts | None
    """The curves, with documents discounted for the noise between runs; None for scores that are no counts."""
    unit: Array
    """What a share of 1 is in units of the metric, (B,)."""
    effect: Array
    """Smallest change that matters, as a share of `unit`; 0 for a metric without a scale, (B,)."""
    z_trend: Array
    """Cochran-Armitage statistic over the positions, positive when the score rises, (B,)."""
    p_trend: Array
    """Its two-sided p, (B,)."""
    reach: Array
    """Rise of the weighted straight line from the smallest to the largest size, (B,)."""
    reach_error: Array
    """Standard error of `reach`, (B,)."""
    p_top: Array
    """Exact one-sided p of the largest size against chance, (B,)."""
    top: Array
    """Gain of the largest size over chance, (B,)."""
    above: Mask
    """Sizes reliably above chance, (B, m)."""
    first: Index
    """Index of the first size from which all are above chance; m when there is none, (B,)."""
    dispersion: Array
    """Pearson dispersion about the form that describes the curve best, at least 1, (B,). It shows noise between
    training runs that the documents do not account for."""
    freedom: Index
    """Sizes minus parameters of that form, (B,)."""
    fits: Mapping[str, Fits]
    """The forms that were fitted to find `dispersion`, by name; empty where it was known already."""
    turn: Index
    """1 when the curve falls and then rises, -1 when it rises and then falls, 0 otherwise, however large `p_turn` is,
    (B,)."""
    p_turn: Array
    """Larger p of the two arms, corrected over the places where they could meet, (B,)."""
    p_ext: Array
    """Apparent emergence, see `extrapolation.apparent`, (B,)."""
    p_ext_noise: Array
    """The same with documents discounted for `dispersion`, where `p_ext` is small and the curve scatters, (B,)."""
    held_out: Index
    """How many of the largest sizes were held out where `p_ext` was smallest, (B,); 1 where it was not computed."""
    foreseen: Array
    """Best prediction for the sizes held out, (B,)."""
    below_low: Array
    """Lower 95 % bound (one-sided, exact) of the pooled score of all sizes but those held out, (B,)."""
    below_high: Array
    """Upper 95 % bound (one-sided, exact) of the same, (B,)."""
    lowest: Array
    """Smallest score of the curve minus chance, (B,)."""
    p_sharp: Array
    """Sharp emergence, see `extrapolation.sharp`, (B,)."""
    p_jump: Array
    """Sharp emergence anywhere on the curve, see `extrapolation.narrow`, (B,)."""
    jump_held_out: Index
    """How many of the largest sizes lie above those that `narrow` finds without the ability, (B,)."""
    jump_below_high: Array
    """Upper 95 % bound (one-sided, exact) of the pooled score of the sizes below these, (B,)."""
    breakthroughness: Array
    """Range over the median step, see `curves.shape`, (B,)."""
    linearity: Array
    """Range over the root mean square step, see `curves.shape`, (B,)."""


class Decision(NamedTuple):
    """Label and qualifier of a curve, and the rule that gave them."""

    label: Label
    """The short answer."""
    qualifier: str | None = None
    """As in `Verdict.qualifier`."""
    rule: Rule = "rest"
    """The rule that decided."""


class Levels(NamedTuple):
    """The largest p of each test that is significant after correction over all curves judged together."""

    trend: float
    """For a trend over scale."""
    top: float
    """For "the largest size is above chance"."""
    ext: float
    """For "the largest sizes are not foreseen"."""
    jump: float
    """For "the rise is narrower than any smooth one"."""
    turn: float
    """For two arms of opposite sign."""


class LargestStep(NamedTuple):
    """The largest rise between two neighbouring sizes: it describes the curve and proves nothing."""

    share: float
    """Part of the curve's whole range (highest minus lowest score) that lies in this step, 0 to 1."""
    below: str
    """The smaller of the two models."""
    above: str
    """The larger of the two models."""


class Flip(NamedTuple):
    """A size that decides: without it the curve would get another verdict."""

    model: str
    """The size that was left out."""
    label: Label
    """The label of the curve without it."""


class Onset(NamedTuple):
    """The scale at which an ability passes chance by the practical effect, in the unit of the axis."""

    at: float | None
    """Where the growth form that describes the curve best passes that level, kept between the sizes clearly below and
    clearly above it; None when this lies outside the sizes measured."""
    low: float | None
    """Lower end of the 95 % interval; None when it lies outside the sizes measured."""
    high: float | None
    """Upper end of the 95 % interval; None when it lies outside the sizes measured."""
    form: str
    """Name of the growth form behind `at`."""
    half: float | None = None
    """Where half of the rise over the sizes is made; None when this lies outside the sizes measured."""
    half_low: float | None = None
    """Lower end of the 95 % interval of `half`; None when it lies outside the sizes measured."""
    half_high: float | None = None
    """Upper end of the 95 % interval of `half`; None when it lies outside the sizes measured."""


class PartnerTrend(NamedTuple):
    """Whether the continuous metric of the same answers already improves where the headline metric shows nothing."""

    metric: str
    """Name of the continuous metric."""
    z_trend: float | None
    """Trend over all its sizes, positive when it improves; None when it cannot be tested."""
    sizes: int
    """How many sizes it has."""
    sizes_below: int
    """How many of its sizes lie below the threshold of the headline: all when the headline has no threshold, 0 when no
    size of the partner lies above it."""
    z_below: float | None
    """Trend over the sizes below; None with fewer than 3 of them."""
    p_below: float | None
    """Two-sided p of `z_below`."""
    q_below: float | None
    """`p_below` corrected over all partners tested together (Benjamini-Hochberg)."""
    share_below: float | None
    """Rise of the fitted line over the sizes below, as a share of the metric's range over all sizes; None when the
    metric has no range, or the trend cannot be tested."""
    rises_below: bool | None
    """True when it improves there, significantly and by a material share; None when it cannot be tested."""
    format: str | None = None
    """Format of its curve, as in `Curve.format`."""
    there_below: bool = False
    """True when every one of the sizes below is reliably above chance; looked at for the other format alone."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """The numbers behind a verdict, in units of the score; None where a number does not exist."""

    p_trend: float | None
    """Two-sided p of the Cochran-Armitage trend over scale."""
    q_trend: float | None
    """p_trend, corrected over all curves judged together (Benjamini-Hochberg)."""
    z_trend: float | None
    """Statistic of the trend, positive when larger models are better."""
    range: float | None
    """Rise of the fitted straight line from the smallest to the largest size."""
    range_stderr: float | None
    """Standard error of range."""
    p_top: float | None
    """Exact one-sided p of the largest size against chance."""
    q_top: float | None
    """p_top, corrected over all curves judged together (Benjamini-Hochberg)."""
    gain: float | None
    """Score of the largest size minus chance."""
    p_ext: float | None
    """Apparent emergence: probability of the largest sizes' scores under growth laws fitted to the smaller sizes."""
    p_ext_noise: float | None
    """p_ext with documents discounted for the scatter of the curve; emergence asks both to be small."""
    held_out: float | None
    """How many of the largest sizes p_ext leaves out and predicts."""
    foreseen: float | None
    """Best prediction of the score of the sizes left out."""
    below_high: float | None
    """Upper 95 % bound of the pooled score of the sizes that were not left out."""
    p_sharp: float | None
    """Sharp emergence: likelihood-ratio p of the largest sizes leaving every smooth curve."""
    p_jump: float | None
    """Sharp emergence anywhere on the curve: likelihood-ratio p of a rise of any width against every smooth curve."""
    p_turn: float | None
    """Larger p of two arms of opposite sign, corrected over the places where they could meet."""
    dispersion: float | None
    """Scatter of the sizes about the best growth form over what their documents explain, at least 1."""
    breakthroughness: float | None
    """Range over the median step between sizes (emergence score)."""
    linearity: float | None
    """Range over the root mean square step between sizes."""
    mde: float | None
    """Smallest gain over chance that the largest size would have shown (level 5 %, power 80 %)."""
    run_sd: float
    """Spread between training runs beyond what documents make, at a score of one half: estimated where sizes have
    several runs, otherwise assumed."""
    q_ext: float | None
    """The larger of p_ext and p_ext_noise, corrected over all curves judged together (Benjamini-Hochberg)."""
    q_jump: float | None
    """p_jump, corrected over all curves judged together (Benjamini-Hochberg)."""
    q_turn: float | None
    """p_turn, corrected over all curves judged together (Benjamini-Hochberg)."""
    z_format: float | None = None
    """Trend of the same documents in the other format (options by letter, or by their texts) over the sizes at which
    the ability is absent, positive when it improves."""
    q_format: float | None = None
    """Two-sided p of z_format, corrected over all twins judged together (Benjamini-Hochberg)."""
    share_format: float | None = None
    """Rise of the other format over these sizes, as a share of its range over all sizes."""
    run_freedom: float | None
    """Degrees of freedom of run_sd; None where it was assumed."""


class PresenceAtSize(NamedTuple):
    """How many training runs of one size have an ability, and how good those are."""

    model: str
    """The size."""
    x: float
    """Its scale, in the unit of the axis."""
    runs: int
    """Number of training runs."""
    present: int
    """Number of runs that have the ability: their score reaches `Presence.level`, and is significantly above chance."""
    share: float
    """`present` as a share of the runs: an estimate of the probability that a run has the ability."""
    share_low: float | None
    """Lower end of its 95 % interval (Wilson)."""
    share_high: float | None
    """Upper end of that interval."""
    score: float | None
    """Mean score of the runs that have the ability; None when none has it."""
    score_low: float | None
    """Lower end of its 95 % interval (Student's t over runs); None with fewer than two."""
    score_high: float | None
    """Upper end of that interval; None with fewer than two."""
    score_absent: float | None
    """Mean score of the runs that do not have it; None when all have it."""
    gap: float | None
    """Difference between the two runs, one with and one without the ability, that are nearest to each other; None when
    there are not both. A wide one shows two groups of runs."""


class Presence(NamedTuple):
    """An ability over the training runs of each size."""

    level: float
    """Score from which on a run has the ability: chance plus the smallest change that matters."""
    half: float | None
    """Scale at which half of the runs have the ability, between the two sizes around it; None outside the sizes."""
    sizes: tuple[PresenceAtSize, ...]
    """The sizes with enough runs, in the order of the curve."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What a curve shows over the sizes of its family."""

    label: Label
    """The short answer."""
    qualifier: str | None
    """For an emergent ability `sharp` or `apparent`, perhaps followed by `metric-robust`; for a flat curve that rises
    significantly but by less than matters `rising`, and `falling` for one that falls so; for a smooth rise about which
    the sizes scatter widely `rough`, and `not-above-chance` for one of which no size is reliably above chance; for a
    fall `above-chance` when the largest size is still above it. For an emergent or flat one
    `format-artefact` when the same documents asked in the other format show it earlier, and for
    an emergent one `format-robust` when they jump as well. For an emergent ability and for a turn also `unconfirmed`,
    when it rests on a single training run of a size. None when there is nothing to add."""
    threshold: float | None
    """Scale at which the ability passes chance by the practical effect; None when it does not rise, when no size is
    above chance, or when it passed that level before the smallest size."""
    threshold_low: float | None
    """Lower end of the threshold's 95 % interval; None when it lies below the smallest size, or there is no
    threshold."""
    threshold_high: float | None
    """Upper end of the threshold's 95 % interval; None when it lies above the largest size, or there is no
    threshold."""
    halfway: float | None
    """Scale at which half of the rise over the sizes is made, from the floor (chance, or the score of the smallest size
    where that is higher) to the largest size; None when it does not rise."""
    halfway_low: float | None
    """Lower end of the 95 % interval of `halfway`; None when it lies below the smallest size, or there is none."""
    halfway_high: float | None
    """Upper end of the 95 % interval of `halfway`; None when it lies above the largest size, or there is none."""
    reliable_from: float | None
    """Smallest scale from which this and all larger sizes are above chance; None when there is none."""
    reliable_model: str | None
    """The model at `reliable_from`."""
    evidence: Evidence
    """The numbers behind the label."""
    largest_step: LargestStep | None
    """The largest step upwards; None when the curve does not rise."""
    partner_trend: PartnerTrend | None
    """What the continuous metric of the same answers does; None when the task has none."""
    format_trend: PartnerTrend | None = None
    """What the headline metric does when the same documents are asked in the other format; None when they were not."""
    flips: tuple[Flip, ...]
    """The sizes without which the label would be another; when there is just one, it alone carries the verdict."""
    reasons: tuple[str, ...]
    """Why, in plain sentences; the deciding one first."""
    presence: Presence | None = None
    """How many training runs of each size have the ability; None when no size has enough runs to tell."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CurveRow:
    """A curve on its way to a picture."""

    curve: Curve
    """The curve."""
    traces: tuple[Trace, ...] = ()
    """Growth forms as lines to draw, best first; empty until `with_traces` has fitted them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged(CurveRow):
    """One row from judgement to picture: a curve with all that was concluded of it."""

    verdict: Verdict
    """What the curve shows."""
    partner: CurveRow | None = None
    """The continuous metric of the same answers; None when there is none."""
