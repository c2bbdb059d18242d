"""Files of other programs than lm-eval, which are imported."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from harness.exchange import Import, Sizes, import_files
from harness.store import Store
from tests.builders.published_eee import NAME, converted_record, leaderboard_record, record_file, sample_row
from tests.builders.published_helm import options_run, texts_run
from tests.builders.published_lighteval import (
    DATE,
    details_file,
    new_file,
    old_detail,
    old_file,
    option_detail,
    text_detail,
)
from tests.builders.published_oellm import COLLECTED, JOBS, oellm_table
from tests.builders.published_open_llm import new_row, old_row
from tests.fuzz.changes import changed_bytes, changed_value
from tests.fuzz.parquet_files import parquet_file
from tests.fuzz.reader import Make, Reader, of_json

_SIZES = {"small": 70_000_000, "small-8B": 8_250_000_000, "large": 1_000_000_000}
_DOCUMENTS = dict.fromkeys(("IFEval", "MATH Level 5", "flores200:swe_Latn-eng_Latn", "global_mgsm_de"), 100)


def _importing(form: str, file: str) -> Callable[[Path], None]:
    """Imports a file; all that was written can be read again."""

    def read(folder: Path) -> None:
        with tempfile.TemporaryDirectory(dir=folder) as results:
            store = Store(Path(results))
            import_files(form, [folder / file], store, Import(sizes=Sizes(told=_SIZES), documents=_DOCUMENTS))
            assert not store.problems()

    return read


def _reader(form: str, file: str, good: Any, prepare: Callable[[Path], Any] = lambda folder: None) -> Reader:
    return Reader(file, of_json(*good), _importing(form, file), prepare, files=25, share=0.1)


def _without_hash(folder: Path) -> None:
    record_file(folder, {**converted_record(), "detailed_evaluation_results": {"file_path": f"{NAME}_samples.jsonl"}})


def _helm(name: str) -> tuple[Any, ...]:
    """The JSON of one of the two files of runs."""
    with tempfile.TemporaryDirectory() as folder:
        paths = (make(Path(folder)) for make in (options_run, texts_run))
        return tuple(json.loads(path.with_name(name).read_text()) for path in paths)


def _with_run(folder: Path) -> None:
    for name in ("run_spec.json", "stats.json"):
        (folder / name).write_text(json.dumps(_helm(name)[0]))


_LIGHTEVAL, _DETAILS = f"results_{DATE}.json", f"details_gsm8k|0_{DATE}.parquet"


def _lighteval() -> tuple[Any, ...]:
    with tempfile.TemporaryDirectory() as folder:
        return tuple(json.loads(make(Path(folder)).read_text()) for make in (new_file, old_file))


def _with_details(folder: Path) -> None:
    details_file(folder, "gsm8k|0", [text_detail(i, ["7"], right="7") for i in range(2)])


def _with_lighteval(folder: Path) -> None:
    (folder / _LIGHTEVAL).write_text(json.dumps(_lighteval()[0]))


def _details(random: Random) -> bytes:
    """Details of one of the two forms, with a value changed at random."""
    rows: list[dict[str, Any]] = [option_detail(0, [-1.0, -2.0], right=0), text_detail(1, ["7"], right="7")]
    if random.randrange(2):
        rows = [old_detail(i, right=i) for i in range(2)]
    rows = [changed_value(row, random) if random.randrange(3) == 0 else row for row in rows]
    whole = [row for row in rows if isinstance(row, dict)]
    names = list(dict.fromkeys(str(name) for row in whole for name in row))
    return parquet_file({name: [row.get(name) for row in whole] for name in names}, random)


def _of_table(good: str) -> Make:
    """A table with a few cells or bytes changed."""

    def make(random: Random) -> bytes:
        lines = [line.split(",") for line in good.splitlines()]
        for _ in range(random.randrange(4)):
            line = random.choice(lines)
            line[random.randrange(len(line))] = random.choice(_CELLS)
        data = "\n".join(map(",".join, lines)).encode()
        return changed_bytes(data, random) if random.randrange(3) == 0 else data

    return make


_CELLS = ("", "nan", "-1", "1e400", "7.5", "9" * 30, "unknown", "x" * 3000, '"', "=1+1", "\u200b", "a/../../b", "0")


_ROWS = (sample_row(0, score=1.0), sample_row(1, score=0.0, metadata={"option_loglikelihoods": "[-1.0]"}))

_NEW, _OLD = new_row("lab/small", 0.5, 0.375), old_row("lab/small", 0.5, 37.5)
_CONTENTS = "\n".join(",".join(map(str, row)) for row in (_NEW, _NEW.values(), _NEW.values()))

READERS = {
    "Every Eval Ever": _reader("every-eval-ever", f"{NAME}.json", (leaderboard_record(), converted_record())),
    "Every Eval Ever samples": Reader(
        f"{NAME}_samples.jsonl",
        of_json(*_ROWS),
        _importing("every-eval-ever", f"{NAME}.json"),
        _without_hash,
        files=25,
        share=0.1,
    ),
    "HELM statistics": _reader("helm", "stats.json", _helm("stats.json"), _with_run),
    "HELM run": Reader(
        "run_spec.json",
        of_json(*_helm("run_spec.json")),
        _importing("helm", "stats.json"),
        _with_run,
        files=25,
        share=0.1,
    ),
    "oellm table": Reader(
        "eval_results.csv", _of_table(COLLECTED), _importing("oellm", "eval_results.csv"), files=25, share=0.1
    ),
    "oellm jobs": Reader(
        "jobs.csv", _of_table(JOBS), _importing("oellm", "eval_results.csv"), oellm_table, files=25, share=0.1
    ),
    "lighteval results": _reader("lighteval", _LIGHTEVAL, _lighteval(), _with_details),
    "lighteval details": Reader(
        _DETAILS, _details, _importing("lighteval", _LIGHTEVAL), _with_lighteval, files=25, share=0.1
    ),
    "Open LLM Leaderboard table": Reader(
        "contents.csv", _of_table(_CONTENTS), _importing("open-llm", "contents.csv"), files=25, share=0.1
    ),
    "Open LLM Leaderboard rows": _reader("open-llm", "contents.json", ([_NEW, _NEW], _OLD)),
}
"""Name in the table -> reader."""
