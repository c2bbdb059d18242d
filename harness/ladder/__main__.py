"""``python -m harness.ladder``: write the benchmark data, build the tokenizer, train the family, look at it."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from harness.ladder import benchmark, family, kinds

TASKS_DIR = Path(__file__).parents[2] / "tasks"


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit status."""
    args = _parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(message)s")
    if args.command in ("data", "all"):
        for path in benchmark.write_benchmarks(args.tasks):
            print(path)
    if args.command in ("train", "all"):
        from harness.ladder import training

        members = family.members(args.only, args.run)
        training.train_members(members, args.out, tokens=args.tokens, rows_path=args.rows)
    if args.command == "lines":
        print(*family.family_lines(args.out), sep="\n")
    if args.command == "train-kind":
        from harness.ladder import kind_training

        kind_training.train_kind(args.kind, args.out, only=args.only, steps=args.steps)
        print(*kinds.kind_lines(args.kind, args.out), sep="\n")
    if args.command == "evaluate":
        from harness.ladder import evaluate

        evaluate.print_scores(family.members(args.only, args.run), args.out)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m harness.ladder", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    data = commands.add_parser("data", help="write the benchmark documents as JSON lines below tasks/")
    train = commands.add_parser("train", help="train every run of every size that is not there yet")
    evaluate = commands.add_parser("evaluate", help="score finished runs on the shipped documents, quickly")
    lines = commands.add_parser("lines", help="print what harness/families/embedded.yaml says of the finished runs")
    everything = commands.add_parser("all", help="data and train: the family from nothing")
    other = commands.add_parser("train-kind", help="train the small encoders, or the small encoder-decoders")
    other.add_argument("kind", choices=kinds.KINDS, help="which family")
    other.add_argument("--out", type=Path, default=family.FAMILY_DIR, help="folder of the families (%(default)s)")
    other.add_argument("--only", nargs="+", metavar="SIZE", choices=kinds.KIND_SIZES["encoder"], help="sizes (all)")
    other.add_argument("--steps", type=int, help="optimiser steps (those of each size)")
    for command in (data, everything):
        command.add_argument("--tasks", type=Path, default=TASKS_DIR, help="folder of the suites (%(default)s)")
    names = ", ".join(family.SIZES)
    for command in (train, evaluate, lines, everything):
        command.add_argument(
            "--out", type=Path, default=family.FAMILY_DIR, help="folder of the family, one below it for each run"
        )
    for command in (train, evaluate, everything):
        command.add_argument("--only", nargs="+", choices=family.SIZES, metavar="SIZE", help=f"sizes, of {names} (all)")
        command.add_argument("--run", type=int, nargs="+", metavar="R", help="runs, from 1 on (all)")
    for command in (train, everything):
        command.add_argument(
            "--tokens", type=int, default=family.TOKENS, help="training tokens of each run (%(default)s)"
        )
        command.add_argument("--rows", type=Path, help="file that keeps the packed text between calls (none)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
