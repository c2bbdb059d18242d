import json
from pathlib import Path

import pytest

from harness.catalog import load_catalog, select
from harness.catalog.models.checkpoints import model_folders
from harness.errors import HarnessError, ModelError
from tests.builders.headers import write_headers

FORMS = ["run", "run/checkpoint-*", "run/"]
"""How people name the checkpoints of one training."""


@pytest.fixture(autouse=True)
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of a trainer with three checkpoints, of which two know their tokens."""
    monkeypatch.chdir(tmp_path)
    for step in (1000, 200, 90):
        folder = write_headers(tmp_path / "run" / f"checkpoint-{step}")
        state = {"global_step": step, "num_input_tokens_seen": 4096 * step if step > 90 else 0}
        (folder / "trainer_state.json").write_text(json.dumps(state))
    (tmp_path / "run" / "runs").mkdir()
    return tmp_path / "run"


@pytest.mark.parametrize("named", FORMS)
def test_the_folder_of_a_trainer_stands_for_its_checkpoints(named: str) -> None:
    plan = select(load_catalog(), tasks=["add_2"], models=[named], shots=[0])
    assert [(c.model.family, c.model.name, c.model.tokens) for c in plan.cells] == [
        ("run", "run-checkpoint-90", None),
        ("run", "run-checkpoint-200", 819_200),
        ("run", "run-checkpoint-1000", 4_096_000),
    ]


def test_a_checkpoint_is_the_same_model_alone_and_among_others(trained: Path) -> None:
    (alone,) = select(load_catalog(), tasks=["add_2"], models=[trained / "checkpoint-200"], shots=[0]).cells
    assert alone in select(load_catalog(), tasks=["add_2"], models=["run"], shots=[0]).cells


def test_a_trainers_folder_with_a_model_of_its_own_is_that_model(trained: Path) -> None:
    write_headers(trained)
    (cell,) = select(load_catalog(), tasks=["add_2"], models=["run"], shots=[0]).cells
    assert cell.model.name == "run"


@pytest.mark.parametrize("path", FORMS)
def test_a_family_file_names_checkpoints(tmp_path: Path, path: str) -> None:
    file = tmp_path / "family.yaml"
    file.write_text(f"{{family: f, tokens: 9B, tokens_per_step: 2k, models: [{{name: small, path: '{path}'}}]}}")
    family = load_catalog([file]).family("f")
    assert [(m.name, m.params, m.tokens) for m in family.models] == [
        ("small-checkpoint-90", 17, 180_000),
        ("small-checkpoint-200", 17, 400_000),
        ("small-checkpoint-1000", 17, 2_000_000),
    ]


def test_a_name_of_a_family_chooses_all_its_checkpoints_or_one(tmp_path: Path) -> None:
    (tmp_path / "family.yaml").write_text("{family: f, models: [{name: small, path: run}]}")
    catalog = load_catalog([tmp_path / "family.yaml"])
    chosen = [
        [cell.model.name for cell in select(catalog, tasks=["add_2"], families=["f"], models=[name], shots=[0]).cells]
        for name in ("small", "small-checkpoint-90")
    ]
    assert chosen == [["small-checkpoint-90", "small-checkpoint-200", "small-checkpoint-1000"], ["small-checkpoint-90"]]


@pytest.mark.parametrize("said", ["tokens: 9B", "loss: 2"])
def test_what_checkpoints_do_not_share_is_not_said_of_them_all(tmp_path: Path, said: str) -> None:
    (tmp_path / "family.yaml").write_text(f"{{family: f, models: [{{name: small, path: run, {said}}}]}}")
    with pytest.raises(HarnessError, match=r"models\[0\] stands for 3 checkpoints, .*; expected `tokens_per_step`"):
        load_catalog([tmp_path / "family.yaml"])


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ("nowhere/checkpoint-*", r"nowhere/checkpoint-\*: no folder fits"),
        ("run/checkpoint-200/model.safetensors", "is a file; expected the folder with config.json"),
        ("model.gguf", r"the weights are GGUF \(model.gguf\)"),
    ],
)
def test_what_names_no_folder_is_refused(tmp_path: Path, named: str, message: str) -> None:
    (tmp_path / "model.gguf").write_bytes(b"GGUF")
    with pytest.raises(ModelError, match=message):
        model_folders(named)


def test_a_folder_whose_name_looks_like_a_pattern_is_taken_by_its_name(tmp_path: Path) -> None:
    write_headers(tmp_path / "model[1]")
    assert model_folders("model[1]") == (tmp_path / "model[1]",)
