"""Which cells share a loaded model, on how many GPUs, in what order, and cut into which pieces. Pure."""

from harness.schedule.dispatch import Dispatcher, End, Give, Load, Order
from harness.schedule.hardware import Need, Node, needs, weight_bytes
from harness.schedule.pieces import ALL_LATER, BLOCK, Job, Lane, Piece, lanes
from harness.schedule.simulation import Makespan, bound, simulate

__all__ = [
    "ALL_LATER",
    "BLOCK",
    "Dispatcher",
    "End",
    "Give",
    "Job",
    "Lane",
    "Load",
    "Makespan",
    "Need",
    "Node",
    "Order",
    "Piece",
    "bound",
    "lanes",
    "needs",
    "simulate",
    "weight_bytes",
]
