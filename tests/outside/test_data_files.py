"""Data files as people have them: `check` counts the documents that a run then asks, in the same order."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml
from pyarrow import parquet

from harness.catalog import load_catalog
from harness.engines.documents import DocumentCache
from harness.engines.lm_tasks import build_cell
from harness.errors import CatalogError
from harness.specs import TaskSpec
from tests.builders import cell
from tests.builders.commands import Emergence

DOCUMENTS = [{"q": "NA", "a": "None"}, {"q": "x\ny", "a": "null"}, {"q": "a, b", "a": "nan"}]
SOURCES: list[Callable[[str], dict[str, Any]]] = [
    lambda name: {"dataset_kwargs": {"data_files": name}},
    lambda name: {"dataset_path": name},
]
METRICS = [{"name": "exact_match"}, {"name": "edit_similarity", "continuous": True}]


def jsonl(documents: Sequence[Mapping[str, Any]]) -> bytes:
    return "".join(json.dumps(document) + "\n" for document in documents).encode()


def table(documents: Sequence[Mapping[str, Any]], delimiter: str = ",") -> bytes:
    text = io.StringIO()
    rows = csv.DictWriter(text, ["q", "a"], delimiter=delimiter)
    rows.writeheader()
    rows.writerows(documents)
    return text.getvalue().encode()


def columns(documents: Sequence[Mapping[str, Any]]) -> bytes:
    made = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist(list(documents)), made)
    return made.getvalue()


FORMS: Mapping[str, Callable[[Sequence[Mapping[str, Any]]], bytes]] = {
    "jsonl": jsonl,
    "json": lambda documents: json.dumps(documents, indent=1).encode(),
    "nested.json": lambda documents: json.dumps({"version": 1, "data": documents}).encode(),
    "csv": table,
    "tsv": lambda documents: table(documents, "\t"),
    "parquet": columns,
    "jsonl.gz": lambda documents: gzip.compress(jsonl(documents)),
    "json.gz": lambda documents: gzip.compress(json.dumps(documents).encode()),
    "csv.gz": lambda documents: gzip.compress(table(documents)),
}


def task_file(folder: Path, **config: Any) -> Path:
    """A task that asks for `q` and wants `a`, with this config about its data."""
    whole = {"output_type": "generate_until", "doc_to_text": "{{q}}:", "doc_to_target": "a", **config}
    path = folder / "own.yaml"
    path.write_text(yaml.safe_dump({"task": "own", "kind": "qa", "metrics": METRICS, "config": whole}))
    return path


def loaded(path: Path) -> TaskSpec:
    """The task of a file that `check` finds right."""
    catalog = load_catalog([path])
    catalog.check_templates(["own"])
    return catalog.task("own")


def asked(task: TaskSpec) -> list[dict[str, Any]]:
    """The documents that a run asks, after `check` has counted them."""
    built = build_cell(cell(of=task), task, DocumentCache())
    found = [dict(requests[0].doc) for requests in built.documents]
    assert len(found) == task.n_docs
    return found


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_documents_in_the_same_order(tmp_path: Path, form: str) -> None:
    """jsonlines#53, and what readers of tables make of NA, None and null."""
    (tmp_path / f"test.{form}").write_bytes(FORMS[form](DOCUMENTS))
    files = {"data_files": {"test": f"test.{form}"}}
    task = loaded(task_file(tmp_path, dataset_path="json", dataset_kwargs=files, test_split="test"))
    assert asked(task) == DOCUMENTS


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("source", SOURCES)
def test_a_lone_file_needs_no_further_key(
    tmp_path: Path, form: str, source: Callable[[str], dict[str, Any]], emergence: Emergence
) -> None:
    (tmp_path / f"x.{form}").write_bytes(FORMS[form](DOCUMENTS))
    path = task_file(tmp_path, **source(f"x.{form}"))
    assert asked(loaded(path)) == DOCUMENTS
    assert emergence("check", path).code == 0


@pytest.mark.parametrize(
    ("named", "form"), [("csv", "csv"), ("csv", "tsv"), ("json", "jsonl"), ("parquet", "parquet"), ("csv", "csv.gz")]
)
def test_the_names_that_datasets_has_for_files_are_known(tmp_path: Path, named: str, form: str) -> None:
    (tmp_path / f"x.{form}").write_bytes(FORMS[form](DOCUMENTS))
    task = loaded(task_file(tmp_path, dataset_path=named, dataset_kwargs={"data_files": f"x.{form}"}))
    assert asked(task) == DOCUMENTS


def test_lines_of_text_are_documents(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("one\ntwo\n")
    files = {"dataset_path": "text", "dataset_kwargs": {"data_files": {"test": ["x.txt"]}}}
    task = loaded(task_file(tmp_path, **files, doc_to_text="", doc_to_target="text"))
    assert asked(task) == [{"text": "one"}, {"text": "two"}]


@pytest.mark.parametrize("split", [{}, {"test_split": "test"}, {"test_split": "train"}])
def test_several_files_are_one_split_in_their_order(tmp_path: Path, split: dict[str, str]) -> None:
    """`data_files` as a list, of different forms too."""
    for i, form in enumerate(("csv", "jsonl.gz", "parquet")):
        (tmp_path / f"{i}.{form}").write_bytes(FORMS[form](DOCUMENTS[i : i + 1]))
    names = ["2.parquet", "0.csv", "1.jsonl.gz"]
    for files in (names, {split.get("test_split", "test"): names}):
        task = loaded(task_file(tmp_path, dataset_path="json", dataset_kwargs={"data_files": files}, **split))
        assert asked(task) == [DOCUMENTS[2], DOCUMENTS[0], DOCUMENTS[1]]
    assert [file.name for file in task.data_files] == names
    (tmp_path / "0.csv").write_text("q,a\nother,one\n")
    again = loaded(task_file(tmp_path, dataset_path="json", dataset_kwargs={"data_files": files}, **split))
    assert again.digest != task.digest


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (3, "config.dataset_kwargs.data_files is 3; expected the name of a file, or a list of names"),
        ([], "config.dataset_kwargs.data_files is []; expected the name of a file, or a list of names"),
        (["x.csv", 3], "config.dataset_kwargs.data_files is ['x.csv', 3]; expected the name"),
        ({"test": {"x": "y"}}, "config.dataset_kwargs.data_files.test is {'x': 'y'}; expected the name"),
        ({}, "config.dataset_kwargs.data_files is {}; expected a file, a list of files, or these for each split"),
        (["x.csv", "no.csv"], "no.csv: data file cannot be read: No such file or directory"),
        (["x.csv", "bad.csv"], "bad.csv: line 2 has 1 cell; expected 2"),
        (["x.csv", "/etc/passwd"], "outside the task's folder"),
        ({"test": "x.csv", "dev": "x.csv"}, "config.test_split is missing; expected the split to evaluate"),
    ],
)
def test_files_that_cannot_be_had_are_one_line(tmp_path: Path, files: Any, message: str) -> None:
    (tmp_path / "x.csv").write_bytes(table(DOCUMENTS))
    (tmp_path / "bad.csv").write_text("q,a\nx\n")
    with pytest.raises(CatalogError) as caught:
        loaded(task_file(tmp_path, dataset_path="json", dataset_kwargs={"data_files": files}))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_labels_of_a_table_are_numbers_of_options(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("q,label\none,1\ntwo,0\n")
    task = loaded(
        task_file(
            tmp_path,
            output_type="multiple_choice",
            dataset_path="csv",
            dataset_kwargs={"data_files": "x.csv"},
            doc_to_choice=["no", "yes"],
            doc_to_target="label",
        )
    )
    built = build_cell(cell(of=task), task, DocumentCache())
    assert [built.task.right(requests[0].doc).texts for requests in built.documents] == [("yes",), ("no",)]
