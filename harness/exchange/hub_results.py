"""Results beside a model of the Hugging Face hub: `model-index` in README.md, and `.eval_results/*.yaml`.

`model-index` names data set, metric and, where a leaderboard wrote it, the number of shots as `args.num_few_shot`.
`.eval_results` names the data set and the value alone, so that its metric is called `score`, and the model is called
after the folder that holds `.eval_results`. Neither has standard errors or numbers of documents of its own.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.bounded.files import decoded
from harness.bounded.limits import YAML_BYTES, UnreadableError
from harness.bounded.yaml_text import parsed_yaml
from harness.errors import HarnessError
from harness.exchange.fields import Fields, is_number, moment_of
from harness.exchange.types import SHOTS_NOT_SAID, Contents, ForeignFile, Published, PublishedScore, Remark
from harness.plausible import MOST_NAME, is_share
from harness.wording import quoted

MODEL_INDEX, EVAL_RESULTS = "model-index", "eval-results"
"""Programs that evaluated are not named there, so that results are told apart by where they stood."""
_FRONT = re.compile(r"---[ \t]*\r?\n(?P<yaml>.*?)\r?\n---[ \t]*(\r?\n|\Z)", re.DOTALL)
"""The front matter of a README.md."""
_NAMED = re.compile(r"(?P<name>.*?)\s*\(?(?P<shots>\d+)-shots?\)?", re.IGNORECASE | re.DOTALL)
"""Name of a data set as leaderboards write it, such as `IFEval (0-Shot)`."""
_NUMBER = re.compile(r"\s*(?P<value>-?\d+(\.\d+)?)\s*(?P<percent>%)?\s*(±\s*(?P<stderr>\d+(\.\d+)?)\s*%?)?\s*")
_PERCENT = Remark("result", "in percent, read as shares of 1")
_SHARES = frozenset({"accuracy"})
"""Shares besides those of lm-eval."""


def read_hub(file: ForeignFile) -> Contents | None:
    """The results in a README.md or a file of `.eval_results`.

    Raises:
        HarnessError: it is damaged, or a value is not as the hub has it.
    """
    place = str(file.path)
    try:
        YAML_BYTES.check(len(file.content))
        text = decoded(file.content)
        front = _FRONT.match(text.lstrip("\ufeff"))
        raw = parsed_yaml(front["yaml"] if front else text)
    except UnreadableError as error:
        raise HarnessError(f"{place}: {error}") from error
    if isinstance(raw, dict) and isinstance(raw.get("model-index"), list):
        found = list(_of_index(raw["model-index"], place))
    elif isinstance(raw, list) and raw and all(isinstance(one, dict) and "dataset" in one for one in raw):
        found = list(_of_entries(raw, file.path))
    else:
        return None
    remarks: dict[Remark, int] = defaultdict(int)
    results = tuple(_as_shares(found, remarks))
    remarks[SHOTS_NOT_SAID] = sum(not shots_said for _, shots_said in found)
    return Contents(results=results, remarks=remarks)


def _of_index(index: list[Any], place: str) -> Iterator[tuple[Published, bool]]:
    for entry in index:
        model = Fields(entry, f"{place}: model-index")
        for one in model.list("results"):
            result = Fields(one, f"{model.place}: results")
            yield _one(_needed(model, "name"), result, result.mapping("dataset"))


def _one(model: str, result: Fields, dataset: Fields) -> tuple[Published, bool]:
    name = dataset.text("name") or ""
    named = _NAMED.fullmatch(name) if len(name) <= MOST_NAME else None
    args = dataset.mapping("args") if isinstance(dataset.get("args"), dict) else Fields({}, dataset.place)
    shots = args.whole("num_few_shot")
    if shots is None and named is not None and len(named["shots"]) < 4:
        shots = int(named["shots"])
    scores = tuple(_score(Fields(one, f"{result.place}: metrics")) for one in result.list("metrics"))
    if not scores:
        raise HarnessError(f"{result.place}: metrics is empty; expected a metric with a value")
    source = result.mapping("source")
    found = Published(
        model=model,
        revision=args.text("revision") or "main",
        variant=args.text("variant"),
        task=named["name"] if named is not None and named["name"] else _needed(dataset, "name"),
        version=None,
        asked=_asked(dataset, args, source),
        shots=shots or 0,
        seed=args.whole("seed") or 0,
        limit=args.whole("limit"),
        scores=scores,
        n=max((score.n for score in scores if score.n is not None), default=None),
        tool=MODEL_INDEX,
    )
    return found, shots is not None


def _asked(dataset: Fields, args: Fields, source: Fields) -> Mapping[str, object]:
    known = ("num_few_shot", "revision", "variant", "seed", "limit")
    found: dict[str, object] = {name: dataset.get(name) for name in ("type", "config", "split", "revision")}
    found["args"] = {name: value for name, value in args.items() if name not in known}
    found["source"] = source.get("name")
    return {name: value for name, value in found.items() if value not in (None, {}, "")}


def _score(metric: Fields) -> PublishedScore:
    args = metric.mapping("args") if isinstance(metric.get("args"), dict) else Fields({}, metric.place)
    value, stderr = _value(metric)
    given = args.get("stderr")
    return PublishedScore(
        metric=_needed(metric, "type"),
        value=value,
        stderr=float(given) if is_number(given) else stderr,
        n=args.whole("n") or None,
    )


def _value(fields: Fields) -> tuple[float, float | None]:
    """The value and its standard error, of which cards also write `20.0 ± 1.2` and `45.3%`."""
    value = fields.get("value")
    if is_number(value):
        return float(value), None
    written = _NUMBER.fullmatch(value) if isinstance(value, str) and len(value) <= MOST_NAME else None
    if written is None:
        raise HarnessError(f"{fields.place}: value is {quoted(value)}; expected a number")
    unit = 100.0 if written["percent"] else 1.0
    return float(written["value"]) / unit, float(written["stderr"]) / unit if written["stderr"] else None


def _of_entries(entries: list[Any], path: Path) -> Iterator[tuple[Published, bool]]:
    folder = path.parent.parent if path.parent.name == ".eval_results" else path.parent
    model = folder.resolve().name.replace("__", "/")
    for entry in entries:
        result = Fields(entry, str(path))
        dataset = result.mapping("dataset")
        value, stderr = _value(result)
        task = dataset.text("task_id") or "default"
        found = Published(
            model=model,
            task=_needed(dataset, "id") if task == "default" else task,
            version=None,
            asked={"dataset": dataset.get("id"), "revision": dataset.get("revision"), "notes": result.get("notes")},
            shots=0,
            scores=(PublishedScore(metric="score", value=value, stderr=stderr),),
            n=None,
            tool=EVAL_RESULTS,
            date=moment_of(result.get("date")),
        )
        yield found, False


def _needed(fields: Fields, name: str) -> str:
    text = fields.text(name)
    if text is None or not text.strip("/ "):
        raise HarnessError(f"{fields.place}: {name} is {quoted(fields.get(name))}; expected a name")
    return text.strip()


def _as_shares(found: list[tuple[Published, bool]], remarks: dict[Remark, int]) -> Iterator[Published]:
    """The results with shares of 1; a metric that is a share is in percent where one of its values is above 1."""
    values: dict[str, list[float]] = defaultdict(list)
    for result, _ in found:
        for score in result.scores:
            values[score.metric].append(score.value)
    percent = {
        metric
        for metric, some in values.items()
        if (is_share(metric) or metric in _SHARES) and max(some) > 1 and max(some) <= 100
    }
    for result, _ in found:
        remarks[_PERCENT] += any(score.metric in percent for score in result.scores)
        yield _divided(result, percent)


def _divided(result: Published, percent: set[str]) -> Published:
    scores = tuple(
        replace(one, value=one.value / 100, stderr=None if one.stderr is None else one.stderr / 100)
        if one.metric in percent
        else one
        for one in result.scores
    )
    return replace(result, scores=scores)
