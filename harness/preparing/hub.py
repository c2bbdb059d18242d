"""What the hub has of a model or a data set: its commit, its licence, and its files with their sizes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from harness.errors import HarnessError
from harness.preparing.choosing import files_of_model
from harness.preparing.wanted import Wanted
from harness.wording import cut, quoted

_SECONDS = 30.0
_CARDS = ("README.md", ".huggingface.yaml", "dataset_infos.json")
"""Files of a data set that `datasets` looks at beside its documents."""


class HubError(HarnessError):
    """The hub does not give something: it is not there, not for everyone, or the hub cannot be reached."""

    def __init__(self, message: str, *, passing: bool = False) -> None:
        """`passing`: whether the same call may go well later, as nothing is wrong with what was asked for."""
        super().__init__(message)
        self.passing = passing


@dataclass(frozen=True, kw_only=True, slots=True)
class HubFile:
    """A file of a repository."""

    path: str
    """Path in the repository."""
    bytes: int
    """Size."""
    sha256: str | None
    """SHA-256, which the hub has of large files alone; None for a small one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HubRepository:
    """A model or a data set, as it is on the hub now."""

    wanted: Wanted
    """What was asked for."""
    commit: str
    """Commit that the revision stands for."""
    licence: str | None
    """Licence by its card; None when that gives none."""
    files: tuple[HubFile, ...]
    """The files that are needed, in the order of their paths."""

    @property
    def bytes(self) -> int:
        """Size of all of them."""
        return sum(file.bytes for file in self.files)


def look_up(wanted: Wanted, *, allow_pickle: bool, allow_code: bool, commit: str | None = None) -> HubRepository:
    """Ask the hub for a repository, and choose the files that are needed.

    Args:
        wanted: the model or data set.
        allow_pickle: whether weights may be pickles.
        allow_code: whether Python files that come with a model are wanted.
        commit: commit that is wanted instead of what the revision stands for now.

    Raises:
        HubError: the hub does not give it.
        ModelError: the model has no weights that may be read.
    """
    from huggingface_hub import HfApi

    try:
        said: Any = HfApi().repo_info(
            wanted.name,
            revision=commit or wanted.revision,
            repo_type="model" if wanted.kind == "model" else "dataset",
            files_metadata=True,
            timeout=_SECONDS,
        )
    except Exception as error:
        raise refusal(wanted, error) from error
    files = {each.rfilename: _file(each) for each in said.siblings or ()}
    if wanted.kind == "model":
        chosen: Sequence[str] = files_of_model(
            wanted.name, sorted(files), allow_pickle=allow_pickle, allow_code=allow_code
        )
    else:
        chosen = _files_of_data_set(wanted, str(said.sha), files)
    return HubRepository(
        wanted=wanted,
        commit=str(said.sha),
        licence=_licence(getattr(said, "card_data", None)),
        files=tuple(files[path] for path in chosen),
    )


def _file(said: Any) -> HubFile:
    lfs = said.lfs
    return HubFile(path=said.rfilename, bytes=said.size or 0, sha256=None if lfs is None else str(lfs.sha256))


def _licence(card: Any) -> str | None:
    said = card.get("license") if hasattr(card, "get") else None
    named = [said] if isinstance(said, str) else said
    return cut(", ".join(map(str, named))) if isinstance(named, list) and named else None


def _files_of_data_set(wanted: Wanted, commit: str, files: Mapping[str, HubFile]) -> Sequence[str]:
    """The files that its parts are read from, as `datasets` finds them."""
    from harness.engines.mirrored import files_on_hub

    if script := next((path for path in files if path == f"{wanted.name.rpartition('/')[2]}.py"), None):
        raise HubError(
            f"{wanted.label}: is read by a script, {script}, which is not run; expected a data set of files, such as "
            "its `revision: refs/convert/parquet` in dataset_kwargs"
        )
    found: set[str] = {path for path in _CARDS if path in files}
    for pattern in wanted.files:
        fit = [path for path in files if fnmatchcase(path, pattern)]
        if not fit:
            raise HubError(f"{wanted.label}: has no file {quoted(pattern)}, which a task names")
        found.update(fit)
    try:
        found.update(files_on_hub(wanted.name, wanted.parts, commit) if wanted.parts else ())
    except HarnessError as error:
        raise HubError(f"{wanted.label}: {error}") from error
    except Exception as error:
        raise refusal(wanted, error) from error
    if unknown := sorted(found - set(files)):
        raise HubError(f"{wanted.label}: names {quoted(unknown[0])}; expected files of its own")
    return sorted(found)


def refusal(wanted: Wanted, error: Exception) -> HarnessError:
    """What the hub said, in one line, and what to do about it."""
    from huggingface_hub import errors

    name, page = wanted.label, f"https://huggingface.co/{'' if wanted.kind == 'model' else 'datasets/'}{wanted.name}"
    causes = _causes(error)
    if isinstance(error, HarnessError):
        return error
    if any(isinstance(cause, errors.OfflineModeIsEnabled) for cause in causes):
        return HubError(f"{name}: HF_HUB_OFFLINE is set, which keeps from the hub; expected it unset to prepare")
    if any(isinstance(cause, errors.GatedRepoError) for cause in causes):
        return HubError(
            f"{name}: its authors ask for an agreement first; give it on {page}, and log in (`hf auth login`)"
        )
    if any(isinstance(cause, errors.RevisionNotFoundError) for cause in causes):
        return HubError(
            f"{name}: the hub has no revision {quoted(wanted.revision)} of it; expected a branch, tag or commit"
        )
    if any(isinstance(cause, errors.RepositoryNotFoundError) for cause in causes):
        return HubError(
            f"{name}: the hub has no such {wanted.kind}, or a private one; log in (`hf auth login`) if it is yours"
        )
    if any(isinstance(cause, errors.HFValidationError) for cause in causes):
        return HubError(f"{name}: is no name that the hub has; expected organisation/name")
    status = next((code for cause in causes if (code := _status(cause)) is not None), None)
    if status == 429:
        return HubError(
            f"{name}: the hub answers that this machine asked too often (429); try again later", passing=True
        )
    if status in (401, 403):
        return HubError(
            f"{name}: the hub refuses it ({status}); log in (`hf auth login`) with an account that may read {page}"
        )
    if status is not None:
        return HubError(f"{name}: the hub answers with {status}; try again later", passing=True)
    said = cut(next(iter(str(causes[-1]).strip().splitlines()), "") or type(causes[-1]).__name__)
    where = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    if isinstance(error, OSError) or any(type(cause).__module__.startswith("httpx") for cause in causes):
        return HubError(f"{name}: no answer from {where}: {said}", passing=True)
    return HubError(f"{name}: {said}")


def _causes(error: BaseException) -> list[BaseException]:
    """The error, and what it was raised from."""
    found: list[BaseException] = []
    each: BaseException | None = error
    while each is not None and each not in found:
        found.append(each)
        each = each.__cause__ or each.__context__
    return found


def _status(error: BaseException) -> int | None:
    code = getattr(getattr(error, "response", None), "status_code", None)
    return code if isinstance(code, int) and code >= 400 else None
