"""Every page of three stores at three widths, light and dark: nothing too faint, on top of other things, or endless."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from harness.store import Store
from tests.browser.looks import CONTRAST, HEIGHT, OVERLAPS, SIDEWAYS
from tests.builders.dashboards import CHROMIUM, served

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install -e '.[browser]'")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the PATH: apt-get install chromium, or set CHROMIUM"),
]
WIDTHS = {390: 844, 768: 1024, 1440: 900}
"""Width of a window -> its height."""
PAGES = (
    "",
    "curves",
    "verdicts",
    "metric",
    "forecast",
    "shots",
    "classes",
    "leaderboard",
    "costs",
    "compare",
    "samples",
    "runs",
)
MOST_SCREENS = 6.0


@pytest.fixture(scope="module")
def addresses(store: Store, families_store: Store, large_store: Store) -> Iterator[dict[str, str]]:
    """Name of each store -> where its dashboard answers."""
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(served(one.root))
            for name, one in (("embedded", store), ("families", families_store), ("large", large_store))
        }


def settled(page: Page) -> None:
    """Wait until the page is complete and drawn."""
    page.get_by_role("heading", level=1).first.wait_for()
    for _ in range(2):
        page.wait_for_selector("[data-testid='stApp'][data-test-script-state='notRunning']", timeout=120_000)
        page.wait_for_timeout(800)
    page.wait_for_function(
        "[...document.querySelectorAll('[data-testid=stPlotlyChart]')].every(one => one.querySelector('.main-svg'))"
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["embedded", "families", "large"])
def test_every_page_can_be_read(
    browser: Browser, addresses: dict[str, str], name: str, width: int, scheme: str
) -> None:
    size = {"width": width, "height": WIDTHS[width]}
    window = browser.new_context(viewport=size, color_scheme=scheme, reduced_motion="reduce")
    page = window.new_page()
    found: dict[str, list[str]] = {}
    for path in PAGES:
        page.goto(f"{addresses[name]}/{path}")
        settled(page)
        screens = page.evaluate(HEIGHT) / WIDTHS[width]
        faults = [*page.evaluate(CONTRAST), *page.evaluate(OVERLAPS)]
        faults += [f"{screens:.1f} screens"] if screens > MOST_SCREENS else []
        faults += ["wider than its window"] if page.evaluate(SIDEWAYS) > 0 else []
        if faults:
            found[path or "overview"] = faults
    window.close()
    assert found == {}
