"""Keys of `fewshot_config`: each is honoured, or refused where it is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.catalog.catalogue import load_file
from harness.engines.shots import permutation
from harness.errors import CatalogError
from harness.plan.sweeping import expand
from harness.specs import Suite, TaskSpec
from tests.builders import model, task
from tests.builders.scripted import local_task, prompts

TEST = [{"q": f"T{i}?", "a": f"t{i}"} for i in range(3)]
POOL = [{"q": f"F{i}?", "a": f"f{i}"} for i in range(5)]


def shown(folder: Path, shots: int = 2, seed: int = 0, **config: Any) -> list[str]:
    """The questions of the examples, the same for every document."""
    splits = {"test": TEST, "dev": POOL}
    made = local_task(folder, splits, **{"output_type": "generate_until", "fewshot_split": "dev", **config})
    (examples,) = {prompt.rpartition("\n\n")[0] for prompt in prompts(made, shots=shots, seed=seed)}
    return [example.partition("?")[0] for example in examples.split("\n\n")]


def test_first_n_takes_the_first_examples_whatever_the_seed(tmp_path: Path) -> None:
    """MMLU's `sampler: first_n`: F0, F1 and not what a seed draws (lm-eval's FirstNSampler)."""
    for seed in range(3):
        assert shown(tmp_path, seed=seed, fewshot_config={"sampler": "first_n"}) == ["F0", "F1"]
        assert shown(tmp_path, seed=seed) == [f"F{i}" for i in permutation(seed, 5)[:2]]


def test_first_n_takes_the_first_of_a_documents_own_examples(tmp_path: Path) -> None:
    """Also where each document brings its examples along."""
    splits = {"test": [{"q": "T?", "a": "t", "examples": POOL}]}
    config = {"output_type": "generate_until", "fewshot_config": {"sampler": "first_n"}}
    (prompt,) = prompts(local_task(tmp_path, splits, demonstrations="document", **config), shots=2, seed=1)
    assert prompt.startswith("F0? f0\n\nF1? f1\n\n")


def test_first_n_asks_each_question_once_whatever_the_number_of_seeds() -> None:
    """All seeds would be the same cell under different names."""
    ordered = task(config={"output_type": "multiple_choice", "fewshot_config": {"sampler": "first_n"}})
    suite = Suite(name="toy", tasks=("colours",), shots=(0, 2), seeds=3)
    for each, seeds in ((ordered, 1), (task(), 3)):
        plan = expand([suite], {"colours": each}, [model()])
        assert [cell.seed for cell in plan.cells if cell.shots == 2] == list(range(seeds))


def test_samples_are_the_pool(tmp_path: Path) -> None:
    """Examples that stand in the config, as BIG-bench Hard has them."""
    config = {"sampler": "first_n", "samples": [{"q": "S0?", "a": "s0"}, {"q": "S1?", "a": "s1"}]}
    assert shown(tmp_path, fewshot_config=config, fewshot_split=None) == ["S0", "S1"]


def test_only_the_examples_that_were_chosen_are_taken(tmp_path: Path) -> None:
    """lm-eval reads `fewshot_indices` and does not pass them on to its sampler."""
    config = {"sampler": "first_n", "fewshot_indices": [3, 1]}
    assert shown(tmp_path, fewshot_config=config) == ["F3", "F1"]
    assert {*shown(tmp_path, fewshot_config={"fewshot_indices": [3, 1]})} == {"F3", "F1"}


def test_examples_have_delimiters_and_words_of_their_own(tmp_path: Path) -> None:
    """Every key that changes how an example is written."""
    config = {
        "sampler": "first_n",
        "split": "dev",
        "doc_to_text": "Ask {{q}}",
        "doc_to_target": "say {{a}}",
        "target_delimiter": " => ",
        "fewshot_delimiter": " || ",
        "gen_prefix": None,
    }
    made = local_task(tmp_path, {"test": TEST, "dev": POOL}, output_type="generate_until", fewshot_config=config)
    assert prompts(made, shots=1)[0] == "Ask F0? => say f0 || T0?"


def written(folder: Path, **config: Any) -> Path:
    """A task file."""
    for split, documents in (("test", TEST), ("dev", POOL)):
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(document) + "\n" for document in documents))
    spec = {
        "task": "own",
        "kind": "qa",
        "metrics": [{"name": "exact_match"}, {"name": "edit_similarity", "continuous": True}],
        "config": {
            "output_type": "generate_until",
            "dataset_path": "json",
            "dataset_kwargs": {"data_files": {"test": "test.jsonl", "dev": "dev.jsonl"}},
            "test_split": "test",
            "doc_to_text": "{{q}}",
            "doc_to_target": "{{a}}",
            **config,
        },
    }
    path = folder / "own.yaml"
    path.write_text(yaml.safe_dump(spec))
    return path


@pytest.mark.parametrize(
    ("config", "available"),
    [
        ({"fewshot_split": "dev"}, 5),
        ({"fewshot_config": {"samples": POOL[:3]}}, 3),
        ({"fewshot_config": {"fewshot_indices": [0, 4]}, "fewshot_split": "dev"}, 2),
        ({"training_split": "dev"}, 5),
        ({}, 2),
        ({"test_split": None, "validation_split": "dev"}, 4),
    ],
    ids=str,
)
def test_as_many_shots_as_lm_eval_would_find(tmp_path: Path, config: dict[str, Any], available: int) -> None:
    """Without `fewshot_split`, lm-eval takes the first of the training, validation and test split."""
    made = load_file(written(tmp_path, **config))
    assert isinstance(made, TaskSpec)
    assert made.shots_available == available


@pytest.mark.parametrize(
    ("shown", "message"),
    [
        ({"sampler": "balanced"}, "fewshot_config.sampler: unknown sampler 'balanced'; known: default, first_n"),
        ({"seed": 1}, "fewshot_config: unknown key 'seed'"),
        ({"samples": "F0"}, "fewshot_config.samples is 'F0'; expected a list of documents"),
        ({"samples": POOL, "split": "dev"}, "fewshot_config has samples and split; expected one of the two"),
        ({"split": "dev", "fewshot_indices": [0, 5]}, "fewshot_indices has 5; there are 5 demonstrations"),
        ({"split": "dev", "fewshot_indices": [-1]}, r"fewshot_indices is \[-1\]; expected numbers"),
    ],
    ids=str,
)
def test_what_is_not_honoured_is_refused(tmp_path: Path, shown: dict[str, Any], message: str) -> None:
    """And not ignored without a word."""
    with pytest.raises(CatalogError, match=message):
        load_file(written(tmp_path, fewshot_config=shown))
