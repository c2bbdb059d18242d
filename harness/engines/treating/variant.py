"""A loaded model -> its variant, and how much room the weights of a model take."""

from __future__ import annotations

from typing import Any

from harness.engines.treating.matrices import matrices, relative_change
from harness.engines.treating.pruning import prune_weights
from harness.engines.treating.rounding import round_weights
from harness.errors import ModelError
from harness.records import Weights
from harness.specs import ModelSpec
from harness.treatments import Prune, TaskTraining, method_from


def treat(model: Any, spec: ModelSpec) -> Weights:
    """Treat the weights of a model where they lie, if its spec says so, and measure their size.

    Those that are to be trained are left as they are. One matrix is treated after the other, so that the memory of
    two models is never needed.

    Args:
        model: a transformers model as it was loaded.
        spec: says which treatment is made of it.

    Raises:
        ModelError: the model cannot take the treatment.
    """
    parameters = sum(parameter.numel() for parameter in model.parameters())
    dense = _bytes(model)
    if spec.treatment is None or spec.tuned:
        return Weights(number=parameters, dense_bytes=dense, memory_bytes=dense, packed_bytes=dense)
    how = method_from(spec.treatment)
    assert not isinstance(how, TaskTraining)
    treated, packed_bits, bits_before, change, size = 0, 0, 0, 0.0, 0.0
    try:
        for matrix in matrices(model):
            before = matrix.weight.data.clone()
            packed_bits += prune_weights(matrix, how) if isinstance(how, Prune) else round_weights(matrix, how)
            changed, whole = relative_change(before, matrix.weight)
            treated, bits_before = treated + before.numel(), bits_before + 8 * before.nbytes
            change, size = change + changed, size + whole
    except ModelError as error:
        raise ModelError(f"{spec.name}: cannot be made {spec.variant}: {error}") from error
    return Weights(
        number=parameters,
        dense_bytes=dense,
        memory_bytes=_bytes(model),
        packed_bytes=dense - (bits_before - packed_bits) // 8,
        treated=treated,
        change=(change / size) ** 0.5 if size else 0.0,
    )


def _bytes(model: Any) -> int:
    """Bytes of all parameters, those that layers share counted once."""
    return sum(parameter.nbytes for parameter in model.parameters())
