"""The formats by name: each has what it says, and files are read with progress."""

from pathlib import Path

import pytest

from harness.exchange import READERS, WRITERS, Import, Sizes, import_files
from harness.store import Store
from tests.builders.commands import Emergence
from tests.builders.published import lm_eval_file


@pytest.mark.parametrize("name", READERS)
def test_every_reader_can_be_loaded_and_says_which_files_it_takes(name: str) -> None:
    reader = READERS[name]
    assert callable(reader.load())
    assert all((reader.names, reader.files, reader.holds))


@pytest.mark.parametrize("name", WRITERS)
def test_every_writer_can_be_loaded_and_says_what_it_writes(name: str) -> None:
    assert callable(WRITERS[name].load())
    assert WRITERS[name].about


@pytest.mark.parametrize("verb", ["import", "export"])
def test_the_help_names_the_formats(emergence: Emergence, verb: str) -> None:
    shown = " ".join(emergence(verb, "--help").out.split())
    assert all(name in shown for name in (READERS if verb == "import" else WRITERS))


def test_an_unknown_format_is_answered_with_the_known_ones(emergence: Emergence, tmp_path: Path) -> None:
    done = emergence("import", "words", tmp_path, "--results", tmp_path / "r")
    assert done.code == 2
    assert "unknown format 'words'; known: " in done.err
    assert "lm-eval" in done.err


def test_progress_is_told_for_files_and_then_for_cells(tmp_path: Path) -> None:
    for number in range(3):
        lm_eval_file(tmp_path / "files" / str(number), versions={"colours": number, "sums": 3})
    told: list[tuple[int, int, str]] = []
    import_files(
        "lm-eval",
        [tmp_path / "files"],
        Store(tmp_path / "r"),
        Import(sizes=Sizes()),
        lambda *done: told.append(done),
    )
    assert told[:3] == [(1, 3, "files read"), (2, 3, "files read"), (3, 3, "files read")]
    assert told[3:] == [(n, 4, "cells imported") for n in range(1, 5)]


def test_a_damaged_file_of_documents_stops_the_import_before_anything_is_written(
    emergence: Emergence, tmp_path: Path
) -> None:
    path = lm_eval_file(tmp_path / "files")
    path.with_name(path.name.replace("results_", "samples_sums_") + "l").write_text('{"doc_id": 0}\n{"doc_id":\n')
    done = emergence("import", "lm-eval", tmp_path / "files", "--results", tmp_path / "r")
    assert done.code == 2
    assert "line 2 is not JSON" in done.err
    assert not list((tmp_path / "r").rglob("cell.json"))
