"""Logs of Inspect (inspect-ai): `.eval`, a zip file of JSON documents, and `.json`, one document with the same keys.

A log is one model on one task. `eval` says what was asked (task, version, arguments, model, limits), `plan` how (the
solvers, which build the prompt, and the options of generation), `results` what came out for each scorer, and `samples`
has the documents. A scorer's metrics are called `accuracy,match` here, after metric and scorer. Inspect has no number
of shots of its own; a task takes it as an argument, under one of a few names.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from harness.bounded.json_text import parsed_json, written_values
from harness.bounded.limits import RESULT_VALUES, UnreadableError
from harness.bounded.zip_file import Archive, opened_zip
from harness.errors import HarnessError
from harness.exchange.exported import DETAILS, cell_in
from harness.exchange.fields import Fields, dtype_of, is_number, moment_of
from harness.exchange.files import foreign_file
from harness.exchange.inspect_samples import KEPT, MEANS, inspect_documents
from harness.exchange.types import SHOTS_NOT_SAID, Answers, Contents, ForeignFile, Published, PublishedScore, Remark
from harness.records import Sample
from harness.wording import quoted

INSPECT = "inspect"
VERSIONS = (1, 2)
"""Versions of the layout; in the first, `results` has one `scorer` and its `metrics` beside it."""
_LOCAL = ("hf", "vllm", "sglang", "transformer_lens", "nnterp")
"""Providers before a model's name that load it from the hub; the name behind them is that of the hub."""
_ERRORS = ("stderr", "bootstrap_stderr", "bootstrap_std")
"""Metrics of a scorer that are the standard error of its mean, the preferred first; the last is an older name."""
_SPREADS = ("std", "var")
"""Metrics of a scorer that tell how far documents lie apart, and nothing of the ability."""
_SHOTS = ("fewshot", "num_fewshot", "n_fewshot", "fewshots", "num_shots", "n_shots", "shots", "k_shot")
"""Arguments of tasks that are a number of examples."""
_SEEDS = ("fewshot_seed", "few_shot_seed")
_SPEED = frozenset(
    "max_retries timeout attempt_timeout max_connections adaptive_connections batch batch_size cache cache_prompt "
    "device device_map tensor_parallel_size data_parallel_size gpu_memory_utilization model_path revision dtype "
    "torch_dtype trust_remote_code api_key base_url port".split()
)
"""Options of a model and of generation that change no answer, or that a result says elsewhere."""
_DECIDES = ("message_limit", "token_limit", "turn_limit", "time_limit", "working_limit", "sample_id", "sample_shuffle")
"""Keys of `eval.config` that decide a score."""


_ZIP = b"PK"
"""How a zip file begins."""
_HEADER, _BEGUN, _SAMPLES = "header.json", "_journal/start.json", "samples/"
"""Files in an `.eval`: the log without its samples, what it has until it is finished, and the folder of the samples."""
_UNFINISHED = Remark("log", "left out, whose evaluation did not finish")


def read_inspect(file: ForeignFile) -> Contents | None:
    """The result in a log, if its evaluation finished.

    Raises:
        HarnessError: it is damaged, or a value is not what Inspect writes there.
    """
    log = _log(file)
    if log is None:
        return None
    fields = Fields(log, str(file.path))
    version = fields.whole("version")
    if version not in VERSIONS:
        raise HarnessError(f"{file.path}: version is {quoted(version)}; expected a log of Inspect in version 1 or 2")
    if log["status"] != "success" or not _scorers(fields):
        return Contents(results=(), remarks={_UNFINISHED: 1})
    result, shots = _one(fields, _samples(fields), file.path)
    return Contents(results=(result,), remarks={SHOTS_NOT_SAID: int(shots is None)})


@lru_cache(maxsize=1)
def _log(file: ForeignFile) -> Any:
    """The log in a file, None where there is none. The last is kept: its documents are asked for next.

    Raises:
        HarnessError: it is damaged, or holds more than allowed.
    """
    try:
        log = _of_zip(file.content) if file.content.startswith(_ZIP) else file.json()
    except UnreadableError as error:
        raise HarnessError(f"{file.path}: {error}") from error
    return log if _is_log(log) else None


def _documents(path: Path, metrics: tuple[str, ...]) -> tuple[Sample, ...]:
    """The documents of a log, which is read once more: those of a thousand logs would not fit into memory.

    Raises:
        HarnessError: it is damaged, or no log any more.
    """
    log = _log(foreign_file(path))
    if log is None:
        raise HarnessError(f"{path}: has changed since it was read; import it again")
    fields = Fields(log, str(path))
    order = fields.mapping("eval").mapping("dataset").list("sample_ids")
    return inspect_documents(_samples(fields), metrics, order)


def _samples(log: Fields) -> tuple[Fields, ...]:
    return tuple(Fields(one, f"{log.place}: samples") for one in log.list("samples"))


def _of_zip(content: bytes) -> Any:
    """The log in an `.eval`, as its JSON form would have it; None for another zip file.

    Raises:
        UnreadableError: it is damaged, or holds more than allowed.
    """
    with opened_zip(content) as archive:
        if _HEADER not in archive.names:
            begun = parsed_json(archive.read(_BEGUN)) if _BEGUN in archive.names else None
            return {**begun, "status": "started"} if isinstance(begun, dict) else None
        log = parsed_json(archive.read(_HEADER))
        return {**log, "samples": _kept_samples(archive)} if _is_log(log) else None


def _kept_samples(archive: Archive) -> list[Any]:
    """The samples, without what happened in between, which is most of them."""
    found, values = [], 0
    for name in archive.names:
        if name.startswith(_SAMPLES) and name.endswith(".json"):
            content = archive.read(name)
            RESULT_VALUES.check(written_values(content))
            sample = parsed_json(content)
            if isinstance(sample, dict) and not sample.keys() <= KEPT:
                sample = {k: v for k, v in sample.items() if k in KEPT}
                content = json.dumps(sample).encode()
            values += written_values(content)
            RESULT_VALUES.check(values)
            found.append(sample)
    return found


def _is_log(raw: Any) -> bool:
    asked = raw.get("eval") if isinstance(raw, dict) else None
    return isinstance(asked, dict) and "task" in asked and "model" in asked and "status" in raw


def _scorers(log: Fields) -> list[Any]:
    results = log.mapping("results")
    if isinstance(results.get("scorer"), dict):  # version 1
        return [{**results["scorer"], "metrics": results.get("metrics")}]
    return results.list("scores")


def _one(log: Fields, samples: Sequence[Fields], path: Path) -> tuple[Published, int | None]:
    """The result, and the number of shots as far as the log says it."""
    spec, results = log.mapping("eval"), log.mapping("results")
    config, arguments = spec.mapping("config"), spec.mapping("task_args")
    own = spec.mapping("metadata").get(DETAILS)
    name, shots = _required(spec, "task"), _argument(arguments, _SHOTS)
    data, limit = spec.mapping("dataset"), config.get("limit")
    there = data.whole("samples")
    answered, epochs = results.whole("completed_samples") or 0, config.whole("epochs") or 1
    result = Published(
        **_model(spec),
        task=name.rpartition("/")[2],
        version=str(spec.get("task_version") or 0),
        asked=_asked(log, spec, config, arguments, name),
        shots=shots or 0,
        seed=_argument(arguments, _SEEDS) or 0,
        limit=int(limit) if is_number(limit) and limit >= 1 and (there is None or limit < there) else None,
        scores=(),
        n=-(-answered // epochs) or None,
        options=_options(samples),
        tool=INSPECT,
        tool_version=spec.mapping("packages").text("inspect_ai"),
        date=moment_of(spec.get("created")),
        seconds=_seconds(log.mapping("stats")),
    )
    if own is not None:
        result = _exported(result, Fields(own, f"{spec.place}: metadata.{DETAILS}"))
    names = frozenset() if result.cell is None else frozenset(metric.name for metric in result.cell.metrics)
    scores = tuple(_scores(log, names))
    if not scores:
        raise HarnessError(f"{log.place}: results have no score; expected a scorer with a metric that is a number")
    if samples:
        metrics = tuple(score.metric for score in scores)
        result = replace(result, answers=Answers(path=path, samples=partial(_documents, path, metrics)))
    return replace(result, scores=scores), shots


def _exported(result: Published, own: Fields) -> Published:
    """The result of a log that was exported from here."""
    cell, expected = cell_in(own.text("details") or "", own.place, model=result.model, task=result.task)
    tool = own.text("tool") or INSPECT
    return replace(result, cell=cell, n=expected or result.n, tool=tool, tool_version=own.text("tool_version"))


def _seconds(stats: Fields) -> float:
    began, ended = moment_of(stats.get("started_at")), moment_of(stats.get("completed_at"))
    return (ended - began).total_seconds() if began and ended and ended > began else 0.0


def _required(fields: Fields, name: str) -> str:
    text = fields.text(name)
    if text is None or not text.strip("/ "):
        raise HarnessError(f"{fields.place}: {name} is {quoted(fields.get(name))}; expected a name")
    return text.strip().rstrip("/")


def _model(spec: Fields) -> dict[str, Any]:
    """Name, revision, number format of the model: `hf/EleutherAI/pythia-70m` loads it from the hub."""
    name, args = _required(spec, "model"), spec.mapping("model_args")
    provider, _, of_hub = name.partition("/")
    if provider in _LOCAL and of_hub:
        name = of_hub
    path = args.get("model_path")
    if name in ("local", "hf/local") and isinstance(path, str):
        name = path.rstrip("/").rpartition("/")[2]
    dtype = dtype_of(args.get("dtype") or args.get("torch_dtype"))
    return {"model": name, "revision": args.text("revision") or "main", "dtype": dtype}


def _asked(log: Fields, spec: Fields, config: Fields, arguments: Fields, name: str) -> dict[str, Any]:
    """What decides the score besides task, version, shots and model: nothing of it that is not said stands there."""
    plan = log.mapping("plan")
    steps = [
        {"solver": step.get("solver"), "params": step.get("params") or {}}
        for step in (Fields(one, f"{plan.place}: steps") for one in plan.list("steps"))
    ]
    found = {
        "name": name if "/" in name else None,
        "arguments": {k: v for k, v in arguments.items() if k not in (*_SHOTS, *_SEEDS)},
        "solvers": steps if steps != [{"solver": "generate", "params": {}}] else None,
        "generation": {k: v for k, v in plan.mapping("config").items() if k not in _SPEED},
        "model": {k: v for k, v in spec.mapping("model_args").items() if k not in _SPEED},
        "epochs": config.get("epochs") if config.get("epochs") != 1 else None,
        "reducer": config.get("epochs_reducer") if config.get("epochs_reducer") != ["mean"] else None,
        "part": config.get("limit") if isinstance(config.get("limit"), list) else None,
        **{key: config.get(key) for key in _DECIDES},
    }
    return {key: value for key, value in found.items() if value not in (None, {}, [])}


def _argument(arguments: Fields, names: Sequence[str]) -> int | None:
    for name in names:
        value = arguments.get(name)
        if is_number(value) and value == int(value) and value >= 0:
            return int(value)
        if value is False:
            return 0
    return None


def _scores(log: Fields, own: frozenset[str]) -> Iterator[PublishedScore]:
    """The metrics of each scorer that are finite numbers; those named in `own` were exported from here."""
    scorers = [Fields(one, f"{log.place}: results.scores") for one in _scorers(log)]
    names = [scorer.text("name") or scorer.text("scorer") or "" for scorer in scorers]
    seen: set[str] = set()
    for scorer, name in zip(scorers, names, strict=True):
        full = f"{scorer.text('scorer')}.{name}" if names.count(name) > 1 and scorer.text("scorer") else name
        reducer = scorer.text("reducer")
        full += f":{reducer}" if reducer not in (None, "mean") else ""
        values = {
            metric: Fields(entry, f"{scorer.place}.{metric}").get("value")
            for metric, entry in scorer.mapping("metrics").items()
        }
        stderr = next((float(values[error]) for error in _ERRORS if is_number(values.get(error))), None)
        for metric, value in values.items():
            written = full if metric == "mean" and full in own else f"{metric},{full}"
            if metric in (*_ERRORS, *_SPREADS) or not is_number(value) or written in seen:
                continue
            seen.add(written)
            yield PublishedScore(metric=written, value=float(value), stderr=stderr if metric in MEANS else None)


def _options(samples: Sequence[Fields]) -> int | None:
    """Number of options of each document; None where it is not the same for all."""
    numbers = {len(one.list("choices")) for one in samples}
    return numbers.pop() if len(numbers) == 1 and max(numbers) > 1 else None
