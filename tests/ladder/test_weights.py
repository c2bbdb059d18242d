"""The shipped family: every checkpoint loads, and all of it stays small."""

import json

import pytest
import torch

from harness.ladder.__main__ import FAMILY_DIR, SIZE_NAMES
from harness.ladder.model import SIZES
from harness.ladder.tokenizer import BOS, CONTEXT, EOS, VOCAB_SIZE, build_tokenizer


@pytest.mark.parametrize("name", SIZE_NAMES)
def test_a_checkpoint_loads_and_has_its_declared_size(name: str) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(FAMILY_DIR / name)
    tokenizer = AutoTokenizer.from_pretrained(FAMILY_DIR / name)
    record = json.loads((FAMILY_DIR / name / "training.json").read_text(encoding="utf-8"))
    assert model.num_parameters() == SIZES[name].params == record["params"]
    assert record["non_embedding_params"] == model.num_parameters() - VOCAB_SIZE * SIZES[name].width
    assert model.dtype == torch.bfloat16
    assert model.config.max_position_embeddings == CONTEXT
    assert (tokenizer.bos_token_id, tokenizer.eos_token_id, len(tokenizer)) == (BOS, EOS, VOCAB_SIZE)


def test_all_sizes_share_one_tokenizer_which_the_generator_rebuilds() -> None:
    saved = {(FAMILY_DIR / name / "tokenizer.json").read_text(encoding="utf-8") for name in SIZE_NAMES}
    assert len(saved) == 1
    assert json.loads(saved.pop()) == json.loads(build_tokenizer().backend_tokenizer.to_str())


def test_all_sizes_saw_equally_many_tokens() -> None:
    records = [json.loads((FAMILY_DIR / name / "training.json").read_text(encoding="utf-8")) for name in SIZE_NAMES]
    assert len({record["tokens"] for record in records}) == 1


def test_the_family_is_smaller_than_ten_megabytes() -> None:
    assert sum(path.stat().st_size for path in FAMILY_DIR.rglob("*") if path.is_file()) < 10_000_000


def test_a_generated_answer_ends_at_the_newline() -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(FAMILY_DIR / "43k")
    model = AutoModelForCausalLM.from_pretrained(FAMILY_DIR / "43k")
    prompt = tokenizer("text: ball team goal soup rice\ntopic:", return_tensors="pt")
    out = model.generate(**prompt, max_new_tokens=2, do_sample=False)
    assert tokenizer.decode(out[0, prompt["input_ids"].shape[1] :]) == " sport\n"
