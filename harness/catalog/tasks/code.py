"""Python files that come with a task and run when it is evaluated. A config can name them in two places.

`generation_kwargs.custom_generate: FOLDER` has transformers write texts by `FOLDER/custom_generate/generate.py`;
`metric_list: [{metric: NAME, hf_evaluate: true}]` scores by the script `NAME.py` or `NAME/NAME.py` of the `evaluate`
library. Both need the user's permission (`--allow-code`), and files beside the task: code of the hub never runs.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from harness.errors import CatalogError
from harness.wording import quoted

Locate = Callable[[str, str], Path]
"""Finds a file or folder by its name in the config, and by how a message calls the place; refuses what a task may not
read."""

ENTRY = Path("custom_generate/generate.py")
"""Where transformers looks for the function `generate`."""


class Located(NamedTuple):
    """A config whose Python files have been found."""

    config: dict[str, Any]
    """The config with absolute paths of these files."""
    files: tuple[Path, ...]
    """Every Python file that may run."""


def locate_code(config: Mapping[str, Any], where: str, locate: Locate) -> Located:
    """Find the Python files that a config, or a prompt variant, asks to run.

    Args:
        config: keys and values as they stand in the file; errors in other keys are left to later checks.
        where: how a message calls the config, such as `x.yaml: config`.
        locate: finds a file or a folder beside the task.

    Raises:
        CatalogError: there is no such file.
    """
    found = copy.deepcopy(dict(config))
    files: list[Path] = []
    options = found.get("generation_kwargs")
    if isinstance(options, dict) and isinstance(options.get("custom_generate"), str):
        folder = locate(options["custom_generate"], f"{where}.generation_kwargs.custom_generate")
        if not (folder / ENTRY).is_file():
            raise CatalogError(
                f"{where}.generation_kwargs.custom_generate is {quoted(options['custom_generate'])}; expected a folder "
                f"with {ENTRY}, since code of the hub is not run"
            )
        options["custom_generate"] = str(folder)
        files += _python_files(folder)
    entries = found.get("metric_list")
    for i, entry in enumerate(entries if isinstance(entries, list) else ()):
        if isinstance(entry, dict) and entry.get("hf_evaluate") is True and isinstance(entry.get("metric"), str):
            script = _script(entry["metric"], f"{where}.metric_list[{i}].hf_evaluate", locate)
            entry["hf_evaluate"] = str(script)
            files += _python_files(script.parent) if script.parent.name == script.stem else [script]
    return Located(found, tuple(dict.fromkeys(files)))


def code_names(config: Mapping[str, Any]) -> Iterator[str]:
    """The code that a located config runs, for the provenance: file name and 12 hex digits of SHA-256 of its bytes.

    Raises:
        CatalogError: the config names no file, but code of the hub.
    """
    folder = (config.get("generation_kwargs") or {}).get("custom_generate")
    scripts = [entry.get("hf_evaluate") for entry in config.get("metric_list") or ()]
    for name in ([f"{folder}/{ENTRY}"] if folder else []) + [script for script in scripts if script]:
        path = Path(str(name))
        if not (path.is_absolute() and path.is_file()):
            raise CatalogError(
                f"code of a task: {quoted(name)} is no file; expected one, since code of the hub is not run"
            )
        yield f"{path.name}@{hashlib.sha256(path.read_bytes()).hexdigest()[:12]}"


def _script(metric: str, where: str, locate: Locate) -> Path:
    for name in (f"{metric}.py", f"{metric}/{metric}.py"):
        path = locate(name, where)
        if path.is_file():
            return path
    raise CatalogError(
        f"{where}: no {metric}.py and no {metric}/{metric}.py beside the task; expected one, since code of the hub is "
        "not run"
    )


def _python_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.py") if path.is_file())
