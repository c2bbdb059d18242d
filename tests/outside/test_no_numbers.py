"""What is no number never becomes a score, asked end to end in half precision with damaged weights."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.specs import TaskSpec
from tests.builders import zoo
from tests.builders.outside import ENGINES, answered, choices, model_folder, refused, score, task_of, writing

NAN = float("nan")
LATE = {"question": "The sea is", "answer": "Z"}
"""Its answer is the token whose weights are damaged."""


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A model by what is wrong with it."""
    folder = tmp_path_factory.mktemp("models")
    word = zoo.tokens("bos").encode("Z", add_special_tokens=False)[0]
    made: dict[str, Path] = {}

    def damage(name: str) -> Callable[[Any], None]:
        def change(model: Any) -> None:
            if name == "one word":
                model.get_input_embeddings().weight[word] = NAN
            elif name == "the start":
                model.get_input_embeddings().weight[model.config.bos_token_id] = NAN
            elif name == "everywhere":
                model.model.layers[0].mlp.down_proj.weight[3, 5] = NAN
            elif name == "one output":
                model.get_output_embeddings().weight[word] = NAN
            elif name == "overflow":
                # more than 65504, the largest number of half precision
                model.get_output_embeddings().weight[word] = 3e4
                model.model.norm.weight.fill_(30.0)

        return change

    def build(name: str) -> Path:
        if name not in made:
            made[name] = model_folder(folder / name.replace(" ", "-"), change=damage(name))
        return made[name]

    return build


def choosing(folder: Path) -> TaskSpec:
    documents = [{"question": "The apple is", "answer": 0}, {"question": "The Z is", "answer": 1}]
    return task_of(folder, documents, "acc", "acc_norm", **choices(["red", "green"]))


def generating(folder: Path, **changes: Any) -> TaskSpec:
    documents = [{"question": "The apple is", "answer": "red"}, {"question": "The Z is", "answer": ""}]
    return task_of(folder, documents, "exact_match", **{**writing(until=["\n"]), **changes})


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("damage", ["one word", "everywhere", "one output", "overflow"])
def test_an_option_whose_likelihood_is_no_number_is_no_accuracy(
    engine: str, damage: str, folders: Callable[[str], Path], tmp_path: Path
) -> None:
    """Of options that are all NaN the first one looks preferred (lm-eval#1340)."""
    said = refused(engine, folders(damage), choosing(tmp_path), dtype="float16")
    # documents that share a pass can share what is no number
    assert re.fullmatch(
        "task outside: scores are not finite: the model's log-likelihoods are nan in [12] of 2 documents; "
        "its weights are damaged, or it needs more than float16",
        said,
    )


@pytest.mark.parametrize("engine", ENGINES)
def test_mutual_information_of_no_number_is_no_accuracy(
    engine: str, folders: Callable[[str], Path], tmp_path: Path
) -> None:
    """acc_mutual_info asks for each option once more without its question: those count, too."""
    documents = [{"question": "Z", "answer": 0}]
    task = task_of(tmp_path, documents, "acc_mutual_info", **choices(["red", "green"]))
    assert "log-likelihoods are nan in 1 of 1 documents" in refused(engine, folders("the start"), task, dtype="float16")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("damage", ["one word", "everywhere", "one output", "overflow"])
def test_a_text_of_no_numbers_is_no_answer(
    engine: str, damage: str, folders: Callable[[str], Path], tmp_path: Path
) -> None:
    """Whatever is written, an empty target gives no likelihood that would show it, and the text could be right."""
    task = generating(tmp_path, target_delimiter="")
    said = refused(engine, folders(damage), task, dtype="float16")
    assert "scores are not finite: the model's logits are no numbers while it writes" in said
    assert said.endswith("or it needs more than float16")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "sampling", [{"do_sample": True, "temperature": 0.8}, {"num_beams": 2}], ids=["drawn", "beams"]
)
def test_a_text_that_is_drawn_or_searched_is_no_answer_either(
    engine: str, sampling: dict[str, Any], folders: Callable[[str], Path], tmp_path: Path
) -> None:
    """Sampling from NaN can raise or pick anything (transformers#25446)."""
    task = generating(tmp_path, **writing(until=["\n"], **sampling), target_delimiter="")
    assert "the model's logits are no numbers" in refused(engine, folders("everywhere"), task, dtype="float16")


@pytest.mark.parametrize("engine", ENGINES)
def test_a_reference_whose_likelihood_is_no_number_is_no_score(
    engine: str, folders: Callable[[str], Path], tmp_path: Path
) -> None:
    """The text itself is written with sound numbers; its reference is not."""
    for answer in ("Z Z", "Z"):
        task = task_of(tmp_path, [{"question": "The sea is", "answer": answer}], "exact_match", **writing(until=["\n"]))
        said = refused(engine, folders("one word" if answer == "Z Z" else "one output"), task, dtype="float16")
        assert "scores are not finite" in said


@pytest.mark.parametrize("engine", ENGINES)
def test_a_rolling_likelihood_of_no_number_is_no_score(
    engine: str, folders: Callable[[str], Path], tmp_path: Path
) -> None:
    """Perplexity of NaN would be NaN at best."""
    task = task_of(
        tmp_path, [{"text": "The Z is red"}], "bits_per_byte", output_type="loglikelihood_rolling", doc_to_text="",
        doc_to_target="{{text}}",
    )  # fmt: skip
    assert "log-likelihoods are nan in 1 of 1 documents" in refused(engine, folders("one word"), task, dtype="float16")


@pytest.mark.parametrize("engine", ENGINES)
def test_an_empty_reference_gives_no_likelihood_per_token(
    engine: str, folders: Callable[[str], Path], tmp_path: Path
) -> None:
    """Nothing divided by nothing is said to be so, and the text beside it is scored."""
    task = task_of(
        tmp_path, [{"question": "The apple is", "answer": ""}], "loglikelihood_per_token", **writing(),
        target_delimiter="",
    )  # fmt: skip
    assert "the likelihood of the reference answer '' was not measured: is it empty?" in refused(
        engine, folders("sound"), task
    )


@pytest.mark.parametrize("engine", ENGINES)
def test_sound_weights_in_half_precision_have_scores(
    engine: str, folders: Callable[[str], Path], tmp_path: Path
) -> None:
    """The refusals above come from the damage."""
    assert 0 <= score(answered(engine, folders("sound"), choosing(tmp_path), dtype="float16"), "acc") <= 1
    assert 0 <= score(answered(engine, folders("sound"), generating(tmp_path), dtype="float16"), "exact_match") <= 1
