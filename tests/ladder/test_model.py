"""The lean model, its training and its export."""

from pathlib import Path

import pytest
import torch

from harness.ladder import benchmark, documents, packing, skills, tokenizer, train, training
from harness.ladder.family import SIZES, members
from harness.ladder.model import Llama, to_transformers
from harness.ladder.packing import Rows


@pytest.fixture(scope="module")
def words() -> tokenizer.PreTrainedTokenizerFast:
    return tokenizer.build_tokenizer(n_documents=8_000)


@pytest.fixture(scope="module")
def rows(words: tokenizer.PreTrainedTokenizerFast) -> Rows:
    return packing.pack(words, documents.training_documents(seed=3), n_rows=48)


def test_one_run_of_every_size_is_trained_before_the_second_of_any() -> None:
    ordered = members()
    assert [member.size.name for member in ordered[: len(SIZES)]] == list(SIZES)
    assert [member.run for member in ordered] == sorted(member.run for member in ordered)
    assert len({member.folder for member in ordered}) == len(ordered) == sum(size.runs for size in SIZES.values())


def test_what_is_trained_is_not_trained_again(tmp_path: Path) -> None:
    few, tokens, rows_path = members(["2k"], [1, 2]), 4 * train.ROWS_PER_STEP * tokenizer.CONTEXT, tmp_path / "rows.npz"
    training.train_members(few[:1], tmp_path, tokens=tokens, rows_path=rows_path)
    first = (tmp_path / "2k/model.safetensors").read_bytes()
    written_at = (tmp_path / "2k/model.safetensors").stat().st_mtime_ns
    training.train_members(few, tmp_path, tokens=tokens, rows_path=rows_path)
    assert (tmp_path / "2k/model.safetensors").stat().st_mtime_ns == written_at
    assert (tmp_path / "2k-run2/model.safetensors").read_bytes() != first
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2k", "2k-run2", "rows.npz"]


def test_text_that_was_kept_for_another_number_of_tokens_is_refused(tmp_path: Path) -> None:
    training.train_members(members(["2k"], [1]), tmp_path, tokens=8 * 256, rows_path=tmp_path / "rows.npz")
    with pytest.raises(ValueError, match="keeps 8 rows of text, and 16 are needed"):
        training.train_members(members(["5k"], [1]), tmp_path, tokens=16 * 256, rows_path=tmp_path / "rows.npz")


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


def test_a_run_visits_every_row_once_and_the_stages_in_their_order() -> None:
    order, other = packing.shuffled(1000, seed=1), packing.shuffled(1000, seed=2)
    assert sorted(order) == sorted(other) == list(range(1000))
    assert order != other
    for part in packing.stages(1000):
        assert set(order[part.start : part.stop]) == set(part)


def test_text_of_the_world_survives_a_round_trip(words: tokenizer.PreTrainedTokenizerFast) -> None:
    for task in benchmark.BENCHMARKS:
        text = benchmark.prompt(benchmark.items(task, "test")[0], skills.N_EXAMPLES)
        assert words.decode(words.encode(text, add_special_tokens=False)) == text
        assert words.encode(text)[0] == tokenizer.BOS


@pytest.mark.parametrize("task", benchmark.BENCHMARKS)
def test_few_shot_prompts_fit_the_context(task: str, words: tokenizer.PreTrainedTokenizerFast) -> None:
    shots = 8 if benchmark.BENCHMARKS[task].suite in ("prompting", "algorithms", "arithmetic") else 4

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
