"""The documentation holds together: every link leads somewhere, every page can be reached, every command exists."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer
import yaml

from harness.catalog.yaml_files import FamilyFile, ModelFile
from harness.cli import app
from harness.cli.arguments import in_our_words

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    path
    for pattern in ("*.md", "docs/*.md", "tasks/**/*.md", "results/*.md", "harness/ladder/*.md")
    for path in ROOT.glob(pattern)
)
_LINK = re.compile(r"(?<!\!)\[[^\]]+\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def without_code(text: str) -> str:
    return re.sub(r"`[^`\n]*`", "", re.sub(r"```.*?```", "", text, flags=re.DOTALL))


def links(path: Path) -> list[str]:
    return [a or b for a, b in _LINK.findall(without_code(path.read_text(encoding="utf-8")))]


def anchors(path: Path) -> set[str]:
    headings = re.findall(
        r"^#+ (.+)$", re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL), re.M
    )
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_of_a_page_leads_somewhere(page):
    for link in links(page):
        if re.match(r"[a-z]+:", link):
            assert link.startswith("https://"), f"{name(page)}: {link}"
            continue
        target, _, anchor = link.partition("#")
        file = (page.parent / target).resolve() if target else page
        assert file.exists(), f"{name(page)} links to {link}, which is not there"
        assert not anchor or anchor in anchors(file), f"{name(page)} links to {link}; no such heading"


def test_pages_of_the_site_link_only_to_pages_of_the_site():
    for page in ROOT.glob("docs/*.md"):
        inside = [link for link in links(page) if not re.match(r"[a-z]+:|#", link)]
        assert not [link for link in inside if link.startswith("../")], name(page)


def test_every_page_stands_in_the_map_of_the_readme_and_in_the_site():
    pages = {path.name for path in ROOT.glob("docs/*.md")}
    mapped = {link.removeprefix("docs/") for link in links(ROOT / "README.md") if link.startswith("docs/")}
    site = str(yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"])
    reached = mapped | {link for page in ROOT.glob("docs/*.md") for link in links(page)}
    assert not pages - reached - {"index.md"}
    assert not {page for page in pages if page not in site}


def commands() -> list[tuple[str, str]]:
    """Every `emergence ...` line of the pages' shell examples."""
    found = []
    for page in PAGES:
        for block in re.findall(r"```(?:sh|bash)\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL):
            found += [(name(page), line) for line in block.splitlines() if re.search(r"(^|\s)emergence ", line)]
    return found


@pytest.mark.parametrize(("page", "line"), commands(), ids=lambda value: value[:60])
def test_every_command_of_the_pages_exists_with_its_options(page, line):
    words = shlex.split(line[line.index("emergence ") :], comments=True)[1:]
    verbs = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    assert words[0] in verbs, f"{page}: {line}"
    known = {option for parameter in verbs[words[0]].params for option in (*parameter.opts, *parameter.secondary_opts)}
    options = words[1 : words.index("--")] if "--" in words else words[1:]  # what follows is another verb's
    options = in_our_words(verbs[words[0]], options).arguments
    for word in options:
        if word.startswith("--"):
            assert word.partition("=")[0].replace("_", "-") in known, f"{page}: {line}"


def test_the_readme_stays_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 140


def test_every_key_of_a_family_file_stands_in_its_page():
    page = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    for file in (FamilyFile, ModelFile):
        for key in file.model_fields:
            assert re.search(rf"^\|[^|]*`{key}`", page, re.MULTILINE), f"docs/models.md does not explain {key}"


def test_the_gallery_shows_what_its_commands_draw_in_less_than_a_megabyte() -> None:
    folder = ROOT / "docs" / "gallery"
    text = (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8")
    shown = set(re.findall(r"\(gallery/([\w.]+)\)", text))
    assert shown == {path.name for path in folder.iterdir()}
    assert sum(path.stat().st_size for path in folder.iterdir()) < 1_000_000
    drawn = set(re.findall(r"--figure (\S+\.svg)", text))
    assert shown - drawn == {"shots.svg"}, "one of those that `emergence report --figures` writes"
