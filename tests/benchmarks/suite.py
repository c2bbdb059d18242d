"""The whole embedded suite over the whole embedded family: `emergence run` once or twice, `lm_eval` model by model.

lm_eval asks the same prompts: its pools are written in the order our seed 0 takes them from, and the examples that a
document brings along, which lm_eval does not know, are put into the prompt's template. It does less than we do: no
likelihood of the reference answer behind a generated text, no entity scores and no execution of programs, because it
has no metrics for them. It may use as many threads as it likes; `emergence run` starts a worker of one thread per core.

lm_eval would need more than an hour for every model. It is given one model of a size, the smallest and the largest
first and then those between, until its time is up; what the others would take is interpolated by their parameters.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import yaml

from harness.catalog.catalogue import Catalog, load_catalog
from harness.cli.output import say, table
from harness.engines.documents import read_documents
from harness.engines.shots import permutation
from harness.records import CellResult
from harness.specs import ModelSpec, TaskSpec
from harness.store import Store
from tests.benchmarks.timing import digits, load, spread

SEED = 0
GOAL = 20.0
BATCH_SIZE = 32
SECONDS = 540.0
"""Time after which lm_eval is given no further model."""
LEAST = 2
"""Models that it is given in any case: the smallest and the largest."""

Key = tuple[str, str, int]
"""Model, task and shots."""


@dataclass(kw_only=True, slots=True)
class OwnRuns:
    """Our runs so far."""

    seconds: list[float] = field(default_factory=list)
    """Wall time of each, from the start of the command to its end."""
    by_model: list[dict[str, float]] = field(default_factory=list)
    """Model -> seconds its cells took in each run, loading left out; two models are answered at a time."""
    scores: dict[Key, float] = field(default_factory=dict)
    """Scores of the last run: `acc` or `exact_match`, which both compute."""


@dataclass(kw_only=True, slots=True)
class TheirRuns:
    """What lm_eval took so far."""

    seconds: dict[ModelSpec, float] = field(default_factory=dict)
    """Model -> wall time of its processes, one for each number of shots."""
    scores: dict[Key, float] = field(default_factory=dict)
    """Scores as in `OwnRuns`."""

    def for_all(self, models: Sequence[ModelSpec]) -> float:
        """Seconds for all models; those of other sizes than were measured are interpolated by their parameters."""
        known = sorted((model.params, seconds) for model, seconds in self.seconds.items())
        return float(np.interp([m.params for m in models], *map(list, zip(*known, strict=True))).sum())


def run(quick: bool = False) -> None:
    """Measure and print; `quick` takes the smallest and the largest model alone and one run of ours."""
    catalog = load_catalog()
    family = catalog.family("embedded").models
    chosen = in_turn(one_of_each_size(family))
    models = sorted(chosen[:LEAST], key=lambda model: model.params) if quick else list(family)
    ours, theirs = OwnRuns(), TheirRuns()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        asked = tasks_by_shots(catalog)
        write_tasks(catalog, asked, folder)
        _run_ours(ours, models, folder / "ours-first")
        started = time.perf_counter()
        for model in chosen[:LEAST] if quick else chosen:
            if len(theirs.seconds) >= LEAST and time.perf_counter() - started > SECONDS:
                break
            _run_theirs(theirs, model, asked, folder)
            if len(theirs.seconds) >= LEAST:
                say(f"suite: ratio so far {digits(theirs.for_all(models) / spread(ours.seconds).median)}")
        if not quick:
            _run_ours(ours, models, folder / "ours-last")
        # at the end, when lm_eval's cache of data sets is filled
        start_up = _seconds(_lm_eval(models[0], 0, asked[0], folder / "start-up", folder, limit=1), folder)
    print(_report(models, ours, theirs, start_up=start_up, shot_counts=len(asked)))
    print(_agreement(ours.scores, theirs.scores))


def one_of_each_size(family: Iterable[ModelSpec]) -> list[ModelSpec]:
    """The first training run of each size, the smallest size first."""
    sizes: dict[int, ModelSpec] = {}
    for model in sorted(family, key=lambda model: model.params):
        sizes.setdefault(model.params, model)
    return list(sizes.values())


Item = TypeVar("Item")


def in_turn(ascending: Sequence[Item]) -> list[Item]:
    """The first, the last, and then always the one in the middle of the widest gap.

    >>> in_turn("abcdefg")
    ['a', 'g', 'd', 'b', 'e', 'c', 'f']
    """
    chosen = [0, len(ascending) - 1]
    while gaps := [(a - b, a, b) for a, b in pairwise(sorted(chosen)) if b - a > 1]:
        _, low, high = min(gaps)
        chosen.append((low + high) // 2)
    return [ascending[i] for i in dict.fromkeys(chosen)]


def tasks_by_shots(catalog: Catalog) -> dict[int, tuple[str, ...]]:
    """Shot count -> names of the tasks that any suite asks for with it, each once."""
    found: dict[int, dict[str, None]] = defaultdict(dict)
    for suite in catalog.suites.values():
        for shots in suite.shots:
            found[shots] |= dict.fromkeys(suite.tasks)
    return {shots: tuple(found[shots]) for shots in sorted(found)}


# --- tasks as lm_eval takes them --------------------------------------------------------------------------------------


def write_tasks(catalog: Catalog, asked: Mapping[int, Sequence[str]], folder: Path) -> None:
    """One folder of YAML files per shot count."""
    for shots, names in asked.items():
        place = folder / f"{shots}-shot"
        place.mkdir()
        for name in names:
            config = lm_eval_config(catalog.task(name), shots, place)
            (place / f"{name}.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")


def lm_eval_config(task: TaskSpec, shots: int, folder: Path) -> dict[str, Any]:
    """The task as an lm-eval user would write it, asking the same prompts as our seed 0.

    Args:
        task: one of ours; only lm-eval's own metrics stand in its config.
        shots: examples, for a task whose documents bring them.
        folder: for the pool of examples in the seed's order.
    """
    # nothing is executed there: the metrics that would do it are ours
    config = {key: value for key, value in task.config.items() if key != "unsafe_code"} | {"task": task.name}
    if task.demonstrations == "document":
        template = _with_examples(task, permutation(SEED, task.shots_available or 0)[:shots])
        # lm-eval's rule: 0 here means that the prompt has its examples built in, whatever the command line says
        return config | {"doc_to_text": template, "num_fewshot": 0, "fewshot_config": {}}
    files = task.config["dataset_kwargs"]["data_files"]
    pool = read_documents([Path(files["fewshot"])])
    ordered = folder / f"{task.name}.fewshot.jsonl"
    ordered.write_text("".join(json.dumps(pool[i]) + "\n" for i in permutation(SEED, len(pool))), encoding="utf-8")
    data = {"data_files": {**files, "fewshot": str(ordered)}}
    return config | {"dataset_kwargs": data, "fewshot_config": {"sampler": "first_n"}}


def _with_examples(task: TaskSpec, positions: Sequence[int]) -> str:
    """The question's template, with examples at these positions of the document's list before it."""
    question, config = str(task.config["doc_to_text"]), task.config
    shown = [
        re.sub(r"\{\{\s*", f"{{{{examples[{i}].", question)
        + f"{config['target_delimiter']}{{{{examples[{i}].{config['doc_to_target']}}}}}{config['fewshot_delimiter']}"
        for i in positions
    ]
    return "".join([*shown, question])


# --- commands ---------------------------------------------------------------------------------------------------------


def _lm_eval(
    model: ModelSpec, shots: int, tasks: Sequence[str], out: Path, folder: Path, limit: int | None = None
) -> list[str]:
    command = ["-m", "lm_eval", "--model", "hf", "--model_args", f"pretrained={model.source},dtype=float32"]
    command += ["--device", "cpu", "--tasks", ",".join(tasks), "--num_fewshot", str(shots)]
    command += ["--batch_size", str(BATCH_SIZE), "--include_path", str(folder / f"{shots}-shot")]
    command += ["--output_path", str(out), "--log_samples"]
    return command if limit is None else [*command, "--limit", str(limit)]


def _run_ours(runs: OwnRuns, models: Sequence[ModelSpec], results: Path) -> None:
    command = ["-m", "harness", "run", "--suite", "all", "--family", "embedded", "--engine", "tree"]
    command += ["--model", ",".join(model.name for model in models)]
    command += ["--confirm-run-unsafe-code", "--results", str(results)]
    seconds = _seconds(command, results.parent)
    say(f"suite: emergence run: {seconds:.1f} s")
    cells = Store(results).results()
    runs.seconds.append(seconds)
    by_model: dict[str, float] = defaultdict(float)
    for cell in cells:
        by_model[cell.cell.model.name] += cell.provenance.seconds
    runs.by_model.append(by_model)
    runs.scores = {(c.cell.model.name, c.cell.task, c.cell.shots): _shared_score(c) for c in cells}


def _run_theirs(runs: TheirRuns, model: ModelSpec, asked: Mapping[int, Sequence[str]], folder: Path) -> None:
    took = 0.0
    for shots, tasks in asked.items():
        out = folder / f"{model.name}-{shots}"
        seconds = _seconds(_lm_eval(model, shots, tasks, out, folder), folder)
        say(f"suite: lm_eval, {model.name}, {shots} shots: {seconds:.1f} s")
        took += seconds
        runs.scores |= {(model.name, task, shots): value for task, value in read_scores(out).items()}
    runs.seconds[model] = took


def _seconds(arguments: Sequence[str], folder: Path) -> float:
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_DATASETS_CACHE": str(folder / "cache")}
    environment.pop("OMP_NUM_THREADS", None)
    start = time.perf_counter()
    done = subprocess.run([sys.executable, *arguments], check=False, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)}\nended with exit code {done.returncode}:\n{done.stderr[-3000:]}")
    return time.perf_counter() - start


# --- scores -----------------------------------------------------------------------------------------------------------


def read_scores(out: Path) -> dict[str, float]:
    """Task -> `acc` or `exact_match` in the results file that lm_eval wrote below `out`."""
    (path,) = out.rglob("results_*.json")
    results = json.loads(path.read_text(encoding="utf-8"))["results"]
    return {
        task: next(float(found[key]) for key in ("acc,none", "exact_match,none") if key in found)
        for task, found in results.items()
    }


def _shared_score(result: CellResult) -> float:
    return next(score.value for score in result.scores if score.metric in ("acc", "exact_match"))


# --- tables -----------------------------------------------------------------------------------------------------------


def _report(models: Sequence[ModelSpec], ours: OwnRuns, theirs: TheirRuns, *, start_up: float, shot_counts: int) -> str:
    own, total = spread(ours.seconds), theirs.for_all(models)
    one_each = total - start_up * (shot_counts - 1) * len(models)
    met = "(met)" if total / own.median >= GOAL else "(missed)"
    lines = [
        f"every embedded suite on {len(models)} models, wall seconds of whole processes; load {load()}",
        table(("model", "lm_eval s", "ours s, its cells"), _model_rows(ours, theirs)),
        "(two of our models are answered at a time, so their seconds add up to more than the run took)",
        "",
        f"lm_eval, {shot_counts * len(models)} processes: {digits(total)} s; "
        f"{len(theirs.seconds)} models were measured, the others are taken for as slow as models of their size",
        f"emergence run, whole command: {own} s over {len(ours.seconds)} runs",
        f"ratio {digits(total / own.median)} ({digits(total / own.high)}-{digits(total / own.low)}); "
        f"goal {GOAL:g} {met}",
        f"starting one lm_eval takes {start_up:.1f} s; with one process per model in place of one per model and shot "
        f"count it would need about {digits(one_each)} s, a ratio of {digits(one_each / own.median)}",
        "lm_eval does less: no likelihood of reference answers, no entity scores, no execution of programs",
    ]
    return "\n".join(lines)


def _model_rows(ours: OwnRuns, theirs: TheirRuns) -> Iterator[tuple[object, ...]]:
    for model in sorted(theirs.seconds, key=lambda model: model.params):
        own = spread([run[model.name] for run in ours.by_model])
        yield model.name, f"{theirs.seconds[model]:.1f}", str(own)


def _agreement(ours: Mapping[Key, float], theirs: Mapping[Key, float]) -> str:
    """How far apart the scores of both are, of the models that lm_eval answered."""
    assert theirs.keys() <= ours.keys()
    apart = {key: abs(ours[key] - theirs[key]) for key in theirs if ours[key] != theirs[key]}
    text = f"acc and exact_match: {len(theirs) - len(apart)} of {len(theirs)} cells equal"
    if not apart:
        return text
    (model, task, shots) = worst = max(apart, key=apart.__getitem__)
    return f"{text}; largest difference {apart[worst]:.4f} ({model} {task} {shots}-shot)"
