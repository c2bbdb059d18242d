"""Two small real models on twelve of lm-eval's own tasks: both engines give what lm-eval's command line gives.

`make real`; needs the packages that `tests.builders.real_models` names, three gigabytes of memory and some minutes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.catalog import Catalog, load_catalog
from harness.engines.protocol import EngineSettings, open_engine
from harness.specs import ModelSpec, TaskSpec
from tests.builders import cell
from tests.builders.hub import write_mirror
from tests.builders.real_models import REAL_MODELS, missing_packages, real_model
from tests.lm_eval_tasks.asked import Answered, ask_lm_eval

pytestmark = pytest.mark.slow

TASKS = (
    *("arc_easy", "hellaswag", "winogrande", "piqa", "boolq", "sst2", "mmlu_anatomy", "lambada_openai"),
    *("triviaqa", "nq_open", "babi", "wikitext"),
)
LIMIT = 6
"""Documents of each task."""
TEXT_TOKENS = 12


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_mirror(tmp_path_factory.mktemp("hub") / "mirror")


@pytest.fixture(scope="module")
def catalog(mirror: Path) -> Catalog:
    return load_catalog(mirror=mirror).with_others(TASKS)[0]


@pytest.fixture(scope="module", params=REAL_MODELS)
def model(request: pytest.FixtureRequest) -> ModelSpec:
    if lacking := missing_packages(request.param):
        pytest.skip(lacking)
    path = str(real_model(request.param))
    return ModelSpec(name=request.param, family="real", params=200_000_000, path=path, revision="r1")


@pytest.fixture(scope="module")
def theirs(model: ModelSpec, mirror: Path, tmp_path_factory: pytest.TempPathFactory) -> Answered:
    out = tmp_path_factory.mktemp("lm_eval")
    more = ("--limit", str(LIMIT))
    return ask_lm_eval(TASKS, Path(model.source), mirror, mirror, out, text_tokens=TEXT_TOKENS, more=more)


@pytest.fixture(scope="module", params=("tree", "lm-eval"))
def engine(request: pytest.FixtureRequest, model: ModelSpec) -> Iterator[tuple[str, Any]]:
    opened = open_engine(request.param, model, EngineSettings(batch_size=8))
    yield request.param, opened
    opened.close()


def task_of(catalog: Catalog, name: str) -> TaskSpec:
    assert catalog.mirror is not None
    task = catalog.mirror.task(catalog.task(name))
    if not task.generates:
        return task
    kwargs = {**(task.config.get("generation_kwargs") or {}), "max_gen_toks": TEXT_TOKENS}
    return replace(task, config={**task.config, "generation_kwargs": kwargs})


@pytest.mark.parametrize("name", TASKS)
def test_scores_equal_those_of_lm_evals_command_line(
    theirs: Answered, engine: tuple[str, Any], catalog: Catalog, model: ModelSpec, name: str
) -> None:
    kind, opened = engine
    task = task_of(catalog, name)
    result = opened.evaluate(cell(of=task, model=model, engine=kind, shots=0, limit=LIMIT), task)
    wanted = {key: float(value) for key, value in theirs.results[name].items() if "," in key and "stderr" not in key}
    mine = {score.metric: score.value for score in result.scores}
    for key, value in wanted.items():
        found = mine[key.partition(",")[0]]
        print(f"{model.name} {kind} {name} {key.partition(',')[0]}: {found:.6f}, lm_eval {value:.6f}")
        if "perplexity" in key:
            found, value = math.log(found), math.log(value)  # noqa: PLW2901
        assert found == pytest.approx(value, rel=1e-5, abs=1e-6), key
