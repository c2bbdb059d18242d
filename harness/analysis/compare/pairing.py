"""Which cells of two sides are compared: those that differ only in what the user named.

A side is chosen by a model's name or by terms such as `model=pythia-70m,shots=0`. Two cells may differ in fields that
both sides name. A field that only one side names has that value on both sides. Everything else must be equal, or a
difference would have more than one cause.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet

from harness.analysis.compare.types import CellPair, Pairing, Side, Unpaired
from harness.errors import HarnessError, unknown
from harness.plan import AXES, Cell, Setting, axes, setting_of
from harness.records import CellFailure, CellResult
from harness.treatments import name_of
from harness.wording import natural_order

_FIRST = ("task", "family", "model", "revision", "variant", "dtype", "engine")
SIDE_FIELDS: Mapping[str, Callable[[Cell], str]] = {
    "task": AXES["task"].of_cell,
    "suite": lambda cell: cell.suite,
    **{name: AXES[name].of_cell for name in axes(first=_FIRST, free=("task_digest", "limit"))},
}
"""What a side can be chosen by: name -> its value in a cell, as typed on the command line."""
_MODEL = ("family", "model", "revision", "run")
"""Fields that go together: a side that names another model also has another family, revision and training run."""
_WITHIN = frozenset({"seed", "limit"})
"""Axes on which the cells of one side of a pair differ: seeds are paired one by one, and the larger limit is taken."""
_CIRCUMSTANCES = frozenset(axes(free=(*_MODEL, "task", "shots", "prompt", *_WITHIN)))
"""When two settings differ only in these axes, and the user named none of them, a message says in which."""
_Values = Mapping[str, frozenset[str]]


def choose_side(text: str, cells: Iterable[Cell]) -> Side:
    """One side of a comparison, from what the user typed: terms `field=value`, or a model with or without revision.

    A model may be given by the last part of its name, a revision by its beginning, and a variant by the name of its
    treatment.

    Args:
        text: such as `pythia-70m`, `org/model@3f1c` or `model=pythia-70m,shots=0`.
        cells: all cells that there are, to tell names from typing errors.

    Raises:
        HarnessError: a field or value is not known (the known ones are listed), or a field is given twice.
    """
    there = tuple(cells)
    wanted: dict[str, frozenset[str]] = {}
    for name, value in _terms(text):
        if name not in SIDE_FIELDS:
            raise HarnessError(f"{text}: " + unknown("field", name, SIDE_FIELDS))
        if name in wanted:
            raise HarnessError(f"{text}: {name} stands twice; expected one value per side")
        known = frozenset(SIDE_FIELDS[name](cell) for cell in there)
        wanted[name] = _meant(name, value, known)
        if not wanted[name]:
            raise HarnessError(unknown(name, value, known))
    return Side(text, wanted)


def pair_up(a: Side, b: Side, results: Iterable[CellResult], failures: Iterable[CellFailure] = ()) -> Pairing:
    """Pairs of cells that differ only in what both sides name.

    Cells of several few-shot seeds belong to one pair, in which each seed meets the same seed of the other side. So do
    cells of several training runs of a model, whose mean is compared.
    Without demonstrations all seeds have the same prompts, and one cell stands for all of them. Of cells that differ
    only in their limit, the one with most documents is taken.

    Args:
        a: the first side.
        b: the second side.
        results: all results; their headers are enough.
        failures: cells without a result, to say why a partner is missing.

    Raises:
        HarnessError: a side has no results, or several cells where one is needed, or both sides are the same cells.
    """
    wanted = {"A": _filled(a.values, b.values), "B": _filled(b.values, a.values)}
    free = {name for name in SIDE_FIELDS if wanted["A"].get(name) != wanted["B"].get(name)}
    if free & {"model", "family", "run"}:
        free.update(_MODEL)
    matched = axes(first=_FIRST, free=free | _WITHIN)
    done, gone = tuple(results), tuple(failures)
    sides = {side: _side(choice.text, wanted[side], done, matched, free) for side, choice in (("A", a), ("B", b))}
    failed = {
        side: {setting_of(f.cell, matched): f for f in gone if _takes(wanted[side], f.cell)} for side in ("A", "B")
    }
    settings = {setting: _first(runs).cell for side in sides.values() for setting, runs in side.items()}
    varying = [name for name in matched if len({setting.value(name) for setting in settings}) > 1]
    pairs: list[CellPair] = []
    unpaired: list[Unpaired] = []
    for setting, cell in sorted(settings.items(), key=lambda item: (*_place(item[1]), item[0].texts())):
        label = _label(cell, matched, varying)
        if setting in sides["A"] and setting in sides["B"]:
            runs_a, runs_b = sides["A"][setting], sides["B"][setting]
            in_a, in_b, alone = _same_seeds(runs_a, runs_b)
            if not {result.cell.key for result in in_a}.isdisjoint(result.cell.key for result in in_b):
                raise HarnessError(f"{a.text} and {b.text} choose the same cells; name what sets them apart")
            if in_a:
                pairs.append(CellPair(cell.task, label, in_a, in_b, len(runs_a), len(runs_b)))
        else:
            alone = _why_alone(setting, sides, matched, failed)
        unpaired += [Unpaired(cell.task, label, reason) for reason in alone]
    return Pairing(tuple(pairs), tuple(unpaired))


def cells_of(side: Side, cells: Iterable[Cell]) -> frozenset[str]:
    """Keys of the cells that a side chooses."""
    return frozenset(cell.key for cell in cells if _takes(side.values, cell))


def _terms(text: str) -> list[tuple[str, str]]:
    terms = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, is_term, value = part.partition("=")
        if is_term and name.strip() != "model":
            terms.append((name.strip(), value.strip()))
            continue
        model, has_revision, revision = (value if is_term else part).strip().partition("@")
        terms.append(("model", model))
        terms += [("revision", revision)] if has_revision else []
    if not terms:
        raise HarnessError("an empty side; expected a model, or terms such as shots=0")
    return terms


def _meant(name: str, value: str, known: frozenset[str]) -> frozenset[str]:
    """The known values a short form stands for; empty when there is none."""
    written = {unicodedata.normalize("NFC", one): one for one in known}  # an accent may be a letter of its own
    if (one := value if value in known else written.get(unicodedata.normalize("NFC", value))) is not None:
        return frozenset({one})
    if name == "model":
        return frozenset(one for one in known if one.rpartition("/")[2] == value)
    if name == "revision" and value:
        return frozenset(one for one in known if one.startswith(value))
    if name == "variant" and value == "none":  # as plans call it
        return known & {AXES["variant"].text(None)}
    if name == "variant":  # without the digest of the treatment's settings
        return frozenset(one for one in known if name_of(one) == value)
    return frozenset()


def _filled(own: _Values, other: _Values) -> _Values:
    """The values of a side, with those that only the other side names; the revision of another model is left out."""
    taken = {name: values for name, values in other.items() if not ("model" in own and name in _MODEL)}
    return {**taken, **own}


def _takes(wanted: _Values, cell: Cell) -> bool:
    return all(SIDE_FIELDS[name](cell) in values for name, values in wanted.items())


_Runs = dict[str, dict[int, CellResult]]
"""Results of one setting by training run and seed."""


def _side(
    text: str, wanted: _Values, results: Iterable[CellResult], matched: tuple[str, ...], free: AbstractSet[str]
) -> dict[Setting, _Runs]:
    """The results of one side by setting, training run and seed; all as seed 0 when seeds are what is compared."""
    side: dict[Setting, _Runs] = {}
    for result in results:
        if _takes(wanted, result.cell):
            run = result.cell.model.run
            runs = side.setdefault(setting_of(result.cell, matched), {})
            seeds = runs.setdefault("" if run is None else str(run), {})
            seed = 0 if "seed" in free else result.cell.seed
            seeds[seed] = _larger(seeds[seed], result, text, free) if seed in seeds else result
    if not side:
        chosen = ", ".join(f"{name} {'/'.join(sorted(values))}" for name, values in wanted.items())
        raise HarnessError(f"{text}: no results of {chosen}; `emergence status` shows what there is")
    return {
        setting: dict(sorted(runs.items(), key=lambda run: natural_order(run[0]))) for setting, runs in side.items()
    }


def _first(runs: _Runs) -> CellResult:
    return next(iter(next(iter(runs.values())).values()))


def _larger(one: CellResult, other: CellResult, text: str, free: AbstractSet[str]) -> CellResult:
    """The one with more documents of two results that differ only in their limit."""
    for name in ("model", *SIDE_FIELDS):
        values = sorted({SIDE_FIELDS[name](one.cell), SIDE_FIELDS[name](other.cell)})
        if name in free and len(values) > 1:
            raise HarnessError(
                f"{text}: results of {one.cell.task} that differ in {name} ({', '.join(values)}); "
                f"expected one, such as {name}={values[0]}"
            )
    return max(one, other, key=lambda result: result.n_expected)


def _same_seeds(a: _Runs, b: _Runs) -> tuple[tuple[CellResult, ...], tuple[CellResult, ...], list[str]]:
    """Results of each side with seeds that all runs of both have, and a reason for the seeds that are left out."""
    seeds_a, seeds_b = set().union(*a.values()), set().union(*b.values())
    # Without demonstrations a seed does not change the prompt, and the plan has only one.
    if _one_for_all(a):
        seeds_a = seeds_b
    elif _one_for_all(b):
        seeds_b = seeds_a
    shared = [
        seed
        for seed in sorted(seeds_a & seeds_b)
        if all(seed in seeds or _one_for_all({"": seeds}) for runs in (a, b) for seeds in runs.values())
    ]
    in_a, in_b = (
        tuple(
            seeds.get(seed, max(seeds.values(), key=lambda r: r.cell.seed))
            for seeds in runs.values()
            for seed in shared
        )
        for runs in (a, b)
    )
    alone = [
        f"seed {', '.join(str(seed) for seed in sorted(extra))} in {name} alone"
        for name, extra in (("A", seeds_a - seeds_b), ("B", seeds_b - seeds_a))
        if extra
    ]
    if lacking := sorted((seeds_a & seeds_b).difference(shared)):
        alone.append(f"seed {', '.join(map(str, lacking))} not in every training run")
    return in_a, in_b, alone


def _one_for_all(runs: _Runs) -> bool:
    return all(len(seeds) == 1 and all(r.cell.shots == 0 for r in seeds.values()) for seeds in runs.values())


def _why_alone(
    setting: Setting,
    sides: Mapping[str, Mapping[Setting, object]],
    matched: Sequence[str],
    failed: Mapping[str, Mapping[Setting, CellFailure]],
) -> list[str]:
    """Why a setting has no partner: it failed, was evaluated in other circumstances, or does not exist.

    Two settings that differ only in circumstances share one reason, and the list is empty for the second of them.
    """
    here, there = ("A", "B") if setting in sides["A"] else ("B", "A")
    if setting in failed[there]:
        failure = failed[there][setting]
        return [f"failed in {there}: {failure.error}: {failure.message}"]
    for other in sides[there]:
        texts = zip(matched, setting.texts(), other.texts(), strict=True)
        differing = {name: (x, y) for name, x, y in texts if x != y}
        if differing.keys() <= _CIRCUMSTANCES:
            if here == "B" and other not in sides["B"]:
                return []
            return [
                ", ".join(
                    f"{name.replace('_', ' ')} {x} in {here}, {y} in {there}" for name, (x, y) in differing.items()
                )
            ]
    return [f"in {here} alone"]


def _place(cell: Cell) -> tuple[str, str, int, str, str, int]:
    return (cell.task, cell.model.family, cell.model.params, cell.model.name, cell.prompt, cell.shots)


def _label(cell: Cell, matched: Sequence[str], varying: Sequence[str]) -> str:
    """How a setting differs from others of its task; with the shots whenever both sides share them."""
    parts = [f"{cell.shots}-shot"] if "shots" in matched else []
    parts += [SIDE_FIELDS[name](cell) for name in varying if name not in {"task", "task_digest", "shots", "family"}]
    return ", ".join(parts)
