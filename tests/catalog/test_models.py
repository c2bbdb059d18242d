import json
import os
import shutil
import struct
from pathlib import Path

import pytest

from harness.catalog.models.checkpoints import model_folders
from harness.catalog.models.folders import ModelFolder, check_local_model, model_of_folder
from harness.catalog.models.revisions import cached_commit, pinned, resolved
from harness.errors import ModelError
from harness.specs import ModelSpec
from tests.builders.headers import write_header, write_headers


def model_from_folder(path: Path) -> ModelSpec:
    (folder,) = model_folders(path)
    return model_of_folder(ModelFolder.read(folder))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What a loader needs to see, without real weights."""
    return write_headers(tmp_path)


def test_parameters_are_counted_from_the_files_header(folder: Path) -> None:
    assert ModelFolder.read(folder).parameters() == 17
    write_header(folder / "consolidated.safetensors", {"a": [3, 4], "b": [5]})
    assert ModelFolder.read(folder).parameters() == 17, "the same weights once more, which no loader reads"
    (folder / "model.safetensors").rename(folder / "model-1.safetensors")
    write_header(folder / "model-2.safetensors", {"c": [2, 2]})
    parts = {"a": "model-1.safetensors", "b": "model-1.safetensors", "c": "model-2.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": parts}))
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
    assert ModelFolder.read(Path(__file__).parents[2] / "harness/ladder/weights/12k").fingerprint() == "7f01759f02ca"


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


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            ("consolidated.00.pth", "params.json"),
            "expected config.json; consolidated.00.pth is in a format that",
        ),
        (
            ("config.json", "model.ckpt"),
            "no weights; expected one of .*; model.ckpt is in a format that",
        ),
        (
            ("a/config.json", "b/config.json"),
            "expected config.json; there is a model in a and 1 more folder: name",
        ),
        (("config.json", "optimizer.pt"), r"no weights; expected one of .*index\.json$"),
        (("a/config.json",), r"there is a model in a: name that one, or '.*/\*' for all of them"),
    ],
)
def test_a_folder_that_holds_something_else_says_what_to_do(
    tmp_path: Path, files: tuple[str, ...], message: str
) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(json.dumps({"model_type": "llama"}))
    with pytest.raises(ModelError, match=message):
        model_from_folder(tmp_path)


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


def config(folder: Path, content: dict[str, object] | str) -> None:
    text = content if isinstance(content, str) else json.dumps({"model_type": "llama", **content})
    (folder / "config.json").write_text(text)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            {"num_attention_heads": 4, "num_key_value_heads": 32},
            "num_key_value_heads is 32 and num_attention_heads 4; e",
        ),
        ({"num_hidden_layers": 10**7}, "config.json: has 10,000,000 layers; expected at most 10,000 ("),
        ({"text_config": {"n_layer": 10**7}}, "config.json: has 10,000,000 layers; expected at most 10,000 ("),
        (
            {"layers": 9_000, "num_experts": 9_000},
            "config.json: has 81,000,000 experts in all layers; expected at",
        ),
        ({"vocab_size": 10**12}, "config.json: vocab_size has 1,000,000,000,000 units; expected at most 100,000,000 ("),
        ({"x": [{"hidden_size": 10**9}]}, "config.json: hidden_size has 1,000,000,000 units; expected at most"),
        ("[" * 5_000 + "]" * 5_000, "config.json: has more than 100 levels of lists and mappings"),
        ('{"model_type": "llama", "x": ' + "[" * 200 + "]" * 200 + "}", "config.json: has more than 100 levels"),
        (" " * 10_000_001, "config.json: has 10,000,001 bytes; expected at most 10,000,000"),
        ("[1]", "config.json: `model_type` is missing"),
    ],
)
def test_a_config_of_more_than_anybody_loads_is_refused(
    folder: Path, content: dict[str, object] | str, message: str
) -> None:
    config(folder, content)
    with pytest.raises(ModelError) as caught:
        model_from_folder(folder)
    assert message in str(caught.value)


def test_a_model_type_that_is_no_name_breaks_nothing(folder: Path) -> None:
    config(folder, '{"model_type": ["bert"], "architectures": {"a": 1}}')
    assert model_from_folder(folder).params == 17


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (b"", "its header does not fit into it"),
        (b"\xff" * 8 + b"{}", "its header does not fit into it"),
        (struct.pack("<Q", 4 * 2**30) + b"{}", "its header does not fit into it"),
        (struct.pack("<Q", 2) + b"[]", "its header is no mapping"),
        (struct.pack("<Q", 2) + b"{x", "is not JSON"),
        *(
            (struct.pack("<Q", len(text)) + text, message)
            for text, message in (
                *(
                    (b'{"a": %s}' % tensor, "a tensor has no `shape` or no `data_offsets`, lists of whole numbers")
                    for tensor in (
                        b"1",
                        b'{"shape": ["3", "4"], "data_offsets": [0, 0]}',
                        b'{"shape": [-3], "data_offsets": [0, 0]}',
                        b'{"shape": [true], "data_offsets": [0, 0]}',
                        b'{"shape": {"x": 1}, "data_offsets": [0, 0]}',
                        b'{"shape": [%s], "data_offsets": [0, 0]}' % b",".join([b"9"] * 99),
                        b'{"shape": [1], "data_offsets": [0]}',
                        b'{"shape": [1]}',
                    )
                ),
                (b'{"a": ' + b"[" * 9000 + b"]" * 9000 + b"}", "has more than 100 levels"),
                (b'{"a": {"shape": [0], "data_offsets": [0, 0]}}', "the weights have 0 parameters; expected 1 or more"),
                (
                    b'{"a": {"shape": [999999999999999, 9999], "data_offsets": [0, 0]}}',
                    "parameters; expected 1 or more",
                ),
            )
        ),
    ],
)
def test_weights_whose_header_is_none_are_refused(folder: Path, header: bytes, message: str) -> None:
    (folder / "model.safetensors").write_bytes(header)
    with pytest.raises(ModelError) as caught:
        model_from_folder(folder)
    assert message in str(caught.value)


def test_a_header_longer_than_any_is_not_read(folder: Path) -> None:
    with (folder / "model.safetensors").open("wb") as file:
        file.write(struct.pack("<Q", 2**31))
        file.truncate(2**32)  # takes no room on the disk
    with pytest.raises(ModelError, match="has 2,147,483,648 bytes in its header; expected at most 25,000,000"):
        model_from_folder(folder)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "merges.txt", "model.safetensors", "new.jinja"])
def test_a_pipe_or_device_in_a_model_folder_is_refused(folder: Path, name: str) -> None:
    for make, kind in ((os.mkfifo, "a pipe"), (lambda path: path.symlink_to("/dev/zero"), "a device")):
        (folder / name).unlink(missing_ok=True)
        make(folder / name)
        with pytest.raises(ModelError, match=f"{name}: is {kind}; expected a regular file"):
            model_from_folder(folder)


def test_a_folder_whose_name_no_result_can_have_is_refused(folder: Path, tmp_path: Path) -> None:
    for name in ("x" * 201, os.fsdecode(b"\xff")):
        copy = tmp_path / name
        copy.mkdir()
        for file in ("config.json", "tokenizer.json", "model.safetensors"):
            shutil.copy(folder / file, copy)
        with pytest.raises(ModelError, match="since results are named after it"):
            model_from_folder(copy)
    (tmp_path / "ring").symlink_to("ring")
    with pytest.raises(ModelError, match="cannot be read: "):
        model_from_folder(tmp_path / "ring")


def test_a_commit_in_the_cache_is_one_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    reference = tmp_path / "models--org--x" / "refs" / "main"
    reference.parent.mkdir(parents=True)
    for content in ("../../secret", "x" * 999, ""):
        reference.write_text(content)
        with pytest.raises(ModelError, match=r"expected a commit|expected at most 200"):
            cached_commit("org/x", "main")
    reference.write_text("abc123\n")
    assert cached_commit("org/x", "main") == "abc123"


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ('{"weight_map": {"a": "' + "x" * 3000 + '"}}', r"xxx… is missing; model.safetensors.index.json says"),
        ('{"weight_map": {"a": "a\\u0000b"}}', "is missing"),
        ('{"weight_map": {"a": 3}}', "is no index of weights"),
        ("[" * 9000, "has more than 100 levels"),
    ],
)
def test_an_index_of_weights_that_is_none_is_refused(folder: Path, index: str, message: str) -> None:
    (folder / "model.safetensors").rename(folder / "x.safetensors")
    (folder / "model.safetensors.index.json").write_text(index)
    with pytest.raises(ModelError, match=message):
        model_from_folder(folder)


def test_weights_are_a_file_by_name(folder: Path) -> None:
    config(folder, {"transformers_weights": ["a"]})
    with pytest.raises(ModelError, match=r"transformers_weights is \['a'\]; expected the name of a file"):
        model_from_folder(folder)
