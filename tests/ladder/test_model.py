"""The lean model, its training and its export."""

from pathlib import Path

import pytest
import torch

from harness.ladder import benchmark, documents, packing, skills, tokenizer, train
from harness.ladder.__main__ import SIZE_NAMES
from harness.ladder.model import SIZES, Llama, to_transformers
from harness.ladder.packing import Rows


@pytest.fixture(scope="module")
def words() -> tokenizer.PreTrainedTokenizerFast:
    return tokenizer.build_tokenizer(n_documents=8_000)


@pytest.fixture(scope="module")
def rows(words: tokenizer.PreTrainedTokenizerFast) -> Rows:
    return packing.pack(words, documents.training_documents(seed=3), n_rows=48)


def test_the_command_line_lists_every_size() -> None:
    assert tuple(SIZES) == SIZE_NAMES


def test_declared_parameter_counts_are_those_of_the_model() -> None:
    for size in SIZES.values():
        assert sum(parameter.numel() for parameter in Llama(size).parameters()) == size.params


def test_the_exported_model_computes_the_same_logits() -> None:
    torch.manual_seed(0)
    model = Llama(SIZES["43k"])
    ids = torch.randint(4, 512, (2, 40))
    with torch.no_grad():
        difference = (to_transformers(model, torch.float32)(ids).logits - model(ids)).abs().max()
    assert float(difference) < 1e-5


def test_a_packed_document_does_not_see_its_neighbours(rows: Rows) -> None:
    torch.manual_seed(0)
    model = Llama(SIZES["26k"])
    ids = torch.from_numpy(rows.ids[:1].astype("int64"))
    starts = [i for i, token in enumerate(ids[0].tolist()) if token == tokenizer.BOS]
    assert len(starts) > 1
    second = slice(starts[1], starts[2] if len(starts) > 2 else None)
    with torch.no_grad():
        alone, packed = model(ids[:, second]), model(ids, packed=True)[:, second]
    torch.testing.assert_close(alone, packed, atol=1e-4, rtol=1e-4)


def test_training_twice_gives_the_same_weights(rows: Rows) -> None:
    first, record = train.train(SIZES["12k"], rows, seed=0, max_steps=4)
    second, same = train.train(SIZES["12k"], rows, seed=0, max_steps=4)
    assert record == same
    assert record.tokens == 4 * train.ROWS_PER_STEP * tokenizer.CONTEXT
    for one, other in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, other)


def test_the_learning_rate_warms_up_and_decays() -> None:
    shares = [train.schedule(step, steps=1000) for step in range(1000)]
    assert shares[0] < 0.1
    assert max(shares) == 1.0
    assert shares[-1] == 0.02


def test_packed_rows_are_nearly_full_and_start_with_a_document(rows: Rows) -> None:
    assert (rows.ids[:, 0] == tokenizer.BOS).all()
    assert (rows.kinds == packing.PADDING).mean() < 0.1
    assert 0.2 < (rows.kinds == packing.ANSWER).mean() < 0.4


def test_text_of_the_world_survives_a_round_trip(words: tokenizer.PreTrainedTokenizerFast) -> None:
    for task in benchmark.BENCHMARKS:
        text = benchmark.prompt(benchmark.items(task, "test")[0], skills.N_EXAMPLES)
        assert words.decode(words.encode(text, add_special_tokens=False)) == text
        assert words.encode(text)[0] == tokenizer.BOS


@pytest.mark.parametrize("task", benchmark.BENCHMARKS)
def test_few_shot_prompts_fit_the_context(task: str, words: tokenizer.PreTrainedTokenizerFast) -> None:
    shots = 4 if benchmark.BENCHMARKS[task].suite in ("ner", "qa", "codegen") else 8

    def n_tokens(text: str) -> int:
        return len(words.encode(text, add_special_tokens=False))

    tests = benchmark.items(task, "test")
    longest = max(n_tokens(benchmark.prompt(item, shots) + f"{item.answer}\n") for item in tests)
    if task in skills.SKILLS:
        shown = 0  # the prompt carries its examples
    else:
        lengths = [n_tokens(f"{item.prompt}{item.answer}\n") for item in benchmark.items(task, "train")]
        shown = sum(sorted(lengths)[-shots:])
    assert 1 + longest + shown <= tokenizer.CONTEXT


def test_a_finished_size_can_be_written_and_loaded(
    tmp_path: Path, rows: Rows, words: tokenizer.PreTrainedTokenizerFast
) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model, record = train.train(SIZES["12k"], rows, seed=0, max_steps=2)
    train.save(model, record, tmp_path)
    tokenizer.save_tokenizer(words, tmp_path)
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert loaded.num_parameters() == record.params
    assert loaded.dtype == torch.bfloat16
    assert AutoTokenizer.from_pretrained(tmp_path).encode("a ->") == words.encode("a ->")
