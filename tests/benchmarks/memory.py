"""`python -m tests.benchmarks.memory ENGINE MODEL KIND`: peak memory of one cell, alone in this process, as JSON."""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

import torch

from tests.benchmarks.documents import KINDS, Kind
from tests.benchmarks.engines import BATCH_SIZES, ask, count, ours, theirs
from tests.benchmarks.models import SHAPES, Shape, build, tokenizer


def main(engine: str, model_name: str, kind_name: str) -> None:
    """Answer one kind's documents and print the peak above the loaded model."""
    torch.set_num_threads(1)
    shape, kind = SHAPES[model_name], KINDS[kind_name]
    n = count(kind, model_name).theirs
    batch = BATCH_SIZES[kind.method][-1]
    tokens = batch * longest(kind, shape, n)
    model = build(shape)
    lm = theirs(model, shape, batch) if engine == "lm-eval" else ours(model, shape, token_budget=tokens)
    requests = kind.build(n)
    before = peak_bytes()
    ask(lm, kind, requests)
    print(json.dumps({"bytes": peak_bytes() - before, "documents": n, "tokens": tokens}))


def longest(kind: Kind, shape: Shape, n: int) -> int:
    """Tokens of the longest request, its answer included: what a row of lm-eval's batch takes."""
    encode = tokenizer(shape.tokens).encode
    lengths = []
    for request in kind.build(n):
        answer = request.args[1]
        new = len(encode(answer)) if isinstance(answer, str) else answer["max_gen_toks"]
        lengths.append(len(encode(request.args[0])) + new)
    return max(lengths)


def peak_bytes() -> int:
    """Largest resident memory of this process so far."""
    status = Path("/proc/self/status")
    if status.is_file():
        # not `ru_maxrss` here: a new process begins with its parent's
        fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(fields["VmHWM"].split()[0]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


if __name__ == "__main__":
    main(*sys.argv[1:])
