"""`emergence family-from`: write a family file for one's own checkpoints."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.option_values import count_of
from harness.cli.output import print_file, say
from harness.errors import CatalogError, ModelError
from harness.wording import counted, number

if TYPE_CHECKING:
    from harness.catalog.models.own_family import OwnModel

_HEAD = "# Written by `emergence family-from`; parameters are counted, runs and steps read from names of folders.\n"


def command(
    paths: Annotated[list[str], typer.Argument(help="Folders with models, or above them; or patterns in quotes.")],
    name: Annotated[
        str | None, typer.Option(help="Name of the family; that of the folder above it unless told.")
    ] = None,
    tokens_per_step: Annotated[
        str | None,
        typer.Option(help="Training tokens of a step, such as 2M; what the trainer counted unless told."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="File to write; stdout unless told. None is overwritten.")
    ] = None,
) -> None:
    """Write a family file for your own checkpoints, and say what was guessed. Exits with 1 when one is left out."""
    from harness.catalog.models.own_family import called, common_root

    per_step = None if tokens_per_step is None else count_of(tokens_per_step, "--tokens-per-step")
    if output is not None and output.exists():
        raise CatalogError(f"--output {output}: is there already; expected the name of a new file")
    folders = list(dict.fromkeys(folder for path in paths for folder in _folders(path)))
    root = common_root(folders)
    whole = _whole(folders, root, per_step)
    if not whole:
        raise CatalogError(f"{', '.join(paths)}: no folder has a whole model; nothing is written")
    models = _without_copies(whole)
    text = _text(name or called(root), models, output)
    _check(text, output)
    for line in _guesses(models, per_step):
        say(line)
    _write(text, output)
    if len(whole) < len(folders):
        raise typer.Exit(1)


def _whole(folders: Sequence[Path], root: Path, per_step: int | None) -> list[OwnModel]:
    """The folders that have a whole model; a line for each of the others."""
    from harness.catalog.models.own_family import own_model

    models = []
    for folder in folders:
        try:
            models.append(own_model(folder, root, per_step))
        except ModelError as error:
            say(f"left out: {error}")
    return models


def _without_copies(models: Sequence[OwnModel]) -> list[OwnModel]:
    """One model of those with the same files, a line for each of the others: the end of a training is a checkpoint."""
    kept: dict[str, OwnModel] = {}
    for model in sorted(models, key=lambda one: one.step is None):
        if (first := kept.setdefault(model.fingerprint, model)) is not model:
            say(f"left out: {model.path}: has the same files as {first.path}")
    return [model for model in models if kept[model.fingerprint] is model]


def _folders(named: str) -> Iterator[Path]:
    """The folders with models that a path or a pattern leads to."""
    from harness.catalog.models.own_family import folders_below

    path = os.path.expanduser(named)
    places = sorted(glob.glob(path)) if not os.path.exists(path) and glob.has_magic(path) else [path]
    found = [folder for place in places for folder in folders_below(Path(place).resolve())]
    if not found:
        raise CatalogError(f"{named}: {_nothing(path)}; expected config.json, weights and a tokenizer, or checkpoints")
    yield from found


def _nothing(path: str) -> str:
    if not os.path.lexists(path):
        return "nothing fits the pattern" if glob.has_magic(path) else "no such folder"
    return "no model below it" if os.path.isdir(path) else "is a file"


def _text(name: str, models: Sequence[OwnModel], output: Path | None) -> str:
    """The family file."""
    import yaml

    lines = [_HEAD, yaml.safe_dump({"family": name}), "models:\n"]
    for model in models:
        entry = yaml.safe_dump(_entry(model, output), default_flow_style=True, sort_keys=False, width=10**9)
        lines.append(f"  - {entry}")
    return "".join(lines)


def _entry(model: OwnModel, output: Path | None) -> dict[str, Any]:
    entry = {
        "name": model.name,
        "path": _path(model.path, output),
        **model.sizes._asdict(),
        "tokens": model.tokens,
        "run": int(model.run) if model.run is not None and model.run.isdecimal() else model.run,
    }
    return {key: value for key, value in entry.items() if value is not None}


def _path(folder: Path, output: Path | None) -> str:
    """The folder as the file names it: relative to the file where it lies beside or below it."""
    if output is not None and folder.is_relative_to(beside := output.resolve().parent):
        return folder.relative_to(beside).as_posix()
    return str(folder)


def _check(text: str, output: Path | None) -> None:
    """Check that the file can be read as a family, before it is written.

    Raises:
        CatalogError: it cannot, such as for a name that the user gave.
    """
    from harness.bounded.yaml_text import parsed_yaml
    from harness.catalog.family import family_of
    from harness.catalog.yaml_files import FamilyFile, validated

    place = output or Path("family.yaml")
    family_of(validated(FamilyFile, parsed_yaml(text), place), place)


def _guesses(models: Sequence[OwnModel], per_step: int | None) -> Iterator[str]:
    """What was guessed, and what is not known."""
    sizes = sorted({model.sizes.params for model in models})
    of_sizes = f"{counted(len(sizes), 'size')}, {number(sizes[0])} to {number(sizes[-1])} parameters"
    yield f"{counted(len(models), 'model')} of {of_sizes}"
    if runs := sorted({model.run for model in models if model.run is not None}):
        yield f"guessed: runs {', '.join(runs[:12])}, from names of folders"
    if steps := sorted({model.step for model in models if model.step is not None}):
        yield f"guessed: steps {steps[0]} to {steps[-1]}, from names of folders"
    without = [model.name for model in models if model.tokens is None]
    if len(without) < len(models):
        how = "the trainer's count" if per_step is None else f"steps x {number(per_step)}"
        yield f"guessed: tokens, from {how}"
    if without:
        more = f" and {len(without) - 1} more" if len(without) > 1 else ""
        advice = "give --tokens-per-step" if steps else "write `tokens` into the file"
        yield f"not known: training tokens of {without[0]}{more}; {advice} for axes of tokens and compute"
    if any(model.sizes.params_non_embedding is None for model in models):
        yield "not known: parameters outside the embeddings of some"


def _write(text: str, output: Path | None) -> None:
    if output is None:
        print_file(text)
        return
    try:
        with output.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise CatalogError(f"--output {output}: is there already; expected the name of a new file") from error
    except OSError as error:
        raise CatalogError(f"--output {output}: {error.strerror}") from error
    say(f"written: {output}; try it with: emergence check {output}")
