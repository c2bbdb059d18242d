"""Which run is at which cell, so that several runs share one results folder: each takes what is free.

    results/.leases/<family>-<key>      one file per cell in work: its owner, and how often the cell was taken over
    results/.leases/<owner>.beat        one file per run, rewritten every few seconds

A lease is taken by giving a finished file its name with `link`, which one of several machines can do, also on NFS. No
clock is compared with another one's: whoever finds a cell taken looks whether the owner's beat changes, and after
`SILENT_SECONDS` by its own clock without any change takes the cell over. A run that was only slow finds out before it
writes (`holds`), and leaves the cell to the other. Everything here can be deleted while no run goes on.
"""

from __future__ import annotations

import errno
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

from harness.plan import Place
from harness.store.files import replace_file, reported
from harness.store.layout import path_part

log = logging.getLogger(__name__)

LEASES = ".leases"
BEAT_SECONDS = 5.0
"""Time between two signs of life."""
SILENT_SECONDS = 60.0
"""Time without a sign of life after which the cells of a run are taken over."""
_BEAT = ".beat"
_MOST_BYTES = 2000


@dataclass(frozen=True, kw_only=True, slots=True)
class LeaseOwner:
    """A run, as other runs into the same folder know it."""

    root: Path
    """The results folder."""
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

    def __init__(self, owner: LeaseOwner, *, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` tells seconds that only grow."""
        self._owner = owner.name
        self._folder = owner.root / LEASES
        self._clock = clock
        self._beats: dict[str, tuple[bytes, float]] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="leases", daemon=True)

    def __enter__(self) -> Self:
        """Show signs of life from now on."""
        with reported(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            self._show(0)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give back every cell, and what runs of this machine had whose processes are gone."""
        self._over.set()
        self._thread.join()
        with suppress(OSError):
            for entry in list(os.scandir(self._folder)):
                path = Path(entry.path)
                if entry.name.startswith("."):
                    continue
                owner = path.stem if path.suffix == _BEAT else (_read(path) or _Lease("", 0)).owner
                if owner == self._owner or _was_here(owner):
                    path.unlink(missing_ok=True)
            self._sign.unlink(missing_ok=True)
            self._folder.rmdir()  # unless other runs go on

    def claim(self, place: Place) -> bool:
        """Take a cell that is free, or whose run is gone; False when a run that goes on has it.

        Raises:
            StoreError: the folder cannot be written.
        """
        path = self._path(place)
        with reported(path):
            if self._create(path, 1):
                return True
            lease = _read(path)
            if lease is None:
                return self._create(path, 1)  # it was given back meanwhile
            if lease.owner == self._owner:
                return True
            return self._is_gone(lease.owner) and self._take_over(path, lease)

    def holds(self, place: Place) -> bool:
        """Whether this run still has a cell: another one takes it over from a run that seems to be gone."""
        lease = _read(self._path(place))
        return lease is not None and lease.owner == self._owner

    def release(self, place: Place) -> None:
        """Give a cell back."""
        if self.holds(place):
            with suppress(OSError):
                self._path(place).unlink()

    @property
    def _sign(self) -> Path:
        return self._folder / f"{self._owner}{_BEAT}"

    def _path(self, place: Place) -> Path:
        family = hashlib.sha256(place.family.encode()).hexdigest()[:6]
        return self._folder / f"{path_part(place.family)[:60]}-{family}-{place.key}"

    def _create(self, path: Path, token: int) -> bool:
        """Make the lease file, if there is none."""
        content = json.dumps({"owner": self._owner, "token": token}).encode()
        temporary = path.with_name(f".{self._owner}-{secrets.token_hex(4)}")
        try:
            temporary.write_bytes(content)
            os.link(temporary, path)
            return True
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS):
                raise
            return _create_exclusively(path, content)  # a file system without links
        finally:
            temporary.unlink(missing_ok=True)

    def _take_over(self, path: Path, stale: _Lease) -> bool:
        """Replace a lease whose run is gone; of several runs that try, one succeeds.

        Whoever replaces it has a second lease meanwhile, on taking over; the first is there all the time, or a third
        run would find the cell free.
        """
        turn = path.with_name(f".take-{path.name}")
        if not self._create(turn, stale.token + 1):
            other = _read(turn)
            if other is not None and self._is_gone(other.owner):
                turn.unlink(missing_ok=True)  # whose turn it was is gone too: the next time
            return False
        try:
            if _read(path) != stale:  # somebody has taken it over in between
                return False
            content = json.dumps({"owner": self._owner, "token": stale.token + 1}).encode()
            replace_file(path, content, to_disk=False)
            log.info("%s: taken over from %s, which is gone", path.name, stale.owner)
            return True
        finally:
            turn.unlink(missing_ok=True)

    def _is_gone(self, owner: str) -> bool:
        """Whether the beat of a run has not changed for long, by this run's own clock."""
        if _was_here(owner):
            return True
        try:
            beat = (self._folder / f"{owner}{_BEAT}").read_bytes()[:_MOST_BYTES]
        except OSError:
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
            with suppress(OSError):
                self._show(number)

    def _show(self, number: int) -> None:
        replace_file(self._sign, f"{number}\n".encode(), to_disk=False)


def _create_exclusively(path: Path, content: bytes) -> bool:
    try:
        with path.open("xb") as file:
            file.write(content)
    except FileExistsError:
        return False
    return True


def _read(path: Path) -> _Lease | None:
    """A lease; None when there is none, and of nobody when its file is no lease, so that it can be taken over."""
    try:
        with path.open("rb") as file:
            said = json.loads(file.read(_MOST_BYTES))
        return _Lease(str(said["owner"]), int(said["token"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        return _Lease("", 0)


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
