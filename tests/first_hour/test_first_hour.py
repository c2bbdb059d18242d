"""The first hour with models of one's own: what is typed in `hour.txt`, with its exit codes and last lines."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.builders.commands import Done, Emergence
from tests.first_hour.models import CAUSAL, write_models


class Typed(NamedTuple):
    """One command of the hour."""

    words: list[str]
    code: int
    last: str


def scenes() -> Iterator[tuple[str, list[Typed]]]:
    text = Path(__file__).with_name("hour.txt").read_text(encoding="utf-8")
    for scene in text.split("\n## ")[1:]:
        title, *lines = scene.strip().splitlines()
        pairs = zip(lines[::2], lines[1::2], strict=True)
        yield title, [Typed(shlex.split(typed)[2:], int(said[0]), said[3:]) for typed, said in pairs]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    write_models(root)
    return root


def last_lines(done: Done) -> list[str]:
    return [text.strip().splitlines()[-1] for text in (done.out, done.err) if text.strip()]


@pytest.mark.parametrize(("title", "hour"), list(scenes()), ids=lambda value: value if isinstance(value, str) else "")
def test_the_first_hour_goes_as_written(
    emergence: Emergence, models: Path, tmp_path: Path, title: str, hour: list[Typed]
) -> None:
    for place in models.iterdir():
        (tmp_path / place.name).symlink_to(place)
    for typed in hour:
        done = emergence(*typed.words)
        shown = f"{title}: {shlex.join(typed.words)}\n{done.out}\n{done.err}"
        assert done.code == typed.code, shown
        assert not re.search("lm_eval|Traceback|UserWarning", done.err), shown
        assert any(re.match(typed.last, line) for line in last_lines(done)), shown


@pytest.mark.ray
def test_the_six_architectures_are_asked_through_ray(emergence: Emergence, models: Path) -> None:
    named = ",".join(str(models / name) for name in CAUSAL)
    done = emergence("run", "--model", named, "--task", "sentiment", "--shots", "0", "--limit", "6", "--workers", "2")
    assert (done.code, done.err.splitlines()[-1][:30]) == (0, "6 cells evaluated, 0 failed, i")


def test_the_hour_meets_six_architectures_and_every_exit_code() -> None:
    typed = [one for _, hour in scenes() for one in hour]
    assert {one.code for one in typed} == {0, 1, 2}
    assert len(typed) > 40
