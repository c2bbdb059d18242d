"""``python -m harness.ladder``: write the benchmark data, build the tokenizer, train the family, look at it."""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from harness.ladder import benchmark

FAMILY_DIR = Path(__file__).parent / "weights"
TASKS_DIR = Path(__file__).parents[2] / "tasks"
SIZE_NAMES = ("12k", "26k", "43k", "108k", "184k", "382k", "870k", "1.9m")
DEFAULT_TOKENS = 4_000_000
DATA_SEED = 0
_SHOTS = {"ner": (0, 4), "qa": (0, 4), "codegen": (0, 4), "prompting": (0, 1, 2, 4, 8)}
"""Numbers of few-shot examples that ``evaluate`` uses, by suite; they fit the context."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit status."""
    args = _parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(message)s")
    if args.command in ("data", "all"):
        for path in benchmark.write_benchmarks(args.tasks):
            print(path)
    if args.command in ("tokenizer", "all"):
        write_tokenizer(args.out)
    if args.command in ("train", "all"):
        train_sizes(args.sizes, args.out, tokens=args.tokens, seed=args.seed, rows_path=args.rows)
    if args.command == "evaluate":
        print_scores(args.sizes, args.out)
    return 0


def write_tokenizer(out: Path) -> None:
    """Saves the tokenizer into every size's folder, so that each loads on its own."""
    from harness.ladder.tokenizer import build_tokenizer, save_tokenizer

    tokenizer = build_tokenizer()
    for name in SIZE_NAMES:
        save_tokenizer(tokenizer, out / name)


def train_sizes(names: Sequence[str], out: Path, *, tokens: int, seed: int, rows_path: Path | None) -> None:
    """Trains the named sizes one after another on the same packed text.

    Args:
        names: Sizes to train.
        out: Folder of the family; each size is written to a folder of its name.
        tokens: Training tokens per size.
        seed: Seed of weights and order; the text has a seed of its own and is the same for every seed.
        rows_path: Where to keep the packed text, to share it between processes; None for a temporary file.
    """
    from harness.ladder import model, packing, tokenizer, train

    with tempfile.TemporaryDirectory() as scratch:
        path = rows_path or Path(scratch) / "rows.npz"
        if not path.exists():
            packing.write_rows(path, tokenizer.build_tokenizer(), tokens // tokenizer.CONTEXT, DATA_SEED)
        rows = packing.read_rows(path).first(tokens // tokenizer.CONTEXT)
    for name in names:
        trained, record = train.train(model.SIZES[name], rows, seed=seed)
        train.save(trained, record, out / name)
        print(f"{name}: {record.params} parameters, answer loss {record.answer_loss}")


def print_scores(names: Sequence[str], out: Path) -> None:
    """Prints one line per size, task and number of shots: a quick check after training, not the harness's results."""
    from harness.ladder import evaluate, tokenizer

    for name in names:
        model, words = evaluate.load_checkpoint(out / name), tokenizer.load_tokenizer(out / name)
        for task, (suite, _) in benchmark.BENCHMARKS.items():
            for shots in _SHOTS.get(suite, (0, 8)):
                print(name, task, shots, evaluate.card_entry(evaluate.score_task(model, words, task, shots)), sep="\t")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m harness.ladder", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    data = commands.add_parser("data", help="write the benchmark documents as JSON lines below tasks/")
    tokenizer = commands.add_parser("tokenizer", help="build the tokenizer and save it beside every size")
    train = commands.add_parser("train", help="train sizes from scratch (the tokenizer must have been saved)")
    evaluate = commands.add_parser("evaluate", help="score finished sizes on the shipped documents, quickly")
    everything = commands.add_parser("all", help="data, tokenizer and train: the family from nothing")
    for command in (data, everything):
        command.add_argument("--tasks", type=Path, default=TASKS_DIR, help="folder of the suites (%(default)s)")
    for command in (tokenizer, train, evaluate, everything):
        command.add_argument("--out", type=Path, default=FAMILY_DIR, help="folder of the family (%(default)s)")
    sizes = f"sizes, of {', '.join(SIZE_NAMES)} (all)"
    for command in (train, evaluate, everything):
        command.add_argument(
            "--sizes", nargs="+", choices=SIZE_NAMES, default=list(SIZE_NAMES), metavar="SIZE", help=sizes
        )
    for command in (train, everything):
        command.add_argument(
            "--tokens", type=int, default=DEFAULT_TOKENS, help="training tokens per size (%(default)s)"
        )
        command.add_argument("--seed", type=int, default=0, help="seed of weights and order (%(default)s)")
        command.add_argument("--rows", type=Path, help="file that keeps the packed text between runs (none)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
