"""The tree engine beside lm-eval's `HFLM` on one GPU, random Llamas in bfloat16.

Wall time, as that is what a GPU is paid by. lm-eval is tried with several batch sizes and the best one counts; it gets
fewer documents where it is slow, and documents per second are compared.
"""

from __future__ import annotations

import functools
import logging
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import torch
from lm_eval.models.huggingface import HFLM
from transformers import LlamaConfig, LlamaForCausalLM

from harness.cli.output import say
from harness.engines.tree.lm import TreeLM
from harness.engines.tree.model import Work
from tests.benchmarks.documents import FIXED, LETTER, LONG, OWN, Kind
from tests.benchmarks.engines import ask, preferred
from tests.benchmarks.models import WINDOW, tokenizer

ROUNDS = 3
"""Rounds of the tree engine; the median counts."""
TOKENS = 32768
"""Vocabulary of the tokenizer; the models' own is as large as Llama 3's."""
HEAD = ("model", "task", "lm-eval docs/s", "batch", "GiB", "ours docs/s", "GiB", "ratio", "changed")
"""Changed: documents whose preferred option is another one. GiB: most memory in use, the weights included."""

_SHARED = {"vocab_size": 128256, "num_key_value_heads": 8, "num_attention_heads": 32, "max_position_embeddings": WINDOW}
MODELS: Mapping[str, LlamaConfig] = {
    "llama-1b": LlamaConfig(hidden_size=2048, intermediate_size=8192, num_hidden_layers=16, **_SHARED),
    "llama-8b": LlamaConfig(hidden_size=4096, intermediate_size=14336, num_hidden_layers=32, **_SHARED),
}
"""Shapes of Llama 3.2 1B and Llama 3.1 8B."""


class Asked(NamedTuple):
    """How much is asked of each engine."""

    theirs: int
    """Documents for lm-eval."""
    ours: int
    """Documents for the tree engine; the first of them are lm-eval's."""
    batch_sizes: tuple[int, ...]
    """Tried with lm-eval."""


ASKED: Mapping[str, Mapping[str, Asked]] = {
    "llama-1b": {
        FIXED.name: Asked(64, 960, (64, 128)),
        OWN.name: Asked(32, 256, (16, 32)),
        LETTER.name: Asked(128, 960, (8, 16)),
        LONG.name: Asked(512, 1024, (256, 512)),
    },
    "llama-8b": {
        FIXED.name: Asked(32, 480, (32, 64)),
        OWN.name: Asked(16, 96, (16, 32)),
        LETTER.name: Asked(64, 480, (8, 16)),
        LONG.name: Asked(256, 512, (128, 256)),
    },
}
"""Model -> task -> how much."""


class Rate(NamedTuple):
    """How fast an engine was."""

    per_second: float
    """Documents."""
    gib: float
    """Most memory in use."""
    answers: Any
    """What it answered."""


def missing() -> str | None:
    """Why nothing can be measured here; None when it can."""
    return None if torch.cuda.is_available() else "no GPU is seen here"


def rows(name: str) -> Iterator[tuple[object, ...]]:
    """One row for each task."""
    logging.getLogger("lm_eval").setLevel(logging.ERROR)  # it warns of models that are given as objects
    model = build(name)
    for kind in (FIXED, OWN, LETTER, LONG):
        asked = ASKED[name][kind.name]
        theirs = {
            size: _rate(functools.partial(lm_eval, model, size), kind, asked.theirs) for size in asked.batch_sizes
        }
        batch = max(theirs, key=lambda size: theirs[size].per_second)
        best = theirs[batch]
        rounds = [_rate(functools.partial(tree, model), kind, asked.ours) for _ in range(ROUNDS)]
        ours, ratio = rounds[-1], statistics.median(each.per_second for each in rounds) / best.per_second
        changed = None
        if kind is not LONG:
            pairs = zip(preferred(best.answers), preferred(ours.answers), strict=False)
            changed = f"{sum(a != b for a, b in pairs)} of {asked.theirs}"
        speed = f"{ratio * best.per_second:.0f}"
        found = (f"{best.per_second:.1f}", batch, f"{best.gib:.1f}", speed, f"{ours.gib:.1f}", f"{ratio:.1f}", changed)
        say(f"gpu: {name}, {kind.name}: {', '.join(map(str, found))}")
        yield name, kind.name, *found


def build(name: str) -> Any:
    """A random model on the GPU, the same weights each time."""
    torch.manual_seed(0)
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        with torch.device("cuda"):
            return LlamaForCausalLM(MODELS[name]).eval().requires_grad_(False)
    finally:
        torch.set_default_dtype(before)


def lm_eval(model: Any, batch_size: int) -> HFLM:
    """lm-eval's engine as its users have it."""
    return HFLM(pretrained=model, tokenizer=tokenizer(TOKENS), batch_size=batch_size)


def tree(model: Any) -> TreeLM:
    """The tree engine as its users have it."""
    lm = TreeLM(pretrained=model, tokenizer=tokenizer(TOKENS))
    assert lm.why_not is None, lm.why_not
    lm.work = Work()
    return lm


def _rate(make: Callable[[], Any], kind: Kind, documents: int) -> Rate:
    """Speed of one round after a warm-up; 0 when the memory does not suffice."""
    try:
        ask(make(), kind, kind.build(4))
        lm = make()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        start = time.perf_counter()
        answers = ask(lm, kind, kind.build(documents))
        torch.cuda.synchronize()
        return Rate(documents / (time.perf_counter() - start), torch.cuda.max_memory_allocated() / 2**30, answers)
    except torch.cuda.OutOfMemoryError:
        return Rate(0.0, 0.0, None)
