"""The tree engine beside lm-eval's own `HFLM`: one process, the same model object, one thread, in turns.

lm-eval is slow on some of these cells, so it gets fewer documents and milliseconds per document are compared. That is
also how both are used: the more documents share their examples, the less of the tree engine's time the examples take.
Both are given requests of text, so tokenisation is part of what is timed.
"""

from __future__ import annotations

import contextlib
import functools
import io
import json
import logging
import math
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import transformers
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM

from harness.cli.output import say, table
from harness.engines.tree.lm import TreeLM
from harness.engines.tree.model import Work
from tests.benchmarks.documents import FIXED, KINDS, LETTER, LETTERS, LONG, OWN, ROLLING, Kind
from tests.benchmarks.models import SHAPES, Parameters, Shape, build, ending_with, tokenizer
from tests.benchmarks.timing import Contender, Spread, Timing, in_turns, load, spread

ROUNDS = 3
FLOOR_ROUNDS = 7
"""More, because the multiplication rate varies more than the engines."""
BATCH_SIZES = {"loglikelihood": (1, 16), "loglikelihood_rolling": (1, 16), "generate_until": (1, 32)}
"""Batch sizes lm-eval is tried with; the better one is timed."""
BUDGETS = (256, 2048, 16384)
"""Token budgets between which log-likelihoods are compared."""
QUICK_MODELS = ("llama-1m", "llama-15m")
MEMORY_MODEL = "llama-15m"
FLOOR_GOALS = {"llama-1m": 30, "llama-50m": 75}
"""Percent of the floor that choices with fixed shots are to reach."""


class Count(NamedTuple):
    """Documents each engine answers in one round."""

    theirs: int
    """lm-eval."""
    ours: int
    """The tree engine; the first of them are lm-eval's."""


CHOICES = {
    "llama-1m": Count(24, 480),
    "llama-5m": Count(12, 320),
    "llama-15m": Count(8, 200),
    "llama-50m": Count(6, 120),
    "pythia-70m": Count(6, 120),
}
TEXTS = {
    "llama-1m": Count(32, 256),
    "llama-5m": Count(32, 192),
    "llama-15m": Count(32, 128),
    "llama-50m": Count(32, 64),
    "pythia-70m": Count(32, 64),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """One cell of the table."""

    model: str
    """Name of the shape."""
    kind: Kind
    """What was asked."""
    batch_size: int
    """lm-eval's better batch size."""
    theirs: Timing
    """lm-eval in float32 with it."""
    ours: Timing
    """The tree engine in float32."""
    half: Timing | None
    """The tree engine in bfloat16; None for texts, which bfloat16 leads elsewhere."""

    @property
    def ratio(self) -> Spread:
        """How many documents the tree engine answers while lm-eval answers one, in each round."""
        return _ratio(self.theirs, self.ours)


def run(quick: bool = False) -> None:
    """Measure and print everything; `quick` takes two models and one round."""
    torch.set_num_threads(1)
    _quiet()
    names, rounds = (QUICK_MODELS, 1) if quick else (tuple(SHAPES), ROUNDS)
    done = [comparison for name in names for comparison in _compared(name, rounds)]
    print(f"CPU ms per document, one thread, median (lowest-highest) of {rounds} rounds; load {load()}")
    print(_speed_table(done))
    print()
    for line in _goals(done):
        print(line)
    rounds = 1 if quick else FLOOR_ROUNDS
    print(f"\n{FIXED.name}: percent of the time that the arithmetic alone would take; a process for each model,")
    print(f"median (lowest-highest) of {rounds} rounds")
    head = ("model", "docs", "GFLOP/s", "share", "tokens known", "goal")
    print(table(head, [_floor_row(name, rounds) for name in names]))
    print("\nthe tree engine in bfloat16; changed: documents whose preferred option is another one than in float32")
    print(_half_table(done))
    print("\nlargest difference of a log-likelihood between the token budgets", ", ".join(map(str, BUDGETS)))
    print(table(("model", "task", "docs", "difference"), [_invariance(name) for name in names]))
    print("\npeak resident memory above the loaded model, each in a process of its own, equal tokens per batch")
    print(table(("model", "task", "docs", "tokens per batch", "lm-eval MiB", "ours MiB"), _memory_rows()))


# --- what is asked --------------------------------------------------------------------------------------------------


def count(kind: Kind, model: str) -> Count:
    """How many documents each engine gets."""
    if kind.method == "generate_until":
        return TEXTS[model]
    theirs, ours = CHOICES[model]
    if kind is ROLLING:
        return Count(theirs, theirs)  # nothing is shared, so more documents would change nothing
    if kind is OWN:
        return Count(theirs, ours // 4)  # fewer will do, because documents share nothing
    # with letters a batch of 16 holds 16 documents and not 4
    return Count(max(theirs, 16), ours) if kind is LETTER else Count(theirs, ours)


def ask(lm: Any, kind: Kind, requests: Sequence[Instance]) -> list[Any]:
    """The answers of an engine."""
    method: Callable[..., list[Any]] = getattr(lm, kind.method)
    if kind is not ROLLING:
        return method(list(requests), disable_tqdm=True)
    with contextlib.redirect_stderr(io.StringIO()):  # lm-eval shows a bar whatever it is told
        return method(list(requests), disable_tqdm=True)


@contextlib.contextmanager
def prepared(kind: Kind, shape: Shape, *models: Any) -> Iterator[None]:
    """Makes models end their texts where the kind wants it."""
    with contextlib.ExitStack() as stack:
        if kind.stops:
            (newline,) = tokenizer(shape.tokens).encode("\n")
            for model in models:
                stack.enter_context(ending_with(model, newline))
        yield


def theirs(model: Any, shape: Shape, batch_size: int) -> HFLM:
    """lm-eval's engine as its users have it."""
    return HFLM(pretrained=model, tokenizer=tokenizer(shape.tokens), batch_size=batch_size, device="cpu")


def ours(model: Any, shape: Shape, token_budget: int | None = None) -> TreeLM:
    """The tree engine; a token budget of None is its own choice."""
    lm = TreeLM(pretrained=model, tokenizer=tokenizer(shape.tokens), device="cpu", token_budget=token_budget)
    lm.work = Work()
    return lm


# --- speed ----------------------------------------------------------------------------------------------------------


def _compared(name: str, rounds: int) -> Iterator[Comparison]:
    shape = SHAPES[name]
    model, half = build(shape), build(shape, torch.bfloat16)
    for kind in KINDS.values():
        with prepared(kind, shape, model):
            compared = _compare(name, kind, model, half, rounds)
        say(f"engines: {name}, {kind.name}: ratio {compared.ratio}")
        yield compared


def _compare(name: str, kind: Kind, model: Any, half: Any, rounds: int) -> Comparison:
    shape, n = SHAPES[name], count(kind, name)
    batch_size = _better_batch_size(model, shape, kind, n.theirs)
    asked = functools.partial(ask, kind=kind, requests=kind.build(n.ours))
    contenders = {
        "theirs": _lm_eval(model, shape, kind, n.theirs, batch_size),
        "ours": Contender(make=functools.partial(ours, model, shape), ask=asked, documents=n.ours),
    }
    if kind.method == "loglikelihood":
        contenders["half"] = Contender(make=functools.partial(ours, half, shape), ask=asked, documents=n.ours)
    ask(ours(model, shape), kind, kind.build(1))  # kernels are chosen and buffers made when first needed
    took = in_turns(contenders, rounds)
    assert took["ours"].asked.work.nodes, "the tree engine left the work to lm-eval's code"
    return Comparison(
        model=name,
        kind=kind,
        batch_size=batch_size,
        theirs=took["theirs"],
        ours=took["ours"],
        half=took.get("half"),
    )


def _better_batch_size(model: Any, shape: Shape, kind: Kind, documents: int) -> int:
    """The faster one in a trial round, which also warms lm-eval up."""
    sizes = BATCH_SIZES[kind.method]
    ask(theirs(model, shape, sizes[0]), kind, kind.build(1))
    trial = in_turns({str(size): _lm_eval(model, shape, kind, documents, size) for size in sizes}, rounds=1)
    return min(sizes, key=lambda size: trial[str(size)].seconds[0])


def _lm_eval(model: Any, shape: Shape, kind: Kind, documents: int, batch_size: int) -> Contender:
    return Contender(
        make=functools.partial(theirs, model, shape, batch_size),
        ask=functools.partial(ask, kind=kind, requests=kind.build(documents)),
        documents=documents,
    )


def least_flop(work: Work, weights: Parameters, shape: Shape) -> float:
    """Operations that the answers cannot do without: 2 N b + 2 S h + 4 P d l.

    N nodes run through b weights of the body, S scored positions through h weights of the head, and each of P
    query-key pairs costs two products of width d in each of l layers.
    """
    attention = 4.0 * work.pairs * shape.hidden * shape.layers
    return 2.0 * work.nodes * weights.body + 2.0 * work.scored * weights.head + attention


def _ratio(slow: Timing, fast: Timing) -> Spread:
    pairs = zip(slow.seconds, fast.seconds, strict=True)
    return spread([(a / slow.documents) / (b / fast.documents) for a, b in pairs])


def _speed_table(done: Sequence[Comparison]) -> str:
    head = ("model", "task", "lm-eval ms", "batch", "docs", "ours ms", "docs", "ratio", "goal", "difference")
    return table(
        head,
        [
            (
                c.model,
                c.kind.name,
                c.theirs.per_document,
                c.batch_size,
                c.theirs.documents,
                c.ours.per_document,
                c.ours.documents,
                c.ratio,
                None if c.kind.goal is None else f"{c.kind.goal:g}",
                difference(c.kind, c.theirs.answers, c.ours.answers),
            )
            for c in done
        ],
    )


def _goals(done: Sequence[Comparison]) -> Iterator[str]:
    for kind in KINDS.values():
        if kind.goal is not None:
            found = spread([c.ratio.median for c in done if c.kind is kind])
            yield f"{kind.name}: {found} times lm-eval's speed over the models; goal {_goal(found, kind.goal)}"


def _goal(found: Spread, goal: float) -> str:
    return f"{goal:g} ({'met' if found.median >= goal else 'missed'})"


# --- share of the floor ---------------------------------------------------------------------------------------------


def _floor_row(name: str, rounds: int) -> tuple[object, ...]:
    say(f"engines: {name}, share of the floor")
    found = _apart("floor", name, str(rounds))
    share, encoded, rate = (spread(found[what]) for what in ("percent", "encoded", "rates"))
    goal = FLOOR_GOALS.get(name)
    return name, count(FIXED, name).ours, rate, share, encoded, None if goal is None else _goal(encoded, goal)


def _apart(module: str, *arguments: str) -> dict[str, Any]:
    """What a module of the benchmarks prints in a process of its own."""
    command = [sys.executable, "-m", f"tests.benchmarks.{module}", *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


# --- equal numbers --------------------------------------------------------------------------------------------------


def difference(kind: Kind, some: Sequence[Any], others: Sequence[Any]) -> str:
    """Largest difference of a log-likelihood, or how many texts differ, over the documents both answered."""
    both = list(zip(some, others, strict=False))
    if kind.method == "generate_until":
        return f"{sum(a != b for a, b in both)} of {len(both)} texts"
    largest = f"{largest_difference(some, others):.1e}"
    if kind.method == "loglikelihood":
        greedy = sum(a[1] != b[1] for a, b in both)
        return f"{largest}, {greedy} greedy" if greedy else largest
    return largest


def largest_difference(some: Sequence[Any], others: Sequence[Any]) -> float:
    """Largest difference between log-likelihoods in nats; an answer is one, or one with its greedy flag.

    >>> largest_difference([(-1.0, True), (-2.0, False)], [(-1.5, True), (-2.0, False), (-3.0, False)])
    0.5
    """
    return max(abs(_loglikelihood(a) - _loglikelihood(b)) for a, b in zip(some, others, strict=False))


def preferred(answers: Sequence[tuple[float, bool]]) -> list[int]:
    """The likeliest option of each document.

    >>> preferred([(-3.0, False), (-1.0, False), (-2.0, False), (-4.0, False)])
    [1]
    """
    n = len(LETTERS)
    documents = [answers[i : i + n] for i in range(0, len(answers), n)]
    return [max(range(n), key=lambda option: document[option][0]) for document in documents]


def _half_table(done: Sequence[Comparison]) -> str:
    rows = []
    for c in done:
        if c.half is not None:
            single, half = preferred(c.ours.answers), preferred(c.half.answers)
            changed = sum(a != b for a, b in zip(single, half, strict=True))
            largest = f"{largest_difference(c.ours.answers, c.half.answers):.1e}"
            ratio = _ratio(c.theirs, c.half)
            rows.append((c.model, c.kind.name, c.half.per_document, ratio, f"{changed} of {len(single)}", largest))
    return table(("model", "task", "ms", "ratio to lm-eval in float32", "changed", "difference"), rows)


def _invariance(name: str) -> tuple[object, ...]:
    say(f"engines: {name}, token budgets")
    shape, kind = SHAPES[name], OWN
    model, n = build(shape), count(kind, name).theirs
    requests = kind.build(n)
    first, *rest = (ask(ours(model, shape, budget), kind, requests) for budget in BUDGETS)
    largest = max(largest_difference(a, b) for a in (first, *rest) for b in rest)
    return name, kind.name, n, f"{largest:.1e}"


def _loglikelihood(answer: Any) -> float:
    number = float(answer[0] if isinstance(answer, tuple) else answer)
    assert math.isfinite(number)
    return number


# --- memory ---------------------------------------------------------------------------------------------------------


def _memory_rows() -> list[tuple[object, ...]]:
    rows = []
    for kind in (FIXED, LONG):
        say(f"engines: {MEMORY_MODEL}, memory of {kind.name}")
        theirs, ours = (_apart("memory", engine, MEMORY_MODEL, kind.name) for engine in ("lm-eval", "tree"))
        assert theirs["tokens"] == ours["tokens"]
        found = (f"{peak['bytes'] / 2**20:.0f}" for peak in (theirs, ours))
        rows.append((MEMORY_MODEL, kind.name, ours["documents"], ours["tokens"], *found))
    return rows


def _quiet() -> None:
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    transformers.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
