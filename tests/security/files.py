"""The provider of files that hang a program or fill the memory: each handed to the command that reads its kind."""

from __future__ import annotations

import bz2
import gzip
import json
import os
import shutil
import struct
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml
from pyarrow import parquet

from harness.store import HEADER, SAMPLES, Store
from tests.builders import cell, result
from tests.builders.commands import write_toy
from tests.security import Case
from tests.security.commands import Ended, command, harm
from tests.security.footers import LIES, lie

KIND = "files that hang or fill memory"
Make = Callable[[Path], None]
"""Puts a hostile file in the place of a good one."""


def cases() -> Iterator[Case]:
    """Every file with the command that reads it."""
    for place, files in FILES.items():
        for name, make in files.items():
            yield Case(KIND, name, place, partial(attempt, place, make))


def attempt(place: str, make: Make) -> str | None:
    """What harm a file did to the command that reads its place."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        path = _good(place, folder)
        path.unlink()
        make(path)
        arguments, code = COMMANDS[place]
        return harm(command(arguments, folder), usual(place), code=code)


@cache
def usual(place: str) -> Ended:
    """The command on a good file."""
    with tempfile.TemporaryDirectory() as made:
        _good(place, Path(made))
        ended = command(COMMANDS[place][0], Path(made))
        assert ended.code == 0, ended.err
        return ended


# Place -> the command that reads it, and its exit code where the file is hostile; a store does without a cell.
COMMANDS: Mapping[str, tuple[tuple[str, ...], int]] = {
    "a task": (("check", "toy"), 2),
    "a family": (("check", "toy"), 2),
    "documents": (("check", "toy"), 2),
    "a table in CSV": (("verdicts", "--table", "table.csv"), 2),
    "a table in gzip": (("verdicts", "--table", "table.csv.gz"), 2),
    "a table in bzip2": (("verdicts", "--table", "table.csv.bz2"), 2),
    "a table in zip": (("verdicts", "--table", "table.csv.zip"), 2),
    "a table in Parquet": (("verdicts", "--table", "table.parquet"), 2),
    "a header": (("leaderboard", "--format", "text"), 0),
    "samples": (("verdicts",), 0),
    "a run record": (("status",), 0),
    "weights": (("plan", "--suite", "arithmetic", "--model", "model"), 2),
    "a config": (("plan", "--suite", "arithmetic", "--model", "model"), 2),
}
_ROWS = "family,model,params,task,metric,n_shot,k,n\n" + "".join(
    f"toy,m{i},{10**i},colours,acc,0,{10 * i},100\n" for i in range(3, 9)
)


def _good(place: str, folder: Path) -> Path:
    """A good file in its place, with all that has to be there besides."""
    if place in ("a task", "a family", "documents"):
        write_toy(folder / "toy")
        return folder / "toy" / {"a task": "jumps.yaml", "a family": "family.yaml", "documents": "test.jsonl"}[place]
    if place.startswith("a table"):
        path = folder / COMMANDS[place][0][-1]
        {".csv": _text, ".gz": _gzip, ".bz2": _bzip2, ".zip": _zip, ".parquet": _table}[path.suffix](path)
        return path
    if place in ("weights", "a config"):
        shutil.copytree(Path(__file__).parents[2] / "harness/ladder/weights/12k", folder / "model")
        return folder / "model" / {"weights": "model.safetensors", "a config": "config.json"}[place]
    store = Store(folder / "results")
    others = [result(cell(shots=shots)) for shots in (0, 2)]
    for one in others:
        store.write(one)
    record = store.root / ".runs/20260101T120000.000000Z-n-1.json"
    record.parent.mkdir()
    record.write_text("{}")
    return {
        "a header": store.path(others[0].cell) / HEADER,
        "samples": store.path(others[0].cell) / SAMPLES,
        "a run record": record,
    }[place]


def _text(path: Path, text: str = _ROWS) -> None:
    path.write_text(text)


def _gzip(path: Path, text: str = _ROWS) -> None:
    path.write_bytes(gzip.compress(text.encode()))


def _bzip2(path: Path, text: str = _ROWS) -> None:
    path.write_bytes(bz2.compress(text.encode()))


def _zip(path: Path, text: str = _ROWS) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("table.csv", text)


def _table(path: Path) -> None:
    names, *rows = (line.split(",") for line in _ROWS.splitlines())
    columns = dict(zip(names, zip(*rows, strict=True), strict=True))
    numbers = ("params", "n_shot", "k", "n")
    table = {name: [float(one) for one in values] if name in numbers else values for name, values in columns.items()}
    parquet.write_table(pa.table(table), path)


def _text_of(text: str | bytes) -> Make:
    return lambda path: (path.write_bytes(text.encode() if isinstance(text, str) else text), None)[1]


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _link(path: Path, to: str = "/dev/zero") -> None:
    path.symlink_to(to)


def _sparse(path: Path) -> None:
    """A hundred gigabytes of nothing."""
    with path.open("wb") as file:
        file.truncate(10**11)


ANYWHERE: Mapping[str, Make] = {
    "a pipe": _pipe,
    "a device without end": _link,
    "a link to itself": lambda path: path.symlink_to(path),
    "a hundred gigabytes": _sparse,
    "a folder": Path.mkdir,
}


def _aliases(levels: int, keys: str = "[{}]") -> str:
    """Each level nine times the one before it: 600 bytes that stand for 9**levels values."""
    lines = ["a0: &a0 [lol]"]
    for i in range(1, levels):
        lines.append(f"a{i}: &a{i} " + keys.format(", ".join([f"*a{i - 1}"] * 9)))
    return "\n".join(lines) + "\n"


def _merges(levels: int) -> str:
    lines = ["a0: &a0 {k: 1}"]
    lines += [f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 9)}]}}" for i in range(1, levels)]
    return "\n".join(lines) + "\n"


YAML: Mapping[str, Make] = {
    "a bomb of aliases": _text_of(_aliases(30)),
    "a bomb of merge keys": _text_of(_merges(12)),
    "an alias of itself": _text_of("a: &a [*a]\n"),
    "100,000 levels": _text_of("[" * 100_000),
    "100,000 levels of indents": _text_of("".join(" " * i + "a:\n" for i in range(3_000))),
    "30,000 keys of one remainder": _text_of(
        "".join(f"{i * (2**61 - 1)}: 1\n" for i in range(1, 30_000))  # Python looks numbers up by it
    ),
    "a number of a million digits": _text_of("task: " + "9" * 1_000_000),
    "sexagesimal digits": _text_of("task: " + "1" + ":59" * 100_000),
    "a million documents": _text_of("---\na: 1\n" * 300_000),
}


def _task(**changes: Any) -> Make:
    """The task with other values in its config."""

    def make(path: Path) -> None:
        good = yaml.safe_load((path.parent / "stays.yaml").read_text())
        good["task"] = "jumps"
        good["config"].update(changes)
        path.write_text(yaml.safe_dump(good))

    return make


TASKS: Mapping[str, Make] = {
    "a billion repeats": _task(repeats=10**9),
    "a billion tokens": _task(output_type="generate_until", generation_kwargs={"max_gen_toks": 10**9}),
    "100,000 beams": _task(output_type="generate_until", generation_kwargs={"num_beams": 10**5}),
    "a template of a megabyte": _task(doc_to_text="{{question}}" * 100_000),
    "a template of 3,000 brackets": _task(doc_to_text="{{" + "(" * 3_000 + ")" * 3_000 + "}}"),
    "an expression of 3,000 brackets": _task(
        filter_list=[
            {"name": "f", "filter": [{"function": "regex", "regex_pattern": "(" * 3_000 + ")" * 3_000}]},
        ]
    ),
}
DOCUMENTS: Mapping[str, Make] = {
    "5,000 levels": _text_of('{"question": ' + "[" * 5_000 + "]" * 5_000 + "}\n"),
    "a million levels": _text_of("[" * 1_000_000),
    "a line of 20 MB": _text_of('{"question": "' + "x" * 20_000_000 + '"}\n'),
    "100,000 fields": _text_of(json.dumps({f"f{i}": i for i in range(100_000)})),
    "a number of 10,000 digits": _text_of('{"question": ' + "9" * 10_000 + "}\n"),
    "3,000,000 documents": _text_of('{"a":1}\n' * 3_000_000),
}


def _long_table() -> str:
    return _ROWS + "toy,m,1,colours,acc,0,1,2\n" * 18_000_000


def _wide_table() -> str:
    return ",".join(f"c{i}" for i in range(300_000)) + "\n" + "1," * 299_999 + "1\n"


def _packed(write: Callable[[Path, str], None], text: Callable[[], str]) -> Make:
    return lambda path: write(path, text())


def _gigabytes(path: Path) -> None:
    """A gigabyte of zeros in a megabyte, written piece by piece."""
    with gzip.open(path, "wb", compresslevel=1) as file:
        for _ in range(1_000):
            file.write(bytes(1_000_000))


def _zipped(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("t.csv", "w") as file:
        for _ in range(1_000):
            file.write(b"1,2,3,4\n" * 125_000)


def _many_files(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for i in range(20_000):
            archive.writestr(f"{i}.csv", "")


def _equal_rows(rows: int, name: str = "value") -> Make:
    """One row that is meant `rows` times, in a file of some kilobytes."""

    def make(path: Path) -> None:
        row = pa.DictionaryArray.from_arrays(pa.array([0] * 1_000_000, pa.int32()), pa.array(["x" * 40]))
        with parquet.ParquetWriter(path, pa.schema([(name, row.type)]), compression="zstd") as writer:
            for _ in range(rows // 1_000_000):
                writer.write_table(pa.table({name: row}))

    return make


def _long_texts(name: str = "value") -> Make:
    """A text of a megabyte in each of 100,000 rows, written once."""

    def make(path: Path) -> None:
        row = pa.DictionaryArray.from_arrays(pa.array([0] * 100_000, pa.int32()), pa.array(["x" * 1_000_000]))
        parquet.write_table(pa.table({name: row}), path, compression="zstd")

    return make


def _wide(path: Path) -> None:
    parquet.write_table(pa.table({f"c{i}": [1] for i in range(20_000)}), path)


def _structures(path: Path) -> None:
    inner: pa.DataType = pa.int8()
    for _ in range(60):
        inner = pa.list_(inner)
    parquet.write_table(pa.table({"value": pa.array([None], inner)}), path)


PARQUET: Mapping[str, Make] = {
    "100,000,000 equal rows": _equal_rows(100_000_000),
    "100,000 texts of a megabyte": _long_texts(),
    "20,000 columns": _wide,
    "lists of lists": _structures,
    **{f"a lie about {of}": partial(lie, of=of, column="value") for of in LIES},
}
SAMPLE_FILES: Mapping[str, Make] = {
    "40,000,000 rows": _equal_rows(40_000_000, "doc_hash"),
    "100,000 texts of a megabyte": _long_texts("doc_hash"),
    **{f"a lie about {of}": partial(lie, of=of, column="doc_hash") for of in LIES},
}


def _safetensors(length: int, header: bytes = b"") -> Make:
    return _text_of(struct.pack("<Q", length) + header)


def _many_tensors(path: Path) -> None:
    entry = {"dtype": "F32", "shape": [10**14, 10**14], "data_offsets": [0, 0]}
    header = json.dumps({f"w{i}": entry for i in range(200_000)}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header)


def _sparse_header(path: Path) -> None:
    """A header of 4 GiB that is there."""
    with path.open("wb") as file:
        file.write(struct.pack("<Q", 2**32))
        file.truncate(2**32 + 8)


WEIGHTS: Mapping[str, Make] = {
    "a header of 4 GiB": _sparse_header,
    "a header of 2**63 bytes": _safetensors(2**63),
    "no header": _safetensors(0),
    "a header of 100,000 levels": _safetensors(200_000, b"[" * 100_000 + b"]" * 100_000),
    "200,000 tensors larger than the world": _many_tensors,
}


def _config(**changes: Any) -> Make:
    def make(path: Path) -> None:
        good = json.loads((Path(__file__).parents[2] / "harness/ladder/weights/12k/config.json").read_text())
        path.write_text(json.dumps(good | changes))

    return make


CONFIGS: Mapping[str, Make] = {
    "10**7 layers": _config(num_hidden_layers=10**7),
    "a vocabulary of 10**12": _config(vocab_size=10**12),
    "a hidden size of 10**15": _config(hidden_size=10**15),
    "layers in a part": _config(text_config={"num_hidden_layers": 10**9}),
    "100,000 levels": _text_of('{"model_type": ' + "[" * 100_000 + "]" * 100_000 + "}"),
}
JSON: Mapping[str, Make] = {
    "100,000 levels": _text_of('{"schema": ' + "[" * 100_000 + "]" * 100_000 + "}"),
    "a number of 10,000 digits": _text_of('{"schema": ' + "9" * 10_000 + "}"),
    "20 MB": _text_of('{"schema": "' + "x" * 20_000_000 + '"}'),
}
FILES: Mapping[str, Mapping[str, Make]] = {
    "a task": {**ANYWHERE, **YAML, **TASKS},
    "a family": {**YAML},
    "documents": {**ANYWHERE, **DOCUMENTS},
    "a table in CSV": {
        **ANYWHERE,
        "300,000 columns": _packed(_text, _wide_table),
        "18,000,000 rows": _packed(_text, _long_table),
        "a field of 100 MB": _packed(_text, lambda: _ROWS + '"' + "x" * 100_000_000),
        "a name of 400 MB": _packed(_text, lambda: "x" * 400_000_000),
    },
    "a table in gzip": {"a gigabyte of zeros": _gigabytes, "cut short": _text_of(gzip.compress(_ROWS.encode())[:60])},
    "a table in bzip2": {"5,000,000 rows": _packed(_bzip2, lambda: _long_table()[:130_000_000])},
    "a table in zip": {"a gigabyte": _zipped, "20,000 files": _many_files},
    "a table in Parquet": {**ANYWHERE, **PARQUET},
    "a header": {**ANYWHERE, **JSON},
    "samples": {**ANYWHERE, **SAMPLE_FILES},
    "a run record": {**ANYWHERE, **JSON},
    "weights": {**ANYWHERE, **WEIGHTS},
    "a config": {**ANYWHERE, **CONFIGS},
}
"""Place -> what is put there -> how."""
