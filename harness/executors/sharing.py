"""Whether a run may answer a cell, where other runs write to the same results folder."""

from __future__ import annotations

from typing import Literal

from harness.plan import Cell
from harness.store import LeaseOwner, Store


class Sharing:
    """Takes cells for one run."""

    def __init__(self, owner: LeaseOwner | None) -> None:
        """`owner` is the run; None where it is alone, and every cell its own."""
        self._store = None if owner is None else Store(owner.root)
        self._leases = None if owner is None or self._store is None else self._store.leases(owner)

    def take(self, cell: Cell) -> Literal["mine", "taken", "done"]:
        """Take a cell; `taken` when a run that goes on has it, `done` when one has finished it.

        Raises:
            StoreError: the results folder cannot be written.
        """
        if self._store is None or self._leases is None:
            return "mine"
        return self._store.take(cell, self._leases)
