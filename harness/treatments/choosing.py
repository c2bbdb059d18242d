"""The treatments that come along, and the models that a user's choice of treatments makes. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from harness.errors import PlanError, unknown
from harness.specs import ModelSpec, TaskSpec
from harness.treatments.training import (
    MOST_WIDE,
    ClassifierHead,
    Distill,
    Finetune,
    Lora,
    PrefixTuning,
    PromptTuning,
    TaskTraining,
)
from harness.treatments.types import Method, Prune, Quantise, Treatment, method_from
from harness.wording import cut, quoted

PLAIN = ("none", "plain")
"""Words for a model as it is: that of plans, and that of tables."""
_MAGNITUDE = "Han et al. 2015, arXiv:1506.02626; by layer as in Zhu and Gupta 2017, arXiv:1710.01878"
_AMOUNTS = "by amounts of documents as in Snell et al. 2024, arXiv:2411.16035"
_LORA = "Hu et al. 2021, arXiv:2106.09685"
_PREFIX = "Li and Liang 2021, arXiv:2101.00190"
_PROMPT = "Lester et al. 2021, arXiv:2104.08691"
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
        Treatment(name="finetune", method=Finetune(), source=_AMOUNTS),
        Treatment(name="lora8", method=Lora(rank=8), source=_LORA),
        Treatment(name="prompt16", method=PromptTuning(tokens=16), source=_PROMPT),
        Treatment(name="prefix16", method=PrefixTuning(tokens=16), source=_PREFIX),
        Treatment(name="head", method=ClassifierHead(), source="Alain and Bengio 2016, arXiv:1610.01644"),
    )
}
"""Treatments by name; their settings never change, since results are kept under the name. `sparseNN` is one for every
whole number of percent, `loraN` for every rank, `promptN` and `prefixN` for every number of tokens, and each that
trains has one for every number of documents: `finetune@64`."""
_SPARSE = re.compile(r"sparse([1-9][0-9]?)")
_NUMBERED = re.compile(r"(lora|prompt|prefix)([1-9][0-9]{0,3})")
_DISTILL = "distill:"
"""How the name of a distillation begins; that of the teacher follows."""
_AMOUNT = re.compile(r"[1-9][0-9]{0,8}")
_TREATING = frozenset({"tree", "lm-eval", "seq2seq", "encoder"})
"""Engines that treat the models they load."""
_WRITING = _TREATING - {"encoder"}
"""Those whose models write."""


def engines_for(method: Method) -> frozenset[str]:
    """The engines that can treat a model so.

    >>> sorted(engines_for(PromptTuning(tokens=8)))
    ['lm-eval', 'seq2seq', 'tree']
    """
    any_model = not isinstance(method, TaskTraining) or isinstance(method, ClassifierHead | Finetune | Lora)
    return _TREATING if any_model else _WRITING


def treatment_named(name: str, own: Mapping[str, Treatment]) -> Treatment:
    """The treatment called `name`, built in or one of the user's own; `name@64` trains on 64 documents.

    Raises:
        PlanError: there is none; the known ones are listed.

    >>> treatment_named("lora4@256", {}).method == Lora(rank=4, documents=256)
    True
    """
    kind, has_amount, amount = name.partition("@")
    if has_amount and not _AMOUNT.fullmatch(amount):
        raise PlanError(f"--treatment {quoted(name)}: expected a number of documents after the @, such as {kind}@64")
    found = own.get(kind) or BUILT_IN.get(kind) or _numbered(kind) or _distilling(kind)
    if found is None:
        known = (PLAIN[0], *BUILT_IN, "sparseNN", "loraN", "promptN", "prefixN", f"{_DISTILL}MODEL", *own)
        raise PlanError(unknown("treatment", kind, known))
    return found.on(int(amount)) if has_amount else found


def _numbered(name: str) -> Treatment | None:
    """The treatment whose name has a number; None where it is no such name."""
    if found := _SPARSE.fullmatch(name):
        return Treatment(name=name, method=Prune(share=int(found[1]) / 100), source=_MAGNITUDE)
    if (found := _NUMBERED.fullmatch(name)) and int(found[2]) <= MOST_WIDE:
        if found[1] == "lora":
            return Treatment(name=name, method=Lora(rank=int(found[2])), source=_LORA)
        if found[1] == "prefix":
            return Treatment(name=name, method=PrefixTuning(tokens=int(found[2])), source=_PREFIX)
        return Treatment(name=name, method=PromptTuning(tokens=int(found[2])), source=_PROMPT)
    return None


def _distilling(name: str) -> Treatment | None:
    """The distillation whose name has its teacher; None where it is no such name."""
    teacher = name.removeprefix(_DISTILL)
    if teacher == name or not teacher:
        return None
    return Treatment(name=name, method=Distill(teacher=teacher), source="Hinton et al. 2015, arXiv:1503.02531")


def with_amounts(names: Iterable[str]) -> list[str]:
    """Names of treatments, in which a number alone is another amount of the one before.

    >>> with_amounts(["none", "finetune@64", "256", "lora8"])
    ['none', 'finetune@64', 'finetune@256', 'lora8']
    """
    found: list[str] = []
    for name in names:
        kind, has_amount, _ = found[-1].partition("@") if found else ("", "", "")
        found.append(f"{kind}@{name}" if has_amount and _AMOUNT.fullmatch(name) else name)
    return found


def name_of(variant: str) -> str:
    """The name of the treatment that made a variant.

    >>> name_of("int8"), name_of("mine@f9ac24"), name_of("finetune@64"), name_of("mine@64@f9ac24")
    ('int8', 'mine', 'finetune@64', 'mine@64')
    """
    kind, has_more, _ = variant.partition("@")
    always_the_same = kind in BUILT_IN or _numbered(kind) is not None
    return variant if always_the_same or not has_more else variant.rpartition("@")[0]


def is_taken(name: str) -> bool:
    """True for a name that no treatment of a user can have."""
    return name in (*PLAIN, *BUILT_IN) or _numbered(name) is not None or name.startswith(_DISTILL)


def _no_teacher(student: ModelSpec, name: str) -> None:
    return None


def treated(
    models: Sequence[ModelSpec],
    names: Iterable[str],
    own: Mapping[str, Treatment],
    teacher_of: Callable[[ModelSpec, str], ModelSpec | None] = _no_teacher,
) -> tuple[ModelSpec, ...]:
    """Each model in each of the variants that the treatments make, all plain models first if `none` is first.

    Args:
        models: the models as they are.
        names: of treatments.
        own: those of the user, by name.
        teacher_of: finds the model of a name in the family of another; None where there is none.

    Raises:
        PlanError: a treatment is not known.

    >>> plain = ModelSpec(name="m", family="f", params=10)
    >>> [model.variant for model in treated([plain], ["none", "int8", "finetune@64", "256"], {})]
    [None, 'int8', 'finetune@64', 'finetune@256']
    """
    made: list[ModelSpec] = []
    for name in dict.fromkeys(PLAIN[0] if name in PLAIN else name for name in with_amounts(names)):
        if name == PLAIN[0]:
            made += models
            continue
        one = treatment_named(name, own)
        for model in models:
            of_model = one
            if isinstance(one.method, Distill):
                of_model = one.taught_by(teacher_of(model, one.method.teacher))
            variant, settings = of_model.variant, of_model.settings
            made.append(replace(model, variant=variant, treatment=settings, tuned=one.training is not None))
    return tuple(made)


def check_trainable(models: Iterable[ModelSpec], tasks: Iterable[TaskSpec]) -> None:
    """Check that tasks have documents to train on, where models are to be trained on each task.

    Raises:
        PlanError: one has none.
    """
    asked = next((model.variant for model in models if model.tuned), None)
    without = [task.name for task in tasks if task.training is None]
    if asked is not None and without:
        raise PlanError(
            f"--treatment {quoted(name_of(str(asked)))}: no training split to learn from in {cut(', '.join(without))}; "
            "expected `training_split` in the task's config, apart from the split that is evaluated"
        )


def check_engine(models: Iterable[ModelSpec], engines: Collection[str]) -> None:
    """Check that the engines can treat the models that are to be treated.

    Raises:
        PlanError: one cannot.
    """
    for model in models:
        if model.treatment is None:
            continue
        able = engines_for(method_from(model.treatment))
        unable = sorted(set(engines) - able)
        if unable:
            does = "trains no model in this way" if unable[0] in _TREATING else "answers with weights as they are"
            raise PlanError(
                f"--treatment {quoted(name_of(str(model.variant)))}: engine {unable[0]} {does}; expected --engine "
                f"{' or '.join(sorted(able, reverse=True))}"
            )
