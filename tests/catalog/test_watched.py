import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.catalog.models.watched import Look, WatchedFolders, incomplete
from tests.builders.headers import write_headers

SHIPPED = Path(__file__).parents[2] / "harness/ladder/weights/12k"


def nothing() -> None:
    """A pause in which nothing changes."""


@pytest.fixture
def watched(tmp_path: Path) -> WatchedFolders:
    return WatchedFolders(find=lambda: sorted(tmp_path.glob("checkpoint-*")))


def names(look: Look) -> tuple[list[str], dict[str, str], list[str]]:
    waiting = {folder.name: why for folder, why in look.waiting.items()}
    return [folder.name for folder in look.ready], waiting, [folder.name for folder in look.gone]


def test_a_checkpoint_that_comes_file_by_file_is_waited_for(tmp_path: Path, watched: WatchedFolders) -> None:
    folder = tmp_path / "checkpoint-5"
    folder.mkdir()
    weights = (SHIPPED / "model.safetensors").read_bytes()
    tokenizer = (SHIPPED / "tokenizer.json").read_text()
    pieces: list[tuple[str, bytes, str]] = [
        ("config.json", (SHIPPED / "config.json").read_bytes()[:20], "config.json: "),
        ("config.json", (SHIPPED / "config.json").read_bytes(), "no weights; expected one of model.safetensors"),
        ("model.safetensors", weights[:-1], "model.safetensors: is cut short"),
        ("model.safetensors", weights, "no tokenizer; expected one of"),
        ("tokenizer.json", tokenizer[:100].encode(), "tokenizer.json: "),
        ("trainer_state.json.tmp", b"", "trainer_state.json.tmp is still being written"),
    ]
    for name, content, why in pieces:
        (folder / name).write_bytes(content)
        ready, waiting, _ = names(watched.look(nothing))
        assert ready == []
        assert waiting["checkpoint-5"].startswith(why)
        assert names(watched.look(nothing)) == ([], {}, [])  # the same reason is said once
    (folder / "tokenizer.json").write_text(tokenizer)
    (folder / "trainer_state.json.tmp").unlink()
    assert names(watched.look(nothing)) == (["checkpoint-5"], {}, [])


def test_an_index_waits_for_its_shards(tmp_path: Path) -> None:
    folder = write_headers(tmp_path / "checkpoint-5")
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    assert (incomplete(folder) or "").startswith("no weights that a loader finds")
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "c": "model-00002-of-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert incomplete(folder) == (
        "model-00002-of-00002.safetensors is missing; model.safetensors.index.json says that weights are in it"
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "tokenizer.json").write_text('{"longer": 1}'),
        lambda folder: (folder / "optimizer.pt").write_bytes(b"0"),
        lambda folder: (folder / "tokenizer.json").unlink(),
    ],
)
def test_a_folder_in_which_something_changes_is_waited_for(
    tmp_path: Path, watched: WatchedFolders, change: Callable[[Path], object]
) -> None:
    folder = write_headers(tmp_path / "checkpoint-5")
    (folder / "vocab.txt").write_text("a")
    look = watched.look(lambda: change(folder) and None)
    assert names(look) == ([], {"checkpoint-5": "files are still changing"}, [])
    assert names(watched.look(nothing)) == (["checkpoint-5"], {}, [])


@pytest.mark.parametrize("name", ["checkpoint-5.tmp", "checkpoint-5_tmp", "checkpoint-5.incomplete", "checkpoint-5~"])
def test_a_temporary_name_is_waited_for(tmp_path: Path, watched: WatchedFolders, name: str) -> None:
    folder = write_headers(tmp_path / name)
    assert names(watched.look(nothing)) == ([], {name: "its name is a temporary one"}, [])
    folder.rename(tmp_path / "checkpoint-5")
    assert names(watched.look(nothing)) == (["checkpoint-5"], {}, [name])


def test_what_was_evaluated_comes_again_only_when_its_files_change(tmp_path: Path, watched: WatchedFolders) -> None:
    folder = write_headers(tmp_path / "checkpoint-5")
    watched.settle(watched.look(nothing).ready)
    assert names(watched.look(nothing)) == ([], {}, [])
    (folder / "config.json").write_text('{"model_type": "gpt2"}')
    assert names(watched.look(nothing)) == (["checkpoint-5"], {}, [])


def test_a_change_while_a_checkpoint_is_evaluated_is_not_missed(tmp_path: Path, watched: WatchedFolders) -> None:
    folder = write_headers(tmp_path / "checkpoint-5")
    ready = watched.look(nothing).ready
    (folder / "config.json").write_text('{"model_type": "gpt2"}')
    watched.settle(ready)
    assert names(watched.look(nothing)) == (["checkpoint-5"], {}, [])


def test_what_is_deleted_is_said_once(tmp_path: Path, watched: WatchedFolders) -> None:
    for step in (5, 6, 7):
        write_headers(tmp_path / f"checkpoint-{step}")
    watched.settle(watched.look(nothing).ready[:1])
    shutil.rmtree(tmp_path / "checkpoint-5")
    shutil.rmtree(tmp_path / "checkpoint-6")
    assert names(watched.look(nothing)) == (["checkpoint-7"], {}, ["checkpoint-5", "checkpoint-6"])
    look = watched.look(lambda: shutil.rmtree(tmp_path / "checkpoint-7"))
    assert names(look) == ([], {}, ["checkpoint-7"])
    assert names(watched.look(nothing)) == ([], {}, [])
