"""The revision of a model: the fingerprint of a local folder, or the commit of a hub model, from the hub's cache."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

from harness.bounded.files import read_text
from harness.bounded.limits import REFERENCE_BYTES, UnreadableError
from harness.catalog.models.architectures import why_not_asked
from harness.catalog.models.folders import ModelFolder, read_config
from harness.catalog.models.weights import total
from harness.errors import ModelError
from harness.specs import ModelSpec
from harness.wording import quoted

_NOT_RESOLVED = "main"
"""Revision of a model whose folder nobody has looked at yet."""


def resolved(spec: ModelSpec) -> ModelSpec:
    """The spec with the revision that its weights have now: the folder's fingerprint, or the commit in the hub's cache.

    A hub model that was never downloaded keeps the revision it was asked for.

    Raises:
        ModelError: the folder cannot be read.
    """
    if spec.path is not None:
        return replace(spec, revision=ModelFolder.read(Path(spec.path)).fingerprint())
    return replace(spec, revision=cached_commit(spec.name, spec.revision) or spec.revision)


def pinned(spec: ModelSpec) -> ModelSpec:
    """The spec with a revision that does not change while a run goes on; asks the hub for it when its cache has none.

    The revision of a local model that `select` has chosen is its fingerprint already, and stays as it is.

    Raises:
        ModelError: a local folder cannot be read, or a hub model is not cached and the hub cannot be reached.
    """
    if spec.path is not None:
        return spec if spec.revision != _NOT_RESOLVED else resolved(spec)
    if commit := cached_commit(spec.name, spec.revision):
        _check_cached(spec, commit)
        return resolved(spec)
    folder = downloaded_config(spec.name, spec.revision)
    _check_cached(spec, folder.name)
    return replace(spec, revision=folder.name)


def _check_cached(spec: ModelSpec, commit: str) -> None:
    """Check that a hub model whose config is in the cache can be asked."""
    snapshot = snapshot_folder(spec.name, commit)
    if (snapshot / "config.json").is_file() and (reason := why_not_asked(read_config(snapshot))):
        raise ModelError(f"{spec.name}: {reason}")


def hub_model(name: str, revision: str = "main") -> ModelSpec:
    """The spec of a hub model that no family file describes: a family of its own, its parameters counted.

    They are counted in the hub's cache if it has the weights, and otherwise in what the hub says about its files.

    Raises:
        ModelError: neither the cache nor the hub can tell.
    """
    params = cached_parameters(name, revision)
    return resolved(hub_spec(name, revision, params or _asked_parameters(name, revision)))


def hub_spec(name: str, revision: str, params: int) -> ModelSpec:
    """The spec of a hub model that no family file describes, a family of its own."""
    return ModelSpec(name=name, family=name.rpartition("/")[2], params=params, revision=revision)


def cached_parameters(name: str, revision: str) -> int | None:
    """Parameters of a hub model, counted in the local cache; None when its weights are not there.

    Raises:
        ModelError: they are there and damaged.
    """
    commit = cached_commit(name, revision)
    snapshot = None if commit is None else snapshot_folder(name, commit)
    if snapshot is None or not any(path.suffix in (".safetensors", ".bin") for path in snapshot.glob("*")):
        return None
    return ModelFolder.read(snapshot).parameters()


def _asked_parameters(name: str, revision: str) -> int:
    """Parameters of a hub model, counted in the headers of its safetensors files, which the hub is asked for."""
    from huggingface_hub import get_safetensors_metadata
    from huggingface_hub.errors import NotASafetensorsRepoError, SafetensorsParsingError

    downloaded_config(name, revision)
    try:
        files = get_safetensors_metadata(name, revision=revision).files_metadata
    except (NotASafetensorsRepoError, SafetensorsParsingError) as error:
        raise ModelError(
            f"{name}: its parameters cannot be counted on the hub, since the weights are no safetensors; download the "
            f"model (`hf download {name}`), or describe it in a family file with `params`"
        ) from error
    except (OSError, ValueError) as error:
        raise _refusal(name, revision, error) from error
    return total(tensor.shape for file in files.values() for tensor in file.tensors.values())


def downloaded_config(name: str, revision: str) -> Path:
    """Folder in the hub's cache, named by the commit, with the config of a model, which the hub is asked for.

    Raises:
        ModelError: the hub gives no answer, or has no such model.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled

    try:
        # The config alone: it is enough for the cache to learn which commit the revision stands for.
        return Path(snapshot_download(name, revision=revision, allow_patterns=["config.json"]))
    except (HfHubHTTPError, HFValidationError, OfflineModeIsEnabled, OSError) as error:
        raise _refusal(name, revision, error) from error


def _refusal(name: str, revision: str, error: Exception) -> ModelError:
    """What the hub said, and what to do about it."""
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    if isinstance(error, GatedRepoError):  # which is a kind of the next one
        return ModelError(
            f"{name}: its authors ask for an agreement first; give it on https://huggingface.co/{name}, and log in "
            "(`hf auth login`)"
        )
    if isinstance(error, RepositoryNotFoundError):
        return ModelError(
            f"{name}: the hub has no such model, or a private one; log in (`hf auth login`) if it is yours"
        )
    if isinstance(error, RevisionNotFoundError):
        return ModelError(f"{name}: the hub has no revision {quoted(revision)} of it; expected a branch, tag or commit")
    return ModelError(
        f"{name}@{revision}: not in this machine's hub cache, and the hub gave no answer; "
        f"download it where there is a network (`hf download {name}`) or name a folder with --model"
    )


def cached_commit(name: str, revision: str) -> str | None:
    """Commit that a revision of a hub model has in the local cache; None when it is not in the cache."""
    reference = _repository(name) / "refs" / revision
    if reference.is_file():
        return _commit(reference)
    return revision if snapshot_folder(name, revision).is_dir() else None


def snapshot_folder(name: str, commit: str) -> Path:
    """Folder in the hub's cache that has the files of a model's commit, as many as were downloaded."""
    return _repository(name) / "snapshots" / commit


def _repository(name: str) -> Path:
    return hub_cache() / f"models--{name.replace('/', '--')}"


def _commit(reference: Path) -> str:
    try:
        commit = read_text(reference, REFERENCE_BYTES).strip()
    except UnreadableError as error:
        raise ModelError(f"{reference}: {error}") from error
    if not re.fullmatch(r"[0-9A-Za-z._-]+", commit):
        raise ModelError(f"{reference}: is {quoted(commit)}; expected a commit")
    return commit


def hub_cache() -> Path:
    """Folder in which huggingface_hub keeps downloads, by the same environment variables."""
    if explicit := os.environ.get("HF_HUB_CACHE"):
        return Path(explicit)
    home = os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "huggingface"
    return Path(home) / "hub"
