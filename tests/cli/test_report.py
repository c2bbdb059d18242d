"""`emergence report` writes its figures as pictures too."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from harness.store import Store
from tests.builders import SIZES, cell, model, result, task
from tests.builders.commands import Emergence


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Four sizes on two tasks, in the folder that commands take unless told otherwise."""
    made = Store(tmp_path / "results")
    for name in ("a.b", "a-b"):
        for size, right in zip(SIZES[:4], (3, 4, 7, 9), strict=True):
            made.write(result(cell(model=model(size), of=task(name)), values=[1.0] * right + [0.0] * (10 - right)))
    return made


@pytest.mark.usefixtures("store")
def test_every_figure_of_the_page_is_a_picture_of_its_own(emergence: Emergence, tmp_path: Path) -> None:
    done = emergence("report", "--figures", "drawn", "--width", "84mm", "--font", "7")
    assert done.code == 0, done.err
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    pictures = sorted((tmp_path / "drawn").iterdir())
    assert len(pictures) == page.count("<figure data-figure=") > 3
    assert f"{len(pictures)} figures written to drawn" in done.err
    assert all(re.fullmatch(r"\d{3}-[\w.-]+\.svg", path.name) for path in pictures)
    assert {ET.parse(path).getroot().get("width") for path in pictures} == {"84mm"}


@pytest.mark.usefixtures("store")
def test_a_width_without_pictures_is_refused(emergence: Emergence) -> None:
    done = emergence("report", "--width", "3.3in")
    assert (done.code, done.err) == (2, "error: --width is for pictures: expected --figures FOLDER beside it\n")
