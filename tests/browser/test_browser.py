"""The dashboard in a real Chromium: `make browser`. Writes screenshots of every page, and those of the README."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.store import Store
from tests.builders import cell, result
from tests.builders.dashboards import CHROMIUM, HOSTILE, served

ROOT = Path(__file__).parents[2]
SCREENSHOTS = Path(__file__).parent / "screenshots"

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page

pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install -e '.[browser]'")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the PATH: apt-get install chromium, or set CHROMIUM"),
]
PAGES = (
    "Overview",
    "Curves",
    "Verdicts",
    "Metric or ability",
    "Forecast",
    "Shots × scale",
    "Classes",
    "Leaderboard",
    "Costs",
    "Compare",
    "Samples",
    "Runs",
)
WINDOW = {"width": 1400, "height": 1000}
DOCS = ROOT / "docs"
README_BYTES = 200_000
"""A picture of the README may be so large."""


@pytest.fixture(params=["light", "dark"])
def scheme(request: pytest.FixtureRequest) -> str:
    """What the reader's system prefers."""
    return str(request.param)


@pytest.fixture
def show(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens an address in a fresh window and waits for it; afterwards nothing may have been complained about."""
    complaints: list[str] = []
    windows = []

    def open_(address: str, scheme: str = "light") -> Page:
        window = browser.new_context(viewport=WINDOW, color_scheme=scheme, reduced_motion="reduce")
        windows.append(window)
        page = window.new_page()
        page.on("console", lambda said: complaints.append(complaint(said)) if complaint(said) else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: (complaints.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda asked: complaints.append(asked.url) if away(asked.url) else None)
        page.goto(address)
        page.get_by_role("heading", level=1).first.wait_for()  # before, nothing runs yet
        settle(page)
        return page

    yield open_
    for window in windows:
        window.close()
    assert complaints == []


def complaint(said: ConsoleMessage) -> str:
    """An error on the console. Streamlit's own are none: opened at a page, it tries for its server below that page."""
    url = said.location["url"]
    if said.type != "error" or url.endswith(("/_stcore/health", "/_stcore/host-config")):
        return ""
    return f"{said.text} {url}"


def away(url: str) -> bool:
    """True when a page asks somebody else: results are nobody's business, and nodes may have no network."""
    return not url.startswith(("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:"))


def settle(page: Page) -> None:
    """Wait until the script has ended, and nothing on the page is about to be replaced."""
    page.wait_for_selector("[data-testid='stApp'][data-test-script-state='notRunning']", timeout=60_000)
    page.wait_for_timeout(400)  # the browser has still to draw what came last
    page.wait_for_selector("[data-testid='stApp'][data-test-script-state='notRunning']", timeout=60_000)
    page.wait_for_function("!document.querySelector('[data-stale=true]')")
    assert page.get_by_test_id("stException").count() == 0


def go(page: Page, title: str) -> None:
    """Follow the link of a page in the sidebar."""
    page.get_by_test_id("stSidebarNav").get_by_role("link", name=title).click()
    page.get_by_role("heading", level=1).first.wait_for()
    settle(page)


def choose(page: Page, label: str, option: str) -> None:
    """Choose an option of a select box or of a multiple choice."""
    page.get_by_role("combobox", name=label).first.click()
    page.get_by_role("option", name=option, exact=True).first.click()
    page.keyboard.press("Escape")
    settle(page)


def whole(page: Page, path: Path) -> None:
    """A picture of the page from top to bottom, not only of what fits the window."""
    tall = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
    page.set_viewport_size({**WINDOW, "height": max(WINDOW["height"], min(tall, 6000))})
    settle(page)
    path.parent.mkdir(exist_ok=True)
    page.screenshot(path=path)
    page.set_viewport_size(WINDOW)


def pick(page: Page, row: int, table: int = 0) -> None:
    """Choose a row of a table; tables are drawn on a canvas, so it takes a place."""
    page.get_by_test_id("stDataFrame").nth(table).click(position={"x": 16, "y": 35 * (row + 1) + 17})
    settle(page)


def codes(page: Page, n: int) -> list[str]:
    """The texts that stand as they are; the part of Streamlit that shows them arrives late."""
    page.get_by_test_id("stCode").nth(n - 1).wait_for()
    return [code.inner_text().strip() for code in page.get_by_test_id("stCode").all()]


def test_every_page_opens_without_a_complaint(show: Callable[..., Page], address: str, scheme: str) -> None:
    page = show(address, scheme)
    for title in PAGES:
        go(page, title)
        assert page.get_by_role("heading", level=1).count() == 1
        whole(page, SCREENSHOTS / f"{title.lower().replace(' × ', '-')}-{scheme}.png")
    assert page.get_by_test_id("stSidebarNavLink").count() == len(PAGES)


def test_a_table_of_the_overview_that_is_too_wide_scrolls_in_its_place(
    show: Callable[..., Page], hostile_address: str
) -> None:
    page = show(hostile_address)
    page.set_viewport_size({**WINDOW, "width": 400})
    newest = page.get_by_role("region", name="Cells that ended last")
    wide, seen = newest.evaluate("region => [region.scrollWidth, region.clientWidth]")
    assert wide > seen
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_a_filter_changes_the_page_and_its_address(show: Callable[..., Page], address: str) -> None:
    page = show(f"{address}/curves")
    choose(page, "Tasks", "add_3")
    assert "task=add_3" in page.url
    chart = page.get_by_test_id("stPlotlyChart").first
    chart.wait_for()
    assert "exact_match" in chart.text_content()
    assert "skill_shift" not in chart.text_content()
    whole(page, SCREENSHOTS / "one-task.png")


def test_a_filter_goes_along_to_the_next_page(show: Callable[..., Page], address: str) -> None:
    page = show(f"{address}/curves?task=topic&shots=4")
    for title in ("Leaderboard", "Samples", "Curves"):
        go(page, title)
        assert "task=topic" in page.url
        assert "shots=4" in page.url


def test_a_link_with_filters_opens_the_view_it_names(show: Callable[..., Page], address: str) -> None:
    page = show(f"{address}/curves?task=add_2&shots=4&scale=flops")
    sidebar = page.get_by_test_id("stSidebar")
    assert "add_2" in sidebar.inner_text()
    assert "flops" in sidebar.get_by_role("combobox", name="Scale axis").first.input_value() + sidebar.inner_text()
    assert "FLOP" in page.get_by_test_id("stPlotlyChart").first.text_content()


def test_a_verdict_leads_to_its_curve_and_on_to_the_curves(show: Callable[..., Page], address: str) -> None:
    page = show(f"{address}/verdicts?task=add_3&shots=0")
    pick(page, 0)
    page.get_by_role("heading", name="The curve and its evidence").wait_for()
    whole(page, SCREENSHOTS / "one-verdict.png")
    page.get_by_test_id("stMain").get_by_role("link", name="Curve", exact=True).click()
    page.get_by_role("heading", name="Emergent-ability curves").wait_for()
    settle(page)
    assert "/curves" in page.url
    assert "task=add_3" in page.url


def test_back_undoes_one_choice(show: Callable[..., Page], address: str) -> None:
    page = show(f"{address}/verdicts")
    choose(page, "Tasks", "add_3")
    pick(page, 0)
    heading = page.get_by_role("heading", name="The curve and its evidence")
    heading.wait_for()
    assert "row=" in page.url
    page.go_back()
    heading.wait_for(state="detached")
    settle(page)
    assert ("row=" in page.url, "task=add_3" in page.url) == (False, True)
    page.go_back()
    page.wait_for_function("!location.search.includes('task=')")
    settle(page)
    assert "add_3" not in page.get_by_test_id("stSidebar").get_by_test_id("stMultiSelect").first.inner_text()
    page.go_forward()
    page.wait_for_function("location.search.includes('task=')")
    settle(page)
    page.go_forward()
    heading.wait_for()


def test_a_verdict_opens_where_it_is_seen(show: Callable[..., Page], address: str) -> None:
    page = show(f"{address}/verdicts")
    heading = page.get_by_role("heading", name="The curve and its evidence")
    pick(page, 0)
    for width in (1440, 768, 390):
        page.set_viewport_size({"width": width, "height": 900})
        settle(page)
        box = heading.bounding_box()
        assert box is not None
        assert 0 < box["y"] < 900


def test_the_downloaded_leaderboard_is_that_of_the_command_line(
    show: Callable[..., Page], address: str, store: Store, tmp_path: Path
) -> None:
    page = show(f"{address}/leaderboard")
    with page.expect_download() as download:
        page.get_by_role("button", name=re.compile("tidy")).click()
    command = [sys.executable, "-m", "harness", "leaderboard", "--results", str(store.root)]
    subprocess.run([*command, "-o", str(tmp_path / "expected.csv")], cwd=ROOT, check=True)
    assert download.value.path().read_bytes() == (tmp_path / "expected.csv").read_bytes()


def test_a_sample_is_opened_and_sent_as_a_link(show: Callable[..., Page], address: str) -> None:
    page = show(f"{address}/samples?setting=add_2, 4-shot")
    pick(page, 2)
    page.get_by_role("heading", name="One document").wait_for()
    prompt = codes(page, 3)[0]
    assert prompt.count("=") == 5  # four examples and the question
    assert "document=" in page.url
    whole(page, SCREENSHOTS / "one-document.png")
    again = show(page.url)
    again.get_by_role("heading", name="One document").wait_for()
    assert codes(again, 3)[0] == prompt


def test_samples_are_searched(show: Callable[..., Page], address: str, store: Store) -> None:
    page = show(f"{address}/samples?setting=add_2, 0-shot")
    cells = sum(r.cell.task == "add_2" and r.cell.shots == 0 for r in store.results())
    assert f"{256 * cells:,} answers in {cells} of {cells} cells" in page.get_by_test_id("stMain").inner_text()
    page.get_by_label("Search in prompts, targets and answers").fill("68+40=")
    page.keyboard.press("Enter")
    page.get_by_text(f"{cells} answers in {cells} of {cells} cells", exact=False).wait_for()
    page.wait_for_function("location.search.includes('text=68')")  # written when the page is complete


def test_a_document_that_changes_between_sizes_is_opened(show: Callable[..., Page], address: str) -> None:
    page = show(f"{address}/samples?setting=add_3, 0-shot&show=Changes between sizes")
    page.get_by_text("documents change at least once").wait_for()
    pick(page, 0, table=1)
    page.get_by_role("heading", name="One document").wait_for()
    whole(page, SCREENSHOTS / "changes.png")


def test_what_models_and_files_say_is_only_text(
    show: Callable[..., Page], hostile_address: str, hostile_store: Store
) -> None:
    page = show(hostile_address)
    for title in PAGES:
        go(page, title)
        assert page.locator("a[href^=javascript]").count() == 0
        assert page.locator("[data-testid=stMain] script").count() == 0
        assert page.locator("[data-testid=stMain] .katex").count() == 0
        assert page.locator("[data-testid=stMain] img").count() == 0
        assert page.locator("[data-testid=stMain] strong", has_text="bold").count() == 0
    go(page, "Overview")
    assert HOSTILE in page.get_by_role("table", name="Cells that ended last").locator("td").all_inner_texts()
    answered = hostile_store.results()[0].cell
    page = show(f"{hostile_address}/samples?document={answered.key} doc0")
    assert codes(page, 3) == [HOSTILE, "red", HOSTILE]
    assert page.locator("[data-testid=stMain] .katex").count() == 0


def test_the_runs_page_follows_a_run(show: Callable[..., Page], tmp_path: Path) -> None:
    store = Store(tmp_path / "results")
    store.write(result())
    with served(store.root) as there:
        page = show(f"{there}/runs")
        done = page.get_by_test_id("stMetric").filter(has_text="Cells done")
        assert done.get_by_test_id("stMetricValue").inner_text() == "1"
        store.write(result(cell(shots=2)))
        done.get_by_text("2", exact=True).wait_for(timeout=20_000)  # nobody has clicked


def test_the_pictures_of_the_readme_are_drawn(show: Callable[..., Page], address: str, store: Store) -> None:
    page = show(f"{address}/curves?task=add_3&shots=0")
    page.get_by_test_id("stPlotlyChart").first.wait_for()
    portrait(page, "dashboard-curves.png")
    largest = max(
        (r.cell for r in store.results() if r.cell.task == "sentiment_negated" and r.cell.shots == 0),
        key=lambda cell: cell.model.params,
    )
    document = store.samples(largest)[0].doc_hash
    page = show(f"{address}/samples?setting=sentiment_negated, 0-shot&document={largest.key} {document}")
    codes(page, 3)
    page.get_by_role("heading", name="One document").evaluate("heading => heading.scrollIntoView()")
    page.get_by_test_id("stMain").evaluate("main => main.scrollBy(0, 60)")  # to the edge, past the room for a header
    portrait(page, "dashboard-samples.png")


def portrait(page: Page, name: str) -> None:
    """A picture for the README, small enough to be kept with the source."""
    settle(page)
    page.screenshot(path=DOCS / name)
    assert (DOCS / name).stat().st_size < README_BYTES
