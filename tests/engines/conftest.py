"""A tiny model and small tasks, made once for all engine tests."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.engines.documents import DocumentCache
from harness.engines.lm_eval_bridge import LmEvalEngine
from harness.engines.protocol import EngineSettings
from harness.specs import MetricSpec, ModelSpec, TaskSpec
from tests.engines.tree import zoo

COLOURS = ("red", "green", "dark blue", "yellow")
THINGS = ("apple", "leaf", "sea", "sun", "rose", "grass", "sky", "lemon")
CONTEXT = 256


def pytest_configure(config: pytest.Config) -> None:
    zoo.DEVICE = config.getoption("--device")


def metrics(*names: str) -> tuple[MetricSpec, ...]:
    """Metrics by name; the first is the headline."""
    smooth = {"prob_correct", "brier", "loglikelihood_per_token", "loglikelihood_per_byte", "edit_similarity"}
    return tuple(MetricSpec(name=name, chance=None, best=None, continuous=name in smooth) for name in names)


def write_jsonl(path: Path, documents: Sequence[Mapping[str, Any]]) -> Path:
    """JSON lines at `path`."""
    path.write_text("".join(json.dumps(doc) + "\n" for doc in documents), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of 30 thousand weights that has seen the tasks' form; its tokenizer puts <bos> first."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("models") / "tiny"
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<pad>", "<bos>", "<eos>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_lines(), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="<bos> $A", special_tokens=[("<bos>", 1)])
    wrap: Any = PreTrainedTokenizerFast
    wrap(tokenizer_object=tokenizer, bos_token="<bos>", eos_token="<eos>", pad_token="<pad>").save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer.get_vocab()),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        intermediate_size=64,
        max_position_embeddings=CONTEXT,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
        tie_word_embeddings=True,
    )
    model = LlamaForCausalLM(config)
    _teach(model, PreTrainedTokenizerFast.from_pretrained(folder))
    model.bfloat16().save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny(model_folder: Path) -> ModelSpec:
    """The model as a spec; its weights are bfloat16 on disk and read as float32."""
    return ModelSpec(name="tiny", family="toy", params=30_000, path=str(model_folder), revision="r1")


@pytest.fixture(scope="session")
def engine(tiny: ModelSpec) -> LmEvalEngine:
    """The model, loaded."""
    return LmEvalEngine(tiny, EngineSettings(batch_size=8))


@pytest.fixture
def data() -> DocumentCache:
    """No documents read yet."""
    return DocumentCache()


@pytest.fixture(scope="session")
def choice_task(tmp_path_factory: pytest.TempPathFactory) -> TaskSpec:
    """Multiple choice: 24 documents, 6 demonstrations."""
    folder = tmp_path_factory.mktemp("choice")
    rng = random.Random(1)
    made = [
        {"question": f"The {thing} {i} is", "options": list(COLOURS), "label": rng.randrange(4)}
        for i, thing in enumerate(rng.choices(THINGS, k=30))
    ]
    config = {
        **_local(write_jsonl(folder / "x.test.jsonl", made[:24]), write_jsonl(folder / "x.fewshot.jsonl", made[24:])),
        "output_type": "multiple_choice",
        "doc_to_text": "{{question}}",
        "doc_to_choice": "options",
        "doc_to_target": "label",
    }
    return TaskSpec(
        name="choice",
        kind="qa",
        suite="toy",
        metrics=metrics("acc", "acc_norm", "prob_correct", "brier", "loglikelihood_per_byte"),
        config=config,
        prompts={"default": {}, "asking": {"doc_to_text": "Q: {{question}}?\nA:"}},
        digest="c" * 12,
    )


@pytest.fixture(scope="session")
def text_task(tmp_path_factory: pytest.TempPathFactory) -> TaskSpec:
    """Generation: 24 documents, 6 demonstrations; the answer ends with the line."""
    folder = tmp_path_factory.mktemp("text")
    rng = random.Random(2)
    made = [
        {"question": f"Colour of {thing} {i}:", "answer": rng.choice(COLOURS)}
        for i, thing in enumerate(rng.choices(THINGS, k=30))
    ]
    config = {
        **_local(write_jsonl(folder / "x.test.jsonl", made[:24]), write_jsonl(folder / "x.fewshot.jsonl", made[24:])),
        "output_type": "generate_until",
        "doc_to_text": "{{question}}",
        "doc_to_target": "{{answer}}",
        "generation_kwargs": {"until": ["\n"], "max_gen_toks": 12, "do_sample": False},
        "filter_list": [{"name": "strip", "filter": [{"function": "remove_whitespace"}, {"function": "take_first"}]}],
    }
    return TaskSpec(
        name="text",
        kind="qa",
        suite="toy",
        metrics=metrics("exact_match", "loglikelihood_per_token", "edit_similarity", "token_f1"),
        config=config,
        digest="e" * 12,
    )


def _lines() -> list[str]:
    forms = ("The {} {} is {}\n", "Colour of {} {}: {}\n")
    triples = [(thing, i, colour) for thing in THINGS for i in range(30) for colour in COLOURS]
    return [form.format(*triple) for triple in triples for form in forms]


def _teach(model: Any, tokenizer: Any) -> None:
    """Two hundred steps: enough for answers that are some colour, right now and then."""
    import torch

    rng = random.Random(0)
    lines = _lines()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(200):
        batch = tokenizer(["".join(rng.sample(lines, 3)) for _ in range(8)], return_tensors="pt", padding=True)
        labels = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)
        loss = model(**batch, labels=labels).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()


def _local(test: Path, fewshot: Path) -> dict[str, Any]:
    return {
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(test), "fewshot": str(fewshot)}},
        "test_split": "test",
        "fewshot_split": "fewshot",
    }
