"""Download the files of a repository into a folder: tried again after a while, resumed after a break, and checked."""

from __future__ import annotations

import errno
import os
import random
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path

from harness.bounded.files import sha256
from harness.bounded.limits import Limit
from harness.catalog.manifest import MirroredFile
from harness.errors import MachineError
from harness.preparing.hub import HubError, HubFile, HubRepository, refusal
from harness.wording import count, duration, file_size, quoted

Announce = Callable[[str], None]
"""Called with a line about what goes on."""

TRIES = 5
_AT_ONCE = 4
_INCOMPLETE = ".incomplete"
_TOLD_SECONDS = 10.0
_FIRST_WAIT, _LONGEST_WAIT = 2.0, 60.0
ANY_SIZE = Limit(most=10**15, unit="bytes", of="a file that was downloaded")


def downloaded(repository: HubRepository, folder: Path, told: Announce) -> Iterator[MirroredFile]:
    """Every file of a repository, each once it is in the folder and has the size and the SHA-256 that the hub gives.

    What is there already, from a call that was cut short, is not downloaded again.

    Raises:
        HubError: the hub does not give a file, after several tries where that may help.
        MachineError: the disk is full, or cannot be written.
    """
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        waiting = [pool.submit(_one, repository, file, folder, told) for file in repository.files]
        try:
            yield from _finished(waiting, repository, folder, told)
        finally:
            for each in waiting:
                each.cancel()


def _finished(
    waiting: Collection[Future[MirroredFile]], repository: HubRepository, folder: Path, told: Announce
) -> Iterator[MirroredFile]:
    """The files as they come; every few seconds it is told how far they are."""
    begun = said = time.monotonic()
    before = _bytes_in(folder)
    while waiting:
        done, waiting = wait(waiting, timeout=1.0, return_when=FIRST_COMPLETED)
        yield from (each.result() for each in done)
        now = time.monotonic()
        if waiting and now - said >= _TOLD_SECONDS:
            said, here = now, _bytes_in(folder)
            pace = (here - before) / (now - begun)
            left = f", about {duration((repository.bytes - here) / pace)} left" if pace > 0 else ""
            told(f"{repository.wanted.label}: {file_size(here)} of {file_size(repository.bytes)}{left}")


def _bytes_in(folder: Path) -> int:
    """Bytes of all files below a folder, those that are not complete included."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):  # it was moved meanwhile
                total += os.stat(os.path.join(root, name)).st_size
    return total


def _one(repository: HubRepository, file: HubFile, folder: Path, told: Announce) -> MirroredFile:
    for failed in range(1, TRIES + 1):
        try:
            return _checked(repository, file, _fetched(repository, file, folder))
        except HubError as error:
            if not error.passing or failed == TRIES:
                raise
            seconds = pause(failed)
            told(f"{error}; try {failed + 1} of {TRIES} in {duration(seconds)}")
            time.sleep(seconds)
    raise AssertionError


def pause(failed: int) -> float:
    """Seconds to wait after so many tries: twice as long each time, and by chance up to half of it shorter.

    Many machines that were refused at once would otherwise ask again at once.
    """
    longest = _FIRST_WAIT * 2.0 ** (failed - 1)
    return min(_LONGEST_WAIT, longest) * random.uniform(0.5, 1.0)


def _fetched(repository: HubRepository, file: HubFile, folder: Path) -> Path:
    path = folder / file.path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_file():
            _get(repository, file, path)
    except Exception as error:
        if (problem := _of_disk(error)) is not None:
            raise MachineError(f"{folder.parent}: cannot be written: {problem}; give another --output") from error
        raise refusal(repository.wanted, error) from error
    return path


def _get(repository: HubRepository, file: HubFile, path: Path) -> None:
    """Download a file beside its place and move it there; what came before of it is not asked for again.

    `hf_hub_download` would begin anew in every process.
    """
    from huggingface_hub import constants, hf_hub_download, hf_hub_url
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

    wanted, revision = repository.wanted, repository.commit
    kind = "model" if wanted.kind == "model" else "dataset"
    if file.bytes > constants.MAX_HTTP_DOWNLOAD_SIZE:  # which the hub gives in chunks alone
        hf_hub_download(
            wanted.name, file.path, repo_type=kind, revision=revision, local_dir=path.parents[file.path.count("/")]
        )
        return
    incomplete = path.with_name(f"{path.name}{_INCOMPLETE}")
    with incomplete.open("ab") as target:
        if target.tell() > file.bytes:
            target.truncate(0)
        http_get(
            hf_hub_url(wanted.name, file.path, repo_type=kind, revision=revision),
            target,
            resume_size=target.tell(),
            headers={**build_hf_headers(), "Accept-Encoding": "identity"},
            expected_size=file.bytes,
        )
    incomplete.replace(path)


def _of_disk(error: BaseException) -> str | None:
    """What is wrong with the disk or the folder; None for any other error."""
    each: BaseException | None = error
    while each is not None:
        if isinstance(each, OSError) and each.errno in (
            errno.ENOSPC,
            errno.EDQUOT,
            errno.EACCES,
            errno.EROFS,
            errno.EFBIG,
        ):
            return each.strerror or str(each)
        each = each.__cause__ or each.__context__
    return None


def _checked(repository: HubRepository, file: HubFile, path: Path) -> MirroredFile:
    """The file as the manifest has it, if it is what the hub promised; else it is deleted, to be downloaded again."""
    found, digest = path.stat().st_size, sha256(path, ANY_SIZE).hex()
    problem = None
    if found != file.bytes:
        problem = f"came with {count(found)} bytes instead of {count(file.bytes)}"
    elif file.sha256 is not None and digest != file.sha256:
        problem = "came with other bytes than the hub has"
    if problem is None:
        return MirroredFile(path=file.path, bytes=found, sha256=digest)
    path.unlink()
    raise HubError(f"{repository.wanted.label}: {quoted(file.path)} {problem}", passing=True)
