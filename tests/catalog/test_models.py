import json
import struct
from pathlib import Path

import pytest

from harness.catalog.models import (
    ModelFolder,
    check_local_model,
    model_from_folder,
    pinned,
    resolved,
)
from harness.errors import ModelError
from harness.specs import ModelSpec


def safetensors(path: Path, shapes: dict[str, list[int]]) -> None:
    """The header of a safetensors file; the numbers themselves are not read here."""
    tensors = {name: {"dtype": "F32", "shape": shape, "data_offsets": [0, 0]} for name, shape in shapes.items()}
    header = json.dumps({"__metadata__": {"format": "pt"}, **tensors}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What a loader needs to see, without real weights."""
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama"}))
    (tmp_path / "tokenizer.json").write_text("{}")
    safetensors(tmp_path / "model.safetensors", {"a": [3, 4], "b": [5]})
    return tmp_path


def test_parameters_are_counted_from_the_files_header(folder: Path) -> None:
    assert ModelFolder.read(folder).parameters() == 17
    safetensors(folder / "model-2.safetensors", {"c": [2, 2]})
    assert ModelFolder.read(folder).parameters() == 21


def test_a_folder_becomes_a_family_of_its_own(folder: Path) -> None:
    spec = model_from_folder(folder)
    assert (spec.name, spec.family, spec.params) == (folder.name, folder.name, 17)
    assert spec.revision == ModelFolder.read(folder).fingerprint()


def test_the_fingerprint_follows_weights_config_and_tokenizer(folder: Path) -> None:
    before = ModelFolder.read(folder).fingerprint()
    assert ModelFolder.read(folder).fingerprint() == before
    (folder / "tokenizer.json").write_text('{"a": 1}')
    assert ModelFolder.read(folder).fingerprint() != before


def test_the_fingerprint_leaves_out_what_no_model_is_loaded_from(folder: Path) -> None:
    before = ModelFolder.read(folder).fingerprint()
    for name in ("NOTES.txt", "README.md", ".gitattributes", "trainer_state.json", "training_args.bin", "optimizer.pt"):
        (folder / name).write_text("x")
        assert ModelFolder.read(folder).fingerprint() == before, name


@pytest.mark.parametrize(
    "name", ["vocab.txt", "merges.txt", "special_tokens_map.json", "spiece.model", "chat_template.jinja", "modeling.py"]
)
def test_the_fingerprint_covers_every_file_a_model_is_loaded_from(folder: Path, name: str) -> None:
    before = ModelFolder.read(folder).fingerprint()
    (folder / name).write_text("x")
    assert ModelFolder.read(folder).fingerprint() != before


def test_the_fingerprint_of_an_embedded_model_stays() -> None:
    # in the key of every result of it that anybody has
    assert ModelFolder.read(Path(__file__).parents[2] / "harness/ladder/weights/12k").fingerprint() == "6ee3b9de529b"


@pytest.mark.parametrize(("params", "told"), [(17, False), (9, False), (34, False), (8, True), (35, True)])
def test_params_far_from_what_the_weights_hold_are_doubted(folder: Path, params: int, told: bool) -> None:
    doubt = ModelFolder.read(folder).doubt(ModelSpec(name="m", family="f", params=params, path=str(folder)))
    assert (doubt is not None) == told
    assert doubt is None or "have 17" in doubt


def test_params_that_cannot_be_counted_are_not_doubted(folder: Path) -> None:
    spec = ModelSpec(name="m", family="f", params=1000, path=str(folder))
    config = (folder / "config.json").read_text()
    (folder / "config.json").write_text(json.dumps({"model_type": "llama", "quantization_config": {}}))
    assert ModelFolder.read(folder).doubt(spec) is None
    (folder / "config.json").write_text(config)
    assert ModelFolder.read(folder).doubt(spec) is not None
    (folder / "model.safetensors").unlink()
    assert ModelFolder.read(folder).doubt(spec) is None


def test_a_folder_may_lie_in_the_home_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder.parent))
    assert model_from_folder(Path("~") / folder.name).path == str(folder)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: (f / "config.json").unlink(), r"no config; expected config\.json"),
        (lambda f: (f / "config.json").write_text("{"), r"config\.json: is not JSON"),
        (lambda f: (f / "config.json").write_text("{}"), "`model_type` is missing"),
        (lambda f: (f / "tokenizer.json").unlink(), "no tokenizer; expected one of"),
        (lambda f: (f / "model.safetensors").unlink(), "no weights; expected one of"),
    ],
)
def test_what_a_model_folder_lacks_is_named(folder: Path, spoil, message: str) -> None:
    spec = ModelSpec(name="m", family="f", params=17, path=str(folder))
    check_local_model(spec)
    spoil(folder)
    with pytest.raises(ModelError, match=message):
        check_local_model(spec)


def test_damaged_weights_are_named(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"\xff" * 40)
    with pytest.raises(ModelError, match=r"model\.safetensors: is no readable safetensors file"):
        model_from_folder(folder)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such folder; expected"):
        model_from_folder(tmp_path / "nowhere")


def test_a_hub_model_stands_for_the_commit_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    spec = ModelSpec(name="org/m", family="f", params=1)
    assert resolved(spec).revision == "main"
    reference = tmp_path / "models--org--m" / "refs" / "main"
    reference.parent.mkdir(parents=True)
    reference.write_text("c0ffee\n")
    assert resolved(spec).revision == "c0ffee"
    assert pinned(spec).revision == "c0ffee"


def test_a_run_refuses_a_hub_model_that_cannot_be_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match="not in this machine's hub cache"):
        pinned(ModelSpec(name="org/m", family="f", params=1))
