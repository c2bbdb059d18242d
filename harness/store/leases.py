"""Which run is at which cell, so that several runs share one results folder: each takes what is free.

    results/.leases/<family>-<key>      one file per cell in work: its owner, and how often the cell was taken over
    results/.leases/<owner>.beat        one file per run, rewritten every few seconds

A lease is taken by making a file that only one of several machines can make (see `store.lease_files`). No clock is
compared with another one's: whoever finds a cell taken looks whether the owner's beat changes, and after
`SILENT_SECONDS` by its own clock without any change takes the cell over. A run that was only slow finds out before it
writes (`holds`), and leaves the cell to the other. Everything here can be deleted while no run goes on. In an object
store the same names lie below its address.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from harness.errors import StoreError
from harness.plan import Place
from harness.store.files import reported
from harness.store.layout import path_part
from harness.store.lease_files import LEASES, FolderFiles, LeaseFiles

log = logging.getLogger(__name__)

BEAT_SECONDS = 5.0
"""Time between two signs of life."""
SILENT_SECONDS = 60.0
"""Time without a sign of life after which the cells of a run are taken over."""
_BEAT = ".beat"


@dataclass(frozen=True, kw_only=True, slots=True)
class LeaseOwner:
    """A run, as other runs into the same folder know it."""

    root: Path
    """The results folder, or the address of an object store as `Path` writes it."""
    name: str
    """A name that no other run has."""

    @classmethod
    def of_this_process(cls, root: Path) -> LeaseOwner:
        """The owner that this process is from now on."""
        host = path_part(socket.gethostname())[:60]
        return cls(root=root, name=f"{host}-{os.getpid()}-{secrets.token_hex(4)}")


class _Lease(NamedTuple):
    owner: str
    token: int


class Leases:
    """The leases of one run, for any process that works for it."""

    def __init__(
        self, owner: LeaseOwner, files: LeaseFiles | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Take nothing yet.

        Args:
            owner: the run.
            files: where leases lie; None for the results folder.
            clock: tells seconds that only grow.
        """
        self._owner = owner.name
        self._files = files or FolderFiles(owner.root)
        self._place = owner.root / LEASES
        self._clock = clock
        self._beats: dict[str, tuple[bytes, float]] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="leases", daemon=True)

    def __enter__(self) -> Self:
        """Show signs of life from now on."""
        with reported(self._place):
            self._files.make()
            self._show(0)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give back every cell, and what runs of this machine had whose processes are gone."""
        self._over.set()
        self._thread.join()
        with suppress(OSError, StoreError):
            for name in self._files.names():
                if name.startswith("."):
                    continue
                owner = name.removesuffix(_BEAT) if name.endswith(_BEAT) else (self._read(name) or _Lease("", 0)).owner
                if owner == self._owner or _was_here(owner):
                    self._files.remove(name)
            self._files.remove(self._sign)
            self._files.clear()  # unless other runs go on

    def claim(self, place: Place) -> bool:
        """Take a cell that is free, or whose run is gone; False when a run that goes on has it.

        Raises:
            StoreError: the folder cannot be written.
        """
        name = _name(place)
        with reported(self._place / name):
            if self._create(name, 1):
                return True
            lease = self._read(name)
            if lease is None:
                return self._create(name, 1)  # it was given back meanwhile
            if lease.owner == self._owner:
                return True
            return self._is_gone(lease.owner) and self._take_over(name, lease)

    def holds(self, place: Place) -> bool:
        """Whether this run still has a cell: another one takes it over from a run that seems to be gone."""
        lease = self._read(_name(place))
        return lease is not None and lease.owner == self._owner

    def release(self, place: Place) -> None:
        """Give a cell back."""
        if self.holds(place):
            with suppress(OSError, StoreError):
                self._files.remove(_name(place))

    @property
    def _sign(self) -> str:
        return f"{self._owner}{_BEAT}"

    def _create(self, name: str, token: int) -> bool:
        """Make the lease file, if there is none."""
        return self._files.create(name, self._content(token))

    def _content(self, token: int) -> bytes:
        return json.dumps({"owner": self._owner, "token": token}).encode()

    def _read(self, name: str) -> _Lease | None:
        """A lease; None when there is none, and of nobody when its file is no lease, so that it can be taken over."""
        try:
            content = self._files.read(name)
            said = None if content is None else json.loads(content)
            return None if said is None else _Lease(str(said["owner"]), int(said["token"]))
        except (OSError, StoreError, ValueError, KeyError, TypeError):
            return _Lease("", 0)

    def _take_over(self, name: str, stale: _Lease) -> bool:
        """Replace a lease whose run is gone; of several runs that try, one succeeds.

        Whoever replaces it has a second lease meanwhile, on taking over; the first is there all the time, or a third
        run would find the cell free.
        """
        turn = f".take-{name}"
        if not self._create(turn, stale.token + 1):
            other = self._read(turn)
            if other is not None and self._is_gone(other.owner):
                self._files.remove(turn)  # whose turn it was is gone too: the next time
            return False
        try:
            if self._read(name) != stale:  # somebody has taken it over in between
                return False
            self._files.replace(name, self._content(stale.token + 1))
            log.info("%s: taken over from %s, which is gone", name, stale.owner)
            return True
        finally:
            self._files.remove(turn)

    def _is_gone(self, owner: str) -> bool:
        """Whether the beat of a run has not changed for long, by this run's own clock."""
        if _was_here(owner):
            return True
        try:
            beat = self._files.read(f"{owner}{_BEAT}") or b""
        except (OSError, StoreError):
            beat = b""
        now = self._clock()
        before = self._beats.get(owner)
        if before is None or before[0] != beat:
            self._beats[owner] = beat, now
            return False
        return now - before[1] >= SILENT_SECONDS

    def _beat(self) -> None:
        number = 0
        while not self._over.wait(BEAT_SECONDS):
            number += 1
            with suppress(OSError, StoreError):
                self._show(number)

    def _show(self, number: int) -> None:
        self._files.replace(self._sign, f"{number}\n".encode())


def _name(place: Place) -> str:
    family = hashlib.sha256(place.family.encode()).hexdigest()[:6]
    return f"{path_part(place.family)[:60]}-{family}-{place.key}"


def _was_here(owner: str) -> bool:
    """True for a run of this machine whose process is gone: it need not be waited for."""
    host, _, rest = owner.rpartition("-")[0].rpartition("-")
    if host != path_part(socket.gethostname())[:60] or not rest.isdigit() or len(rest) > 9:
        return False
    try:
        os.kill(int(rest), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False
