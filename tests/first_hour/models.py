"""Small checkpoints of a user, as transformers and its Trainer write them, and folders that only look like models."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch
import yaml
from transformers import BertConfig, BertForQuestionAnswering

from tests.builders import zoo

CAUSAL = ("gpt2", "llama", "gpt-neox", "opt", "qwen2", "mamba")
"""Six architectures that continue texts."""
_CODE = {
    "configuration_own.py": "from transformers import LlamaConfig\n\n"
    "class OwnConfig(LlamaConfig):\n    model_type = 'own'\n",
    "modeling_own.py": "from transformers import LlamaForCausalLM\n\nfrom .configuration_own import OwnConfig\n\n"
    "class OwnForCausalLM(LlamaForCausalLM):\n    config_class = OwnConfig\n",
}
_FAMILY = {
    "family": "mine",
    "tokens": "20k",
    "models": [
        {"name": "small", "path": "llama"},
        {"name": "middle", "path": "llama-2"},
        {"name": "large", "path": "llama-3"},
    ],
}


def write_models(root: Path) -> None:
    """All folders, and a family file."""
    for name in CAUSAL:
        save(zoo.model(name, "embedded"), root / name)
    for name in ("llama-2", "llama-3"):
        save(larger(int(name[-1])), root / name)
    (root / "family.yaml").write_text(yaml.safe_dump(_FAMILY))
    llama = zoo.model("llama", "embedded")
    for step in (10, 20):
        save(llama, folder := root / "trained" / f"checkpoint-{step}")
        (folder / "trainer_state.json").write_text(json.dumps({"num_input_tokens_seen": step * 4096 // 10}))
    save(llama, root / "pickled")
    torch.save(llama.state_dict(), root / "pickled" / "pytorch_model.bin")
    (root / "pickled" / "model.safetensors").unlink()
    shutil.copytree(root / "llama", root / "chatty")
    (root / "chatty" / "chat_template.jinja").write_text(zoo.CHAT_TEMPLATE)
    write_coded(root / "coded", root / "llama")
    save(marking(), root / "spans")
    (root / "adapter").mkdir()
    (root / "adapter" / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "my-org/base"}))
    (root / "gguf").mkdir()
    (root / "gguf" / "model-q4.gguf").write_bytes(b"GGUF")


def save(model: Any, folder: Path) -> None:
    """A model with its tokenizer, as `save_pretrained` writes them."""
    model.save_pretrained(folder)
    zoo.tokens("embedded").save_pretrained(folder)


def larger(times: int) -> Any:
    """A Llama with more layers."""
    small = zoo.model("llama", "embedded")
    config = type(small.config)(**{**small.config.to_dict(), "num_hidden_layers": 2 * times, "layer_types": None})
    torch.manual_seed(times)
    return type(small)(config).eval()


def marking() -> Any:
    """A model that marks spans of a text, which no task asks for."""
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    return BertForQuestionAnswering(BertConfig(vocab_size=len(zoo.tokens("embedded")), **sizes))


def write_coded(folder: Path, plain: Path) -> None:
    """A model with Python files of its own."""
    shutil.copytree(plain, folder)
    config = json.loads((folder / "config.json").read_text())
    names = {"AutoConfig": "configuration_own.OwnConfig", "AutoModelForCausalLM": "modeling_own.OwnForCausalLM"}
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "own", "auto_map": names}))
    for name, code in _CODE.items():
        (folder / name).write_text(code)
