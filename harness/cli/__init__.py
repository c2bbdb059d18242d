"""The `emergence` command. A verb reads its options, calls the library and prints; heavy imports stay inside it."""

from __future__ import annotations

import errno
import logging
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from io import TextIOWrapper
from typing import Annotated, Any, TextIO

import typer
import typer.main

from harness.cli.arguments import check_arguments, in_our_words
from harness.cli.output import mute, say
from harness.errors import FaultsError, HarnessError, PlanError
from harness.version import __version__
from harness.wording import cut

_VERBS = (
    "list",
    "check",
    "family-from",
    "plan",
    "run",
    "watch",
    "status",
    "logs",
    "doctor",
    "prepare",
    "slurm",
    "curves",
    "verdicts",
    "forecast",
    "compare",
    "compose",
    "order",
    "gate",
    "law",
    "tasks",
    "samples",
    "classes",
    "energy",
    "costs",
    "leaderboard",
    "import",
    "export",
    "track",
    "report",
    "dashboard",
)

_VERBOSE = "Log on stderr what a run spends its time on: starting Ray, each model, each cell."

_VERBS_OF_LM_EVAL = {"ls": "list"}
"""Verbs that lm-eval calls otherwise."""

app = typer.Typer(
    name="emergence",
    help="Which abilities appear as a model family grows, at which scale, and how sure is that?",
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
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help=_VERBOSE)] = False,
) -> None:
    logging.getLogger("harness").setLevel(logging.INFO if verbose else logging.WARNING)


class _ToPeople(logging.Handler):
    """Writes log records to stderr, as lines like all others and above the progress bar."""

    def emit(self, record: logging.LogRecord) -> None:
        origin = "" if record.name.startswith("harness.") else f"{record.name}: "
        say(f"{record.levelname.lower()}: {origin}{record.getMessage()}")


@contextmanager
def _log_shown() -> Iterator[None]:
    handler = _ToPeople()
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)


_MODULES = {"import": "importing", "family-from": "family_from"}
"""Verbs whose names are no names of modules -> their modules."""

for _verb in _VERBS:
    app.command(_verb)(import_module(f"harness.cli.{_MODULES.get(_verb, _verb)}").command)


_OF_PLACES = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR, errno.EISDIR)
"""What is wrong with a place that a user names, and nothing that the program could have done otherwise."""
_MOST_ERROR = 2000
"""Characters of a message, however many names it lists."""
# typer brings a click of its own or uses the installed one, by its version; both have this class
_UsageError: type[Exception] = typer.BadParameter.__bases__[0]


def main() -> None:
    """Run the command line. Exit codes: 0 done, 1 some cells failed, 2 something the user can fix, 130 interrupted."""
    _open_what_is_closed()
    _write_what_can_be_written(sys.stdout)
    try:
        code = _call(sys.argv[1:] or ["--help"])
        sys.stdout.flush()  # or Python would report what cannot be written while it ends
    except FaultsError as error:
        for fault in error.faults:
            say(f"error: {cut(fault, _MOST_ERROR)}")
        code = 2
    except HarnessError as error:
        say(f"error: {cut(str(error), _MOST_ERROR)}")
        code = 2
    except _UsageError as error:
        say(f"error: {_usage(error)}")
        code = 2
    except KeyboardInterrupt:
        say("interrupted: what was finished is kept; the same command goes on from there")
        code = 130
    except BrokenPipeError:  # the reader of our output has seen enough (`emergence curves | head`)
        mute(sys.stdout)
        code = 0
    except OSError as error:
        if error.filename is not None and error.errno in _OF_PLACES:
            say(f"error: {error.filename}: {error.strerror}")
            raise SystemExit(2) from error
        if error.errno != errno.ENOSPC:
            raise
        mute(sys.stdout)
        say(f"error: the output cannot be written: {error.strerror}")
        code = 2
    raise SystemExit(code)


def _open_what_is_closed() -> None:
    """Give a process that was started without stdout or stderr (`>&-`, some batch systems) one that leads nowhere."""
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115


def _write_what_can_be_written(stream: TextIO) -> None:
    """Let the stream write the code of a letter that its encoding does not have, and go on."""
    if isinstance(stream, TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")


def _call(arguments: list[str]) -> int:
    """Run a verb and give its exit code. typer's own call would swallow Ctrl-C, and draw boxes around errors."""
    try:
        command = _command()
        arguments = _with_verb(arguments)
        for place, text in enumerate(arguments):
            if text in command.commands:  # all before it belongs to the command itself
                ours = in_our_words(command.commands[text], arguments[place + 1 :])
                check_arguments(command.commands[text], ours.arguments)
                for note in ours.notes:
                    say(f"note: {note}")
                arguments = [*arguments[: place + 1], *ours.arguments]
                break
        with _log_shown(), command.make_context("emergence", arguments) as context:
            context.command.invoke(context)
    except typer.Exit as end:
        return end.exit_code
    return 0


def _with_verb(arguments: list[str]) -> list[str]:
    """The arguments with our name of lm-eval's verbs, and with `run` where an option of it stands first."""
    first = next((place for place, text in enumerate(arguments) if not text.startswith("-")), None)
    if first is not None and arguments[first] == "validate":
        raise PlanError("validate is a verb of lm-eval; here `emergence check PATH` looks at task files")
    if first is not None and arguments[first] in _VERBS_OF_LM_EVAL:
        return [*arguments[:first], _VERBS_OF_LM_EVAL[arguments[first]], *arguments[first + 1 :]]
    begins = arguments[0].replace("_", "-").partition("=")[0]
    if begins in ("--model", "--model-args", "--tasks", "--task", "--suite", "--family"):
        return ["run", *arguments]
    return arguments


@cache
def _command() -> Any:
    """All verbs; putting them together takes as long as many a verb itself."""
    return typer.main.get_command(app)


def _usage(error: Any) -> str:
    """What is wrong with the arguments, in one line, and which help to read."""
    message = " ".join(error.format_message().split()).replace("Value error, ", "")
    message = re.sub(
        "Input should be a valid integer(, unable to parse string as an integer)?", "expected a whole number", message
    )
    if "extra argument" in message and any(map(os.path.exists, message.split("(")[-1].strip("). ").split())):
        message += ": what a shell makes of a pattern; put it in quotes, such as --model 'run/checkpoint-*'"
    command = error.ctx.command_path if error.ctx else "emergence"
    return f"{message}{'' if message.endswith(('.', '?')) else '.'} Try `{command} --help`"
