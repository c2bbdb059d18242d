"""Small random models of many architectures, and the tokenizers that real ones come with; made in seconds.

Random weights of the usual size give nearly flat distributions, in which a wrong attention mask moves nothing. Weights
here are several times larger, so that every token of the context counts and greedy texts differ.
"""

from __future__ import annotations

import copy
import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
import transformers
from lm_eval.models.huggingface import HFLM
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

import harness
from harness.engines.transformers_lm import TransformersLM
from harness.engines.tree.lm import TreeLM

DEVICE = "cpu"
"""Where models run; set by `pytest --device`."""
CONTEXT = 160
"""Tokens that most models of the zoo read."""
WINDOW = 12
"""Sliding window, in tokens: far shorter than the prompts."""

TokenizerName = Literal["bos", "plain", "bytes", "embedded"]
"""Byte-level BPE that puts <bos> first; the same without; SentencePiece-like with byte fallback; the package's own."""

CHAT_TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}[{{ m['role'] }}]\n{{ m['content'] }}<eot>\n{% endfor %}"
    "{% if add_generation_prompt %}[assistant]\n{% endif %}"
)

ROPE = {"rope_type": "default", "rope_theta": 10_000.0}


@dataclass(frozen=True, kw_only=True, slots=True)
class Species:
    """How one architecture is built small."""

    config: str
    """Name of the class in transformers."""
    settings: Mapping[str, Any]
    """Arguments of the config, less what all share."""
    model: str | None = None
    """Name of the class in transformers; None takes what `AutoModelForCausalLM` takes."""
    tokenizer: TokenizerName = "plain"
    """The tokenizer that such models usually have."""
    scale: float = 0.25
    """Standard deviation of the weights in matrices."""
    embedding: float = 0.5
    """Standard deviation of the embeddings."""
    max_length: int | None = None
    """Tokens asked of lm-eval; None leaves it to the config."""
    why_not: tuple[str, ...] = ()
    """Words of which one must be in the reason to leave the model to lm-eval; empty when the tree must take it."""
    sees_far: bool = True
    """The first token of a context longer than all windows reaches the last."""


LLAMA = {
    "hidden_size": 48,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": CONTEXT,
}
GQA = LLAMA | {"num_key_value_heads": 2}
GEMMA3 = GQA | {
    "head_dim": 16,
    "num_hidden_layers": 3,
    "query_pre_attn_scalar": 16,
    "sliding_window": WINDOW,
    "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
    "rope_parameters": {
        "sliding_attention": {"rope_type": "default", "rope_theta": 100.0},
        "full_attention": {"rope_type": "linear", "factor": 2.0, "rope_theta": 10_000.0},
    },
}
GPT2 = {"n_embd": 48, "n_layer": 2, "n_head": 4, "n_positions": CONTEXT}
OPT = {
    "hidden_size": 48,
    "ffn_dim": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": CONTEXT,
    "dropout": 0.0,
}
BLOOM = {"hidden_size": 48, "n_layer": 2, "n_head": 4}
MOE = {"num_experts_per_tok": 2, "output_router_logits": False}

TAKEN: dict[str, Species] = {
    "llama": Species(config="LlamaConfig", settings=GQA, tokenizer="bos"),
    "llama-tied": Species(config="LlamaConfig", settings=LLAMA | {"tie_word_embeddings": True}, tokenizer="embedded"),
    "gpt-neox": Species(
        config="GPTNeoXConfig",
        settings=LLAMA | {"rope_parameters": ROPE | {"partial_rotary_factor": 0.5}, "use_parallel_residual": True},
    ),
    "gpt-neox-serial": Species(
        config="GPTNeoXConfig",
        settings=LLAMA | {"rope_parameters": ROPE | {"partial_rotary_factor": 0.25}, "use_parallel_residual": False},
    ),
    "gpt2": Species(config="GPT2Config", settings=GPT2),
    "opt": Species(config="OPTConfig", settings=OPT | {"word_embed_proj_dim": 48}, tokenizer="bos"),
    "opt-350m-like": Species(
        config="OPTConfig", settings=OPT | {"word_embed_proj_dim": 32, "do_layer_norm_before": False}, tokenizer="bos"
    ),
    "qwen2": Species(config="Qwen2Config", settings=GQA),
    "qwen3": Species(config="Qwen3Config", settings=GQA | {"head_dim": 16}),
    "mistral": Species(config="MistralConfig", settings=GQA | {"sliding_window": None}, tokenizer="bytes"),
    "olmo2": Species(config="Olmo2Config", settings=GQA),
    "phi": Species(config="PhiConfig", settings=GQA | {"partial_rotary_factor": 0.5}),
}
"""What the tree must take."""

OPTIONAL: dict[str, Species] = {
    "gemma3": Species(config="Gemma3TextConfig", settings=GEMMA3, tokenizer="bytes", embedding=0.25),
    "mistral-window": Species(
        config="MistralConfig", settings=GQA | {"sliding_window": WINDOW}, tokenizer="bytes", sees_far=False
    ),
    "qwen2-window": Species(
        config="Qwen2Config",
        settings=GQA | {"use_sliding_window": True, "sliding_window": WINDOW, "max_window_layers": 1},
    ),
    "bloom": Species(config="BloomConfig", settings=BLOOM, max_length=CONTEXT),
    "mixtral": Species(
        config="MixtralConfig",
        settings=GQA | MOE | {"num_local_experts": 4, "sliding_window": None},
        tokenizer="bos",
    ),
    "olmoe": Species(config="OlmoeConfig", settings=GQA | MOE | {"num_experts": 4}),
    "qwen2-moe": Species(
        config="Qwen2MoeConfig",
        settings=GQA
        | MOE
        | {
            "num_experts": 4,
            "moe_intermediate_size": 32,
            "shared_expert_intermediate_size": 32,
            "decoder_sparse_step": 1,
        },
    ),
    "falcon": Species(
        config="FalconConfig", settings=LLAMA | {"alibi": False, "multi_query": True, "parallel_attn": True}
    ),
    "gptj": Species(config="GPTJConfig", settings=GPT2 | {"rotary_dim": 8}),
}
"""What the tree may take or leave."""

REFUSED: dict[str, Species] = {
    "gemma2": Species(
        config="Gemma2Config",
        settings=GQA
        | {"head_dim": 16, "query_pre_attn_scalar": 16, "sliding_window": WINDOW}
        | {"attn_logit_softcapping": 5.0, "final_logit_softcapping": 10.0},
        tokenizer="bytes",
        embedding=0.25,
        why_not=("soft-capping",),
    ),
    "falcon-alibi": Species(
        config="FalconConfig",
        settings=LLAMA | {"alibi": True, "multi_query": False},
        max_length=CONTEXT,
        why_not=("alibi", "attention"),
    ),
    "mpt": Species(
        config="MptConfig",
        settings={"d_model": 48, "n_heads": 4, "n_layers": 2, "expansion_ratio": 2, "max_seq_len": CONTEXT},
        max_length=CONTEXT,
        why_not=("alibi", "position"),
    ),
    "mamba": Species(
        config="MambaConfig",
        settings={"hidden_size": 48, "state_size": 8, "num_hidden_layers": 2, "conv_kernel": 4},
        max_length=CONTEXT,
        why_not=("recurren", "state", "position"),
    ),
    "recurrent-gemma": Species(
        config="RecurrentGemmaConfig",
        settings=GQA | {"num_hidden_layers": 3, "lru_width": 48, "attention_window_size": WINDOW},
        tokenizer="bytes",
        embedding=0.25,
        max_length=CONTEXT,
        why_not=("recurren", "state", "hybrid", "linear_attention", "interface"),
    ),
    "gpt-oss": Species(
        config="GptOssConfig",
        settings=GQA
        | {
            "head_dim": 16,
            "num_local_experts": 2,
            "num_experts_per_tok": 1,
            "sliding_window": WINDOW,
            "rope_parameters": ROPE,
        },
        why_not=("sink",),
    ),
    "llama-dynamic-rope": Species(
        config="LlamaConfig",
        settings=GQA
        | {
            "max_position_embeddings": 40,
            "rope_parameters": {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 10_000.0},
        },
        tokenizer="bos",
        max_length=CONTEXT,
        why_not=("rotary",),
    ),
    "phi3-longrope": Species(
        config="Phi3Config",
        settings=GQA
        | {
            "original_max_position_embeddings": 40,
            "rope_parameters": {
                "rope_type": "longrope",
                "rope_theta": 10_000.0,
                "short_factor": [1.0] * 6,
                "long_factor": [1, 1.5, 2, 3, 4, 6],
            },
        },
        tokenizer="bytes",
        why_not=("rotary",),
    ),
    "t5": Species(
        config="T5Config",
        model="T5ForConditionalGeneration",
        settings={"d_model": 48, "d_kv": 12, "d_ff": 64, "num_layers": 2, "num_heads": 4, "n_positions": CONTEXT},
        tokenizer="bos",
        why_not=("encoder",),
    ),
}
"""What must be left to lm-eval's own code."""

ZOO = TAKEN | OPTIONAL | REFUSED


# --- models ---------------------------------------------------------------------------------------------------------


@functools.cache
def model(species: str, tokenizer: TokenizerName | None = None) -> Any:
    """A model with random weights, the same on every call; callers must not change it."""
    kind = ZOO[species]
    words = tokens(tokenizer or kind.tokenizer)
    config = getattr(transformers, kind.config)(
        vocab_size=len(words),
        bos_token_id=words.bos_token_id,
        eos_token_id=words.eos_token_id,
        pad_token_id=words.pad_token_id,
        **kind.settings,
    )
    torch.manual_seed(0)
    causal: Any = transformers.AutoModelForCausalLM
    made = getattr(transformers, kind.model)(config) if kind.model else causal.from_config(config)
    made.float().eval()
    enlarge(made, kind)
    _silence_bytes(made, words)
    # a text that ends on its own, now and then
    made.generation_config.eos_token_id = words.eos_token_id
    if kind.model:
        made.config.decoder_start_token_id = made.generation_config.decoder_start_token_id = words.pad_token_id
    return made


def enlarge(made: Any, kind: Species) -> None:
    """Redraw every weight, at a size that makes each token of a context count."""
    generator = torch.Generator().manual_seed(1)
    embeddings = {id(made.get_input_embeddings().weight)}
    head = made.get_output_embeddings()
    with torch.no_grad():
        for name, weight in made.named_parameters():
            noise = torch.randn(weight.shape, generator=generator)
            if id(weight) in embeddings:
                weight.copy_(kind.embedding * noise)
            elif head is not None and weight is head.weight:
                weight.copy_(0.4 * noise)
            elif any(part in name for part in ("A_log", "recurrent_param", "dt_proj", "rg_lru")):
                # time constants of recurrent models have a range of their own
                weight.add_(0.1 * noise)
            elif weight.ndim >= 2:
                weight.copy_(kind.scale * noise)
            else:
                # gains and biases, also those that start at 0 or 1
                weight.add_(0.2 * noise)


def _silence_bytes(made: Any, words: Any) -> None:
    """Make tokens that are no whole character unlikely: all of them read �, and texts would seem equal."""
    partial = [i for i in range(len(words)) if "\ufffd" in words.decode([i])]
    with torch.no_grad():
        made.get_output_embeddings().weight[partial] *= 0.1


# --- tokenizers -----------------------------------------------------------------------------------------------------


@functools.cache
def tokens(name: TokenizerName) -> Any:
    """A tokenizer; callers must not change it."""
    if name == "embedded":
        folder = Path(harness.__file__).parent / "ladder" / "weights" / "12k"
        return PreTrainedTokenizerFast.from_pretrained(folder)
    if name == "bytes":
        return _byte_fallback()
    return _byte_level(bos=name == "bos")


def _corpus() -> list[str]:
    things, colours = ("apple", "leaf", "sea", "sun", "rose"), ("red", "green", "dark blue", "yellow")
    lines = [f"The {thing} {i} is {colour}.\n" for thing in things for i in range(10) for colour in colours]
    lines += [f"Question: what colour has the {thing}?\nAnswer: {c}\n\n" for thing in things for c in colours]
    return [*lines, "A. B. C. D.", "Choices: (A) (B) (C) (D)\n"]


def _byte_level(*, bos: bool) -> Any:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<pad>", "<bos>", "<eos>"] if bos else ["<|endoftext|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=340,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_corpus(), trainer)
    wrap: Any = PreTrainedTokenizerFast
    if not bos:
        # as in GPT-2 and Pythia: one special token for everything, none put first
        (end,) = special
        return wrap(tokenizer_object=tokenizer, bos_token=end, eos_token=end, unk_token=end)
    tokenizer.post_processor = processors.TemplateProcessing(single="<bos> $A", special_tokens=[("<bos>", 1)])
    made = wrap(tokenizer_object=tokenizer, bos_token="<bos>", eos_token="<eos>", pad_token="<pad>")
    made.chat_template = CHAT_TEMPLATE
    return made


def _byte_fallback() -> Any:
    """As in Llama 2: spaces are ▁, one is put first, and what the vocabulary lacks falls into bytes."""
    learner = Tokenizer(models.BPE(unk_token="<unk>"))
    special = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    trainer = trainers.BpeTrainer(vocab_size=380, special_tokens=special, show_progress=False)
    # merges within words; the finished tokenizer cuts no words, and a newline is a byte
    words = [f"▁{word}" for line in _corpus() for word in line.split()]
    learner.train_from_iterator(words, trainer)
    learned = json.loads(learner.to_str())["model"]
    tokenizer = Tokenizer(
        models.BPE(
            vocab=learned["vocab"],
            merges=[tuple(pair) for pair in learned["merges"]],
            unk_token="<unk>",
            fuse_unk=True,
            byte_fallback=True,
        )
    )
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    wrap: Any = PreTrainedTokenizerFast
    return wrap(
        tokenizer_object=tokenizer,
        bos_token=AddedToken("<s>", special=True),
        eos_token=AddedToken("</s>", special=True),
        unk_token=AddedToken("<unk>", special=True),
    )


def _keep_first_space(words: Any) -> None:
    """lm-eval decodes a text without its prompt, so that the decoder takes the first space from it: ours does not."""
    words.backend_tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )


# --- what answers ---------------------------------------------------------------------------------------------------


@functools.cache
def lm_eval(species: str, tokenizer: TokenizerName | None = None) -> Any:
    """lm-eval's own `HFLM`, one request at a time: what the numbers must equal.

    Without its cache of logits: that cache reads the wrong positions when two requests cut one text in two places.
    """
    return build(HFLM, species, tokenizer, logits_cache=False)


@functools.cache
def bridge(species: str) -> TransformersLM:
    """The lm-eval engine, one request at a time: whole tasks are compared with it."""
    made: TransformersLM = build(TransformersLM, species, None, logits_cache=False)
    return made


@functools.cache
def tree(species: str, tokenizer: TokenizerName | None = None) -> TreeLM:
    """The tree engine with its usual settings, shared: do not change it."""
    return build_tree(species, tokenizer)


def build_tree(species: str, tokenizer: TokenizerName | None = None, **settings: Any) -> TreeLM:
    """The tree engine, on a copy of the weights."""
    made: TreeLM = build(TreeLM, species, tokenizer, **settings)
    return made


def build_both(species: str, change: Callable[[Any], None] | None = None, **settings: Any) -> tuple[Any, TreeLM]:
    """lm-eval's `HFLM` and the tree engine with the same settings, after `change` to both models."""
    reference = build(HFLM, species, None, logits_cache=False, change=change, **settings)
    tree: TreeLM = build(TreeLM, species, None, change=change, **settings)
    return reference, tree


def build(
    kind: Callable[..., Any],
    species: str,
    tokenizer: TokenizerName | None,
    change: Callable[[Any], None] | None = None,
    **settings: Any,
) -> Any:
    """An engine of any kind, on a copy of the weights after `change` to them."""
    chosen = ZOO[species]
    settings = {"batch_size": 1, "max_length": chosen.max_length, "device": DEVICE, "dtype": "float32"} | settings
    # a model that is given as an object has its dtype already, and stays where it is
    weights = copy.deepcopy(model(species, tokenizer)).to(getattr(torch, settings["dtype"]))
    if change is not None:
        change(weights)
    words = copy.deepcopy(tokens(tokenizer or chosen.tokenizer))
    if kind is HFLM and (tokenizer or chosen.tokenizer) == "bytes":
        _keep_first_space(words)
    return kind(pretrained=weights.to(DEVICE), tokenizer=words, **settings)
