"""Files of Every Eval Ever: an aggregate JSON about one model, and `UUID_samples.jsonl` beside it with its documents.

Read by the schema of version 0.3 (https://github.com/evaleval/every_eval_ever); files of 0.2 have the same fields but
for a few that 0.3 demands. An entry of `evaluation_results` is one metric of one evaluation. What the schema has no
field for, such as demonstrations before the question, stands in texts under `additional_details`; files that were
exported here say there all that a cell is.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from harness.bounded.files import is_regular, open_regular
from harness.bounded.limits import UnreadableError
from harness.errors import HarnessError
from harness.exchange.every_eval_ever_samples import every_eval_ever_documents
from harness.exchange.exported import DETAILS, cell_in
from harness.exchange.fields import Fields, dtype_of, is_number, moment_of
from harness.exchange.types import SHOTS_NOT_SAID, Answers, Contents, ForeignFile, Published, PublishedScore
from harness.wording import quoted

_SHOTS = ("num_fewshot", "n_shot", "num_few_shot", "n_fewshot", "shots", "num_shots")
"""Names under which converters write the number of demonstrations."""
_BILLIONS = ("params_billions", "size_billions_parameters")
_UNSAID = (None, "", "unknown")
_RESULT = "evaluation_results"
_PIECE = 1 << 20
"""Bytes that are hashed at a time."""


def read_every_eval_ever(file: ForeignFile) -> Contents | None:
    """The results in an aggregate file; one for each evaluation, with its metrics.

    Raises:
        HarnessError: a value is not as the schema has it.
    """
    raw = file.json()
    if not isinstance(raw, dict) or "schema_version" not in raw or _RESULT not in raw:
        return None
    record = Fields(raw, str(file.path))
    version = record.text("schema_version") or ""
    if not re.match(r"0\.[23](\.|$)", version):
        raise HarnessError(f"{file.path}: schema_version is {quoted(version)}; expected 0.2 or 0.3")
    evaluations: dict[str, list[Fields]] = {}
    for number, entry in enumerate(record.list(_RESULT)):
        one = Fields(entry, f"{file.path}: {_RESULT}[{number}]")
        evaluations.setdefault(_needed(one, "evaluation_name"), []).append(one)
    samples = _sample_file(file, record)
    results = tuple(_one(record, name, entries, samples) for name, entries in evaluations.items())
    unsaid = sum(_shots(entries[0]) is None for entries in evaluations.values())
    return Contents(results=results, remarks={SHOTS_NOT_SAID: unsaid})


def _needed(fields: Fields, name: str) -> str:
    found = fields.text(name)
    if found is None:
        raise HarnessError(f"{fields.place}: {name} is missing; expected a text")
    return found


def _one(record: Fields, name: str, entries: list[Fields], samples: Path | None) -> Published:
    library = record.mapping("eval_library")
    metrics = _metrics(entries)
    keys = {entry.text("evaluation_result_id") or name: metric for metric, entry in metrics.items()}
    scores = tuple(_score(metric, entry) for metric, entry in metrics.items())
    found = Published(
        task=name,
        version=None,
        asked=_asked(record, entries[0]),
        shots=_shots(entries[0]) or 0,
        scores=scores,
        n=max((score.n for score in scores if score.n is not None), default=None),
        tool=_tool(record, library),
        tool_version=None if library.get("version") in _UNSAID else library.text("version"),
        licence=_licence(record),
        date=moment_of(entries[0].get("evaluation_timestamp") or record.get("evaluation_timestamp")),
        answers=None
        if samples is None
        else Answers(path=samples, samples=partial(every_eval_ever_documents, samples, name, keys)),
        **_model(record),
    )
    details = library.mapping("additional_details")
    text = details.text(DETAILS)
    if text is None:
        return found
    cell, n = cell_in(text, f"{details.place}.{DETAILS}", model=found.model, task=name)
    return replace(found, cell=cell, n=n, shots=cell.shots, limit=cell.limit)


def _metrics(entries: list[Fields]) -> dict[str, Fields]:
    """Name of a metric -> its entry. Where two entries of an evaluation have the same name, their ids tell them apart.

    Raises:
        HarnessError: not even these do.
    """
    found: dict[str, Fields] = {}
    names = Counter(map(_metric_name, entries))
    for entry in entries:
        name = _metric_name(entry)
        if names[name] > 1:
            name = entry.mapping("metric_config").text("metric_id") or entry.text("evaluation_result_id") or name
        if name in found:
            raise HarnessError(
                f"{entry.place}: is a second result of {quoted(entry['evaluation_name'])} with the metric "
                f"{quoted(name)}; expected one"
            )
        found[name] = entry
    return found


def _metric_name(entry: Fields) -> str:
    config = entry.mapping("metric_config")
    names = (config.text(key) for key in ("metric_kind", "metric_name", "metric_id", "evaluation_description"))
    return next((name for name in names if name), "score")


def _score(metric: str, entry: Fields) -> PublishedScore:
    config, details = entry.mapping("metric_config"), entry.mapping("score_details")
    value, lower = details.get("score"), config.get("lower_is_better")
    if not is_number(value):
        raise HarnessError(f"{details.place}.score is {quoted(value)}; expected a number")
    if not isinstance(lower, bool):
        raise HarnessError(f"{config.place}.lower_is_better is {quoted(lower)}; expected true or false")
    error = details.mapping("uncertainty").mapping("standard_error").get("value")
    best = config.get("min_score" if lower else "max_score")
    return PublishedScore(
        metric=metric,
        value=float(value),
        stderr=float(error) if is_number(error) else None,
        higher_is_better=not lower,
        best=float(best) if is_number(best) else None,
        n=details.mapping("uncertainty").whole("num_samples") or None,
    )


def _tool(record: Fields, library: Fields) -> str:
    """Who evaluated: the program; else the platform, else the organisation that the results come from."""
    source = record.mapping("source_metadata")
    names = (library.get("name"), source.get("source_name"), source.get("source_organization_name"))
    found = next((str(name) for name in names if name not in _UNSAID), "every-eval-ever")
    return found.replace("_", "-")


def _licence(record: Fields) -> str | None:
    details = record.of("source_metadata", "additional_details")
    return details.text("licence") or details.text("license")


def _model(record: Fields) -> dict[str, Any]:
    info = record.mapping("model_info")
    details = info.mapping("additional_details")
    revision = details.get("revision") or details.get("sha")
    return {
        "model": _needed(info, "id"),
        "revision": str(revision) if revision not in _UNSAID else "main",
        "dtype": dtype_of(details.get("dtype") or details.get("precision")),
        "variant": details.text("variant"),
        "params": _params(details),
    }


def _params(details: Fields) -> int | None:
    """Parameters, which converters write in full or in billions, as a number or, since 0.3, as a text."""
    for key, unit in (("num_parameters", 1.0), *((key, 1e9) for key in _BILLIONS)):
        try:
            found = float(details.get(key) or 0) * unit
        except (TypeError, ValueError, OverflowError):
            continue
        if is_number(found) and found >= 1:
            return round(found)
    return None


def _shots(entry: Fields) -> int | None:
    details = entry.of("generation_config", "additional_details")
    for key in _SHOTS:
        if (text := details.get(key)) is not None:
            if not re.fullmatch(r"\d{1,6}(\.0)?", str(text)):
                raise HarnessError(f"{details.place}.{key} is {quoted(text)}; expected a whole number")
            return int(float(text))
    return None


def _asked(record: Fields, entry: Fields) -> Mapping[str, object]:
    """What stands for the version of a task, which the schema does not have: data set, generation, and who asked."""
    source, arguments = entry.mapping("source_data"), entry.of("generation_config", "generation_args")
    return {
        "dataset": {key: source.get(key) for key in ("dataset_name", "hf_repo", "hf_split", "url") if source.get(key)},
        "generation": {key: value for key, value in arguments.items() if key != "execution_command"},
        "source": record.mapping("source_metadata").get("source_name"),
    }


# --- the file with the documents ------------------------------------------------------------------------------------


def _sample_file(file: ForeignFile, record: Fields) -> Path | None:
    """The file with the documents, which lies beside the aggregate; its path in the file is that of a collection.

    Raises:
        HarnessError: it is not the file that the aggregate was made with.
    """
    details = record.mapping("detailed_evaluation_results")
    name = Path(details.text("file_path") or "").name
    path = file.path.with_name(name) if name else None
    if path is None or not is_regular(path):
        return None
    algorithm, expected = details.get("hash_algorithm") or "sha256", details.get("checksum")
    if expected is not None and algorithm == "sha256" and (found := _checksum(path)) != expected:
        raise HarnessError(f"{path}: its sha256 is {found}; expected {quoted(expected)}, as {file.path.name} says")
    return path


def _checksum(path: Path) -> str:
    try:
        with open_regular(path) as content:
            digest = hashlib.sha256()
            while piece := content.read(_PIECE):
                digest.update(piece)
            return digest.hexdigest()
    except (UnreadableError, OSError) as error:
        raise HarnessError(f"{path}: {error}") from error
