import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.catalog import load_catalog, select
from harness.catalog.manifest import FILE
from harness.errors import HarnessError
from harness.store import Store
from tests.builders.commands import Emergence
from tests.builders.mirrors import task_of, write_card, write_data_set

SHIPPED = Path(__file__).parents[2] / "harness/ladder/weights"
RUN = ("--executor", "inline", "--results", "results", "--limit", "3", "--shots", "1", "--mirror", "mirror")


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    """A mirror with a model and a data set."""
    shutil.copytree(SHIPPED / "12k", tmp_path / "mirror/org/small")
    write_data_set(tmp_path / "mirror/datasets/org/sums")
    return tmp_path / "mirror"


@pytest.fixture
def sums(tmp_path: Path) -> Path:
    """A task of the data set."""
    return write_task(tmp_path, "org/sums")


def write_task(folder: Path, name: str, **config: Any) -> Path:
    path = folder / "sums.yaml"
    path.write_text(yaml.safe_dump(task_of(name, **config)))
    return path


def write_manifest(mirror: Path, place: str, **changes: Any) -> str:
    files = [
        {"path": str(path.relative_to(mirror / place)), "bytes": path.stat().st_size, "sha256": "0" * 64}
        for path in sorted((mirror / place).iterdir())
    ]
    entry = {"kind": "model", "name": place, "asked": "main", "revision": "c0ffee", "folder": place, "files": files}
    (mirror / FILE).write_text(json.dumps({"schema": 1, "repositories": [{**entry, **changes}]}))
    return "c0ffee"


def test_a_run_takes_models_and_data_sets_of_the_hub_from_the_mirror(
    mirror: Path, sums: Path, tmp_path: Path, emergence: Emergence, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    for name in ("HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    done = emergence("run", "--task", "sums", "--include_path", sums, "--model", "org/small", *RUN)
    assert done.code == 0, done.err
    [result] = Store(tmp_path / "results").results()
    assert (result.cell.model.name, result.cell.model.family) == ("org/small", "small")
    assert {score.n for score in result.scores} == {3}
    offline = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE")
    assert [os.environ[name] for name in offline] == ["1"] * 3


def test_the_variable_of_the_environment_stands_for_the_option(
    mirror: Path, sums: Path, emergence: Emergence, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMERGENCE_MIRROR", str(mirror))
    done = emergence("plan", "--task", "sums", "--include_path", sums, "--model", "org/small", "--json")
    assert {row["params"] for row in json.loads(done.out)} == {11568}, done.err


def test_a_model_is_known_by_its_fingerprint_or_by_the_commit_of_the_manifest(mirror: Path, sums: Path) -> None:
    def revision() -> str:
        catalog = load_catalog([sums], mirror=mirror)
        return select(catalog, tasks=["sums"], models=["org/small"], shots=[0]).cells[0].model.revision

    by_hand = revision()
    assert len(by_hand) == 12
    assert revision() == by_hand
    assert revision() != write_manifest(mirror, "org/small")
    assert revision() == "c0ffee"


def test_a_model_that_was_changed_after_it_was_downloaded_is_refused(mirror: Path, sums: Path) -> None:
    write_manifest(mirror, "org/small")
    with (mirror / "org/small/config.json").open("a") as file:
        file.write(" ")
    with pytest.raises(
        HarnessError, match=f"config.json: has .* bytes, and .* by {FILE}; run `emergence prepare` again"
    ):
        select(load_catalog([sums], mirror=mirror), tasks=["sums"], models=["org/small"])


def test_other_revisions_have_folders_of_their_own(mirror: Path, tmp_path: Path, sums: Path) -> None:
    shutil.copytree(SHIPPED / "26k", mirror / "org/small@step1000")
    models = [{"name": "org/small", "params": 12_000, "tokens": 5}]
    models += [{"name": "org/small", "params": 26_000, "tokens": 7, "revision": "step1000"}]
    (tmp_path / "family.yaml").write_text(yaml.safe_dump({"family": "small", "models": models}))
    catalog = load_catalog([sums, tmp_path / "family.yaml"], mirror=mirror)
    plan = select(catalog, tasks=["sums"], families=["small"], shots=[0])
    folders = [Path(str(model.path)).name for model in dict.fromkeys(cell.model for cell in plan.cells)]
    assert folders == ["small", "small@step1000"]
    with pytest.raises(
        HarnessError, match=r"org/small@step5: not in the mirror; expected .*/mirror/org/small@step5, which"
    ):
        select(catalog, tasks=["sums"], models=["org/small@step5"])


@pytest.mark.parametrize(
    ("place", "name", "config"),
    [
        ("datasets/org/sums", "org/sums", {}),
        ("org/sums", "org/sums", {}),
        ("datasets/sums", "sums", {}),
        ("datasets/org/sums@v1", "org/sums", {"dataset_kwargs": {"revision": "v1"}}),
        ("datasets/org/sums@refs--pr--1", "org/sums", {"dataset_kwargs": {"revision": "refs/pr/1"}}),
    ],
)
def test_a_data_set_has_one_of_these_folders(tmp_path: Path, place: str, name: str, config: dict[str, Any]) -> None:
    write_data_set(tmp_path / "mirror" / place)
    task = write_task(tmp_path, name, **config)
    plan = select(load_catalog([task], mirror=tmp_path / "mirror"), tasks=["sums"], shots=[0], engine="simulated")
    assert plan.tasks["sums"].data_folder == tmp_path / "mirror" / place


def test_what_the_mirror_lacks_is_named_with_the_folder_that_is_expected(
    mirror: Path, tmp_path: Path, emergence: Emergence
) -> None:
    task = write_task(tmp_path, "org/other")
    done = emergence("plan", "--task", "sums", "--include_path", task, "--model", "org/small", "--mirror", mirror)
    place = mirror / "datasets/org/other"
    assert (done.code, done.err.splitlines()) == (
        2,
        [
            f"error: task sums: data set org/other: not in the mirror; expected {place}, which `emergence prepare` "
            "fills where there is a network"
        ],
    )
    done = emergence("check", task, "--mirror", mirror)
    assert (done.code, f"{task}: task sums: data set org/other: not in the mirror" in done.err) == (2, True)
    assert emergence("check", write_task(tmp_path, "org/sums"), "--mirror", mirror).code == 0


def test_the_digest_of_a_task_does_not_depend_on_where_its_data_set_lies(mirror: Path, sums: Path) -> None:
    on_hub = load_catalog([sums]).task("sums")
    here = load_catalog([sums], mirror=mirror)
    assert select(here, tasks=["sums"], models=["org/small"]).cells[0].task_digest == on_hub.digest


@pytest.mark.parametrize("what", ["a file", "a folder", "all of it"])
def test_links_that_lead_out_of_the_mirror_are_refused(mirror: Path, sums: Path, tmp_path: Path, what: str) -> None:
    data = mirror / "datasets/org/sums"
    outside = write_data_set(tmp_path / "outside")
    if what == "a file":
        (data / "validation.jsonl").symlink_to(outside / "test.jsonl")
    elif what == "a folder":
        (data / "more").symlink_to(outside)
    else:
        shutil.rmtree(data)
        data.symlink_to(outside)
    with pytest.raises(HarnessError, match=r"is a link to '.*outside.*'; expected files in the mirror itself"):
        select(load_catalog([sums], mirror=mirror), tasks=["sums"], models=["org/small"])


def test_a_pipe_in_a_data_set_is_refused_and_not_waited_for(mirror: Path, sums: Path) -> None:
    os.mkfifo(mirror / "datasets/org/sums/validation.jsonl")
    with pytest.raises(HarnessError, match=r"validation.jsonl: is a pipe; expected a regular file"):
        select(load_catalog([sums], mirror=mirror), tasks=["sums"], models=["org/small"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "--mirror nowhere: no such folder; expected a folder with models and data sets"),
        ("{", f"{FILE}: is not JSON"),
        ('{"schema": 2}', f"{FILE}: `schema` is 2; expected 1, as `emergence prepare` writes it"),
        ('{"schema": 1}', f"{FILE}: is no manifest of a mirror; make it again with `emergence prepare`"),
        (
            '{"schema": 1, "repositories": [{"kind": "model", "name": "a", "asked": "", "revision": "", '
            '"folder": "../a", "files": []}]}',
            f"{FILE}: is no manifest of a mirror; make it again with `emergence prepare`",
        ),
    ],
)
def test_a_mirror_that_is_none_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Path("nowhere" if content is None else "mirror")
    if content is not None:
        folder.mkdir()
        (folder / FILE).write_text(content)
    with pytest.raises(HarnessError) as caught:
        load_catalog(mirror=folder)
    assert str(caught.value).endswith(message)


def test_the_mirror_can_be_the_working_folder(
    mirror: Path, tmp_path: Path, emergence: Emergence, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.move(mirror / "datasets/org/sums", mirror / "org/sums")
    task = write_task(tmp_path, "org/sums")
    monkeypatch.chdir(mirror)
    done = emergence(
        "run", "--task", "sums", "--include_path", task, "--model", "org/small@main", *RUN, "--mirror", "."
    )
    assert done.code == 0, done.err


def test_a_card_is_no_mapping_or_one_of_parts(tmp_path: Path) -> None:
    write_card(tmp_path, {"configs": "all"})
    from harness.catalog.data_cards import part_of

    with pytest.raises(HarnessError, match=r"README.md: `configs` is 'all'; expected a list of parts"):
        part_of(tmp_path, None)
