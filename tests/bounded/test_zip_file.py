"""Zip files of several files are unpacked within limits, whatever they say of their sizes."""

import zipfile
from io import BytesIO

import pytest

from harness.bounded.limits import SETTING, UnreadableError
from harness.bounded.zip_file import opened_zip
from tests.builders.archives import zip_bytes

TEXTS = {"a.json": b'{"a": 1}', "b/c.json": b"[1, 2]" * 1000}


@pytest.mark.parametrize("zstd", [False, True])
def test_files_are_read_by_name_in_the_order_of_the_list(zstd: bool) -> None:
    with opened_zip(zip_bytes(TEXTS, zstd=zstd)) as archive:
        assert archive.names == ("a.json", "b/c.json")
        assert {name: archive.read(name) for name in archive.names} == TEXTS


def test_the_last_of_two_files_of_one_name_counts() -> None:
    made = BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("a", b"old")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("a", b"new")
    with opened_zip(made.getvalue()) as read:
        assert read.read("a") == b"new"


@pytest.mark.parametrize("zstd", [False, True])
def test_a_file_that_unpacks_to_more_than_allowed_is_refused(zstd: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SETTING, "0.001")
    bomb = zip_bytes({"a": b" " * 200_000}, zstd=zstd)
    assert len(bomb) < 2_000
    with opened_zip(bomb) as archive, pytest.raises(UnreadableError, match="'a' has more than 100,000 bytes"):
        archive.read("a")


def test_all_files_together_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SETTING, "0.001")
    bomb = zip_bytes({str(number): b" " * 90_000 for number in range(9)})
    with opened_zip(bomb) as archive, pytest.raises(UnreadableError, match="has more than 500,000 bytes"):
        list(map(archive.read, archive.names))


def test_a_size_that_is_not_true_is_damage() -> None:
    content = bytearray(zip_bytes({"a": b"x" * 5_000}))
    end = content.rindex(b"PK\1\2")
    content[end + 24 : end + 28] = (10).to_bytes(4, "little")  # the unpacked size
    with opened_zip(bytes(content)) as archive, pytest.raises(UnreadableError, match="cannot be read: "):
        archive.read("a")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"PK\3\4 and nothing more", "cannot be read: File is not a zip file"),
        (zip_bytes(TEXTS)[:-30], "cannot be read: File is not a zip file"),
        (b"PK\6\6" + bytes(52) + b"PK\6\7" + bytes(16) + b"PK\5\6" + bytes(18), "zip file for gigabytes (ZIP64)"),
    ],
)
def test_damage_is_one_line(content: bytes, said: str) -> None:
    with pytest.raises(UnreadableError) as caught, opened_zip(content):
        pass
    assert said in str(caught.value)


def test_other_ways_of_packing_are_refused() -> None:
    made = BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("a", b"x")
    with opened_zip(made.getvalue()) as read, pytest.raises(UnreadableError, match="packed neither by deflate nor by"):
        read.read("a")


def test_a_file_that_is_not_there_is_named() -> None:
    with opened_zip(zip_bytes(TEXTS)) as archive, pytest.raises(UnreadableError, match="holds no file 'z'"):
        archive.read("z")
