"""Variants that took a training: made once, kept below the results folder, and used by every worker.

    results/.variants/<org--model>@<revision>+<variant>/<task>-<key>/
        variant.json          how it was made, written last: where it is, the variant is complete
        ...                   its weights, or what is added to those of the model
    results/.variants/.../<task>-<key>.making/
        ...                   the same while it is made, with the checkpoints from which an interrupted training goes on
    results/.variants/.leases/                  who makes which (see `store.leases`)

The key is a digest of all that decides what comes out. Everything here can be deleted while no run goes on: what a
later run needs is made again.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from harness.bounded.files import read_bytes
from harness.bounded.limits import HEADER_BYTES, UnreadableError
from harness.plan import Place
from harness.specs import ModelSpec
from harness.store.bucket import BUCKET_ADDRESS
from harness.store.files import replace_file, reported
from harness.store.layout import TRAINED, path_part
from harness.store.leases import LeaseOwner, Leases

CARD = "variant.json"
_MAKING = ".making"
_WAIT_SECONDS = 0.5
"""Time between two looks whether another worker has made a variant."""


def variants_folder(results: Path) -> Path:
    """Where the variants of a results folder lie: in it, or in the user's cache for results in an object store."""
    if not BUCKET_ADDRESS.match(str(results)):
        return results.absolute() / TRAINED
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "emergence" / f"variants-{hashlib.sha256(str(results).encode()).hexdigest()[:16]}"


def variant_name(model: ModelSpec, task: str, key: str) -> str:
    """Name of a variant's folder, below that of all."""
    of_model = f"{path_part(model.name.replace('/', '--'))}@{path_part(model.revision[:12])}"
    return f"{of_model}+{path_part(model.variant or 'none')}/{path_part(task)}-{key}"


class Making(NamedTuple):
    """A variant that is to be made."""

    folder: Path
    """Where to put it; what an interrupted making left there may be used."""
    card: dict[str, Any]
    """How it was made: to be filled in."""


class Variants:
    """The variants below one folder."""

    def __init__(self, root: Path) -> None:
        """`root` is as `variants_folder` says; it is made when the first variant is."""
        self._root = root

    def card(self, name: str) -> Mapping[str, Any] | None:
        """How a variant was made; None for one that is not there, or whose card cannot be read."""
        try:
            said = json.loads(read_bytes(self._root / name / CARD, HEADER_BYTES))
        except (OSError, UnreadableError, ValueError):
            return None
        return said if isinstance(said, dict) else None

    def folder(self, name: str) -> Path:
        """Where a variant lies."""
        return self._root / name

    @contextmanager
    def making(self, name: str, *, waiting: Callable[[], None] = lambda: None) -> Iterator[Making | None]:
        """A variant to make, which is kept whole when the block ends well; None for one that is there.

        While another worker makes it, this one waits. What raises in the block leaves the folder for a later try.

        Args:
            name: name of the variant, of which one worker at a time makes it.
            waiting: called again and again while another worker is at it.

        Raises:
            StoreError: the folder cannot be written.
        """
        if self.card(name) is not None:
            yield None
            return
        place = Place("variants", hashlib.sha256(name.encode()).hexdigest()[:16])
        with Leases(LeaseOwner.of_this_process(self._root)) as leases:
            while not leases.claim(place):
                waiting()
                time.sleep(_WAIT_SECONDS)
                if self.card(name) is not None:
                    yield None
                    return
            if self.card(name) is not None:  # made between the first look and the claim
                yield None
                return
            folder = self._root / f"{name}{_MAKING}"
            with reported(folder):
                folder.mkdir(parents=True, exist_ok=True)
            made = Making(folder, {})
            try:
                yield made
            except BaseException:
                with suppress(OSError):  # it holds what a later try can go on from
                    folder.rmdir()
                raise
            with reported(folder):
                replace_file(folder / CARD, json.dumps(made.card, indent=1).encode())
                self._keep(folder, self._root / name)

    def _keep(self, folder: Path, final: Path) -> None:
        if final.exists():  # one without a card: somebody's half copy
            shutil.rmtree(final)
        folder.rename(final)

    def names(self) -> list[str]:
        """Names of the variants that are complete, sorted."""
        return sorted(
            str(card.parent.relative_to(self._root)) for card in self._root.glob(f"*/*/{CARD}") if _whole(card)
        )


def _whole(card: Path) -> bool:
    return not card.parent.name.endswith(_MAKING) and not card.parent.is_symlink()
