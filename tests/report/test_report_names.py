"""Names of others in the report: text, whatever they look like, and no commands for those who copy its lines."""

import shlex
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from harness.analysis.verdict import study
from harness.report import report_page
from tests.builders import cell, failed
from tests.builders.hostile import MARKUP, foreign, joined

NAME = joined(MARKUP)


class Elements(HTMLParser):
    """The elements of a page with their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def page(name: str) -> Elements:
    """The report on a family, a failure and a file with that name."""
    made = [replace(r, n_expected=300, n_truncated=2) for r in foreign(name)]
    made = [replace(r, provenance=replace(r.provenance, device=name, versions={name: name})) for r in made]
    return Elements(report_page(study(made, [failed(cell(task=name), error=name, message=name)]), title=name))


@pytest.fixture(scope="module")
def hostile() -> Elements:
    return page(NAME)


def test_no_name_becomes_an_element(hostile: Elements) -> None:
    harmless = page("harmless")
    assert [tag for tag, _ in hostile.elements] == [tag for tag, _ in harmless.elements]
    assert [sorted(attributes) for _, attributes in hostile.elements] == [
        sorted(attributes) for _, attributes in harmless.elements
    ]


def test_links_lead_into_the_page(hostile: Elements) -> None:
    links = [attributes["href"] or "" for tag, attributes in hostile.elements if tag == "a"]
    assert links
    assert all(link.startswith("#") for link in links)


def test_names_can_be_read(hostile: Elements) -> None:
    assert NAME in "".join(hostile.text)


@pytest.mark.parametrize("name", ["toy; rm -rf /", "$(reboot)", "`reboot`", "a b", "a\nreboot"])
def test_a_name_is_one_word_of_the_command_that_makes_the_results_again(name: str) -> None:
    text = "".join(page(name).text)
    command = text[text.index("emergence run --family") :]
    words = shlex.split(command[: command.index("emergence report")])
    assert words[:4] == ["emergence", "run", "--family", f"family {name}"]
    assert words[words.index("--task") + 1].split(",")[0] == name
