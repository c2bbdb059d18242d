"""lm-eval's own task files, as they are: both engines give what lm-eval's own command line gives.

The documents are small data sets in the schema of the real ones (`tests.builders.hub`), the model is one of the
embedded family, and no network is needed. What differs is listed, with the reason, in docs/lm_eval.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from lm_eval.tasks import TaskManager

from harness.catalog import Catalog, load_catalog
from harness.engines.protocol import EngineSettings, open_engine
from harness.errors import CatalogError, HarnessError
from harness.records import CellResult, Sample
from harness.specs import ModelSpec, TaskSpec
from harness.store import Store
from tests.builders import cell
from tests.builders.commands import Emergence
from tests.builders.hub import write_mirror
from tests.lm_eval_tasks import asked
from tests.lm_eval_tasks.asked import Answered

ENGINES = ("tree", "lm-eval")


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_mirror(tmp_path_factory.mktemp("hub") / "mirror")


@pytest.fixture(scope="module")
def files(mirror: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return asked.write_files(tmp_path_factory.mktemp("files") / "own", mirror)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> ModelSpec:
    folder = asked.write_model(tmp_path_factory.mktemp("model") / "184k")
    return ModelSpec(name="184k", family="embedded", params=184_000, path=str(folder), revision="r1")


@pytest.fixture(scope="module")
def theirs(model: ModelSpec, mirror: Path, files: Path, tmp_path_factory: pytest.TempPathFactory) -> Answered:
    out = tmp_path_factory.mktemp("lm_eval")
    names = [*asked.asked(), asked.GROUP, asked.DRAWN, asked.SHUFFLED]
    return asked.ask_lm_eval(names, Path(model.source), mirror, files, out)


@pytest.fixture(scope="module")
def catalog(mirror: Path, files: Path) -> Catalog:
    read = load_catalog([files], allow_code=True, mirror=mirror, data_roots=[mirror])
    return read.with_others([*asked.asked(), asked.GROUP, asked.DRAWN, asked.SHUFFLED])[0]


@pytest.fixture(scope="module")
def engines(model: ModelSpec) -> Iterator[Mapping[str, Any]]:
    opened = {name: open_engine(name, model, EngineSettings(batch_size=16, allow_code=True)) for name in ENGINES}
    yield opened
    for engine in opened.values():
        engine.close()


def task_of(catalog: Catalog, name: str) -> TaskSpec:
    """A task with documents of the mirror, and texts as short as lm-eval was told to write them."""
    assert catalog.mirror is not None
    task = catalog.mirror.task(catalog.task(name))
    if not task.generates:
        return task
    kwargs = {**(task.config.get("generation_kwargs") or {}), "max_gen_toks": asked.TEXT_TOKENS}
    return replace(task, config={**task.config, "generation_kwargs": kwargs})


def evaluated(engines: Mapping[str, Any], engine: str, model: ModelSpec, task: TaskSpec) -> CellResult:
    found: CellResult = engines[engine].evaluate(
        cell(of=task, model=model, engine=engine, shots=task.default_shots or 0, limit=None), task
    )
    return found


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", asked.asked())
def test_scores_prompts_and_answers_are_those_of_lm_evals_command_line(
    theirs: Answered, engines: Mapping[str, Any], catalog: Catalog, model: ModelSpec, name: str, engine: str
) -> None:
    result = evaluated(engines, engine, model, task_of(catalog, name))
    assert differences(result, theirs, name) == []


def test_a_group_stands_for_its_members_and_its_mean_is_weighted_as_lm_eval_weights_it(
    theirs: Answered, engines: Mapping[str, Any], catalog: Catalog, model: ModelSpec
) -> None:
    _, stands_for = load_catalog().with_others([asked.GROUP])
    results = [evaluated(engines, "tree", model, task_of(catalog, name)) for name in stands_for[asked.GROUP]]
    assert [result.cell.task for result in results] == [
        f"xwinograd_{code}" for code in ("en", "fr", "jp", "pt", "ru", "zh")
    ]
    for result in results:
        assert differences(result, theirs, result.cell.task) == []
    sizes = [result.scores[0].n for result in results]
    assert len({*sizes}) > 2
    right = sum(result.scores[0].value * n for result, n in zip(results, sizes, strict=True))
    assert right / sum(sizes) == pytest.approx(theirs.groups[asked.GROUP]["acc,none"], abs=1e-9)


def test_the_command_line_gives_the_same_scores_from_a_mirror(
    theirs: Answered, model: ModelSpec, mirror: Path, emergence: Emergence
) -> None:
    names = ("arc_easy", "hellaswag", "wikitext")
    options = ("--tasks", ",".join(names), "--model", model.source, "--mirror", mirror, "--executor", "inline")
    done = emergence("run", *options, "--results", "results")
    assert done.code == 0, done.err
    found = {result.cell.task: {s.metric: s.value for s in result.scores} for result in Store("results").results()}
    for name in names:
        wanted = scores_of(theirs.results[name], "none")
        assert all(equal(metric, found[name][metric], value) for metric, value in wanted.items())


@pytest.fixture(scope="module")
def page() -> str:
    """docs/lm_eval.md in one line."""
    return " ".join((Path(__file__).parents[2] / "docs" / "lm_eval.md").read_text(encoding="utf-8").split())


class TestWhatDiffers:
    """Each of these is a row of the table in docs/lm_eval.md."""

    @pytest.mark.parametrize(("name", "words"), asked.REFUSED.items())
    def test_what_cannot_be_evaluated_is_refused_in_one_line(self, page: str, name: str, words: str) -> None:
        with pytest.raises(CatalogError) as error:
            load_catalog(allow_code=True).with_others([name])
        assert words in str(error.value)
        assert len(str(error.value).splitlines()) == 1
        assert f"`{name}`" in page

    @pytest.mark.parametrize(("name", "package"), asked.LACKING.items())
    def test_what_lacks_a_package_ends_lm_eval_too_and_is_named_here(
        self, page: str, name: str, package: str, mirror: Path, engines: Mapping[str, Any], model: ModelSpec
    ) -> None:
        with pytest.raises(ImportError, match=package):
            TaskManager(include_defaults=False)._load_spec(str(asked.file_of(name)))
        read = load_catalog(allow_code=True, mirror=mirror).with_others([name])[0]
        with pytest.raises(HarnessError, match=f"{package}.*the task needs that package"):
            evaluated(engines, "lm-eval", model, task_of(read, name))
        assert f"`{name}`" in page

    def test_drawn_examples_are_others_as_many_and_from_the_same_pool(
        self, page: str, theirs: Answered, engines: Mapping[str, Any], catalog: Catalog, model: ModelSpec
    ) -> None:
        result = evaluated(engines, "tree", model, task_of(catalog, asked.DRAWN))
        assert result.samples is not None
        rows = {row["doc_id"]: row for row in theirs.samples[asked.DRAWN]}
        assert result.shots_effective == 5
        mine, drawn = (
            [examples(prompt) for prompt in prompts]
            for prompts in (
                [str(sample.prompt) for sample in result.samples],
                [rows[sample.doc_id]["arguments"]["gen_args_0"]["arg_0"] for sample in result.samples],
            )
        )
        assert len({*mine}) == 1  # the same for every document
        assert len({*drawn}) > 1
        assert all(len(shown) == 5 for shown in (*mine, *drawn))
        pool = {one for shown in drawn for one in shown}
        assert {*mine[0]} <= pool
        assert f"`{asked.DRAWN}`" in page

    def test_shuffled_options_are_the_same_ones_in_another_order(
        self, page: str, theirs: Answered, engines: Mapping[str, Any], catalog: Catalog, model: ModelSpec
    ) -> None:
        result = evaluated(engines, "tree", model, task_of(catalog, asked.SHUFFLED))
        again = evaluated(engines, "lm-eval", model, task_of(catalog, asked.SHUFFLED))
        assert result.samples is not None
        assert again.samples is not None
        rows = {row["doc_id"]: row for row in theirs.samples[asked.SHUFFLED]}
        for sample, other in zip(result.samples, again.samples, strict=True):
            assert sample.prompt == other.prompt  # the same in every run, which theirs is not
            asks = rows[sample.doc_id]["arguments"]["gen_args_0"]["arg_0"]
            assert sorted(options_in(str(sample.prompt))) == sorted(options_in(asks))
        assert f"`{asked.SHUFFLED}`" in page


def examples(prompt: str) -> tuple[str, ...]:
    """The examples of a prompt of GSM8K."""
    return tuple(prompt.split("Question: ")[1:-1])


def options_in(prompt: str) -> list[str]:
    """The options of a prompt of GPQA."""
    return [line[4:] for line in prompt.splitlines() if line[:1] == "("]


def differences(result: CellResult, theirs: Answered, name: str) -> list[str]:
    """What is not as lm-eval has it, in words."""
    mine = {score.metric: score.value for score in result.scores}
    first = theirs.samples[name][0]["filter"]
    found = []
    for metric, value in scores_of(theirs.results[name], first).items():
        if metric not in mine:
            found.append(f"no {metric}; there is {', '.join(mine)}")
        elif not equal(metric, mine[metric], value):
            found.append(f"{metric} is {mine[metric]!r}, theirs {value!r}")
    rows = {row["doc_id"]: row for row in theirs.samples[name] if row["filter"] == first}
    assert result.samples is not None
    if len(rows) != len(result.samples):
        return [*found, f"{len(result.samples)} documents, theirs {len(rows)}"]
    for sample in result.samples:
        found += compared(sample, rows[sample.doc_id])
    return found


def equal(metric: str, mine: float, value: float) -> bool:
    """Whether two scores are the same to 1e-6; of a perplexity, which is exp of what is compared, its logarithm."""
    if metric.endswith("perplexity"):
        mine, value = math.log(mine), math.log(value)
    return math.isclose(mine, value, rel_tol=1e-6, abs_tol=1e-6)


def scores_of(entry: Mapping[str, Any], first: str) -> dict[str, float]:
    """lm-eval's scores by the names that ours have: of a second filter with its name."""
    named = {key.partition(",")[::2]: value for key, value in entry.items() if "," in key}
    return {
        metric if chosen == first else f"{metric},{chosen}": float(value)
        for (metric, chosen), value in named.items()
        if not metric.endswith("_stderr")
    }


def compared(sample: Sample, row: Mapping[str, Any]) -> Iterator[str]:
    """What differs in one document: the prompt, a likelihood, a text."""
    where = f"document {sample.doc_id}"
    prompt = row["arguments"]["gen_args_0"].get("arg_0")
    if sample.prompt != prompt and "arg_1" in row["arguments"]["gen_args_0"]:
        yield f"{where}: asks {sample.prompt!r}, theirs {prompt!r}"
    answer = row["resps"][0][0]
    if "until" in row["arguments"]["gen_args_0"].get("arg_1", {}) and sample.output != answer:
        yield f"{where}: writes {sample.output!r}, theirs {answer!r}"
    if isinstance(answer, list) and sample.option_loglikelihoods:
        likelihoods = [float(option[0][0]) for option in row["resps"]]
        if sample.option_loglikelihoods != pytest.approx(likelihoods, abs=1e-4, rel=1e-5):
            yield f"{where}: likelihoods {sample.option_loglikelihoods}, theirs {likelihoods}"
