"""The small encoders and encoder-decoders: their items, their training, and the shipped weights."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForMaskedLM, AutoModelForSeq2SeqLM, AutoTokenizer

from harness.ladder import encoder, kind_training, seq2seq, world
from harness.ladder.family import FAMILY_DIR
from harness.ladder.kinds import KIND_SIZES, KINDS, OtherKind, folder_of, kind_lines
from harness.ladder.pairs import MAKERS, PromptAnswer, pair
from harness.ladder.tokenizer import BOS, EOS, build_tokenizer

SHIPPED = [(kind, shape) for kind in KINDS for shape in KIND_SIZES[kind].values()]


@pytest.mark.parametrize("name", MAKERS)
def test_every_family_gives_pairs_of_the_training_split(name: str) -> None:
    rng = random.Random(1)
    found = [pair(rng, {name: 1.0}) for _ in range(20)]
    assert all(one.prompt and one.answer.strip() for one in found)
    if name == "topic":
        asked = [one.prompt.rpartition("text: ")[2].removesuffix("\ntopic:") for one in found]
        assert not any(world.is_held_out("topic|" + " ".join(sorted(text.split()))) for text in asked)


def test_gaps_take_the_end_of_an_answer_and_only_few_tokens_of_its_prompt() -> None:
    words = encoder.encoder_tokenizer(build_tokenizer(n_documents=4_000))
    pairs = [PromptAnswer("text: ball team goal race soup rice moon coach\ntopic:", " sport")] * 40
    batch = encoder.gapped_batch(pairs, words, random.Random(1))
    assert set(batch["input_ids"][:, 0].tolist()) == {BOS}
    assert set(batch["input_ids"][:, -1].tolist()) == {EOS}
    assert (batch["input_ids"][:, -2] == words.mask_token_id).all()
    assert words.decode(batch["labels"][0, -2:-1]) == " sport"
    asked = batch["labels"] != encoder.IGNORED
    assert 40 < int(asked.sum()) < 40 + 0.15 * batch["input_ids"].numel()
    assert ((batch["input_ids"] == words.mask_token_id) == asked).all()


def test_answers_of_encoder_decoders_end_with_the_end_of_a_text() -> None:
    words = seq2seq.seq2seq_tokenizer(build_tokenizer(n_documents=4_000))
    batch = seq2seq.written_batch([PromptAnswer("12+30=", "42"), PromptAnswer("1+1=", "2")], words, random.Random(1))
    assert [words.decode(row[row >= 0]) for row in batch["labels"]] == ["42<eos>", "2<eos>"]
    assert words.decode(batch["input_ids"][0]) == "12+30=<eos>"


@pytest.mark.parametrize("kind", KINDS)
def test_a_training_that_was_interrupted_goes_on_to_the_same_weights(
    kind: OtherKind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kind_training, "build_tokenizer", lambda: build_tokenizer(n_documents=2_000))
    monkeypatch.setattr(kind_training, "KEEP_EVERY", 2)
    kind_training.train_kind(kind, tmp_path / "whole", only=["12k"], steps=4)
    usual, steps = kind_training._step, []

    def stopping(*args: object) -> float:
        steps.append(1)
        if len(steps) == 4:
            raise KeyboardInterrupt
        return usual(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(kind_training, "_step", stopping)
    with pytest.raises(KeyboardInterrupt):
        kind_training.train_kind(kind, tmp_path / "twice", only=["12k"], steps=4)
    monkeypatch.setattr(kind_training, "_step", usual)
    kind_training.train_kind(kind, tmp_path / "twice", only=["12k"], steps=4)
    folder = folder_of(kind, KIND_SIZES[kind]["12k"])
    one, other = ((tmp_path / way / folder / "model.safetensors").read_bytes() for way in ("whole", "twice"))
    assert one == other
    assert [path.name for path in (tmp_path / "twice").iterdir()] == [folder]


@pytest.mark.parametrize(("kind", "shape"), SHIPPED, ids=[folder_of(kind, shape) for kind, shape in SHIPPED])
def test_a_shipped_model_loads_with_the_size_its_record_says(kind: OtherKind, shape: object) -> None:
    folder = FAMILY_DIR / folder_of(kind, shape)  # type: ignore[arg-type]
    load = AutoModelForMaskedLM if kind == "encoder" else AutoModelForSeq2SeqLM
    model = load.from_pretrained(folder)
    record = json.loads((folder / "training.json").read_text(encoding="utf-8"))
    assert (model.num_parameters(), model.dtype) == (record["params"], torch.bfloat16)
    assert len(AutoTokenizer.from_pretrained(folder)) == model.config.vocab_size
    rebuilt = (encoder.encoder_tokenizer if kind == "encoder" else seq2seq.seq2seq_tokenizer)(build_tokenizer())
    saved = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    assert saved == json.loads(rebuilt.backend_tokenizer.to_str())


@pytest.mark.parametrize("kind", KINDS)
def test_the_family_file_names_every_size(kind: OtherKind) -> None:
    path = FAMILY_DIR.parents[1] / f"families/embedded-{kind}.yaml"
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("  - ")]
    assert lines == list(kind_lines(kind))
    assert len(lines) == len(KIND_SIZES[kind])
