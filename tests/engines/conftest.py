"""A tiny model and small tasks, made once for all engine tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.engines.documents import DocumentCache
from harness.engines.lm_eval_engine import LmEvalEngine
from harness.engines.protocol import EngineSettings
from harness.specs import ModelSpec, TaskSpec
from tests.builders import models, tasks, zoo


def pytest_configure(config: pytest.Config) -> None:
    zoo.DEVICE = config.getoption("--device")


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of 30 thousand weights that has seen the tasks' form; its tokenizer puts <bos> first."""
    return models.write_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def tiny(model_folder: Path) -> ModelSpec:
    """The model as a spec; its weights are bfloat16 on disk and read as float32."""
    return ModelSpec(name="tiny", family="toy", params=30_000, path=str(model_folder), revision="r1")


@pytest.fixture(scope="session")
def engine(tiny: ModelSpec) -> LmEvalEngine:
    """The model, loaded."""
    return LmEvalEngine(tiny, EngineSettings(batch_size=8))


@pytest.fixture
def data() -> DocumentCache:
    """No documents read yet."""
    return DocumentCache()


@pytest.fixture(scope="session")
def choice_task(tmp_path_factory: pytest.TempPathFactory) -> TaskSpec:
    """Multiple choice: 24 documents, 6 demonstrations."""
    return tasks.choice_task(tmp_path_factory.mktemp("choice"))


@pytest.fixture(scope="session")
def text_task(tmp_path_factory: pytest.TempPathFactory) -> TaskSpec:
    """Generation: 24 documents, 6 demonstrations; the answer ends with the line."""
    return tasks.text_task(tmp_path_factory.mktemp("text"))
