"""Result files of other programs: those of lm-eval, with their samples."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from harness.exchange import Import, Sizes, import_files
from harness.store import Store
from tests.builders.published import DATE, lm_eval_file, option_row, text_row
from tests.fuzz.reader import Reader, of_json

_RESULTS, _SAMPLES = f"results_{DATE}.json", f"samples_colours_{DATE}.jsonl"


def _good() -> Any:
    with tempfile.TemporaryDirectory() as folder:
        return json.loads(lm_eval_file(Path(folder)).read_text())


def _import(folder: Path) -> tuple[str, ...]:
    store = Store(folder / "results")
    import_files("lm-eval", [folder / _RESULTS], store, Import(sizes=Sizes(told={"small": 70_000_000})))
    return tuple(str(problem) for problem in store.problems())


def _with_results(folder: Path) -> None:
    lm_eval_file(folder)


_ROWS = (option_row(0, [-3.0, -1.0], right=1), text_row(0, " 1!", "1", chosen="strict-match", right="1"))

READERS = {
    "lm-eval results": Reader(_RESULTS, of_json(_good()), _import, files=40, share=0.1),
    "lm-eval samples": Reader(_SAMPLES, of_json(*_ROWS), _import, _with_results, files=40, share=0.1),
}
"""Name in the table -> reader."""
