"""Treated weights: how far they are from the plain ones, how much room they take, and which models take none."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from harness.engines.protocol import EngineSettings
from harness.engines.treating import treat
from harness.engines.treating.matrices import Matrix, matrices, turned
from harness.engines.treating.rounding import rounded_inputs
from harness.engines.tree.lm import TreeEngine
from harness.errors import ModelError
from harness.specs import ModelSpec, TaskSpec
from harness.treatments import Prune, Quantise, Treatment, treated, treatment_named
from tests.builders import zoo
from tests.builders.cells import cell

KINDS = ("llama", "gpt2", "mixtral")
"""Linear layers, those that are stored the other way round, and experts."""
PLAIN = ModelSpec(name="m", family="toy", params=1000)


def of(method: Quantise | Prune) -> ModelSpec:
    one = Treatment(name="mine", method=method, own=True)
    return replace(PLAIN, variant=one.variant, treatment=one.settings)


def rows(found: Sequence[Matrix]) -> dict[str, Tensor]:
    """Weights of matrices, inputs along the last dimension."""
    return {one.name: turned(one.weight.detach().clone(), one.flipped).contiguous() for one in found}


@pytest.mark.parametrize("species", KINDS)
@pytest.mark.parametrize("how", [Quantise(bits=8), Quantise(bits=4, group=32), Quantise(bits=3)], ids=str)
def test_a_rounded_weight_is_at_most_half_a_step_from_the_weight(species: str, how: Quantise) -> None:
    model = copy.deepcopy(zoo.model(species))
    found = matrices(model)
    before = rows(found)
    treat(model, of(how))
    for name, after in rows(found).items():
        exact = before[name]
        for first in range(0, exact.shape[-1], how.group or exact.shape[-1]):
            part = slice(first, first + (how.group or exact.shape[-1]))
            step = exact[..., part].abs().amax(-1, keepdim=True) / (2 ** (how.bits - 1) - 1)
            error = (after[..., part] - exact[..., part]).abs()
            assert (error <= step / 2 + 1e-6 * step).all(), name
        assert not torch.equal(after, exact)


@pytest.mark.parametrize("species", KINDS)
def test_half_of_each_matrix_becomes_zero_and_the_larger_half_stays(species: str) -> None:
    model = copy.deepcopy(zoo.model(species))
    found = matrices(model)
    before = rows(found)
    treat(model, of(Prune(share=0.5)))
    for name, after in rows(found).items():
        experts = [each.reshape(-1, *each.shape[-2:]) for each in (after, before[name])]
        for one, plain in zip(*experts, strict=True):
            gone = one == 0
            assert int(gone.sum()) == one.numel() // 2
            assert torch.equal(one[~gone], plain[~gone])
            assert plain[gone].abs().max() <= one[~gone].abs().min()


def test_two_of_four_weights_next_to_each_other_stay() -> None:
    model = copy.deepcopy(zoo.model("gpt2"))
    treat(model, of(Prune(share=0.5, group=4)))
    for after in rows(matrices(model)).values():
        assert ((after.reshape(-1, 4) == 0).sum(-1) == 2).all()


def test_of_equal_weights_the_first_become_zero() -> None:
    model = copy.deepcopy(zoo.model("llama"))
    first = matrices(model)[0]
    first.weight.data.fill_(0.5)
    treat(model, of(Prune(share=0.25)))
    gone = first.weight.detach().flatten() == 0
    assert gone[: gone.numel() // 4].all()
    assert not gone[gone.numel() // 4 :].any()


def test_embeddings_and_the_head_stay_as_they_are() -> None:
    model = copy.deepcopy(zoo.model("llama"))
    treat(model, of(Quantise(bits=2)))
    for take in ("get_input_embeddings", "get_output_embeddings"):
        assert torch.equal(getattr(model, take)().weight, getattr(zoo.model("llama"), take)().weight)


def test_the_room_that_weights_take_is_measured() -> None:
    model = copy.deepcopy(zoo.model("llama"))
    plain = treat(model, PLAIN)
    numbers = [one.numel() for one in rows(matrices(model)).values()]
    made = {
        name: treat(copy.deepcopy(model), treated([PLAIN], [name], {})[0]) for name in ("int8", "sparse50", "sparse2:4")
    }
    assert plain.dense_bytes == plain.memory_bytes == plain.packed_bytes == 4 * plain.number
    assert (plain.treated, plain.change) == (0, None)
    assert {one.treated for one in made.values()} == {sum(numbers)}
    n_rows = sum(one.shape[0] for one in rows(matrices(model)).values())
    assert made["int8"].packed_bytes == plain.dense_bytes - 3 * sum(numbers) + 4 * n_rows
    assert made["int8"].memory_bytes == made["int8"].packed_bytes
    assert made["sparse50"].packed_bytes == plain.dense_bytes - 2 * sum(numbers) + sum(numbers) // 8
    assert made["sparse2:4"].packed_bytes == plain.dense_bytes - 2 * sum(numbers) + sum(numbers) // 8
    assert made["sparse50"].memory_bytes == plain.dense_bytes
    assert 0 < (made["int8"].change or 0) < 0.02 < (made["sparse50"].change or 0) < (made["sparse2:4"].change or 0)


def test_a_token_is_rounded_alike_whatever_else_is_in_the_batch() -> None:
    torch.manual_seed(0)
    batch = torch.randn(3, 5, 16) * torch.tensor([1.0, 100.0, 0.0])[:, None, None]
    rounded = rounded_inputs(batch)
    assert torch.equal(rounded[0, 2], rounded_inputs(batch[0, 2]))
    steps = batch.abs().amax(-1, keepdim=True) / 127
    assert ((rounded - batch).abs() <= steps / 2 * (1 + 1e-5)).all()


@pytest.mark.parametrize(
    ("species", "how", "said"),
    [
        ("mixtral", Quantise(bits=8, activations=True), "the inputs of experts cannot be rounded"),
        ("llama", Prune(share=0.6, group=5), "has rows of 48 weights; expected a multiple of 5"),
    ],
)
def test_a_model_that_cannot_take_a_treatment_says_so(species: str, how: Quantise | Prune, said: str) -> None:
    with pytest.raises(ModelError, match=f"m: cannot be made mine@.*{said}"):
        treat(copy.deepcopy(zoo.model(species)), of(how))


def test_a_model_without_linear_layers_is_not_called_treated() -> None:
    model = copy.deepcopy(zoo.model("llama"))
    for module in model.modules():
        if isinstance(module, torch.nn.Linear):
            module.__class__ = type("Own", (torch.nn.Module,), {"forward": torch.nn.Linear.forward})
    with pytest.raises(ModelError, match="0% of its weights outside embeddings are in linear layers"):
        treat(model, of(Quantise(bits=8)))


def test_weights_that_are_quantised_already_are_refused() -> None:
    model = copy.deepcopy(zoo.model("llama"))
    model.hf_quantizer = object()
    with pytest.raises(ModelError, match="its weights are quantised already"):
        treat(model, of(Quantise(bits=8)))


def test_answers_of_a_treated_model_are_those_of_its_weights(tiny: ModelSpec, choice_task: TaskSpec) -> None:
    """The engine answers with int8 as lm-eval's code does, and its provenance tells the treatment's size and speed."""
    (spec,) = treated([tiny], ["int8"], {})
    scores = []
    for name, kind in (("tree", TreeEngine), ("lm-eval", TreeEngine.__mro__[1])):
        engine = kind(spec, EngineSettings())
        result = engine.evaluate(cell(of=choice_task, model=spec, engine=name, shots=2), choice_task)
        scores.append({score.metric: score.value for score in result.scores})
        ran = result.provenance
        assert ran.fallback is None
        assert ran.weights is not None
        assert 0 < ran.weights.packed_bytes < ran.weights.dense_bytes
        assert ran.peak_bytes is None
        engine.close()
    assert scores[0] == pytest.approx(scores[1], abs=1e-5)


def test_the_same_treatment_gives_the_same_weights_every_time() -> None:
    one, other = copy.deepcopy(zoo.model("llama")), copy.deepcopy(zoo.model("llama"))
    for model in (one, other):
        treat(model, treated([PLAIN], ["int4"], {})[0])
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    assert treatment_named("int4", {}).method == Quantise(bits=4, group=32)
