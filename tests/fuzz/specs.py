"""Files of tasks, families and suites, and the documents of a task."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import yaml

from harness.catalog.catalogue import load_file
from harness.catalog.tasks.config import check_templates
from harness.catalog.tasks.data import named_files, read_data, read_split
from harness.specs import TaskSpec
from tests.fuzz.changes import anything, as_json, changed_bytes, changed_value
from tests.fuzz.parquet_files import parquet_file
from tests.fuzz.reader import Make, Reader


def _of_yaml(*good: str) -> Make:
    read = [yaml.safe_load(text) for text in good]

    def make(random: Random) -> bytes:
        if random.randrange(4):
            return as_json(changed_value(random.choice(read), random))  # which is YAML too
        return changed_bytes(random.choice(good).encode(), random)

    return make


TASK = """task: colours
kind: qa
version: "1"
description: What colour things have.
metrics:
  - {name: acc, chance: 0.25}
  - {name: prob_correct, chance: 0.25, best: 1.0, higher_is_better: true, continuous: true}
config:
  dataset_path: json
  dataset_kwargs: {data_files: {test: data.jsonl, train: data.jsonl}}
  test_split: test
  training_split: train
  fewshot_split: train
  fewshot_config: {sampler: first_n, fewshot_indices: [0, 1], doc_to_text: "{{question}}"}
  output_type: multiple_choice
  doc_to_text: "Q: {{question}}\\nA:"
  doc_to_choice: "{{options}}"
  doc_to_target: label
  target_delimiter: " "
  metric_list: [{metric: acc, aggregation: mean, higher_is_better: true}]
  metadata: {version: 1.0}
prompts:
  plain: {doc_to_text: "{{question}}", description: "Answer."}
"""
WRITING = """task: answers
kind: generation
demonstrations: pool
metrics: [{name: exact_match}, {name: edit_similarity, continuous: true}]
config: &config
  dataset_path: json
  dataset_kwargs: {data_files: {test: data.jsonl}}
  test_split: test
  fewshot_config: {samples: [{question: q, label: "1"}, {question: r, label: "2"}]}
  output_type: generate_until
  doc_to_text: "{% if question %}{{question|trim}}{% endif %}"
  doc_to_target: "{{label}}"
  gen_prefix: "A: "
  generation_kwargs: {until: ["\\n"], max_gen_toks: 8, do_sample: true, temperature: 0.7}
  repeats: 2
  filter_list:
    - name: strict
      filter:
        - {function: regex, regex_pattern: "(-?[0-9]+)", group_select: -1, fallback: "none"}
        - {function: take_first}
  metric_list: [{metric: exact_match, ignore_case: true, regexes_to_ignore: [","]}]
prompts: {again: {<<: *config, dataset_path: json}}
"""
SUITE = "suite: toy\ntasks: [colours]\nshots: [0, 2]\nprompts: [all]\nseeds: 3\nlimit: 10\ndescription: A suite.\n"
FAMILY = """family: toy
url: https://example.org
licence: Apache-2.0
tokens: 3e11
dtype: bfloat16
gpus: 0.5
models:
  - {name: org/toy-1k, params: 1000, revision: main, params_non_embedding: 900, params_active: 1000}
  - {name: toy-2k, path: weights/2k, params: 2e3, tokens: 4000, loss: 2.5, dtype: float32, gpus: 2}
"""
_DOCUMENTS = b"".join(
    as_json({"question": f"q{i}", "options": ["red", "green"], "label": i % 2, "examples": [{"question": "e"}]}) + b"\n"
    for i in range(4)
)


def _read_specs(folder: Path) -> None:
    path = folder / "file.yaml"
    spec = load_file(path)
    if isinstance(spec, TaskSpec):
        named = spec.config.get("dataset_path")
        splits = named_files(spec.config).items()
        fields = {split: read_data([*map(Path, files)], named).fields for split, files in splits}
        check_templates(spec, fields, path)


def _with_documents(folder: Path) -> None:
    (folder / "data.jsonl").write_bytes(_DOCUMENTS)


_GOOD = (
    {"question": "q", "options": ["a", "b"], "label": 1, "examples": [{"a": 1}]},
    {"text": "é\u2028", "n": 1.5, "label": None},
)


def _values(random: Random) -> list[Any]:
    some = [random.choice(_GOOD) for _ in range(random.randint(0, 4))]
    return [changed_value(one, random) if random.randrange(2) else one for one in some]


def _lines(random: Random) -> bytes:
    data = random.choice((b"\n", b"\r\n", b"\n\n")).join(map(as_json, _values(random)))
    return changed_bytes(data, random) if random.randrange(2) else data


def _json(random: Random) -> bytes:
    """A list of objects, or an object that holds one."""
    values = _values(random)
    whole = values if random.randrange(2) else changed_value({"version": 1, "data": values}, random, 1)
    text = json.dumps(whole, ensure_ascii=False, indent=random.choice((None, 1)))
    data = text.encode("utf-8", "surrogatepass")
    return changed_bytes(data, random) if random.randrange(3) == 0 else data


def _table(random: Random) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=random.choice(",,;\t"), lineterminator=random.choice(("\n", "\r\n", "\r")))
    writer.writerow(["question", "label", *random.choice((["n"], ["question"], [""], []))])
    writer.writerows([anything(random), random.choice((0, 1, "NA", None)), 1.5] for _ in range(random.randint(0, 4)))
    data = text.getvalue().encode("utf-8", "surrogatepass")
    return changed_bytes(data, random) if random.randrange(3) == 0 else data


def _packed(random: Random) -> bytes:
    data = gzip.compress(_lines(random), compresslevel=1)
    return changed_bytes(data, random) if random.randrange(3) else data


def _rows(random: Random) -> bytes:
    columns = {
        name: [anything(random) if random.randrange(3) == 0 else value for _ in range(3)]
        for name, value in random.choice(_GOOD).items()
    }
    return parquet_file(columns, random)


def _reads(name: str) -> Callable[[Path], None]:
    def read(folder: Path) -> None:
        read_data([folder / name], "json")
        for document in read_split([folder / name], "json"):
            json.dumps(document.fields)

    return read


READERS = {
    "task": Reader("file.yaml", _of_yaml(TASK, WRITING), _read_specs, _with_documents, share=0.5),
    "family": Reader("file.yaml", _of_yaml(FAMILY), _read_specs),
    "suite": Reader("file.yaml", _of_yaml(SUITE), _read_specs),
    "documents": Reader("data.jsonl", _lines, _reads("data.jsonl")),
    "documents, JSON": Reader("data.json", _json, _reads("data.json")),
    "documents, CSV": Reader("data.csv", _table, _reads("data.csv")),
    "documents, gzip": Reader("data.jsonl.gz", _packed, _reads("data.jsonl.gz")),
    "documents, Parquet": Reader("data.parquet", _rows, _reads("data.parquet")),
}
"""Name in the table -> reader."""
