"""The `emergence` command: every verb parses, calls the library, prints. Heavy imports stay inside the verbs."""

from __future__ import annotations

import logging
import sys
from importlib import import_module
from typing import Annotated

import typer

from harness import __version__
from harness.errors import HarnessError

_VERBS = (
    "list",
    "check",
    "plan",
    "run",
    "status",
    "curves",
    "verdicts",
    "forecast",
    "compare",
    "leaderboard",
    "report",
    "dashboard",
)

app = typer.Typer(
    name="emergence",
    help="Which abilities appear as a model family grows, at which scale, and how sure is that?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={
        "help_option_names": ["-h", "--help"],
        # lm-eval users type --num_fewshot, others --num-fewshot: both are the same option
        "token_normalize_func": lambda token: token.replace("_", "-"),
    },
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"emergence-harness {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Log what happens on stderr.")] = False,
) -> None:
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING, format="%(levelname)s %(name)s: %(message)s"
    )


for _verb in _VERBS:
    app.command(_verb)(import_module(f"harness.cli.{_verb}").command)


def main() -> None:
    """Run the command line. Exit 0 done, 1 some cells failed, 2 something the user can fix, 130 interrupted."""
    try:
        app(prog_name="emergence")
    except HarnessError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        print("interrupted: what was finished is kept; the same command goes on from there", file=sys.stderr)
        raise SystemExit(130) from None
    except BrokenPipeError:  # the reader of our output has seen enough (`emergence curves | head`)
        sys.stderr.close()
        raise SystemExit(0) from None
