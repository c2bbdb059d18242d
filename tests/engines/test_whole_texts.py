"""Perplexities of whole texts are those of lm-eval: counted over the original page, in windows, by both engines."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import lm_eval.tasks
import pytest
from lm_eval.api.task import ConfigurableTask
from lm_eval.evaluator import evaluate
from lm_eval.models.huggingface import HFLM

from harness.engines.lm_eval_engine import LmEvalEngine
from harness.engines.protocol import EngineSettings
from harness.engines.tree.lm import TreeEngine
from harness.specs import MetricSpec, ModelSpec, TaskSpec
from tests.builders import cell
from tests.builders.tasks import write_jsonl

NAMES = ("word_perplexity", "byte_perplexity", "bits_per_byte")
PAGE = ' = Sky = \n The sky , as 3 @,@ 000 people said , is " dark blue " ( at night ) . \n\n  Grün it isn \'t . \n'
PAGES = [{"page": PAGE * times} for times in (1, 3, 40)]


@pytest.fixture(scope="module")
def wikitext() -> dict[str, Any]:
    """lm-eval's task `wikitext` as it is, but for its data."""
    file = Path(lm_eval.tasks.__file__).parent / "wikitext" / "preprocess_wikitext.py"
    spec = importlib.util.spec_from_file_location("preprocess_wikitext", file)
    assert spec is not None
    assert spec.loader is not None
    functions = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(functions)
    return {
        "task": "wikitext",
        "output_type": "loglikelihood_rolling",
        "test_split": "test",
        "doc_to_text": "",
        "doc_to_target": functions.wikitext_detokenizer,
        "process_results": functions.process_results,
        "metric_list": [{"metric": name} for name in NAMES],
    }


@pytest.fixture(scope="module")
def theirs(wikitext: dict[str, Any], model_folder: Path) -> dict[str, float]:
    """lm-eval's own values."""
    import datasets

    pages = datasets.DatasetDict({"test": datasets.Dataset.from_list(PAGES)})
    # as a function, because the harness takes lm-eval's environment for templates away in its own process
    task = ConfigurableTask(config={**wikitext, "doc_to_text": lambda _: "", "custom_dataset": lambda **_: pages})
    lm = HFLM(pretrained=str(model_folder), dtype="float32", device="cpu", batch_size=4)
    assert len(lm.tok_encode(PAGES[-1]["page"])) > 3 * lm.max_length, "the longest page needs several windows"
    found = evaluate(lm=lm, task_dict={"wikitext": task}, bootstrap_iters=0)["results"]["wikitext"]
    return {name: found[f"{name},none"] for name in NAMES}


@pytest.mark.parametrize("engine", [LmEvalEngine, TreeEngine])
def test_perplexities_count_the_words_and_bytes_of_the_original_page(
    engine: Any, theirs: dict[str, float], wikitext: dict[str, Any], tiny: ModelSpec, tmp_path: Path
) -> None:
    pages = write_jsonl(tmp_path / "pages.jsonl", PAGES)
    data = {"dataset_path": "json", "dataset_kwargs": {"data_files": {"test": str(pages)}}}
    readings = tuple(MetricSpec(name=n, higher_is_better=False, chance=None, best=None, continuous=True) for n in NAMES)
    task = TaskSpec(
        name="wikitext", kind="language-modelling", suite="toy", metrics=readings, config={**wikitext, **data}
    )
    result = engine(tiny, EngineSettings(device="cpu")).evaluate(cell(of=task, model=tiny), task)
    assert {one.metric: one.value for one in result.scores} == pytest.approx(theirs, rel=1e-6)


def test_the_original_page_has_other_words_and_bytes_than_the_text_that_is_scored(wikitext: dict[str, Any]) -> None:
    text = wikitext["doc_to_target"](PAGES[0])
    assert len(text.split()) < len(PAGE.split())
    assert len(text.encode()) < len(PAGE.encode())
