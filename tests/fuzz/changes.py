"""Random changes to good files: of the values in them, so that readers get past the first check, and of their bytes."""

from __future__ import annotations

import copy
import json
from random import Random
from typing import Any


def _deep(levels: int, kind: type) -> Any:
    value: Any = kind()
    for _ in range(levels):
        value = [value] if kind is list else {"a": value}
    return value


VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 7, 0.5, -0.0, 1e-320, 1e308, float("nan"), float("inf"), -float("inf")),
    *(2**31, 2**63, 10**19, 10**30, -(10**30), int("9" * 400)),
    *("", " ", "a", "x" * 300, "x" * 5_000, "0", "-1", "1e999", "1e999999999", "NaN", "0x", "0x1f", "1_000", "٣"),
    *("true", "null", "~", "=", "<<", "*a", "&a", "!!int ''", "2001-02-30", "2001-12-14t21:59:43.10-05:00", "12:30:45"),
    *("\x00", "a\x00b", "\n", "\r", "\u2028", "\x85", "\x1b[31m", "\u202e", "\ufeff", "\ud800", "é", "e\u0301", "🙂"),
    *("..", "../../etc/passwd", "/dev/zero", "~nobody-here", "data.jsonl", "data.jsonl/x", ".", "file:///etc/passwd"),
    *("{{", "{{a}}", "{{a", "{% for i in a %}", "{% raw %}", "{{ a ** a }}", "{{" + "(" * 3_000, "{{a.__class__}}"),
    *("question", "options", "label", "acc", "exact_match", "default", "test", "train", "all", "(a+)+$", "[", "(?P<"),
    *(
        "float32",
        "float99",
        "main",
        "model.safetensors",
        "=1+1",
        "<script>",
        "PT1S",
        "file_index",
        "score:acc",
        "0" * 12,
    ),
    *("2026-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+23:59", "1969-12-31T23:59:59-12:00"),
    *([], {}, [[]], [{}], {"a": {}}, [0, 1], ["a", "a"], [1.5, "a", None], {"": ""}, list(range(3_000))),
    *(_deep(60, list), _deep(150, list), _deep(150, dict)),
)
"""What no reader may stumble over, wherever it stands."""
PIECES = (
    *(
        b"\x00",
        b"\xff",
        b"\xef\xbb\xbf",
        b"\r",
        b"\n",
        b"\r\n",
        b"\t",
        b" ",
        b"\xe2\x80\xa8",
        b"\xc2\x85",
        b"\xed\xa0\x80",
    ),
    *(
        b"{",
        b"}",
        b"[",
        b"]",
        b"[" * 500,
        b'{"a":' * 500,
        b":",
        b",",
        b"'",
        b'"',
        b"\\",
        b"\\ud800",
        b"#",
        b"- ",
        b"? ",
    ),
    *(
        b"|",
        b">",
        b"&a ",
        b"*a",
        b"<<: *a",
        b"!!int ",
        b"!!float ",
        b"!!bool ",
        b"!!binary ",
        b"!!set ",
        b"!!python/name:os ",
    ),
    *(
        b"!!omap ",
        b"!!timestamp ",
        b"!!null ",
        b"---\n",
        b"...\n",
        b"%YAML 1.3\n",
        b"0x",
        b"NaN",
        b"-Infinity",
        b"1e999",
    ),
    *(b"9" * 5_000, b"{{", b"}}", b"{%", b"%}", b"PK\x03\x04", b"\x1f\x8b\x08", b"PAR1", b"\x00" * 64, b"\xff" * 8),
)
"""Pieces of text that mean something to a parser."""


def anything(random: Random) -> Any:
    """One of `VALUES`."""
    return copy.deepcopy(random.choice(VALUES))


def changed_value(value: Any, random: Random, most: int = 3) -> Any:
    """A copy with one to `most` of its values replaced, left out, doubled, moved or renamed."""
    value = copy.deepcopy(value)
    for _ in range(random.randint(1, most)):
        places = list(_places(value))
        if not places:
            return anything(random)
        holder, key = random.choice(places)
        _change(holder, key, random)
    return value


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every list or mapping with each of its keys."""
    found: list[tuple[Any, Any]] = []
    waiting = [value]
    while waiting and len(found) < 500:
        one = waiting.pop()
        if isinstance(one, dict | list):
            for key, inner in list(one.items()) if isinstance(one, dict) else enumerate(one):
                found.append((one, key))
                waiting.append(inner)
    return found


def _change(holder: Any, key: Any, random: Random) -> None:
    how = random.randrange(6)
    if how == 0:
        del holder[key]
    elif how == 1 and isinstance(holder, list):
        holder.insert(key, copy.deepcopy(random.choice(holder)))
    elif how == 1 or (how == 2 and isinstance(holder, dict)):
        name = anything(random)
        holder[name if isinstance(name, str) else str(key)] = copy.deepcopy(holder[key])
    elif how == 3:  # the value of another place
        holder[key] = copy.deepcopy(random.choice([*holder.values()] if isinstance(holder, dict) else holder))
    else:
        holder[key] = anything(random)


def changed_bytes(data: bytes, random: Random, most: int = 3) -> bytes:
    """The bytes with one to `most` pieces put in, left out, doubled or replaced."""
    for _ in range(random.randint(1, most)):
        start = random.randrange(len(data) + 1)
        end = min(len(data), start + random.choice((0, 1, 1, 4, 16, 200)))
        how = random.randrange(5)
        middle = {
            0: b"",
            1: random.choice(PIECES),
            2: data[start:end] * random.choice((2, 3, 50)),
            3: bytes([random.randrange(256)]),
            4: data[start:end][::-1],
        }[how]
        data = data[:start] + middle + data[end:]
    return data if random.randrange(20) else data[: random.randrange(len(data) + 1)]


def as_json(value: Any) -> bytes:
    """A value as JSON in UTF-8, with what JSON has no word for as Python writes it."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
