"""An import of many files by several processes: the results of one process, and nothing half-written."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.exchange import Import, Imported, Sizes, import_files
from harness.exchange.importing import ImportTold
from harness.store import Store
from tests.builders.archives import zip_bytes
from tests.builders.inspect_logs import eval_log, inspect_log
from tests.builders.published import lm_eval_file, option_row, sample_file

IMPORTED_AT = re.compile(r'"imported_at": "[^"]+"')
SCRIPT = """
import sys
from pathlib import Path
from harness.exchange import Import, Sizes, import_files
from harness.store import Store
files, results = map(Path, sys.argv[1:])
def told(done, of, what):
    print(what, flush=True)
import_files("lm-eval", [files], Store(results), Import(sizes=Sizes(told={"small": 70_000_000})), told, processes=2)
"""


def imported(folder: Path, form: str, files: Path, processes: int, told: ImportTold | None = None) -> Imported:
    request = Import(sizes=Sizes(told={"small": 70_000_000}))
    return import_files(form, [files], Store(folder), request, told or (lambda *_: None), processes=processes)


def told_to(told: list[tuple[int, int, str]]) -> ImportTold:
    return lambda *one: told.append(one)


def content(folder: Path) -> dict[str, bytes | str]:
    """Every file but for the moment of the import."""
    found: dict[str, bytes | str] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            found[path.relative_to(folder).as_posix()] = (
                IMPORTED_AT.sub("", data.decode()) if path.name == "cell.json" else data
            )
    return found


def many_files(folder: Path, number: int) -> Path:
    """Files of several revisions, one with documents and one that is something else."""
    for step in range(number):
        args = f"pretrained=lab/small,revision=step{step}"
        lm_eval_file(folder / f"{step:03}", config={"model": "hf", "model_args": args, "limit": None})
    path = lm_eval_file(folder / "documents", versions={"colours": 9, "sums": 9})
    sample_file(path.parent, "colours", [option_row(i, [-3.0, -1.0], right=1) for i in range(4)])
    (folder / "notes.json").write_text("{}")
    return folder


def test_several_processes_write_what_one_does_and_tell_the_same(tmp_path: Path) -> None:
    files, told = many_files(tmp_path / "files", 30), dict[int, list[tuple[int, int, str]]]()
    came = {}
    for processes in (1, 2):
        told[processes] = []
        came[processes] = imported(tmp_path / f"{processes}", "lm-eval", files, processes, told_to(told[processes]))
    assert came[1] == came[2]
    assert (came[2].written, came[2].files) == (62, 31)
    assert told[1] == told[2]
    assert content(tmp_path / "1") == content(tmp_path / "2")


def test_documents_of_logs_are_read_by_other_processes(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    for number in range(3):
        log = inspect_log()
        log["eval"]["task"] = f"task{number}"
        eval_log(tmp_path / "files" / f"{number}.eval", log)
    for processes in (1, 2):
        imported(tmp_path / f"{processes}", "inspect", tmp_path / "files", processes)
    assert content(tmp_path / "1") == content(tmp_path / "2")
    store = Store(tmp_path / "2")
    assert all(store.samples(result.cell) for result in store.results())


def test_faults_of_several_files_are_told_alike_and_nothing_is_written(tmp_path: Path) -> None:
    files = many_files(tmp_path / "files", 3)
    (files / "001" / "damaged.json").write_text('{"a": ')
    (files / "zipped.json").write_bytes(zip_bytes({"a": b""}))
    said = set()
    for processes in (1, 2):
        with pytest.raises(HarnessError) as raised:
            imported(tmp_path / f"{processes}", "lm-eval", files, processes)
        said.add(str(raised.value))
        assert not list((tmp_path / f"{processes}").rglob("*"))
    assert len(said) == 1
    assert "damaged.json: is not JSON; " in said.pop()


def test_a_file_that_changes_meanwhile_is_refused(tmp_path: Path) -> None:
    path = lm_eval_file(tmp_path / "files")

    def change(done: int, of: int, what: str) -> None:
        path.write_text(json.dumps({**json.loads(path.read_text()), "date": 1.0}))

    with pytest.raises(HarnessError, match="has changed since it was read; import it again"):
        imported(tmp_path / "r", "lm-eval", path, 1, change)
    assert not list((tmp_path / "r").rglob("cell.json"))


@pytest.mark.parametrize("what", ["files read", "cells imported"])
def test_ctrl_c_leaves_nothing_half_written(tmp_path: Path, what: str) -> None:
    files = many_files(tmp_path / "files", 100)
    command = [sys.executable, "-c", SCRIPT, str(files), str(tmp_path / "r")]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True
    ) as run:
        assert run.stdout is not None
        assert any(line.strip() == what for line in run.stdout)
        os.killpg(run.pid, signal.SIGINT)  # as a terminal does
    assert run.returncode != 0
    assert not list(tmp_path.rglob(".writing-*"))
    assert all((path.parent / "cell.json").exists() for path in (tmp_path / "r").rglob("samples.parquet"))
    imported(tmp_path / "r", "lm-eval", files, 1)
    imported(tmp_path / "whole", "lm-eval", files, 1)
    assert content(tmp_path / "r") == content(tmp_path / "whole")
