"""The treatments that come along, and the models that a user's choice of treatments makes. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from harness.errors import PlanError, unknown
from harness.specs import ModelSpec
from harness.treatments.types import Prune, Quantise, Treatment
from harness.wording import quoted

PLAIN = ("none", "plain")
"""Words for a model as it is: that of plans, and that of tables."""
_MAGNITUDE = "Han et al. 2015, arXiv:1506.02626; by layer as in Zhu and Gupta 2017, arXiv:1710.01878"
BUILT_IN: Mapping[str, Treatment] = {
    one.name: one
    for one in (
        Treatment(name="int8", method=Quantise(bits=8), source="weights as in Dettmers et al. 2022, arXiv:2208.07339"),
        Treatment(
            name="int8-dynamic",
            method=Quantise(bits=8, activations=True),
            source="per row and token as in Yao et al. 2022 (ZeroQuant), arXiv:2206.01861",
        ),
        Treatment(
            name="int4",
            method=Quantise(bits=4, group=32),
            source="round to nearest, the baseline of Frantar et al. 2022 (GPTQ), arXiv:2210.17323",
        ),
        Treatment(name="sparse50", method=Prune(share=0.5), source=_MAGNITUDE),
        Treatment(
            name="sparse2:4", method=Prune(share=0.5, group=4), source="pattern of Mishra et al. 2021, arXiv:2104.08378"
        ),
    )
}
"""Treatments by name; their settings never change, since results are kept under the name. `sparseNN` is one for every
whole number of percent."""
_SPARSE = re.compile(r"sparse([1-9][0-9]?)")
TREATING = frozenset({"tree", "lm-eval", "seq2seq", "encoder"})
"""Engines that treat the models they load."""


def treatment_named(name: str, own: Mapping[str, Treatment]) -> Treatment:
    """The treatment called `name`, built in or one of the user's own.

    Raises:
        PlanError: there is none; the known ones are listed.
    """
    if name in own:
        return own[name]
    if name in BUILT_IN:
        return BUILT_IN[name]
    if found := _SPARSE.fullmatch(name):
        return Treatment(name=name, method=Prune(share=int(found[1]) / 100), source=_MAGNITUDE)
    raise PlanError(unknown("treatment", name, (PLAIN[0], *BUILT_IN, "sparseNN", *own)))


def name_of(variant: str) -> str:
    """The name of the treatment that made a variant.

    >>> name_of("int8"), name_of("mine@f9ac24")
    ('int8', 'mine')
    """
    return variant.partition("@")[0]


def is_taken(name: str) -> bool:
    """True for a name that no treatment of a user can have."""
    return name in (*PLAIN, *BUILT_IN) or _SPARSE.fullmatch(name) is not None


def treated(models: Sequence[ModelSpec], names: Iterable[str], own: Mapping[str, Treatment]) -> tuple[ModelSpec, ...]:
    """Each model in each of the variants that the treatments make, all plain models first if `none` is first.

    Raises:
        PlanError: a treatment is not known.

    >>> plain = ModelSpec(name="m", family="f", params=10)
    >>> [model.variant for model in treated([plain], ["none", "int8"], {})]
    [None, 'int8']
    """
    made: list[ModelSpec] = []
    for name in dict.fromkeys(PLAIN[0] if name in PLAIN else name for name in names):
        if name == PLAIN[0]:
            made += models
            continue
        treatment = treatment_named(name, own)
        for model in models:
            made.append(replace(model, variant=treatment.variant, treatment=treatment.settings))
    return tuple(made)


def check_engine(models: Iterable[ModelSpec], engines: Collection[str]) -> None:
    """Check that the engines can treat the models that are to be treated.

    Raises:
        PlanError: one cannot.
    """
    asked = next((model.variant for model in models if model.treatment is not None), None)
    unable = sorted(set(engines) - TREATING)
    if asked is not None and unable:
        raise PlanError(
            f"--treatment {quoted(asked)}: engine {unable[0]} answers with weights as they are; expected --engine "
            f"{' or '.join(sorted(TREATING, reverse=True))}"
        )
