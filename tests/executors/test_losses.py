"""Which tries are repeated, and which nodes are put aside."""

from __future__ import annotations

from dataclasses import replace

from harness.executors.losses import Loss, Losses
from harness.executors.process import ProcessEnd


def lost(node: str = "a") -> Loss:
    return Loss(kind="machine", node=node, words=f"the node of its worker on {node} was lost")


def crashed() -> Loss:
    return Loss(kind="cell", node="a", words="process 7 on a was ended by SIGSEGV", signal="SIGSEGV")


def ending(**changes: object) -> ProcessEnd:
    usual = {"reason": "died", "node": "a", "pid": 7, "signal": None, "code": None, "out_of_memory": False, "lines": ()}
    return ProcessEnd(**{**usual, **changes})  # type: ignore[arg-type]


def test_a_cell_whose_machine_is_lost_is_tried_three_times_more_with_longer_waits() -> None:
    losses = Losses()
    assert [losses.wait_after("cell", lost()) for _ in range(4)] == [1.0, 5.0, 20.0, None]
    assert losses.before("cell") == ("the node of its worker on a was lost",) * 3
    assert losses.before("another") == ()


def test_a_worker_that_never_began_is_no_try() -> None:
    losses = Losses()
    gone = replace(lost(), begun=False)
    assert [losses.wait_after("cell", gone) for _ in range(9)] == [1.0] * 9
    assert losses.before("cell") == ()


def test_a_cell_that_crashes_its_process_is_not_tried_again() -> None:
    assert Losses().wait_after("cell", crashed()) is None


def test_a_model_that_crashes_while_it_is_loaded_is_tried_once_more() -> None:
    losses = Losses()
    assert [losses.wait_after("model", crashed(), opening=True) for _ in range(2)] == [0.0, None]


def test_a_node_is_put_aside_after_two_failed_starts_in_a_row_and_that_is_said_once() -> None:
    losses = Losses()
    assert not losses.put_aside("a")
    losses.started("a")
    assert not losses.put_aside("a")
    assert losses.put_aside("a")
    assert not losses.put_aside("a")
    assert losses.nodes_aside() == {"a"}


def test_signals_from_outside_are_the_machines_fault_and_crashes_the_cells() -> None:
    kinds = {name: Loss.by(ending(signal=name)).kind for name in ("SIGKILL", "SIGTERM", "SIGSEGV", "SIGABRT", "SIGBUS")}
    assert kinds == {
        "SIGKILL": "machine",
        "SIGTERM": "machine",
        "SIGSEGV": "cell",
        "SIGABRT": "cell",
        "SIGBUS": "cell",
    }
    assert Loss.by(ending(code=4)).kind == "cell"
    assert Loss.by(ending(reason="frozen", signal="SIGKILL")).kind == "machine"
    assert Loss.by(ending(reason="late", signal="SIGKILL")).kind == "cell"


def test_an_end_is_told_in_words() -> None:
    assert ending(signal="SIGSEGV").in_words() == "process 7 on a was ended by SIGSEGV"
    assert ending(code=4).in_words() == "process 7 on a ended with exit code 4"
    assert ending(signal="SIGKILL", out_of_memory=True).in_words() == (
        "process 7 on a was killed by SIGKILL for lack of memory on the machine"
    )
    assert ending(reason="frozen").in_words() == "process 7 on a gave no sign of life and was killed"
