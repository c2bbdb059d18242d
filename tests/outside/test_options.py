"""Options that hold special tokens, or characters made of several."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.leaderboard import wide_table
from tests.builders import grown, zoo
from tests.builders.cells import task as task_spec
from tests.builders.outside import ENGINES, answered, choices, model_folder, score, task_of


def with_added_tokens() -> Any:
    """A tokenizer with two more special tokens, as models for dialogues and tools have them."""
    words = copy.deepcopy(zoo.tokens("plain"))
    words.add_special_tokens({"additional_special_tokens": ["<yes>", "<no>"]})
    return words


def larger(model: Any) -> None:
    """Room for the added tokens."""
    torch.manual_seed(3)
    model.resize_token_embeddings(len(with_added_tokens()), mean_resizing=False)
    model.get_output_embeddings().weight[-2:] = torch.randn(2, model.get_output_embeddings().weight.shape[1])


@pytest.mark.parametrize("engine", ENGINES)
def test_an_added_special_token_is_one_token_of_an_option(engine: str, tmp_path: Path) -> None:
    """Neither cut into pieces nor dropped, wherever it stands in the option."""
    words = with_added_tokens()
    folder = model_folder(tmp_path / "model", "gpt-neox", words, larger)
    model = copy.deepcopy(zoo.model("gpt-neox"))
    with torch.no_grad():
        larger(model)
    options = ["<yes>", "<no>", "red<yes>", "<no> blue"]
    task = task_of(tmp_path, [{"question": "The apple is", "answer": 1}], "acc", **choices(options))
    (sample,) = answered(engine, folder, task).samples or ()
    context = words.encode("The apple is")
    for option, value in zip(options, sample.option_loglikelihoods, strict=True):
        whole = words.encode(f"The apple is {option}")
        assert set(whole) & set(words.encode("<yes><no>"))
        with torch.no_grad():
            logs = model(torch.tensor([whole])).logits[0].double().log_softmax(-1)
        due = sum(float(logs[i - 1, whole[i]]) for i in range(len(context), len(whole)))
        assert value == pytest.approx(due, abs=1e-4)


@pytest.mark.parametrize("engine", ENGINES)
def test_acc_norm_divides_by_characters_as_python_counts_them(engine: str, tmp_path: Path) -> None:
    """lm-eval's `len`: an accent that is written apart is a character of its own, a flag is two."""
    folder = model_folder(tmp_path / "model")
    options = ["cafe\u0301", "caf\u00e9", "🇩🇪", "क्षि", "x"]
    documents = [{"question": "The word is", "answer": number} for number in range(len(options))]
    task = task_of(tmp_path, documents, "acc_norm", "acc_bytes", **choices(options))
    result = answered(engine, folder, task)
    found = (result.samples or ())[0].option_loglikelihoods
    for name, lengths in (("acc_norm", [5, 4, 2, 4, 1]), ("acc_bytes", [6, 5, 8, 12, 1])):
        best = max(range(len(options)), key=lambda i: found[i] / lengths[i])
        right = [sample.scores[name] for sample in result.samples or ()]
        assert right == [float(i == best) for i in range(len(options))]
        assert score(result, name) == pytest.approx(1 / len(options))


def test_an_average_over_tasks_of_unequal_sizes_claims_no_error_of_another_average() -> None:
    """Every task counts the same; lm-eval gave such means the error of a mean by sizes (lm-eval PR#3882)."""
    small = grown((25, 30), n=50, of=task_spec("small"))
    large = grown((500, 900), n=1000, of=task_spec("large"))
    table = wide_table([*small, *large]).set_index("params")
    centred = [((25 / 50) - 0.25) / 0.75, ((500 / 1000) - 0.25) / 0.75]
    assert table["mean_normalized"][1000] == pytest.approx(sum(centred) / 2)
    assert not [name for name in table.columns if "stderr" in name and "mean" in name]
