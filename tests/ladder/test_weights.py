"""The shipped family: every checkpoint loads, and all of it stays small."""

import json

import pytest
import torch

from harness.ladder.family import FAMILY_DIR, VOCAB_SIZE, FamilyMember, family_lines, members
from harness.ladder.tokenizer import BOS, CONTEXT, EOS, build_tokenizer

MEMBERS = members()


@pytest.mark.parametrize("member", MEMBERS, ids=[member.folder for member in MEMBERS])
def test_a_checkpoint_loads_and_has_its_declared_size(member: FamilyMember) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = FAMILY_DIR / member.folder
    model = AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    record = json.loads((folder / "training.json").read_text(encoding="utf-8"))
    assert model.num_parameters() == member.size.params == record["params"]
    assert record["non_embedding_params"] == model.num_parameters() - VOCAB_SIZE * member.size.width
    assert record["seed"] == member.run
    assert model.dtype == torch.bfloat16
    assert model.config.max_position_embeddings == CONTEXT
    assert (tokenizer.bos_token_id, tokenizer.eos_token_id, len(tokenizer)) == (BOS, EOS, VOCAB_SIZE)


def test_all_sizes_share_one_tokenizer_which_the_generator_rebuilds() -> None:
    saved = {(FAMILY_DIR / member.folder / "tokenizer.json").read_text(encoding="utf-8") for member in MEMBERS}
    assert len(saved) == 1
    assert json.loads(saved.pop()) == json.loads(build_tokenizer().backend_tokenizer.to_str())


def test_all_sizes_saw_equally_many_tokens() -> None:
    places = [FAMILY_DIR / member.folder / "training.json" for member in MEMBERS]
    assert len({json.loads(place.read_text(encoding="utf-8"))["tokens"] for place in places}) == 1


def test_the_family_file_names_every_run() -> None:
    shipped = (FAMILY_DIR.parents[1] / "families/embedded.yaml").read_text(encoding="utf-8").splitlines()
    assert [line for line in shipped if line.startswith("  - ")] == list(family_lines())
    assert len(list(family_lines())) == len(MEMBERS)


def test_the_family_is_smaller_than_twenty_megabytes() -> None:
    assert sum(path.stat().st_size for path in FAMILY_DIR.rglob("*") if path.is_file()) < 20_000_000


def test_a_generated_answer_ends_at_the_newline() -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(FAMILY_DIR / "43k")
    model = AutoModelForCausalLM.from_pretrained(FAMILY_DIR / "43k")
    prompt = tokenizer("text: ball team goal race soup rice moon coach\ntopic:", return_tensors="pt")
    out = model.generate(**prompt, max_new_tokens=2, do_sample=False)
    assert tokenizer.decode(out[0, prompt["input_ids"].shape[1] :]) == " sport\n"
