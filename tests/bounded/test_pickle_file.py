import io
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.bounded.limits import UnreadableError
from harness.bounded.pickle_file import pickled_shapes


def saved(path: Path, *, zipped: bool = True, **weights: torch.Tensor) -> Path:
    torch.save(weights, path, _use_new_zipfile_serialization=zipped)
    return path


@pytest.mark.parametrize("zipped", [True, False])
def test_shapes_are_read_and_tied_weights_once(tmp_path: Path, zipped: bool) -> None:
    table = torch.zeros(7, 3)
    path = saved(tmp_path / "w.bin", zipped=zipped, embedding=table, head=table, bias=torch.zeros(5).half())
    assert sorted(pickled_shapes(path).values()) == [(5,), (7, 3)]
    path = saved(tmp_path / "p.bin", zipped=zipped, w=torch.nn.Parameter(torch.zeros(2, 2)), row=table[0])
    assert sorted(pickled_shapes(path).values()) == [(2, 2), (3,)]


class Bomb:
    def __reduce__(self) -> Any:
        return os.system, ("touch opened",)


def zipped(content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", content)
    return out.getvalue()


def test_nothing_that_a_pickle_names_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "w.bin").write_bytes(zipped(pickle.dumps({"a": Bomb(), "b": Path("x")})))
    assert not pickled_shapes(tmp_path / "w.bin")
    assert not (tmp_path / "opened").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is no readable file of weights of torch"),
        (b"PK\x03\x04", "is no readable file of weights of torch"),
        (b"version https://git-lfs.github.com/spec/v1", "is no readable file of weights of torch"),
        (zipped(b"\x80\x02r\xff\xff\xff\x7f"), "is no readable file of weights of torch"),
        (zipped(b"\x80\x04\x8e" + b"\xff" * 7 + b"\x00"), "is no readable file of weights of torch"),
        (zipped(b" " * 10_000_001), "has 10,000,001 bytes; expected at most 10,000,000"),
    ],
)
def test_what_is_no_file_of_weights_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "w.bin").write_bytes(content)
    with pytest.raises(UnreadableError, match=message):
        pickled_shapes(tmp_path / "w.bin")
