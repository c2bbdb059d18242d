"""Result files of other programs, with their samples."""

from __future__ import annotations

import json
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import yaml

from harness.exchange import Import, Sizes, import_files
from harness.store import Store
from tests.builders.archives import zip_bytes
from tests.builders.inspect_logs import eval_log, inspect_log
from tests.builders.model_cards import EVAL_RESULTS, README
from tests.builders.olmes import olmes_file, olmo_eval_file, prediction, request, rows_file, written
from tests.builders.published import DATE, lm_eval_file, option_row, text_row
from tests.fuzz.changes import as_json, changed_bytes, changed_value
from tests.fuzz.reader import Reader, of_json

_RESULTS, _SAMPLES = f"results_{DATE}.json", f"samples_colours_{DATE}.jsonl"
_OLMES = "task-000-colours-metrics.json"


def _good(write: Callable[[Path], Path]) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        return json.loads(write(Path(folder)).read_text())


def _imports(form: str, name: str) -> Callable[[Path], None]:
    """Imports a file; all that was written can be read again."""

    def read(folder: Path) -> None:
        with tempfile.TemporaryDirectory(dir=folder) as results:
            store = Store(Path(results))
            import_files(form, [folder / name], store, Import(sizes=Sizes(told={"small": 70_000_000})))
            assert not store.problems()

    return read


def _eval_log(random: Random) -> bytes:
    """A zip file whose documents, or whose bytes, are changed."""
    with tempfile.TemporaryDirectory() as folder:
        path = eval_log(Path(folder) / "a.eval", inspect_log())
        with zipfile.ZipFile(path) as archive:
            files = {name: archive.read(name) for name in archive.namelist()}
    for name in random.sample([*files], random.randrange(3)):
        files[name] = as_json(changed_value(json.loads(files[name]), random))
    data = zip_bytes(files, zstd=random.randrange(2) == 0)
    return data if random.randrange(3) else changed_bytes(data, random)


def _card(random: Random) -> bytes:
    """A README.md whose front matter, or whose bytes, are changed; or a file of `.eval_results`."""
    if random.randrange(4) == 0:
        return changed_bytes(random.choice((README, EVAL_RESULTS)).encode(), random)
    front = yaml.safe_load(random.choice((README.split("---\n")[1], EVAL_RESULTS)))
    return b"---\n" + as_json(changed_value(front, random)) + b"\n---\n"


def _with_requests(folder: Path) -> None:
    olmes_file(folder, num_instances=None)
    rows_file(folder / "task-000-colours-requests.jsonl", [request(0, option, f" {option}") for option in range(2)])


_ROWS = (option_row(0, [-3.0, -1.0], right=1), text_row(0, " 1!", "1", chosen="strict-match", right="1"))

READERS = {
    "lm-eval results": Reader(
        _RESULTS, of_json(_good(lm_eval_file)), _imports("lm-eval", _RESULTS), files=40, share=0.1
    ),
    "lm-eval samples": Reader(
        _SAMPLES, of_json(*_ROWS), _imports("lm-eval", _RESULTS), lm_eval_file, files=40, share=0.1
    ),
    "Inspect JSON log": Reader("a.json", of_json(inspect_log()), _imports("inspect", "a.json"), files=40, share=0.1),
    "Inspect eval log": Reader("a.eval", _eval_log, _imports("inspect", "a.eval"), files=40, share=0.1),
    "model card": Reader("README.md", _card, _imports("hf", "README.md"), files=40, share=0.1),
    "OLMES metrics": Reader(
        _OLMES, of_json(_good(olmes_file), _good(olmo_eval_file)), _imports("olmes", _OLMES), files=40, share=0.1
    ),
    "OLMES predictions": Reader(
        "task-000-colours-predictions.jsonl",
        of_json(prediction(0, (-3.0, -1.0), right=1), written(0, "7", right="7")),
        _imports("olmes", _OLMES),
        _with_requests,
        files=30,
        share=0.1,
    ),
}
"""Name in the table -> reader."""
