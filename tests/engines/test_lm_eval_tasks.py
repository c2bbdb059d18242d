"""Tasks in lm-eval's dialect get the scores that lm-eval gives them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lm_eval.utils
import pytest
from lm_eval.evaluator import evaluate
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager

from harness.catalog import load_catalog
from harness.engines.documents import DocumentCache
from harness.engines.lm_eval_engine import LmEvalEngine
from harness.engines.lm_tasks import build_cell
from harness.engines.protocol import EngineSettings, open_engine
from harness.errors import CatalogError, HarnessError
from harness.records import CellResult
from harness.specs import ModelSpec, TaskSpec
from tests.builders import cell
from tests.builders.lm_eval_files import write_lm_eval_folder

pytestmark = pytest.mark.parity

TEMPLATES = lm_eval.utils.env  # which the engines replace
NAMES = ("their_choice", "their_text", "their_likelihood", "their_whole", "their_functions")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_lm_eval_folder(tmp_path_factory.mktemp("theirs") / "tasks")


@pytest.fixture(scope="module")
def theirs(folder: Path, model_folder: Path) -> dict[str, Any]:
    """Scores by lm-eval itself, without examples."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(lm_eval.utils, "env", TEMPLATES)
        loaded = TaskManager(include_path=str(folder), include_defaults=False).load([*NAMES])
        for task in loaded["tasks"].values():
            task.set_config(key="num_fewshot", value=0)
        model = HFLM(pretrained=str(model_folder), dtype="float32", device="cpu", batch_size=8)
        found = evaluate(lm=model, task_dict=loaded, bootstrap_iters=0)
    assert found is not None
    return dict(found["results"])


def tasks(folder: Path, *names: str) -> dict[str, TaskSpec]:
    catalog, _ = load_catalog([folder], allow_code=True).with_others(names)
    return {name: catalog.task(name) for name in names}


def answered(task: TaskSpec, model: ModelSpec, engine: str, **changes: Any) -> CellResult:
    opened = open_engine(engine, model, EngineSettings(batch_size=8, allow_code=True))
    try:
        return opened.evaluate(cell(of=task, model=model, engine=engine, **{"shots": 0, **changes}), task)
    finally:
        opened.close()


@pytest.mark.parametrize("engine", ["tree", "lm-eval"])
@pytest.mark.parametrize("name", NAMES)
def test_the_scores_are_those_of_lm_eval(
    theirs: dict[str, Any], folder: Path, tiny: ModelSpec, name: str, engine: str
) -> None:
    result = answered(tasks(folder, name)[name], tiny, engine)
    expected = {key.removesuffix(",none"): value for key, value in theirs[name].items() if key.endswith(",none")}
    found = {score.metric: score.value for score in result.scores}
    for metric in (key for key in expected if not key.endswith("_stderr")):
        assert found[metric] == pytest.approx(expected[metric], rel=1e-5, abs=1e-6), metric


def test_the_chance_level_is_that_of_the_documents_asked(folder: Path, tiny: ModelSpec) -> None:
    task = tasks(folder, "their_choice")["their_choice"]
    asked = cell(of=task, model=tiny, engine="lm-eval", shots=2)
    result = answered(task, tiny, "lm-eval", shots=2)
    chances = {metric.name: metric.chance for metric in result.cell.metrics}
    assert chances["acc"] == chances["prob_correct"] == pytest.approx((1 / 2 + 1 / 3) / 2)
    assert chances["correct_bits_per_byte"] is None
    assert result.cell.key == asked.key
    assert result.shots_effective == 2


def test_what_ran_is_named_with_its_hash(folder: Path, tiny: ModelSpec) -> None:
    result = answered(tasks(folder, "their_functions")["their_functions"], tiny, "lm-eval")
    (named,) = result.provenance.foreign_code
    assert named.startswith("utils.py@")


def test_a_worker_runs_no_code_without_consent(folder: Path, engine: LmEvalEngine, tiny: ModelSpec) -> None:
    task = tasks(folder, "their_functions")["their_functions"]
    with pytest.raises(CatalogError, match=r"process_docs runs Python code .*; agree with --allow-code"):
        engine.evaluate(cell(of=task, model=tiny, engine="lm-eval", shots=0), task)


def test_code_that_changed_after_the_plan_is_not_run(tmp_path: Path, tiny: ModelSpec) -> None:
    folder = write_lm_eval_folder(tmp_path / "tasks")
    task = tasks(folder, "their_functions")["their_functions"]
    (folder / "utils.py").write_text("raise SystemExit\n")
    with pytest.raises(HarnessError, match="has changed since the plan was made"):
        build_cell(cell(of=task, model=tiny, shots=0), task, DocumentCache(), allow_code=True)
