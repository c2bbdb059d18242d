"""Numbers, times and foreign text as people read them: one place for command line, report, figures and dashboard.

Every function is pure and needs the standard library alone. JSON and CSV files hold the numbers themselves, in full.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from decimal import Decimal
from html import escape
from typing import Any
from unicodedata import category

_SUFFIXES = ("", "k", "M", "B", "T")
"""What model names use for each thousand times more. Above the last, papers print powers of ten (FLOPs)."""
_SMALLEST_POWER = -4
"""Numbers below 0.0001 are written with a power of ten."""
_SMALLEST_PROBABILITY = 1e-300
"""A smaller one is about to leave the range of a float, and its digits mean nothing."""
_HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)
"""Characters that a terminal obeys or that have no shape: control, line and direction characters, half pairs, tags.

Spaces of any width, and the joiners that some scripts need, are not among them.
"""
MOST_QUOTED = 200
"""Characters of foreign text in a message."""
_FORMULA = re.compile(r"[\s'\"]*[=+\-@＝＋－＠\t\r\n]")
"""How a cell begins that spreadsheets take for a formula, also behind spaces and quotes, and in East Asian width."""
_INNER_FORMULA = re.compile(r"(?<=[;\t\r\n])(?=[\s'\"]*[=+\-@＝＋－＠])")
"""Where a formula begins inside a cell for spreadsheets that split rows at semicolons, tabs or line ends: with a comma
for the decimal point, Excel takes semicolons for separators."""
_DEFUSED_INNER = re.compile(r"(?<=[;\t\r\n])'(?=[\s'\"]*[=+\-@＝＋－＠])")
_NEGATIVE = re.compile(r"-\d+(\.\d*)?([eE][-+]?\d+)?")
_MARKDOWN = re.compile(r"[\\|`*\[\]$~]")
"""Signs that could end a cell of a Markdown table, or make of it more than text; as codes where HTML has one."""
_LONGEST_FILE_NAME = 60
"""Characters; four bytes each leave room for an ending within the 255 bytes of most file systems."""
_POWERS = {"": 0, "K": 3, "M": 6, "B": 9, "G": 9, "T": 12, "P": 15}
"""Letters behind a number -> power of ten."""
_QUANTITY = re.compile(r"(?P<digits>[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?) ?(?P<unit>[kKmMbBgGtTpP]?)")
_UNITS_OF_TIME = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def number(value: float, digits: int = 3) -> str:
    """Three significant digits without trailing zeros, with the suffix that model names use: 184k, 1.9M, 6.9B.

    >>> number(184_320), number(1_900_000), number(6.9e9), number(2.4e22), number(512)
    ('184k', '1.9M', '6.9B', '2.4e22', '512')
    >>> number(2.6149), number(2.6149, digits=2), number(0.05), number(0.000012)
    ('2.61', '2.6', '0.05', '1.2e-5')
    """
    if not math.isfinite(value):
        return str(value)
    # Rounded once, and before the suffix is chosen: 999,600 is 1M and not 1000k.
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    power = int(exponent)
    if float(mantissa) == 0:
        return "0"
    thousands = max(0, power // 3)
    if power < _SMALLEST_POWER or thousands >= len(_SUFFIXES):
        return f"{_stripped(mantissa)}e{power}"
    rest = power - 3 * thousands
    return _stripped(f"{float(f'{mantissa}e{rest}'):.{max(0, digits - 1 - rest)}f}") + _SUFFIXES[thousands]


def quantity(text: str) -> Decimal | None:
    """The number that people write in short, exactly, such as the size in a model's name; None when it is no number.

    >>> quantity("7B"), quantity("1.4t"), quantity("410 M"), quantity("7e9"), quantity("2.5"), quantity("many")
    (Decimal('7E+9'), Decimal('1.4E+12'), Decimal('4.10E+8'), Decimal('7E+9'), Decimal('2.5'), None)
    """
    found = _QUANTITY.fullmatch(text.strip())
    return None if found is None else Decimal(found["digits"]).scaleb(_POWERS[found["unit"].upper()])


def one_decimal(value: float) -> str:
    """What is only held against a few whole numbers: a z value, a factor.

    >>> one_decimal(3.449), one_decimal(-2.0)
    ('3.4', '-2.0')
    """
    return f"{value:.1f}"


def count(value: int) -> str:
    """A whole number with all its digits.

    >>> count(12_345)
    '12,345'
    """
    return f"{value:,}"


def counted(value: int, one: str, many: str | None = None) -> str:
    """A number of things, with their name.

    >>> counted(1, "cell"), counted(1200, "cell"), counted(2, "family", "families")
    ('1 cell', '1,200 cells', '2 families')
    """
    return f"{count(value)} {one if value == 1 else many or f'{one}s'}"


def span(values: Iterable[int]) -> str:
    """The smallest and the largest of some whole numbers, or the one that all are; at least one is given.

    >>> span([200, 200]), span([120, 1200])
    ('200', '120 to 1,200')
    """
    known = tuple(values)
    least, most = min(known), max(known)
    return count(least) if least == most else f"{count(least)} to {count(most)}"


def places(best: int, last: int) -> str:
    """The places of a ranking that something can hold.

    >>> places(1, 3), places(2, 2)
    ('1–3', '2')
    """
    return str(best) if best == last else f"{best}–{last}"


def score(value: float | None) -> str:
    """A score with three decimals; empty when there is none.

    >>> score(0.25), score(-12.3456), score(None)
    ('0.250', '-12.346', '')
    """
    return "" if value is None or math.isnan(value) else f"{value:.3f}"


def signed(value: float | None) -> str:
    """A difference of scores with its sign; empty when there is none.

    >>> signed(0.25), signed(-0.0312), signed(None)
    ('+0.250', '-0.031', '')
    """
    return "" if value is None or math.isnan(value) else f"{value:+.3f}"


def interval(low: float | None, high: float | None, write: Callable[[float | None], str] = score) -> str:
    """Both ends, written as `write` writes each; empty when one of them is not known.

    >>> interval(0.1, 0.25), interval(-0.1, 0.25, signed), interval(None, 0.25)
    ('0.100 to 0.250', '-0.100 to +0.250', '')
    """
    return "" if low is None or high is None else f"{write(low)} to {write(high)}"


def probability(p: float | None) -> str:
    """A p or q value with its sign of relation, as it stands in a sentence after its name.

    >>> probability(0.0312), probability(1e-9), probability(0.5), probability(None)
    ('= 0.031', '< 0.001', '= 0.50', 'unknown')
    """
    if p is None:
        return "unknown"
    if p < 0.001:
        return "< 0.001"
    return f"= {p:.3f}" if p < 0.1 else f"= {p:.2f}"


def p_value(p: float | None) -> str:
    """A p or q value as it stands in a table; empty when there is none.

    >>> p_value(0.0312), p_value(1e-9), p_value(0.5), p_value(None)
    ('0.031', '<0.001', '0.50', '')
    """
    return "" if p is None else probability(p).removeprefix("= ").replace("< ", "<")


def small_probability(p: float | None) -> str:
    """A p or q value in three digits however small, for those who compare orders of magnitude; empty without one.

    >>> small_probability(0.0312), small_probability(3.4e-12), small_probability(0.0), small_probability(None)
    ('0.0312', '3.4e-12', '<1e-300', '')
    """
    if p is None:
        return ""
    return "<1e-300" if p < _SMALLEST_PROBABILITY else number(p)


def percent(share: float, decimals: int = 0) -> str:
    """A share of one in percent.

    >>> percent(0.954), percent(1.0), percent(0.0123, decimals=1)
    ('95%', '100%', '1.2%')
    """
    return f"{share:.{decimals}%}"


def percent_change(share: float) -> str:
    """A relative difference in percent, with its sign.

    >>> percent_change(-0.183), percent_change(0.0321)
    ('-18%', '+3%')
    """
    return f"{share:+.0%}"


def duration(seconds: float) -> str:
    """Seconds in the two largest units that they fill; a second unit of nothing is left out.

    >>> duration(0.034), duration(4.2), duration(75), duration(7320), duration(7200), duration(200_000)
    ('0.034 s', '4 s', '1 min 15 s', '2 h 2 min', '2 h', '2 d 7 h')
    """
    if abs(seconds) < 1:
        return f"{number(seconds, digits=2)} s"
    rest = round(seconds)
    parts = []
    for unit, name in _UNITS_OF_TIME:
        whole, rest = divmod(rest, unit)
        if whole:
            parts.append(f"{whole} {name}")
        elif parts:
            break
    return " ".join(parts[:2])


def clock(seconds: float) -> str:
    """Time left as a clock shows it, of steady width beside a bar: minutes and seconds, with hours if there are any.

    >>> clock(48), clock(725), clock(10_810)
    ('0:48', '12:05', '3:00:10')
    """
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def moment(when: datetime, timespec: str = "seconds") -> str:
    """A time with its zone, which is always UTC; `timespec` as of `datetime.isoformat`.

    >>> moment(datetime(2025, 3, 1, 9, 30, tzinfo=UTC)), moment(datetime(2025, 3, 1, 9, 30, tzinfo=UTC), "minutes")
    ('2025-03-01 09:30:00 UTC', '2025-03-01 09:30 UTC')
    """
    return f"{when.astimezone(UTC).replace(tzinfo=None).isoformat(' ', timespec)} UTC"


def energy(watt_hours: float) -> str:
    """An energy in the unit of watt-hours that leaves few digits.

    >>> energy(0.0123), energy(12.34), energy(1500)
    ('12.3 mWh', '12.3 Wh', '1.5 kWh')
    """
    for unit, name in ((1e6, "MWh"), (1e3, "kWh"), (1.0, "Wh")):
        if float(f"{watt_hours:.2e}") >= unit:
            return f"{number(watt_hours / unit)} {name}"
    return f"{number(1e3 * watt_hours)} mWh"


def carbon(grams: float) -> str:
    """Carbon dioxide in the unit that suits it.

    >>> carbon(0.0123), carbon(12.34), carbon(1500), carbon(2.5e6)
    ('12.3 mg', '12.3 g', '1.5 kg', '2.5 t')
    """
    for unit, name in ((1e6, "t"), (1e3, "kg"), (1.0, "g")):
        if float(f"{grams:.2e}") >= unit:
            return f"{number(grams / unit)} {name}"
    return f"{number(1e3 * grams)} mg"


def file_size(size: float) -> str:
    """Bytes in the unit that suits them, 1,000 of each in the next.

    >>> file_size(999), file_size(1_234_000), file_size(28_000_000_000)
    ('999 bytes', '1.23 MB', '28 GB')
    """
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 999.5:
            return f"{number(size)} {unit}"
        size /= 1000
    return f"{number(size)} TB"


def shortened(text: str, most: int) -> str:
    """The beginning of a text that is longer than `most` characters, with a sign that something follows.

    >>> shortened("tried to allocate", 8), shortened("tried", 8)
    ('tried t…', 'tried')
    """
    return text if len(text) <= most else f"{text[: most - 1]}…"


def visible(text: str) -> str:
    r"""Foreign text on one line that no terminal obeys: a sign for each character that has no shape of its own.

    >>> visible("a\x1b[31mred\nb"), visible("naïve 日本語 ✓")
    ('a�[31mred�b', 'naïve 日本語 ✓')
    """
    return _HIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)


def one_line(text: str) -> str:
    r"""Foreign text as one visible line; several lines become one, so that no word of others starts a line of its own.

    >>> one_line("cannot be read:\n  line 3")
    'cannot be read: line 3'
    """
    return visible(" ".join(part.strip() for part in text.split("\n")) if "\n" in text else text)


def cut(text: str, most: int = MOST_QUOTED) -> str:
    """The beginning of a text that is longer than a message can bear.

    >>> cut("short"), cut("abcdefgh", 5)
    ('short', 'abcd…')
    """
    return text if len(text) <= most else f"{text[: most - 1]}…"


def quoted(value: object) -> str:
    r"""A value out of a file, as a message shows what was found: as Python writes it, and cut.

    >>> quoted("a\x1b"), quoted({"key": 1}), quoted("x" * 300)[-4:]
    ("'a\\x1b'", "{'key': 1}", 'xxx…')
    """
    try:
        return cut(repr(value))
    except ValueError:  # a whole number of more digits than Python writes
        return "a number of thousands of digits"


def visible_json(data: Any, indent: int | None = None) -> str:
    r"""JSON that reads the same and holds no hidden character: floats keep their digits, absence is null.

    >>> visible_json(["é", "\x9b31m"])
    '["é", "\\u009b31m"]'
    """
    text = json.dumps(data, indent=indent, ensure_ascii=False, allow_nan=False)
    # JSON escapes what is below the space itself; the line feeds left are those between its lines.
    return _HIDDEN.sub(lambda found: found[0] if found[0] == "\n" else json.dumps(found[0])[1:-1], text)


def natural_order(text: str) -> tuple[tuple[str, int], ...]:
    """A key that sorts texts as people do: the numbers in them by size.

    >>> sorted(["run 10", "run 2", "rerun"], key=natural_order)
    ['rerun', 'run 2', 'run 10']
    """
    return tuple((words, int(digits or 0)) for words, digits in re.findall(r"([^0-9]*)([0-9]*)", text)[:-1])


def letters_of(text: str, signs: str, instead: str) -> str:
    r"""The text with its letters, digits and marks, of any script, and some signs; `instead` is for each run of others.

    >>> letters_of("नाम 1/日本語", "-", "_"), letters_of("a\x00b", "", "")
    ('नाम_1_日本語', 'ab')
    """
    kept = (one if one in signs or one.isalnum() or category(one)[0] == "M" else "\x00" for one in text)
    return re.sub("\x00+", lambda _: instead, "".join(kept))


def file_name(text: str) -> str:
    """Foreign text as the name of a file: letters and digits of any script, points inside, and hyphens for the rest.

    >>> file_name("shots-org/model v1.5"), file_name("../../.profile")
    ('shots-org-model-v1.5', 'profile')
    """
    return letters_of(text, "._", "-").strip("-.")[:_LONGEST_FILE_NAME] or "unnamed"


def defused(text: str) -> str:
    """A cell of a CSV file that no spreadsheet takes for a formula, as an apostrophe stands where one would begin.

    >>> defused("=1+1"), defused("  @SUM(A1)"), defused("-0.5"), defused("pythia-70m"), defused("a;=1+1")
    ("'=1+1", "'  @SUM(A1)", '-0.5', 'pythia-70m', "a;'=1+1")
    """
    inside = _INNER_FORMULA.sub("'", text)
    return f"'{inside}" if _is_formula(text) else inside


def as_written(cell: str) -> str:
    """The text that `defused` made this cell of.

    >>> as_written("'=1+1"), as_written("'quoted'"), as_written("-0.5"), as_written("a;'=1+1")
    ('=1+1', "'quoted'", '-0.5', 'a;=1+1')
    """
    inside = _DEFUSED_INNER.sub("", cell)
    return inside[1:] if inside.startswith("'") and _is_formula(inside[1:]) else inside


def _is_formula(text: str) -> bool:
    return _FORMULA.match(text) is not None and _NEGATIVE.fullmatch(text) is None


def markdown(text: str) -> str:
    r"""Foreign text in a cell of a Markdown table: it ends no cell, and is no HTML, link, picture or formula.

    >>> print(markdown("a|b <b> [link](http://example.org)"))
    a\|b &lt;b&gt; \[link\](http://example.org)
    """
    return _MARKDOWN.sub(r"\\\g<0>", escape(visible(text), quote=False))


def _stripped(digits: str) -> str:
    """Without the zeros behind the point that say nothing."""
    return digits.rstrip("0").rstrip(".") if "." in digits else digits
