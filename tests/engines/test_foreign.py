"""Model folders of others: what in them could run code runs only where its flag is given, and is then said."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.catalog.models.folders import ModelFolder
from harness.engines.lm_eval_engine import LmEvalEngine
from harness.engines.protocol import EngineSettings, open_engine
from harness.errors import ModelError
from harness.specs import ModelSpec, TaskSpec
from tests.builders import cell
from tests.builders.commands import Emergence

MODEL = """
open({canary!r}, "w").close()
from transformers import LlamaConfig, LlamaForCausalLM

class TheirConfig(LlamaConfig):
    model_type = "theirs"

class TheirModel(LlamaForCausalLM):
    config_class = TheirConfig
"""
TOKENIZER = """
open({canary!r}, "w").close()
from transformers import PreTrainedTokenizerFast

class TheirTokenizer(PreTrainedTokenizerFast):
    pass
"""
GENERATE = """
open({canary!r}, "w").close()
import torch

def generate(model, input_ids, **kwargs):
    return torch.cat([input_ids, input_ids[:, :1]], dim=1)
"""


@pytest.fixture(autouse=True, scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Copies of a folder's Python files go to a folder of the tests: one, as Python remembers packages."""
    import transformers.dynamic_module_utils

    with pytest.MonkeyPatch.context() as patch:
        folder = str(tmp_path_factory.mktemp("modules"))
        patch.setattr(transformers.dynamic_module_utils, "HF_MODULES_CACHE", folder)
        yield


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """Is there once the code of the folder has run."""
    return tmp_path / "canary"


@pytest.fixture
def folder(tmp_path: Path, model_folder: Path) -> Path:
    """A copy of the tiny model, to be made hostile."""
    return Path(shutil.copytree(model_folder, tmp_path / "theirs"))


def change(path: Path, **keys: Any) -> None:
    """Set keys of a JSON file."""
    path.write_text(json.dumps(json.loads(path.read_text()) | keys))


class Dropper:
    """Unpickling it creates a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


def pickled(folder: Path, canary: Path) -> None:
    """The weights as a pickle alone."""
    from safetensors.torch import load_file

    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def hostile_pickle(folder: Path, canary: Path) -> None:
    """A pickle that would leave the canary where anything but plain tensors is read."""
    torch.save({"model.norm.weight": Dropper(canary)}, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def index_of_pickles(folder: Path, canary: Path) -> None:
    """Shards by an index that calls itself safetensors, and names pickles."""
    pickled(folder, canary)
    (folder / "pytorch_model.bin").rename(folder / "shard.bin")
    names = torch.load(folder / "shard.bin")
    index = {"metadata": {"total_size": 1}, "weight_map": dict.fromkeys(names, "shard.bin")}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    (folder / "x.safetensors").write_bytes(b"")


def adapter(folder: Path, canary: Path) -> None:
    """Safe weights beside an adapter that is a pickle."""
    asked = {"peft_type": "LORA", "r": 1, "target_modules": ["q_proj"], "base_model_name_or_path": str(folder)}
    (folder / "adapter_config.json").write_text(json.dumps(asked))
    torch.save({"x": Dropper(canary)}, folder / "adapter_model.bin")


@pytest.mark.parametrize("make", [pickled, hostile_pickle, index_of_pickles])
def test_no_pickle_is_read_unless_the_user_says_so(
    folder: Path, canary: Path, tiny: ModelSpec, make: Callable[[Path, Path], None]
) -> None:
    make(folder, canary)
    with pytest.raises(ModelError, match=r"a pickle, which can run code when it is read; .*--allow-pickle") as caught:
        LmEvalEngine(replace(tiny, path=str(folder)), EngineSettings())
    assert "\n" not in str(caught.value)
    assert not canary.exists()


def test_an_adapter_that_is_a_pickle_is_not_read(folder: Path, canary: Path, tiny: ModelSpec) -> None:
    adapter(folder, canary)
    with pytest.raises(ModelError, match=r"adapter_config\.json makes it a PEFT adapter of"):
        LmEvalEngine(replace(tiny, path=str(folder)), EngineSettings())
    assert not canary.exists()


@pytest.mark.parametrize("make", [pickled, index_of_pickles])
def test_a_pickle_that_is_allowed_stands_in_the_result(
    folder: Path, canary: Path, tiny: ModelSpec, choice_task: TaskSpec, make: Callable[[Path, Path], None]
) -> None:
    make(folder, canary)
    spec = replace(tiny, path=str(folder))
    engine = LmEvalEngine(spec, EngineSettings(allow_pickle=True))
    result = engine.evaluate(cell(of=choice_task, model=spec, engine="lm-eval", limit=2), choice_task)
    name = "shard.bin" if make is index_of_pickles else "pytorch_model.bin"
    assert result.provenance.foreign_code == (f"pickle {name}",)
    usual = LmEvalEngine(tiny, EngineSettings(allow_pickle=True))
    same = usual.evaluate(cell(of=choice_task, model=tiny, engine="lm-eval", limit=2), choice_task)
    assert same.scores == result.scores
    assert same.provenance.foreign_code == ()


def test_even_an_allowed_pickle_holds_tensors_alone(folder: Path, canary: Path, tiny: ModelSpec) -> None:
    hostile_pickle(folder, canary)
    with pytest.raises(ModelError, match="theirs: cannot be loaded: Weights only load failed"):
        LmEvalEngine(replace(tiny, path=str(folder)), EngineSettings(allow_pickle=True))
    assert not canary.exists()


def test_torch_load_is_itself_again_after_a_model_was_refused(folder: Path, canary: Path, tiny: ModelSpec) -> None:
    usual = torch.load
    hostile_pickle(folder, canary)
    with pytest.raises(ModelError):
        LmEvalEngine(replace(tiny, path=str(folder)), EngineSettings())
    assert torch.load is usual


def own_model(folder: Path, canary: Path) -> None:
    """A model class of its own."""
    (folder / "modeling_theirs.py").write_text(MODEL.format(canary=str(canary)))
    auto_map = {"AutoConfig": "modeling_theirs.TheirConfig", "AutoModelForCausalLM": "modeling_theirs.TheirModel"}
    change(folder / "config.json", model_type="theirs", auto_map=auto_map, architectures=["TheirModel"])


def own_tokenizer(folder: Path, canary: Path) -> None:
    """A tokenizer class of its own, that transformers does not know."""
    (folder / "tokenization_theirs.py").write_text(TOKENIZER.format(canary=str(canary)))
    auto_map = {"AutoTokenizer": [None, "tokenization_theirs.TheirTokenizer"]}
    change(folder / "tokenizer_config.json", tokenizer_class="TheirTokenizer", auto_map=auto_map)
    change(folder / "config.json", model_type="llama")


def own_generation(folder: Path, canary: Path) -> None:
    """A usual model with a way to generate of its own."""
    (folder / "custom_generate").mkdir()
    (folder / "custom_generate/generate.py").write_text(GENERATE.format(canary=str(canary)))


FLAGS = ("trust_remote_code", "allow_tokenizer_code", "allow_pickle", "allow_code")


@pytest.mark.parametrize(
    ("make", "flag", "ran"),
    [
        (own_model, "trust_remote_code", "modeling_theirs.py"),
        (own_tokenizer, "allow_tokenizer_code", "tokenization_theirs.py"),
        (own_generation, "trust_remote_code", "generate.py"),
    ],
)
def test_code_of_a_model_runs_by_its_own_flag_alone_and_stands_in_the_result(
    folder: Path,
    canary: Path,
    tiny: ModelSpec,
    choice_task: TaskSpec,
    make: Callable[[Path, Path], None],
    flag: str,
    ran: str,
) -> None:
    make(folder, canary)
    spec = replace(tiny, path=str(folder))
    others = EngineSettings(**{name: name != flag for name in FLAGS})  # type: ignore[arg-type]
    for settings in (EngineSettings(), others):
        try:
            LmEvalEngine(spec, settings)
        except ModelError as error:
            assert f"Python code of its own; agree with --{flag.replace('_', '-')}" in str(error)  # noqa: PT017
            assert "\n" not in str(error)  # noqa: PT017
        assert not canary.exists()
    engine = LmEvalEngine(spec, EngineSettings(**{flag: True}))  # type: ignore[arg-type]
    assert canary.exists()
    result = engine.evaluate(cell(of=choice_task, model=spec, engine="lm-eval", limit=2), choice_task)
    assert [said.partition("@")[0] for said in result.provenance.foreign_code] == [ran]


def test_a_way_to_generate_of_its_own_is_not_answered_for_by_trees(
    folder: Path, canary: Path, tiny: ModelSpec, text_task: TaskSpec
) -> None:
    own_generation(folder, canary)
    spec = replace(tiny, path=str(folder))
    engine = open_engine("tree", spec, EngineSettings(trust_remote_code=True))
    result = engine.evaluate(cell(of=text_task, model=spec, engine="tree", limit=2), text_task)
    assert result.provenance.fallback == "it brings a way to generate of its own"


def test_a_way_to_generate_counts_in_the_revision(folder: Path, canary: Path) -> None:
    before = ModelFolder.read(folder).fingerprint()
    own_generation(folder, canary)
    assert ModelFolder.read(folder).fingerprint() != before


def test_a_kernel_of_the_hub_is_refused(folder: Path, tiny: ModelSpec) -> None:
    change(folder / "config.json", attn_implementation="kernels-community/flash-attn")
    with pytest.raises(ModelError, match="asks for the attention kernel 'kernels-community/flash-attn', code of the h"):
        LmEvalEngine(replace(tiny, path=str(folder)), EngineSettings())


def test_a_chat_template_is_never_rendered(folder: Path, tiny: ModelSpec, choice_task: TaskSpec) -> None:
    endless = "{% for a in range(99999) %}{% for b in range(99999) %}{{ raise_exception('x') }}{% endfor %}{% endfor %}"
    change(folder / "tokenizer_config.json", chat_template=endless)
    spec = replace(tiny, path=str(folder))
    for name in ("lm-eval", "tree"):
        engine = open_engine(name, spec, EngineSettings())
        assert engine.evaluate(cell(of=choice_task, model=spec, engine=name, limit=2), choice_task).scores


def test_run_refuses_a_pickle_before_anything_is_loaded(
    folder: Path,
    canary: Path,
    emergence: Emergence,
    tmp_path: Path,
) -> None:
    hostile_pickle(folder, canary)
    (tmp_path / "family.yaml").write_text(
        json.dumps({"family": "theirs", "models": [{"name": "x", "path": "theirs", "params": 30000}]})
    )
    asked = ("--suite", "arithmetic", "--family", "theirs", "--include-path", tmp_path / "family.yaml")
    done = emergence("run", *asked, "--executor", "inline")
    assert done.code == 2
    assert "pytorch_model.bin: a pickle, which can run code when it is read; save the model as safetensors" in done.err
    assert not Path("results").exists()
