"""How the values of options are read: lists, whole numbers, sizes and times."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Sequence

from harness.errors import PlanError
from harness.plausible import LARGEST_COUNT
from harness.wording import quantity


def split(values: Sequence[str] | None) -> tuple[str, ...]:
    """The words of a list option, which can be repeated or separated by commas: `--shots 0 --shots 2,5` is 0, 2, 5."""
    return tuple(part.strip() for value in values or () for part in value.split(",") if part.strip())


def names(values: Sequence[str] | None) -> tuple[str, ...]:
    """The words of a list option that are names of the catalogue, letters written as there.

    An accent can be a letter of its own, as some systems write it, and looks the same.
    """
    return tuple(unicodedata.normalize("NFC", name) for name in split(values))


def meant(asked: Iterable[str], known: Iterable[str]) -> tuple[str, ...]:
    """The names that were asked for, as the results write them, whichever way accents were typed."""
    written = {unicodedata.normalize("NFC", name): name for name in known}
    return tuple(written.get(unicodedata.normalize("NFC", name), name) for name in asked)


def whole_numbers(values: Sequence[str] | None, option: str) -> tuple[int, ...] | None:
    """The whole numbers of a list option; None when the option was not given.

    Raises:
        PlanError: a word is not a whole number.
    """
    parts = split(values)
    try:
        return tuple(int(part) for part in parts) or None
    except ValueError:
        raise PlanError(f"{option} {','.join(parts)}: expected whole numbers such as 0,2,5") from None


def document_limit(text: str | None) -> int | float | None:
    """Number of documents, or a share of them below 1; None for all.

    Raises:
        PlanError: it is neither.

    >>> document_limit("100"), document_limit("0.1"), document_limit(None)
    (100, 0.1, None)
    """
    if text is None:
        return None
    number = float(text) if re.fullmatch(r"-?(\d{1,15}(\.\d*)?|\.\d+)", text.strip()) else math.nan
    if 0.0 < number < 1.0:
        return number
    if number.is_integer():
        return int(number)
    raise PlanError(f"--limit {text}: expected a number of documents such as 100, or a share of them such as 0.1")


def count_of(text: str, option: str) -> int:
    """A whole number above 0 that people write in short, such as 2M.

    Raises:
        PlanError: it is none.

    >>> count_of("2M", "--tokens-per-step"), count_of("2097152", "--tokens-per-step")
    (2000000, 2097152)
    """
    read = quantity(text)
    if read is None or not 0 < read <= LARGEST_COUNT or read != read.to_integral_value():
        raise PlanError(f"{option} {text}: expected a whole number above 0, such as 2097152 or 2M")
    return int(read)


def seconds_in(text: str, option: str) -> float:
    """Seconds of a time such as `30s`, `10m`, `1.5h` or `600`.

    Raises:
        PlanError: it is none, or longer than a month.

    >>> seconds_in("10m", "--every"), seconds_in("30", "--every")
    (600.0, 30.0)
    """
    found = re.fullmatch(r"(\d{1,7}(?:\.\d{1,3})?)\s*([smhd]?)", text.strip().lower())
    seconds = float(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}[found[2]] if found else 0.0
    if not 0.0 < seconds <= 2_678_400:
        raise PlanError(f"{option} {text}: expected a time such as 30s, 10m or 1h, of a month at most")
    return seconds


def memory_bytes(text: str, option: str) -> float:
    """Bytes of a size such as `80GB`, `40 GiB` or `80`, which counts in gigabytes.

    Raises:
        PlanError: it is no size, or none that a GPU has.

    >>> memory_bytes("80GB", "--gpu-memory"), memory_bytes("16GiB", "--gpu-memory")
    (80000000000.0, 17179869184.0)
    """
    units = {"": 1e9, "gb": 1e9, "gib": 2.0**30, "g": 1e9, "tb": 1e12, "tib": 2.0**40}
    found = re.fullmatch(r"(\d{1,7}(?:\.\d{1,3})?)\s*([a-z]*)", text.strip().lower())
    size = float(found[1]) * units.get(found[2], 0.0) if found else 0.0
    if not 1e9 <= size <= 1e13:
        raise PlanError(f"{option} {text}: expected a size such as 80GB, of 1 GB to 10,000 GB")
    return size
