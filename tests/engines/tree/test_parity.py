"""Every architecture, every kind of output: the tree engine and lm-eval give the same numbers and texts."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch

from harness.engines.answers import evaluate_with
from harness.engines.documents import DocumentCache
from harness.engines.protocol import EngineSettings
from harness.engines.transformers_lm import TransformersLM
from harness.engines.tree import trees
from harness.engines.tree.kernels import STEP
from harness.engines.tree.lm import TreeLM
from harness.records import CellResult
from harness.specs import TaskSpec
from tests.builders import cell, prompts, zoo
from tests.builders.prompts import PAIRS, Pair
from tests.builders.tasks import metrics
from tests.engines.tree.parity import THOROUGH, askable, assert_same, reference_pairs, rolled, scored, written

pytestmark = pytest.mark.parity

CAUSAL = [name for name, kind in zoo.ZOO.items() if kind.model is None]
TOKENIZERS: tuple[zoo.TokenizerName, ...] = ("bos", "plain", "bytes", "embedded")
REPEATABLE = [name for name in zoo.ZOO if name != "llama-dynamic-rope"]
"""Not the one whose numbers depend on the texts it has read before."""
SOME_PAIRS = ("fixed-shots", "own-shots", "nested-options", "a-common-continuation", "longer-than-the-window")


def pairs_of(*kinds: str) -> list[Pair]:
    return [pair for kind in kinds for pair in PAIRS[kind]()]


# --- the zoo itself: parity with a model that ignores its context would prove nothing -------------------------------


@pytest.mark.parametrize("species", CAUSAL)
def test_the_models_of_the_zoo_read_their_whole_context(species: str) -> None:
    lm = zoo.lm_eval(species)
    tokens = torch.randint(5, len(lm.tokenizer), (1, 60), generator=torch.Generator().manual_seed(3)).to(zoo.DEVICE)
    other = tokens.clone()
    other[0, 0] = (tokens[0, 0] + 7) % len(lm.tokenizer)
    with torch.no_grad():
        first, second = (lm.model(x).logits[0].log_softmax(-1) for x in (tokens, other))
    difference = float((first[-1] - second[-1]).abs().max())
    if zoo.ZOO[species].sees_far:
        assert difference > 0.01
    else:
        assert difference < 1e-4
    most_likely = first.exp().max(-1).values
    assert 0.1 < float(most_likely.mean()) < 0.9


@pytest.mark.parametrize("species", CAUSAL)
def test_the_models_of_the_zoo_write_other_texts_after_other_prompts(species: str) -> None:
    texts = reference_texts(species)
    assert len(set(texts)) >= 5


# --- what runs on the tree ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("species", zoo.TAKEN)
def test_the_tree_takes(species: str) -> None:
    assert zoo.tree(species).why_not is None


@pytest.mark.parametrize("species", zoo.REFUSED)
def test_what_the_tree_leaves_to_lm_eval_has_a_reason_that_a_user_understands(species: str) -> None:
    reason = zoo.tree(species).why_not
    assert reason is not None
    assert any(word in reason.lower() for word in zoo.ZOO[species].why_not), reason


# --- every architecture, every output type --------------------------------------------------------------------------


@pytest.mark.parametrize("species", REPEATABLE)
def test_likelihoods_of_options_equal_lm_evals(species: str) -> None:
    # on what is left to lm-eval, the same code runs twice: that it runs is seen by a few
    kinds = SOME_PAIRS[1:3] if species in zoo.REFUSED else SOME_PAIRS
    pairs = askable(zoo.lm_eval(species), pairs_of(*kinds))
    assert_same(scored(zoo.tree(species), pairs), scored(zoo.lm_eval(species), pairs))


@pytest.mark.parametrize("species", REPEATABLE)
def test_likelihoods_of_whole_texts_equal_lm_evals(species: str) -> None:
    texts = prompts.rolling_texts()
    assert rolled(zoo.tree(species), texts) == pytest.approx(rolled(zoo.lm_eval(species), texts), abs=2e-4, rel=2e-6)


@functools.cache
def reference_texts(species: str) -> tuple[str, ...]:
    return tuple(written(zoo.lm_eval(species), prompts.prompts(), until=["\n"], max_gen_toks=12))


@pytest.mark.parametrize("species", REPEATABLE)
def test_greedy_texts_equal_lm_evals(species: str) -> None:
    texts = written(zoo.tree(species), prompts.prompts(), until=["\n"], max_gen_toks=12)
    assert tuple(texts) == reference_texts(species)


@pytest.mark.parametrize("species", zoo.TAKEN | zoo.OPTIONAL)
def test_what_the_model_would_write_is_flagged_greedy(species: str) -> None:
    reference, tree = zoo.lm_eval(species), zoo.tree(species)
    asked = []
    for text in prompts.prompts():
        context = reference.tok_encode(text)
        with torch.no_grad():
            whole = reference.model.generate(
                torch.tensor([context], device=zoo.DEVICE),
                max_new_tokens=3,
                min_new_tokens=3,
                do_sample=False,
                pad_token_id=0,
                attention_mask=torch.ones(1, len(context), dtype=torch.long, device=zoo.DEVICE),
            )
        best = whole[0, len(context) :].tolist()
        asked += [(("", ""), context, best[:n]) for n in (1, 2, 3)]
        asked.append((("", ""), context, [*best[:2], (best[2] + 1) % len(reference.tokenizer)]))
    wanted = reference._loglikelihood_tokens(asked, disable_tqdm=True)
    assert sum(greedy for _, greedy in wanted) >= len(asked) // 2
    assert not any(greedy for _, greedy in wanted[3::4])
    assert_same(tree._loglikelihood_tokens(asked, disable_tqdm=True), wanted)


# --- every kind of request ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", PAIRS)
@pytest.mark.parametrize("species", THOROUGH)
def test_likelihoods_equal_lm_evals_for(species: str, kind: str) -> None:
    pairs, wanted = reference_pairs(species, kind)
    assert_same(scored(zoo.tree(species), pairs), wanted)


@pytest.mark.parametrize("species", THOROUGH)
def test_likelihoods_equal_lm_evals_for_all_kinds_of_requests_in_one_call(species: str) -> None:
    known = [reference_pairs(species, kind) for kind in PAIRS]
    pairs = [pair for asked, _ in known for pair in asked]
    assert_same(scored(zoo.tree(species), pairs), [each for _, answers in known for each in answers])


@pytest.mark.parametrize("species", [*zoo.TAKEN, "gemma3", "mistral-window", "qwen2-window"])
def test_documents_so_many_that_their_examples_are_read_once_equal_lm_evals(species: str) -> None:
    reference, tree = zoo.lm_eval(species), zoo.tree(species)
    # the embedded tokens are characters and whole words: fewer examples fill the window
    prefix = prompts.shots(7 if zoo.ZOO[species].tokenizer == "embedded" else 11)
    contexts = [prefix + prompts.question(i) for i in range(80)]
    assert any(len(group.prefix) > 100 for group in trees.plant([tree.tok_encode(context) for context in contexts]))
    pairs = [(context, prompts.OPTIONS[i % 4]) for i, context in enumerate(contexts)]
    assert_same(scored(tree, pairs), scored(reference, pairs))
    asked: dict[str, Any] = {"until": ["\n"], "max_gen_toks": 5}
    # by eights they are too few for that, and written as lm-eval writes them
    by_eights = [text for i in range(0, 80, 8) for text in written(tree, contexts[i : i + 8], **asked)]
    assert written(tree, contexts, **asked) == by_eights
    assert by_eights[:2] == written(reference, contexts[:2], **asked)


@pytest.mark.parametrize("species", ["llama", "mistral-window", "gemma3"])
def test_prompts_longer_than_what_is_attended_at_a_time_equal_lm_evals(species: str) -> None:
    reference, tree = zoo.build_both(species, max_length=600)
    pairs = [(prompts.shots(40) + prompts.question(i), option) for i in range(2) for option in (" red", " dark blue")]
    assert len(reference.tok_encode(pairs[0][0])) > 2 * STEP
    pairs += [(prompts.shots(20), prompts.shots(20)), (prompts.shots(2), " red")]
    assert_same(scored(tree, pairs), scored(reference, pairs))
    texts = [prompts.shots(40), prompts.shots(48, seed=2)]
    assert rolled(tree, texts) == pytest.approx(rolled(reference, texts), rel=2e-6)
    asked = [prompts.shots(40), prompts.shots(40) + "Colour"]
    assert written(tree, asked, max_gen_toks=4) == written(reference, asked, max_gen_toks=4)


@pytest.mark.parametrize("tokenizer", TOKENIZERS)
def test_every_output_type_equals_lm_evals_with_the_tokenizer(tokenizer: zoo.TokenizerName) -> None:
    reference, tree = zoo.lm_eval("llama", tokenizer), zoo.tree("llama", tokenizer)
    pairs = pairs_of("contexts-ending-in-spaces", "words-cut-in-two", "strange-characters", "without-context")
    pairs = askable(reference, pairs)
    assert_same(scored(tree, pairs), scored(reference, pairs))
    texts = prompts.rolling_texts()
    assert rolled(tree, texts) == pytest.approx(rolled(reference, texts), abs=2e-4, rel=2e-6)
    asked: dict[str, Any] = {"until": ["\n", ".", "stion"], "max_gen_toks": 16}
    assert written(tree, prompts.prompts()[::2], **asked) == written(reference, prompts.prompts()[::2], **asked)


# --- whole tasks ----------------------------------------------------------------------------------------------------

SHARP = {
    "choice_task": ("acc", "acc_norm", "brier", "prob_correct", "loglikelihood_per_byte"),
    "text_task": ("exact_match", "edit_similarity", "loglikelihood_per_token"),
}


def evaluated(lm: Any, task: TaskSpec, names: Sequence[str], *, shots: int, limit: int) -> CellResult:
    spec = replace(task, metrics=metrics(*names))
    wanted = cell(of=spec, shots=shots, limit=limit, engine="tree")
    return evaluate_with(lm, wanted, spec, data=DocumentCache(), settings=EngineSettings(truncation="allow"))


def assert_same_results(mine: CellResult, theirs: CellResult) -> None:
    assert [s.metric for s in mine.scores] == [s.metric for s in theirs.scores]
    for one, other in zip(mine.scores, theirs.scores, strict=True):
        if one.metric in {"acc", "acc_norm", "exact_match", "edit_similarity"}:
            assert (one.value, one.stderr) == (other.value, other.stderr)
        else:
            assert one.value == pytest.approx(other.value, abs=1e-5)
    assert mine.samples is not None
    assert theirs.samples is not None
    assert [s.output for s in mine.samples] == [s.output for s in theirs.samples]
    assert [s.truncated for s in mine.samples] == [s.truncated for s in theirs.samples]


@pytest.mark.parametrize("species", zoo.TAKEN | zoo.OPTIONAL)
@pytest.mark.parametrize("kind", ["choice", "text"])
def test_metrics_of_a_whole_task_equal_lm_evals(kind: str, species: str, request: pytest.FixtureRequest) -> None:
    task: TaskSpec = request.getfixturevalue(f"{kind}_task")
    names = SHARP[f"{kind}_task"]
    limit = 8 if kind == "choice" else 3
    mine = evaluated(zoo.tree(species), task, names, shots=2, limit=limit)
    theirs = evaluated(zoo.bridge(species), task, names, shots=2, limit=limit)
    assert_same_results(mine, theirs)


@pytest.mark.parametrize("shots", [0, 3])
@pytest.mark.parametrize("kind", ["choice", "text"])
def test_metrics_of_a_model_that_is_right_now_and_then_equal_lm_evals(
    kind: str, shots: int, request: pytest.FixtureRequest
) -> None:
    task: TaskSpec = request.getfixturevalue(f"{kind}_task")
    folder = str(request.getfixturevalue("model_folder"))
    settings: dict[str, Any] = {"pretrained": folder, "dtype": "float32", "device": zoo.DEVICE, "batch_size": 1}
    tree = TreeLM(**settings)
    assert tree.why_not is None
    names = SHARP[f"{kind}_task"]
    mine = evaluated(tree, task, names, shots=shots, limit=24)
    theirs = evaluated(TransformersLM(**settings), task, names, shots=shots, limit=24)
    assert_same_results(mine, theirs)
    assert 0 < mine.scores[0].value < 1
