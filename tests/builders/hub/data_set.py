"""A data set of the hub in small: its name there, its configs and splits, and one document in its schema."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

Document = dict[str, Any]
Write = Callable[[random.Random, int], Document]
"""A document, from a source of randomness and the document's number."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DataSet:
    """One data set of the hub, written small."""

    name: str
    """`ORG/NAME` on the hub."""
    configs: Mapping[str, Write]
    """Config -> what writes its documents, with the fields that the real ones have; `default` where there is one."""
    splits: Mapping[str, int]
    """Split -> number of documents."""
    more: Mapping[str, int] = field(default_factory=dict)
    """Config -> how many documents more each of its splits has, where configs differ in size."""
    revision: str | None = None
    """Branch on which the data lie, if it is not the main one; a folder of its own in a mirror."""
    paths: Mapping[str, str] = field(default_factory=dict)
    """Config -> the file's place, where a task names the file; `data/CONFIG/SPLIT.parquet` for the others."""


def write_data_set(of: DataSet, mirror: Path, more: int = 0) -> None:
    """Write the data set below `mirror`, where `datasets.load_dataset(NAME, CONFIG)` finds it from that folder.

    Args:
        of: the data set.
        mirror: the folder.
        more: how many documents each split has beyond its own number.
    """
    folder = mirror / (of.name if of.revision is None else f"{of.name}@{of.revision.replace('/', '--')}")
    entries = []
    for config in of.configs:
        paths = {split: of.paths.get(config, f"data/{config}/{split}.parquet") for split in of.splits}
        _write_config({folder / paths[split]: _documents(of, config, split, more) for split in of.splits})
        files = [{"split": split, "path": path} for split, path in paths.items()]
        entries.append({"config_name": config, "data_files": files})
    head = yaml.safe_dump({"configs": entries}, sort_keys=False)
    (folder / "README.md").write_text(f"---\n{head}---\n", encoding="utf-8")


def _documents(of: DataSet, config: str, split: str, more: int) -> list[Document]:
    rng = random.Random(f"{of.name} {config} {split}")
    return [of.configs[config](rng, number) for number in range(of.splits[split] + of.more.get(config, 0) + more)]


def _write_config(documents: Mapping[Path, list[Document]]) -> None:
    """Write the files of one config, which all have the same columns."""
    schema = pa.Table.from_pylist([document for split in documents.values() for document in split]).schema
    for path, split in documents.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".parquet":
            pq.write_table(pa.Table.from_pylist(split, schema=schema), path)
        else:
            lines = (json.dumps(document, ensure_ascii=False) + "\n" for document in split)
            path.write_text("".join(lines), encoding="utf-8")
