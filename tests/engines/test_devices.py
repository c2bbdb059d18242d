from pathlib import Path

import pytest

from harness.engines.devices import check_device
from harness.errors import MachineError
from tests.builders.commands import Emergence


@pytest.mark.parametrize("name", ["banana", "gpu", "CUDA", "cuda:", "cuda:x", "cpu:1", "meta", ""])
def test_a_word_that_is_no_device_is_refused(name: str) -> None:
    with pytest.raises(MachineError, match=r"expected auto, cpu, cuda, the number of a GPU such as cuda:0, or mps"):
        check_device(name, here=False)


def test_a_gpu_that_is_not_here_is_refused_here_and_left_to_a_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    monkeypatch.setattr("harness.engines.devices._DRIVERS", (Path("/nowhere"),))
    monkeypatch.setattr("sys.platform", "linux")
    with pytest.raises(MachineError, match=r"^--device cuda:0: no GPU is seen here; expected auto or cpu$"):
        check_device("cuda:0", here=True)
    with pytest.raises(MachineError, match="only a Mac has it"):
        check_device("mps", here=True)
    check_device("cuda:0", here=False)
    check_device("cpu", here=True)


def test_a_gpu_that_the_environment_hides_is_not_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("harness.engines.devices._DRIVERS", (tmp_path,))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    check_device("cuda", here=True)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(MachineError, match="CUDA_VISIBLE_DEVICES hides every GPU"):
        check_device("cuda", here=True)


@pytest.mark.parametrize("device", ["banana", "cuda"])
def test_a_run_on_a_device_that_is_none_writes_nothing(
    emergence: Emergence, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    done = emergence("run", "--task", "topic", "--model", "ladder-12k", "--device", device)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert done.err.startswith(f"error: --device {device}: ")
    assert not Path("results").exists()
