import json
from pathlib import Path

import huggingface_hub.errors
import pytest
import torch

from harness.catalog import load_catalog, select
from harness.catalog.models.folders import ModelFolder
from harness.errors import CatalogError, HarnessError
from tests.builders.headers import write_headers


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    return tmp_path


def cached(name: str, commit: str = "c0ffee") -> Path:
    repository = Path("hub") / f"models--{name.replace('/', '--')}"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    return write_headers(repository / "snapshots" / commit)


def family(text: str) -> list[tuple[str, int, int | None]]:
    Path("family.yaml").write_text(f"{{family: f, {text}}}")
    return [(m.name, m.params, m.tokens) for m in load_catalog([Path("family.yaml")]).family("f").models]


def test_sizes_are_written_as_people_write_them() -> None:
    assert family("tokens: 20B, models: [{name: a, params: 7B}, {name: b, params: 70.4m, tokens: 1.4T}]") == [
        ("b", 70_400_000, 1_400_000_000_000),
        ("a", 7_000_000_000, 20_000_000_000),
    ]


@pytest.mark.parametrize("text", ["7X", "B", "1.2345k", "-7B", "1e99B", "7 billion"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(CatalogError, match=r"models\[0\].params is "):
        family(f"models: [{{name: a, params: {text}}}]")


def test_parameters_that_are_left_out_are_counted(place: Path) -> None:
    write_headers(place / "a")
    cached("org/b")
    assert family("models: [{name: a, path: a}, {name: org/b}]") == [("a", 17, None), ("org/b", 17, None)]


def test_parameters_of_pickled_weights_are_counted_without_reading_a_pickle(place: Path) -> None:
    folder = write_headers(place / "a")
    (folder / "model.safetensors").unlink()
    torch.save({"a": torch.zeros(3, 4), "b": torch.zeros(5)}, folder / "pytorch_model.bin")
    plan = select(load_catalog(), tasks=["add_2"], models=["a"], shots=[0])
    assert [(cell.model.name, cell.model.params) for cell in plan.cells] == [("a", 17)]
    assert plan.pickles == (folder / "pytorch_model.bin",)


def test_masks_that_older_versions_stored_are_no_parameters(place: Path) -> None:
    folder = write_headers(place / "a", {"wte": [4, 2], "h.0.attn.bias": [1, 1, 8, 8]})
    assert ModelFolder.read(folder).parameters() == 8


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("{name: org/none}", r"`models\[0\].params` is missing; it is counted .* \(hf download org/none\)"),
        ("{name: a, path: a}", r"params` is missing, and cannot be counted: .*a: no such folder"),
        (
            "{name: q, path: q}",
            "parameters of quantised weights cannot be counted, .* say how many there are with",
        ),
    ],
)
def test_parameters_that_cannot_be_counted_are_asked_for(place: Path, model: str, message: str) -> None:
    write_headers(place / "q")
    (place / "q" / "config.json").write_text(json.dumps({"model_type": "llama", "quantization_config": {}}))
    with pytest.raises(CatalogError, match=message):
        family(f"models: [{model}]")


def test_a_model_of_the_hub_needs_no_family_file() -> None:
    cached("org/b")
    (cell,) = select(load_catalog(), tasks=["add_2"], models=["org/b"], shots=[0], dtype="bfloat16").cells
    model = cell.model
    assert (model.name, model.family, model.params, model.dtype) == ("org/b", "b", 17, "bfloat16")
    assert (model.path, model.revision) == (None, "c0ffee")
    (same,) = select(load_catalog(), tasks=["add_2"], models=["org/b@c0ffee"], shots=[0]).cells
    assert same.model.revision == "c0ffee"


def test_a_model_of_a_known_family_is_found_without_naming_the_family() -> None:
    (cell,) = select(load_catalog(), tasks=["add_2"], models=["pythia-70m"], shots=[0]).cells
    assert (cell.model.family, cell.model.params) == ("pythia", 70_426_624)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        ("GatedRepoError", "org/m: its authors ask for an agreement first; give it on https://huggingface.co/org/m"),
        ("RepositoryNotFoundError", "org/m: the hub has no such model, or a private one"),
        ("RevisionNotFoundError", "org/m: the hub has no revision 'main' of it"),
    ],
)
def test_what_the_hub_refuses_is_said(error: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        kind = getattr(huggingface_hub.errors, error)
        raise kind.__new__(kind)  # versions of the hub's library want different answers of a server

    monkeypatch.setattr("huggingface_hub.snapshot_download", refuse)
    with pytest.raises(HarnessError, match=message):
        select(load_catalog(), tasks=["add_2"], models=["org/m"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"models": ["org/none"]}, "org/none@main: not in this machine's hub cache, and the hub gave no answer; down"),
        (
            {"models": ["nobody"]},
            "unknown model 'nobody'; known: .*; a folder is given as ./folder, and a model of",
        ),
        ({"models": ["pythia-70m"], "families": ["gpt2"]}, "pythia-70m is in --family pythia"),
    ],
)
def test_a_model_that_is_nowhere_is_one_line(words: dict[str, list[str]], message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        select(load_catalog(), tasks=["add_2"], **words)
