"""`python -m tests.fuzz [READER ...] [--inputs N]`: hand changed files to every reader; a table; exit 1 if one failed.

Slow readers get fewer files than quick ones (`Reader.share`). Each has a process of its own, in which atheris leads the
changes by the code that a file makes it run. A file that it did not end well with is kept in `build/fuzz`, and named on
stderr with what came instead of a sentence.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from tests.fuzz import load_readers

if TYPE_CHECKING:
    from tests.fuzz.reader import Reader

KEPT = Path("build/fuzz")
"""Where files are kept that a reader did not end well with."""
SLOW_SECONDS = 10.0
"""Time within which a reader ends."""
GIGABYTE = 1e9
HEAD = ("reader", "inputs", "read", "tracebacks", "over 10 s", "slowest s", "peak MB")
_LONGEST_FILE = 20_000
_CHANGED_VALUES = 0.6
"""Share of the files whose values are changed; the others are those that did something new, with other bytes."""
_START = 50


class Count(NamedTuple):
    """What a reader was handed, and how it ended."""

    inputs: int
    """Files."""
    read: int
    """Files that it took, the others were refused with a sentence."""
    tracebacks: int
    """Files that ended in anything but a value or a sentence."""
    slow: int
    """Files that took the processor longer than `SLOW_SECONDS`."""
    slowest: float
    """Seconds of the processor that the longest took."""
    megabytes: float
    """Most memory that the process had, with Python and the packages."""

    @property
    def is_good(self) -> bool:
        """Whether every file ended well."""
        return not (self.tracebacks or self.slow) and 1e6 * self.megabytes < 2 * GIGABYTE


def main() -> None:
    """One process per reader, or this process for the one that `--alone` names."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("readers", nargs="*", metavar="READER", help="all unless told")
    parser.add_argument("--inputs", type=int, default=1_000_000, help="files of all readers together")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="readers at the same time")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--alone", metavar="FILE", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.alone:
        _alone(options.readers[0], options.inputs, options.seed, Path(options.alone))
        return
    known = load_readers()
    if unknown := set(options.readers) - known.keys():
        parser.error(f"unknown reader {sorted(unknown)[0]!r}; known: {', '.join(known)}")
    names = options.readers or [*known]
    shares = [known[name].share for name in names]
    inputs = [math.ceil(options.inputs * share / sum(shares)) for share in shares]

    def tried(name: str, most: int) -> Count:
        count = _in_a_process(name, most, options.seed)
        print(table([name], [count]).splitlines()[1], file=sys.stderr, flush=True)
        return count

    with ThreadPoolExecutor(options.jobs) as pool:
        counts = [*pool.map(tried, names, inputs)]
    print(table(names, counts))
    sys.exit(0 if all(one.is_good for one in counts) else 1)


def _in_a_process(name: str, inputs: int, seed: int) -> Count:
    """What came of one reader; a process that died counts as a traceback."""
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder, "count.json")
        command = [
            sys.executable,
            "-m",
            "tests.fuzz",
            name,
            f"--inputs={inputs}",
            f"--seed={seed}",
            f"--alone={answer}",
        ]
        with Path(folder, "log").open("w+") as log:
            ended = subprocess.run(command, check=False, stderr=log, stdout=log)
            log.seek(0)
            said = log.read()
        sys.stderr.write("".join(line + "\n" for line in said.splitlines() if line.startswith(name)))
        if answer.exists():
            count = Count(*json.loads(answer.read_text()))
            return count if not ended.returncode else count._replace(tracebacks=count.tracebacks + 1)
        print(f"{name}: the process ended with {ended.returncode}: {said[-2_000:]}", file=sys.stderr)
        return Count(0, 0, 1, 0, 0.0, 0.0)


def table(names: Sequence[str], counts: Sequence[Count]) -> str:
    """One row per reader, and one of all."""
    all_of = [sum(column) for column in zip(*(count[:4] for count in counts), strict=True)]
    total = Count(*all_of, max(c.slowest for c in counts), max(c.megabytes for c in counts))  # type: ignore[call-arg]
    width = max(map(len, ("reader", *names)))
    lines = [f"{HEAD[0]:{width}}  {'  '.join(f'{name:>10}' for name in HEAD[1:])}"]
    for name, count in zip((*names, "all"), (*counts, total), strict=True):
        numbers = [*(f"{number:>10,}" for number in count[:4]), f"{count.slowest:>10.2f}", f"{count.megabytes:>10,.0f}"]
        lines.append(f"{name:{width}}  {'  '.join(numbers)}")
    return "\n".join(lines)


def _alone(name: str, inputs: int, seed: int, answer: Path) -> None:
    """Hand `inputs` files to one reader and write the count; libFuzzer ends the process itself."""
    import atheris  # here alone, because it is not installed with the tests

    warnings.simplefilter("ignore")
    with atheris.instrument_imports(include=["harness"], enable_loader_override=False):
        reader = load_readers()[name]
    memory = "/dev/shm"  # where a file is written most quickly
    folder = Path(tempfile.mkdtemp(dir=memory if os.path.isdir(memory) else None))
    reader.prepare(folder)
    corpus = folder / "corpus"
    corpus.mkdir()
    for i in range(_START):
        (corpus / str(i)).write_bytes(reader.make(Random(seed * _START + i)))
    # looked up each time: atheris puts another one there when it starts
    tally = _Tally(name, reader, folder, inputs, answer, lambda data, most: atheris.Mutate(data, most))  # noqa: PLW0108
    flags = [
        f"-runs={inputs + 10}",
        f"-seed={seed}",
        f"-max_len={_LONGEST_FILE}",
        "-len_control=0",
        "-print_final_stats=0",
    ]
    flags += ["-timeout=600", "-rss_limit_mb=0", "-verbosity=0", "-reload=0", str(corpus)]
    atheris.Setup([name, *flags], tally.take, custom_mutator=tally.change)
    atheris.Fuzz()


class _Tally:
    """Counts how a reader ends with each file, and ends the process after the last."""

    def __init__(
        self, name: str, reader: Reader, folder: Path, inputs: int, answer: Path, mutate: Callable[[bytes, int], bytes]
    ) -> None:
        self._mutate = mutate
        self._name, self._reader, self._folder, self._answer = name, reader, folder, answer
        self._left = inputs
        self._count = Count(0, 0, 0, 0, 0.0, 0.0)
        self._seen: set[tuple[object, ...]] = set()

    def take(self, data: bytes) -> None:
        """Hand one file to the reader."""
        read, wrong, began = False, None, time.process_time()
        try:
            read = self._reader.takes(self._folder, data)
        except Exception as error:
            wrong = error
        seconds = time.process_time() - began
        slow = seconds > SLOW_SECONDS
        now = self._count
        self._count = Count(
            now.inputs + 1,
            now.read + read,
            now.tracebacks + (wrong is not None),
            now.slow + slow,
            max(now.slowest, seconds),
            resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
        )
        if wrong is not None or slow:
            self._keep(data, wrong, seconds)
        if self._count.inputs >= self._left:
            self._end()

    def change(self, data: bytes, most: int, seed: int) -> bytes:
        """Another file."""
        random = Random(seed)
        made = self._reader.make(random) if random.random() < _CHANGED_VALUES else self._mutate(data, most)
        return made[:most]

    def _keep(self, data: bytes, wrong: Exception | None, seconds: float) -> None:
        """Keep a file, one of each kind of end, and say so."""
        last = traceback.extract_tb(wrong.__traceback__)[-1] if wrong is not None else None
        kind = (type(wrong).__name__, last and last.filename, last and last.lineno)
        if kind in self._seen:
            return
        self._seen.add(kind)
        KEPT.mkdir(parents=True, exist_ok=True)
        path = KEPT / f"{self._name.replace(', ', '-').replace(' ', '-')}-{len(self._seen)}"
        path.write_bytes(data)
        what = f"{kind[0]}: {str(wrong)[:200]!r} at {kind[1]}:{kind[2]}" if wrong else f"took {seconds:.0f} s"
        print(f"{self._name}: {path}: {what}", file=sys.stderr, flush=True)

    def _end(self) -> None:
        self._answer.write_text(json.dumps(self._count))
        shutil.rmtree(self._folder, ignore_errors=True)
        sys.stderr.flush()
        os._exit(0)  # libFuzzer has no other end that is no failure


if __name__ == "__main__":
    main()
