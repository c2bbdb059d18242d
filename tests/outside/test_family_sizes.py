"""The smallest and the largest model of each shipped family, built by transformers without weights and counted."""

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
import yaml

from tests.builders.architectures import counted, sizes_of

PUBLISHED = yaml.safe_load((Path(__file__).parents[1] / "catalog" / "published.yaml").read_text(encoding="utf-8"))


def ends() -> Iterator[tuple[str, dict[str, Any]]]:
    for family in PUBLISHED:
        models = sorted(sizes_of(PUBLISHED[family]), key=lambda one: counted(**one[1]).total)
        yield from (models[0], models[-1])


def config_of(name: str, kind: str, layers: int, width: int, **sizes: Any) -> Any:
    """The config of a model's architecture, with the sizes that were published."""
    common = {"hidden_size": width, "num_hidden_layers": layers, "vocab_size": sizes["vocab"]}
    heads = {"num_attention_heads": sizes.get("heads", width // 64)}
    if kind == "gpt_neox":
        return transformers.GPTNeoXConfig(**common, intermediate_size=sizes["ffn"], num_attention_heads=width // 32)
    if kind == "gpt2" and "opt" not in name:
        return transformers.GPT2Config(
            **{"n_embd": width, "n_layer": layers, "n_head": width // 64, "n_inner": sizes["ffn"]},
            vocab_size=sizes["vocab"],
            n_positions=sizes["positions"],
        )
    if "opt" in name:
        positions = sizes["positions"] - 2
        return transformers.OPTConfig(**common, **heads, ffn_dim=sizes["ffn"], max_position_embeddings=positions)
    if kind == "bloom":
        return transformers.BloomConfig(hidden_size=width, n_layer=layers, n_head=16, vocab_size=sizes["vocab"])
    if kind == "mamba":
        return transformers.MambaConfig(**common)
    if kind == "bert":
        return transformers.BertConfig(**common, **heads, intermediate_size=sizes["ffn"])
    if kind == "t5":
        return transformers.T5Config(
            **{"d_model": width, "num_layers": layers, "d_ff": sizes["ffn"], "vocab_size": sizes["vocab"]},
            **{"num_heads": sizes["heads"], "d_kv": sizes["head"]},
        )
    gated = {
        "intermediate_size": sizes["ffn"],
        "num_key_value_heads": sizes.get("kv") or sizes["heads"],
        "head_dim": sizes.get("head", width // sizes["heads"]),
        "tie_word_embeddings": sizes.get("tied", False),
    }
    experts = {"moe_intermediate_size": sizes["ffn"], "num_experts": 128, "num_experts_per_tok": 8}
    classes = {
        "Qwen2.5": (transformers.Qwen2Config, {}),
        "A3B": (transformers.Qwen3MoeConfig, experts),
        "Qwen3": (transformers.Qwen3Config, {}),
        "delphi": (transformers.Qwen3Config, {}),
        "OLMo": (transformers.Olmo2Config, {"pad_token_id": None}),
        "gemma-3": (transformers.Gemma3TextConfig, {}),
        "Gemstone": (transformers.GemmaConfig, {}),
        "lama": (transformers.LlamaConfig, {}),
        "SmolLM": (transformers.LlamaConfig, {}),
    }
    made, more = next(value for part, value in classes.items() if part in name)
    return made(**common, **heads, **gated, **more)


@pytest.mark.parametrize(("name", "sizes"), [*ends()], ids=lambda value: value if isinstance(value, str) else "")
def test_transformers_builds_as_many_parameters(name: str, sizes: dict[str, Any]) -> None:
    config = config_of(name, **sizes)
    build = {"bert": transformers.AutoModel, "t5": transformers.AutoModelForSeq2SeqLM}
    with torch.device("meta"), warnings.catch_warnings(action="ignore"):
        model = build.get(sizes["kind"], transformers.AutoModelForCausalLM).from_config(config)
    tied_once = {id(weight): weight.numel() for weight in model.parameters()}
    assert sum(tied_once.values()) == counted(**sizes).total
