import gzip
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.bounded import files
from harness.bounded.limits import LIMITS, SETTING, Limit, UnreadableError
from harness.errors import MachineError

TEN = Limit(most=10, unit="bytes", of="a test")
SIZE = Limit(most=100, unit="bytes", of="a test")
ROWS = Limit(most=3, unit="rows", of="a test")


def lines(path: Path) -> list[bytes]:
    """The lines of a file, within the limits above."""
    with files.unpacked(path, SIZE) as content:
        return list(files.lines(content, length=TEN, rows=ROWS))


def pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe")
    return folder / "pipe"


def linked_device(folder: Path) -> Path:
    (folder / "zero").symlink_to("/dev/zero")
    return folder / "zero"


def ring(folder: Path) -> Path:
    (folder / "ring").symlink_to(folder / "ring")
    return folder / "ring"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (pipe, "is a pipe; expected a regular file"),
        (linked_device, "is a device; expected a regular file"),
        (lambda folder: folder, "is a folder; expected a regular file"),
        (ring, "cannot be read: Too many levels of symbolic links"),
        (lambda folder: folder / "none", "cannot be read: No such file or directory"),
        (lambda folder: folder / ("a" * 300), "cannot be read: File name too long"),
        (lambda folder: folder / "a\0b", "cannot be read: the name holds a null byte"),
    ],
)
@pytest.mark.parametrize("read", [files.read_bytes, files.sha256, lambda path, _: lines(path)])
def test_what_is_no_file_is_refused_at_once(
    make: Callable[[Path], Path], message: str, read: Callable[[Path, Limit], object], tmp_path: Path
) -> None:
    path, begun = make(tmp_path), time.monotonic()
    with pytest.raises(UnreadableError) as caught:
        read(path, TEN)
    assert str(caught.value) == message
    assert time.monotonic() - begun < 1


@pytest.mark.parametrize("read", [files.read_bytes, files.sha256])
def test_a_file_of_more_bytes_than_allowed_is_refused(
    read: Callable[[Path, Limit], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"0123456789")
    read(path, TEN)
    path.write_bytes(b"0123456789a")
    with pytest.raises(UnreadableError, match=rf"has .*1. bytes.*expected at most 10 \({SETTING}=10 in the environ"):
        read(path, TEN)
    monkeypatch.setenv(SETTING, "1.1")
    read(path, TEN)


def test_a_file_that_does_not_tell_its_size_is_read_to_the_limit_and_no_further() -> None:
    with pytest.raises(UnreadableError, match="has more than 10 bytes"):
        files.read_bytes(Path("/proc/self/maps"), TEN)


def test_only_a_line_feed_ends_a_line(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes("a\u2028b\x0c\r\n\n0123456789".encode())
    assert lines(path) == ["a\u2028b\x0c\r\n".encode(), b"\n", b"0123456789"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"a\n0123456789a", "line 2 has more than 10 bytes"),
        (b"a\n0123456789a\n", "line 2 has more than 10 bytes"),
        (b"a\n" * 4, "has more than 3 rows"),
        (b"a" * 101, "has 101 bytes"),
    ],
)
def test_lines_too_long_or_too_many_are_refused(text: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(text)
    with pytest.raises(UnreadableError, match=message):
        lines(tmp_path / "x")


def test_a_packed_file_is_measured_by_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(gzip.compress(b"a\n" * 3))
    assert lines(path) == [b"a\n"] * 3
    path.write_bytes(gzip.compress(b"\n" * 1000))
    with pytest.raises(UnreadableError, match="has more than 3 rows"):
        lines(path)
    path.write_bytes(gzip.compress(b"0123456789\n" * 50))
    with (
        pytest.raises(UnreadableError, match="has more than 100 bytes"),
        files.unpacked(path, SIZE) as content,
    ):
        content.read(1000)


@pytest.mark.parametrize("cut", [3, 12, -1])
def test_a_packed_file_that_is_cut_short_is_refused(tmp_path: Path, cut: int) -> None:
    (tmp_path / "x").write_bytes(gzip.compress(b"a\n" * 3)[:cut])
    with pytest.raises(UnreadableError, match=r"cannot be read: Compressed file ended"):
        lines(tmp_path / "x")


def test_files_are_found_in_folders_inside_each_other_but_not_without_end(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "x").touch()
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    assert list(files.files_below(tmp_path)) == [tmp_path / "a" / "b" / "x"]
    tmp_path.joinpath(*["a"] * 33).mkdir(parents=True)
    with pytest.raises(UnreadableError, match="more than 32 folders inside each other"):
        list(files.files_below(tmp_path))


@pytest.mark.parametrize("given", ["much", "0", "-1", "nan", "inf", "1e9"])
def test_a_factor_that_is_none_is_refused(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SETTING, given)
    with pytest.raises(MachineError, match=f"{SETTING} is '{given}'; expected a factor for every limit"):
        TEN.check(1)


def test_every_limit_says_what_it_is_of() -> None:
    assert len({(limit.unit, limit.of) for limit in LIMITS}) == len(LIMITS)
