import gzip
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from harness.engines.mirrored import load_folder
from harness.errors import CatalogError
from tests.builders.mirrors import SUMS, write_card, write_data_set


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def usual(folder: Path, name: str | None, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Any]]:
    """What `datasets.load_dataset` gives where the mirror is the working folder."""
    import datasets

    monkeypatch.chdir(folder.parents[1])
    return documents(datasets.load_dataset(f"{folder.parent.name}/{folder.name}", name))


def documents(loaded: Any) -> dict[str, list[Any]]:
    return {split: list(rows) for split, rows in loaded.items()}


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet"])
def test_documents_equal_those_that_datasets_gives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    rows = [{"n": 1, "text": "a\u00e9"}, {"n": 2, "text": "NA"}, {"n": 3, "text": "None"}]
    folder = write_data_set(tmp_path / "org/set", {"train": rows, "test": rows[:1]}, form=form)
    found = documents(load_folder(folder, None))
    assert found == usual(folder, None, monkeypatch)
    assert [row["n"] for row in found["train"]] == [1, 2, 3]


def test_missing_keys_and_features_of_the_card_are_as_datasets_has_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_data_set(tmp_path / "org/set", {"test": [{"label": "no", "x": 1}, {"label": "yes"}]})
    label = {"name": "label", "dtype": {"class_label": {"names": {"0": "no", "1": "yes"}}}}
    write_card(folder, {"dataset_info": {"features": [label, {"name": "x", "dtype": "float32"}]}})
    found = documents(load_folder(folder, None))
    assert found == {"test": [{"label": 0, "x": 1.0}, {"label": 1, "x": None}]}
    assert found == usual(folder, None, monkeypatch)


def test_parts_of_a_card_and_shards_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "org/set"
    for shard in range(2):
        rows = [{"i": 2 * shard + i} for i in range(2)]
        write_data_set(folder / "hard", {f"test-{shard:05}-of-00002": rows}, form="parquet")
    write_data_set(folder / "easy", {"test": [{"i": 9}]})
    configs = [
        {"config_name": "easy", "data_files": [{"split": "test", "path": "easy/test.jsonl"}]},
        {"config_name": "hard", "data_files": [{"split": "test", "path": "hard/test-*"}]},
    ]
    write_card(folder, {"configs": configs[1:]})
    assert documents(load_folder(folder, "hard")) == {"test": [{"i": i} for i in range(4)]}
    assert documents(load_folder(folder, None)) == usual(folder, None, monkeypatch)
    write_card(folder, {"configs": configs})
    with pytest.raises(CatalogError, match="has several parts; expected `dataset_name`, one of easy, hard"):
        load_folder(folder, None)
    with pytest.raises(CatalogError, match="unknown part 'other'; known: easy, hard"):
        load_folder(folder, "other")


def test_a_part_loads_where_the_first_part_of_the_card_is_not_in_the_mirror(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "org/set"
    write_data_set(folder / "easy", {"test": [{"i": 9, "label": "no"}]}, form="csv")
    write_data_set(folder / "hard", {"test": [{"i": 8, "label": "yes"}]}, form="csv")
    label = {"name": "label", "dtype": {"class_label": {"names": {"0": "no", "1": "yes"}}}}
    features = [{"name": "i", "dtype": "float32"}, label]
    configs = [
        {"config_name": name, "data_files": [{"split": "test", "path": f"{name}/test*"}], "sep": ","}
        for name in ("easy", "hard")
    ]
    infos = [{"config_name": name, "features": features} for name in ("easy", "hard")]
    write_card(folder, {"configs": configs, "dataset_info": infos})
    as_usual = usual(folder, "hard", monkeypatch)
    shutil.rmtree(folder / "easy")
    assert documents(load_folder(folder, "hard")) == {"test": [{"i": 8.0, "label": 1}]} == as_usual
    with pytest.raises(CatalogError, match="org/set: has no files of part easy; download them with"):
        load_folder(folder, "easy")


def test_files_that_have_changed_are_read_anew(tmp_path: Path) -> None:
    folder = tmp_path / "org/set"
    for text in ("one", "two"):
        write_data_set(folder, {"test": [{"q": text}]}, form="parquet")
        assert documents(load_folder(folder, None)) == {"test": [{"q": text}]}


def test_a_folder_can_stand_for_a_part(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    write_data_set(folder / "main")
    write_data_set(folder / "socratic", {"test": [{"q": "?", "a": "!"}]})
    assert documents(load_folder(folder, "main")) == {split: list(rows) for split, rows in SUMS.items()}
    assert documents(load_folder(folder, "socratic")) == {"test": [{"q": "?", "a": "!"}]}
    with pytest.raises(CatalogError, match="has no part 'mian'; expected a folder of this name in it, or `configs` in"):
        load_folder(folder, "mian")


@pytest.mark.parametrize(
    "place", ["/etc/passwd", "../../x.jsonl", "https://x.org/a.jsonl", "zip://a::b.zip", "~/a.json"]
)
@pytest.mark.parametrize("file", ["README.md", ".huggingface.yaml"])
def test_a_card_cannot_name_files_elsewhere(tmp_path: Path, place: str, file: str) -> None:
    folder = write_data_set(tmp_path / "set")
    card = write_card(folder, {"configs": [{"config_name": "main", "data_files": [{"split": "test", "path": place}]}]})
    if file != card.name:
        (folder / file).write_text("\n".join(card.read_text().splitlines()[1:-2]))
        card.unlink()
    with pytest.raises(CatalogError, match=f"{file}: names '{place}'; expected files of the data set's own folder"):
        load_folder(folder, "main")


@pytest.mark.parametrize("name", ["test.pkl", "test.arrow", "test.tar", "test.zip", "set.py"])
def test_pickles_scripts_and_archives_are_refused(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / name).write_bytes(b"cos\nsystem\n(S'touch canary'\ntR.")
    with pytest.raises(CatalogError):
        load_folder(folder, None)
    assert not Path("canary").exists()


def test_a_table_with_another_ending_is_refused(tmp_path: Path) -> None:
    folder = write_data_set(tmp_path / "set", {"test": [{"a": 1}]})
    os.rename(folder / "test.jsonl", folder / "test.jsonl.bz2")
    with pytest.raises(CatalogError, match=r"test.jsonl.bz2: ends in .bz2; expected .json, .jsonl"):
        load_folder(folder, None)


@pytest.mark.parametrize("form", ["gz", "parquet"])
def test_what_unpacks_to_more_than_is_allowed_is_not_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    monkeypatch.setenv("EMERGENCE_LIMITS", "0.001")
    folder = tmp_path / "set"
    if form == "gz":
        folder.mkdir()
        (folder / "test.jsonl.gz").write_bytes(gzip.compress(b'{"a": 1}\n' * 300_000))
    else:
        write_data_set(folder, {"test": [{"a": "x" * 1000}] * 1500}, form="parquet")
    with pytest.raises(CatalogError, match=r"has (more than )?[\d,]+ bytes; expected at most"):
        load_folder(folder, None)


def test_a_damaged_file_is_told_in_one_line(tmp_path: Path) -> None:
    folder = write_data_set(tmp_path / "set")
    (folder / "test.jsonl").write_text('{"q": 1}\n{"q"')
    with pytest.raises(CatalogError, match=f"{folder}: cannot be loaded: "):
        load_folder(folder, None)
