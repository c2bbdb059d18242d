"""How many GPUs a model takes, and what no node can hold."""

from __future__ import annotations

import pytest

from harness.errors import MachineError
from harness.schedule import needs
from tests.builders import model
from tests.builders.schedules import nodes


@pytest.mark.parametrize(
    ("params", "dtype", "gpu_gb", "gpus"),
    [
        (14e6, "float32", 80, 0.1),
        (410e6, "float32", 80, 0.5),
        (1.4e9, "float32", 80, 1.0),
        (12e9, "float32", 80, 1.0),
        (12e9, "float32", 24, 4.0),
        (12e9, "bfloat16", 40, 1.0),
        (70e9, "bfloat16", 80, 4.0),
        (70e9, "float32", 80, 8.0),
        (410e6, "float32", 4, 1.0),  # two would not fit together
    ],
)
def test_a_silent_family_gets_the_gpus_that_its_size_needs(
    params: float, dtype: str, gpu_gb: float, gpus: float
) -> None:
    at = nodes(gpus=8, gpu_bytes=gpu_gb * 1e9)
    assert needs(model(round(params), dtype=dtype), at).gpus == pytest.approx(gpus)


def test_where_there_are_no_gpus_a_silent_family_runs_on_the_cpu_with_its_memory_counted() -> None:
    need = needs(model(10**9), nodes())
    assert (need.gpus, need.memory) == (0.0, pytest.approx(4.8e9))


def test_a_family_that_asks_for_none_runs_on_the_cpu_beside_gpus() -> None:
    assert needs(model(10**9, gpus=0.0), nodes(gpus=8)).gpus == 0.0


def test_a_declared_share_is_kept_unless_it_would_overfill_a_gpu() -> None:
    assert needs(model(10**9, gpus=0.25), nodes(gpus=8)).gpus == 1.0 / 1
    assert needs(model(10**8, gpus=0.25), nodes(gpus=8)).gpus == 0.25
    assert needs(model(10**8, gpus=0.01), nodes(gpus=8)).gpus == 0.1


def test_declared_whole_gpus_are_kept_unless_the_weights_do_not_fit() -> None:
    assert needs(model(12 * 10**9, gpus=1), nodes(gpus=8)).gpus == 1
    assert needs(model(12 * 10**9, gpus=1), nodes(gpus=8, gpu_bytes=24e9)).gpus == 4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"params": 70 * 10**9}, r"toy-70000000000 needs 8 GPUs of 80 GB on one node \(280 GB of weights in float32\)"),
        ({"gpus": 4.0}, r"asks for 4 GPU\(s\) and the largest node has 2"),
        ({"gpus": 1.5}, r"asks for 1.5 GPUs; expected a fraction of one or a whole number"),
    ],
)
def test_what_no_node_holds_is_refused_in_one_line(changes: dict[str, float], message: str) -> None:
    with pytest.raises(MachineError, match=message) as refused:
        needs(model(**{"params": 1000, **changes}), nodes(gpus=2))  # type: ignore[arg-type]
    assert "\n" not in str(refused.value)


def test_where_the_memory_of_gpus_is_not_known_a_silent_family_gets_a_whole_one() -> None:
    assert needs(model(10**8), nodes(gpus=2, gpu_bytes=0.0)).gpus == 1.0
