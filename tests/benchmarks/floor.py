"""`python -m tests.benchmarks.floor MODEL ROUNDS`: how near the tree engine is to the arithmetic floor, as JSON.

Alone in this process, because lm-eval beside it slows it by a seventh. The multiplication rate is measured before and
after the engine, whose floor is their mean: a shared machine's rate moves by a third within a minute. The engine is
given texts, and texts whose tokens it knows already: encoding them is no arithmetic, and takes a tenth of the time at
1M parameters.
"""

from __future__ import annotations

import functools
import json
import statistics
import sys

import torch

from tests.benchmarks.documents import FIXED
from tests.benchmarks.engines import ask, count, least_flop, ours
from tests.benchmarks.models import SHAPES, build, parameters
from tests.benchmarks.timing import Contender, Timing, in_turns, multiplication_rate


def main(name: str, rounds: str) -> None:
    """Print for each round what percent of its time the engine's arithmetic would take, and the rates, in GFLOP/s.

    `percent` counts the encoding of texts, `encoded` leaves it out. There are three rates a round.
    """
    torch.set_num_threads(1)
    shape, n = SHAPES[name], count(FIXED, name).ours
    model = build(shape)
    rates: list[float] = []
    asked = functools.partial(ask, kind=FIXED, requests=FIXED.build(n))
    knowing = ours(model, shape)
    rate = Contender(make=lambda: None, ask=lambda _: rates.append(multiplication_rate(torch.float32)), documents=1)
    contenders = {
        "rate before": rate,
        "ours": Contender(make=functools.partial(ours, model, shape), ask=asked, documents=n),
        "rate between": rate,
        "encoded": Contender(make=lambda: knowing, ask=asked, documents=n),
        "rate after": rate,
    }
    in_turns(contenders, rounds=1)  # kernels are chosen and buffers made when first needed
    rates.clear()
    took = in_turns(contenders, int(rounds))
    work = took["ours"].asked.work
    assert work.nodes, "the tree engine left the work to lm-eval's code"
    flop = least_flop(work, parameters(model), shape)
    before, between, after = rates[::3], rates[1::3], rates[2::3]
    percent = _percent(flop, took["ours"], before, between)
    encoded = _percent(flop, took["encoded"], between, after)
    print(json.dumps({"percent": percent, "encoded": encoded, "rates": [rate / 1e9 for rate in rates]}))


def _percent(flop: float, took: Timing, before: list[float], after: list[float]) -> list[float]:
    rates = map(statistics.mean, zip(before, after, strict=True))
    return [100 * flop / rate / seconds for rate, seconds in zip(rates, took.seconds, strict=True)]


if __name__ == "__main__":
    main(*sys.argv[1:])
