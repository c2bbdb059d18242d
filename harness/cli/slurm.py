"""`emergence slurm`: write a batch script for Slurm, and submit it if told to."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.arguments import in_our_words
from harness.cli.output import print_file, say
from harness.cli.write import write_text
from harness.errors import PlanError
from harness.slurm import SlurmJob, conflicts, script, submit

_WORD = re.compile(r"\w[\w:./-]*", re.ASCII)


def command(
    context: typer.Context,
    run: Annotated[list[str], typer.Argument(metavar="-- OPTIONS", help="Options of emergence run, after `--`.")],
    nodes: Annotated[int, typer.Option(min=1, help="Nodes over which the job starts Ray.")] = 1,
    gpus_per_node: Annotated[int, typer.Option(min=0, help="GPUs of each node.")] = 0,
    cpus_per_node: Annotated[int | None, typer.Option(min=1, help="CPUs of each node.")] = None,
    array: Annotated[
        int | None, typer.Option(min=1, help="An array of so many jobs without Ray instead, each with a slice.")
    ] = None,
    time: Annotated[str | None, typer.Option("--time", help="Time limit, such as 24:00:00.")] = None,
    partition: Annotated[str | None, typer.Option(help="Partition of the cluster.")] = None,
    account: Annotated[str | None, typer.Option(help="Account that pays.")] = None,
    container: Annotated[str | None, typer.Option(help="Image to run in, by srun's --container-image (pyxis).")] = None,
    prefetch: Annotated[
        bool, typer.Option("--prefetch", help="Fill the --mirror of the run first, on the first node of the job.")
    ] = False,
    name: Annotated[str, typer.Option(help="Name of the job and of its log.")] = "emergence",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File of the script; stdout unless told.")
    ] = None,
    submit_it: Annotated[bool, typer.Option("--submit", help="Give the script to sbatch; needs -o.")] = False,
) -> None:
    """Write a script for sbatch that runs a study on a cluster, and goes on after its time limit."""
    _check_words({"--time": time, "--partition": partition, "--account": account, "--name": name})
    _check(context, run, nodes, array)
    if prefetch:
        _check_prefetch(run, array)
    if submit_it and output is None:
        raise PlanError("--submit: expected -o FILE too, which keeps what was submitted")
    text = script(
        SlurmJob(
            run=tuple(run),
            name=name,
            nodes=nodes,
            gpus_per_node=gpus_per_node,
            cpus_per_node=cpus_per_node,
            time=time,
            partition=partition,
            account=account,
            container=container,
            prefetch=prefetch,
            slices=array,
        )
    )
    if output is None:
        print_file(text)
        return
    write_text(output, text)
    say(submit(str(output)) if submit_it else f"wrote {output}; submit it with: sbatch {output}")


def _check_words(words: Mapping[str, str | None]) -> None:
    """Refuse what would end a line of the script or begin another option.

    Raises:
        PlanError: a word has other characters than those of a word.
    """
    for option, text in words.items():
        if text is not None and not _WORD.fullmatch(text):
            raise PlanError(f"{option} {text}: expected letters, digits and -:._/, as sbatch takes them")


def _check_prefetch(run: list[str], array: int | None) -> None:
    """Refuse a download that nobody would read, and one that every job of an array would begin.

    Raises:
        PlanError: one of both.
    """
    if not any(text.partition("=")[0] == "--mirror" for text in run):
        raise PlanError("--prefetch: expected --mirror DIR among the options of emergence run, the folder to fill")
    if array is not None:
        raise PlanError(
            f"--prefetch --array {array}: every job would download; run this first, where there is a network: "
            f"{shlex.join(['emergence', 'prepare', *run])}"
        )


def _check(context: typer.Context, run: list[str], nodes: int, array: int | None) -> None:
    """Refuse now what would fail after hours in a queue."""
    if array is not None and nodes > 1:
        raise PlanError(
            f"--array {array} --nodes {nodes}: jobs of an array have one node each; expected one of the two"
        )
    if (option := conflicts(run)) is not None:
        raise PlanError(f"{option}: the script sets it; expected other options of emergence run after --")
    assert context.parent is not None
    verb = context.parent.command.commands["run"]  # type: ignore[attr-defined]
    verb.make_context("run", in_our_words(verb, run).arguments, parent=context.parent)
