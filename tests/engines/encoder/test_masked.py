"""Masked language models asked for a choice."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from lm_eval.api.instance import Instance

from harness.engines.encoder.lm import positions, special_tokens_around
from harness.engines.encoder.masked import MaskedLM
from harness.engines.protocol import EngineSettings, open_engine
from harness.errors import HarnessError
from harness.specs import ModelSpec, TaskSpec
from tests.builders import cell
from tests.builders.encoders import CONTEXT, encoder, save_encoder, word_pieces


def asked(context: str, answer: str, kind: str = "loglikelihood") -> Instance:
    return Instance(request_type=kind, doc={}, arguments=(context, answer), idx=0, metadata=("t", 0, 1))


@pytest.fixture(scope="module")
def model() -> Any:
    return encoder("ForMaskedLM")


@pytest.fixture(scope="module")
def lm(model: Any) -> MaskedLM:
    return MaskedLM(pretrained=model, tokenizer=word_pieces(), batch_size=4)


def by_hand(model: Any, context: str, words: list[list[str]]) -> tuple[float, bool]:
    """The score of an answer, given as the pieces of its words: one pass for each piece, written out."""
    tokenizer = word_pieces()
    before = ["[CLS]", *tokenizer.tokenize(context)]
    pieces = [piece for word in words for piece in word]
    total, likeliest = 0.0, True
    for w, word in enumerate(words):
        for p, piece in enumerate(word):
            shown = [*before, *(each for other in words[:w] for each in other), *word[:p]]
            rest = ["[MASK]"] * (len(word) - p) + [each for other in words[w + 1 :] for each in other]
            ids = tokenizer.convert_tokens_to_ids([*shown, *rest, "[SEP]"])
            assert len(ids) == len(before) + len(pieces) + 1
            with torch.no_grad():
                scores = model(torch.tensor([ids])).logits[0, len(shown)].log_softmax(-1)
            target = tokenizer.convert_tokens_to_ids(piece)
            total += float(scores[target])
            likeliest &= int(scores.argmax()) == target
    return total, likeliest


CASES = {
    " red": [["red"]],
    " bad": [["bad"]],
    " xyz": [["x", "##y", "##z"]],
    " good xy": [["good"], ["x", "##y"]],
    " xy, red": [["x", "##y"], [","], ["red"]],
}


def test_the_score_is_the_pseudo_log_likelihood_from_left_to_right_in_each_word(model: Any, lm: MaskedLM) -> None:
    context = "the colour of thing 7 is"
    found = lm.respond([asked(context, answer) for answer in CASES])
    for (score, likeliest), words in zip(found, CASES.values(), strict=True):
        expected = by_hand(model, context, words)
        assert (score, likeliest) == (pytest.approx(expected[0], abs=1e-5), expected[1])


def test_the_likeliest_word_is_what_greedy_filling_gives(model: Any) -> None:
    prefers = copy.deepcopy(model)
    with torch.no_grad():
        prefers.get_output_embeddings().bias[word_pieces().convert_tokens_to_ids("blue")] += 99.0
    lm = MaskedLM(pretrained=prefers, tokenizer=word_pieces(), batch_size=4)
    found = lm.respond([asked("the thing is", word) for word in (" red", " blue", " blue blue", " blue red")])
    assert [likeliest for _, likeliest in found] == [False, True, True, False]


def test_options_of_one_token_share_one_pass(lm: MaskedLM, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    usual = lm.read
    monkeypatch.setattr(lm, "read", lambda rows, ask: seen.append(len(rows)) or usual(rows, ask))
    lm.respond([asked("the thing is", f" {word}") for word in ("red", "blue", "green")])
    assert seen == [1]


def test_what_stands_beside_a_request_changes_no_score(model: Any, lm: MaskedLM) -> None:
    requests = [asked("thing " * n + "is", answer) for n in (1, 9, 30) for answer in CASES]
    together = lm.respond(requests)
    alone = [lm.respond([request])[0] for request in requests]
    assert [score for score, _ in together] == pytest.approx([score for score, _ in alone], abs=1e-5)


def test_an_empty_question_is_the_token_that_begins_a_text(model: Any, lm: MaskedLM) -> None:
    ((score, _),) = lm.respond([asked("", "red")])
    assert score == pytest.approx(by_hand(model, "", [["red"]])[0], abs=1e-5)


@pytest.mark.parametrize("kind", ["Roberta", "DistilBert", "Electra", "ModernBert"])
def test_other_encoders_give_the_logits_of_their_own_pass(kind: str) -> None:
    settings: dict[str, Any] = {"DistilBert": {"dim": 32, "hidden_dim": 48, "n_heads": 2, "n_layers": 2}}.get(kind, {})
    model = encoder("ForMaskedLM", kind=kind, **settings)
    lm = MaskedLM(pretrained=model, tokenizer=word_pieces(), batch_size=2)
    (score, _), (other, _) = lm.respond([asked("tom lives in", " paris"), asked("the thing", " is")])
    assert score == pytest.approx(by_hand(model, "tom lives in", [["paris"]])[0], abs=1e-5)
    assert other != score


def test_the_context_leaves_room_for_special_tokens_and_for_a_table_that_begins_late(lm: MaskedLM) -> None:
    assert lm.max_length == CONTEXT - 2
    assert special_tokens_around(word_pieces()) == ([2], [3])
    late = encoder("ForMaskedLM", kind="Roberta", pad_token_id=1)
    assert positions(late, CONTEXT) == CONTEXT - 2


def test_texts_are_refused_with_the_engine_that_writes_them(lm: MaskedLM) -> None:
    for kind in ("generate_until", "loglikelihood_rolling"):
        with pytest.raises(HarnessError, match=f"cannot answer {kind}; expected --engine tree .* --engine seq2seq"):
            lm.respond([asked("a", {"until": ["b"]} if kind == "generate_until" else "b", kind)])  # type: ignore[arg-type]


def test_a_folder_answers_a_task_with_options(tmp_path: Path, model: Any, choice_task: TaskSpec) -> None:
    spec = ModelSpec(name="bert", family="b", params=1, path=str(save_encoder(tmp_path / "bert", model)))
    engine = open_engine("encoder", spec, EngineSettings(batch_size=8))
    result = engine.evaluate(cell(of=choice_task, model=spec, shots=0, limit=8, engine="encoder"), choice_task)
    assert (result.n_expected, result.provenance.fallback, result.n_truncated) == (8, None, 0)
    assert {score.metric for score in result.scores} == {metric.name for metric in choice_task.metrics}
    assert all(len(sample.option_loglikelihoods) == len(sample.options) for sample in result.samples)
    part = engine.answer_part(cell(of=choice_task, model=spec, limit=8, engine="encoder"), choice_task, range(8))  # type: ignore[attr-defined]
    assert len(part.responses) == 8


def test_a_question_that_does_not_fit_fails_unless_it_may_be_cut(
    tmp_path: Path, model: Any, choice_task: TaskSpec
) -> None:
    spec = ModelSpec(name="bert", family="b", params=1, path=str(save_encoder(tmp_path / "bert", model)))
    wanted = cell(of=choice_task, model=spec, shots=6, limit=2, engine="encoder")
    with pytest.raises(HarnessError, match=f"the model reads {CONTEXT - 2}; use fewer shots"):
        open_engine("encoder", spec, EngineSettings()).evaluate(wanted, choice_task)
    cut = open_engine("encoder", spec, EngineSettings(truncation="allow")).evaluate(wanted, choice_task)
    assert cut.n_truncated == 2
