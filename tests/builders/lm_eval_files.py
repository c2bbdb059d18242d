"""Folders with task files in lm-eval's dialect, and small documents beside them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.builders.tasks import write_jsonl

BASE = """
dataset_path: json
dataset_kwargs:
  trust_remote_code: true
  data_files: {train: data/train.jsonl, test: data/test.jsonl}
training_split: train
test_split: test
metadata: {version: 2.0}
"""
CHOICE = """
include: _base_yaml
task: their_choice
tag: [their_tag]
output_type: multiple_choice
doc_to_text: "{{question}} ="
doc_to_target: label
doc_to_choice: options
num_fewshot: 2
metric_list:
  - {metric: acc, aggregation: mean, higher_is_better: true}
  - {metric: acc_norm, aggregation: mean, higher_is_better: true}
"""
TEXT = """
include: _base_yaml
task: their_text
tag: their_tag
output_type: generate_until
doc_to_text: "{{question}} ="
doc_to_target: answer
generation_kwargs: {until: ["\\n"], max_gen_toks: 5}
num_fewshot: 0
"""
GROUP = """
group: their_group
task:
  - their_tag
  - group: their_inner
    task:
      - {task: their_likelihood, num_fewshot: 1}
aggregate_metric_list: [{metric: acc, weight_by_size: true}]
"""
LIKELIHOOD = """
include: _base_yaml
task: their_likelihood
output_type: loglikelihood
doc_to_text: "{{question}} ="
doc_to_target: "{{answer}}"
"""
WHOLE = """
include: _base_yaml
task: their_whole
output_type: loglikelihood_rolling
doc_to_text: ""
doc_to_target: text
"""
WITH_FUNCTIONS = """
include: _base_yaml
task: their_functions
output_type: generate_until
process_docs: !function utils.process_docs
process_results: !function utils.process_results
doc_to_text: !function utils.ask
doc_to_target: "{{answer}}"
generation_kwargs: {until: ["\\n"], max_gen_toks: 5}
metric_list:
  - {metric: begins, aggregation: mean, higher_is_better: true}
"""
UTILS = """
def process_docs(dataset):
    return dataset.map(lambda doc: {**doc, "twice": doc["question"] * 2})


def ask(doc):
    return doc["twice"] + "="


def process_results(doc, results):
    return {"begins": float(results[0].strip()[:1] == doc["answer"][:1])}
"""
FILES: Mapping[str, str] = {
    "_base_yaml": BASE,
    "choice.yaml": CHOICE,
    "text.yaml": TEXT,
    "likelihood.yaml": LIKELIHOOD,
    "whole.yaml": WHOLE,
    "functions.yaml": WITH_FUNCTIONS,
    "utils.py": UTILS,
    "group.yaml": GROUP,
}
"""Name -> content of every file."""


def write_lm_eval_folder(folder: Path, files: Mapping[str, str] = FILES) -> Path:
    """These files, with 8 documents and 4 examples of sums: of two or three options the first is right."""
    (folder / "data").mkdir(parents=True)
    made = [
        {
            "question": f"{a}+{b}",
            "options": [str(a + b), str(a + b + 1), str(a - b)][: 2 + a % 2],
            "label": 0,
            "answer": str(a + b),
            "text": f"The sum of {a} and {b} is {a + b}. " * 3,
        }
        for a in range(1, 7)
        for b in (1, 3)
    ]
    write_jsonl(folder / "data/test.jsonl", made[:8])
    write_jsonl(folder / "data/train.jsonl", made[8:])
    for name, content in files.items():
        (folder / name).write_text(content, encoding="utf-8")
    return folder
