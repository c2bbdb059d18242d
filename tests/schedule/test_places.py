"""Nodes that are avoided are used where there is no other."""

from __future__ import annotations

from harness.plan import RunPlan
from harness.schedule import Dispatcher, Load, Need, Node, lanes
from tests import builders


def dispatcher(*nodes: Node) -> Dispatcher:
    made = lanes(RunPlan(cells=(builders.cell(),), tasks={"colours": builders.task()}))
    return Dispatcher(made, [Need()], nodes)


HEAD, FIRST, SECOND = Node(name="head", workers=0), Node(name="first", workers=2), Node(name="second", workers=2)


def started_on(made: Dispatcher, now: float) -> list[str]:
    return [order.node for order in made.steps(now) if isinstance(order, Load)]


def test_a_lane_that_was_lost_on_the_only_node_that_takes_work_is_loaded_there_again() -> None:
    made = dispatcher(HEAD, FIRST, SECOND)
    made.leave("second")
    made.pause(0, 5.0, {"first"})
    assert started_on(made, 1.0) == []
    assert started_on(made, 6.0) == ["first"]


def test_a_lane_that_was_lost_on_one_node_is_loaded_on_another() -> None:
    made = dispatcher(HEAD, FIRST, SECOND)
    made.pause(0, 0.0, {"first"})
    assert started_on(made, 1.0) == ["second"]


def test_nodes_that_are_put_aside_are_used_where_all_are() -> None:
    made = dispatcher(HEAD, FIRST)
    made.set_aside({"first"})
    assert started_on(made, 1.0) == ["first"]
