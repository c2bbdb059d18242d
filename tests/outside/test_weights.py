"""Model folders as others leave them: each runs, or is one line that says what to do, before anything is loaded."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.engines.protocol import EngineSettings, open_engine
from harness.errors import ModelError
from harness.specs import ModelSpec, TaskSpec
from tests.builders import zoo
from tests.builders.commands import Emergence
from tests.builders.outside import ENGINES, answered, choices, model_folder, refused, task_of

Spoil = Callable[[Path], object]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model in one safetensors file."""
    return model_folder(tmp_path_factory.mktemp("models") / "sound")


@pytest.fixture
def folder(sound: Path, tmp_path: Path) -> Path:
    """A copy of the model, to be spoilt."""
    return shutil.copytree(sound, tmp_path / "own")


@pytest.fixture
def task(tmp_path: Path) -> TaskSpec:
    documents = [{"question": "The apple is", "answer": 0}, {"question": "Question: the sea is", "answer": 1}]
    return task_of(tmp_path / "data", documents, "acc", **choices(["red", "dark blue"]))


def shards(folder: Path) -> None:
    """The weights in several files, with an index."""
    (folder / "model.safetensors").unlink()
    zoo.model("llama").save_pretrained(folder, max_shard_size="40KB")


def without(name: str, then: Spoil = shards) -> Spoil:
    """Take one file away, after another change."""

    def change(folder: Path) -> None:
        then(folder)
        (folder / name).unlink()

    return change


def index(change: Callable[[dict[str, Any]], object]) -> Spoil:
    """Shards with another index."""

    def write(folder: Path) -> None:
        shards(folder)
        path = folder / "model.safetensors.index.json"
        said = json.loads(path.read_text())
        change(said["weight_map"])
        path.write_text(json.dumps(said))

    return write


def renamed(name: str) -> Spoil:
    """The weights under another name."""
    return lambda folder: (folder / "model.safetensors").rename(folder / name)


def cut(folder: Path) -> None:
    """Half of the weights, as a download that was stopped leaves them."""
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def pointer(folder: Path) -> None:
    """What git leaves of a large file without Git LFS."""
    (folder / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")


def config(**keys: Any) -> Spoil:
    """Set keys of config.json."""

    def change(folder: Path) -> None:
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | keys))

    return change


def adapter(folder: Path) -> None:
    """A PEFT adapter beside the model, as training in place leaves it."""
    (folder / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "org/base", "r": 2}))
    (folder / "adapter_model.safetensors").write_bytes((folder / "model.safetensors").read_bytes())


def adapter_alone(folder: Path) -> None:
    """What `save_pretrained` of PEFT writes, with the tokenizer that trainers add."""
    adapter(folder)
    for name in ("config.json", "model.safetensors"):
        (folder / name).unlink()


def no_tokenizer(folder: Path) -> None:
    """The model alone."""
    for path in folder.glob("token*"):
        path.unlink()


def half_tokenizer(folder: Path) -> None:
    """The vocabulary of a BPE tokenizer without its merges."""
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.json").write_text("{}")


REFUSED: dict[str, tuple[Spoil, str]] = {
    "a missing shard": (without("model-00002-of-00006.safetensors"), "model-00002-of-00006.safetensors is missing; "),
    "a missing index": (without("model.safetensors.index.json"), "expected model.safetensors, or model.safetensors.i"),
    "an index of nothing": (index(lambda m: m.update(x="model-00009-of-00006.safetensors")), "00009-of-00006.safet"),
    "an index of a weight elsewhere": (
        index(lambda m: m.update({"x": m["lm_head.weight"]})), "has no weight 'x', which model.safetensors.index.json",
    ),
    "an index of another folder": (index(lambda m: m.update(x="../x")), "'x' is in '../x'; expected a file of the sam"),
    "GGUF": (renamed("model-q4.gguf"), "the weights are GGUF (model-q4.gguf), which is not read; name the folder of"),
    "GGUF alone": (without("config.json", renamed("model.gguf")), "the weights are GGUF (model.gguf), which is not re"),
    "weights of another precision alone": (renamed("model.fp16.safetensors"), "there is model.fp16.safetensors; expec"),
    "an adapter": (adapter_alone, "adapter_config.json makes it a PEFT adapter of 'org/base', not a model; merge the "),
    "an adapter beside a model": (adapter, "adapter_config.json makes it a PEFT adapter of 'org/base', not a model"),
    "weights cut short": (cut, "model.safetensors: is cut short: it has 131,"),
    "a Git LFS pointer": (pointer, "model.safetensors: is a pointer of Git LFS and not the weights; fetch them with "),
    "no tokenizer": (no_tokenizer, "no tokenizer; expected one of tokenizer.json, "),
    "half a tokenizer": (half_tokenizer, "half a tokenizer, vocab.json alone; expected merges.txt or tokenizer.json"),
    "a number format nobody has": (config(dtype="float17"), "config.json: dtype is 'float17'; expected float32, "),
    "a number format by its old key": (config(torch_dtype="auto"), "config.json: torch_dtype is 'auto'; expected flo"),
}  # fmt: skip


@pytest.mark.parametrize(("spoil", "said"), REFUSED.values(), ids=REFUSED)
def test_a_folder_that_cannot_be_read_as_it_is_meant(
    spoil: Spoil, said: str, folder: Path, emergence: Emergence, toy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Found out late or never (sglang PR#32279, LlamaFactory#3340, transformers#43746, instructlab#1792)."""
    spoil(folder)
    capsys.readouterr()
    done = emergence("run", "--suite", "toy", "--include-path", toy, "--model", folder, "--results", "out")
    assert done.code == 2
    assert done.err.startswith(f"error: {folder}")
    assert said in done.err
    assert done.err.count("\n") == 1
    assert not Path("out").exists()
    for engine in ENGINES:
        spec = ModelSpec(name="own", family="toy", params=1000, path=str(folder))
        with pytest.raises(ModelError) as told:
            open_engine(engine, spec, EngineSettings())
        assert said in str(told.value)


def by_hand(question: str, option: str) -> float:
    """Log-likelihood of an option by one forward pass of the sound model."""
    words, model = zoo.tokens("bos"), zoo.model("llama")
    context, whole = words.encode(question), words.encode(f"{question} {option}")
    with torch.no_grad():
        logs = model(torch.tensor([whole])).logits[0].double().log_softmax(-1)
    return sum(float(logs[i - 1, whole[i]]) for i in range(len(context), len(whole)))


def more_pieces(folder: Path) -> None:
    """A tokenizer with tokens that no text here needs and the model does not know."""
    words = copy.deepcopy(zoo.tokens("bos"))
    words.add_tokens(["blorp", "<|tool|>"])
    words.save_pretrained(folder)


READ: dict[str, Spoil] = {
    "in one file": lambda _: None,
    "in shards": shards,
    "of no number format": config(dtype=None),
    "of another number format than it says": config(dtype="float16"),
    "without its architecture": config(architectures=None),
    "whose tokenizer has more pieces than it knows": more_pieces,
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("change", READ.values(), ids=READ)
def test_a_model_is_read(change: Spoil, engine: str, folder: Path, task: TaskSpec) -> None:
    """Weights are read in the number format that the family asks for, whatever the config says (lm-eval#1269)."""
    change(folder)
    samples = answered(engine, folder, task).samples or ()
    for sample, question in zip(samples, ("The apple is", "Question: the sea is"), strict=True):
        due = [by_hand(question, option) for option in ("red", "dark blue")]
        assert sample.option_loglikelihoods == pytest.approx(due, abs=1e-4)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_text_that_needs_a_piece_the_model_lacks_is_refused(engine: str, folder: Path, task: TaskSpec) -> None:
    """An index beyond the embeddings ends a GPU's process with all its work (transformers#24698, tokenizers#1609)."""
    words = copy.deepcopy(zoo.tokens("bos"))
    words.add_tokens(["Question:"])
    words.save_pretrained(folder)
    said = refused(engine, folder, task)
    assert said == "the tokenizer has 341 tokens and the model knows 340; expected the model's own tokenizer"


def test_two_folders_of_one_name_are_told_apart(emergence: Emergence, toy: Path, sound: Path, tmp_path: Path) -> None:
    """Both would be one model on every curve."""
    shutil.copytree(sound, tmp_path / "a" / "last")
    shutil.copytree(sound, tmp_path / "b" / "last")
    options = ("--suite", "toy", "--include-path", toy, "--model", "a/last", "--model", "b/last")
    done = emergence("plan", *options)
    assert done.code == 2
    assert "both would be called last; give each a name of its own in a family file" in done.err
