"""How long a reader of the dashboard waits in a real Chromium, from following the link until something is seen.

Beside it the floor: a Streamlit page that shows one number and one plotly chart of two bars, and computes nothing.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.timing import digits, load, spread
from tests.builders.dashboards import CHROMIUM, served, serving

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from playwright.sync_api import Browser, BrowserContext, Page

ROUNDS = 3
SETTLED_S = 20.0
"""Seconds after which a server has read and judged everything, on all axes."""
PAUSE_S = 1.0
"""Seconds a reader leaves between two choices."""
TIMEOUT_MS = 120_000.0
NUMBER, CHART, GRID = "[data-testid=stMetricValue]", ".js-plotly-plot .main-svg", "[data-testid=stDataFrame] canvas"
# Asked at each frame by the page itself: Playwright's own waiting looks twice a second after a while.
SHOWN = "selector => document.querySelector(selector)?.checkVisibility()"
COMPLETE = f"""last =>
    document.querySelector("[data-testid=stApp][data-test-script-state=notRunning]")
    && !document.querySelector("[data-stale=true]")
    && [...document.querySelectorAll("[data-testid=stPlotlyChart]")].every(chart => chart.querySelector("{CHART}"))
    && ({SHOWN})(last)"""
SEEN = {
    "heading": "h1",
    "numbers": NUMBER,
    "verdicts": f".st-key-verdicts {NUMBER}",
    "chart": CHART,
}
"""What a reader sees of the overview, in that order -> its selector."""
FLOOR = {name: SEEN[name] for name in ("heading", "numbers", "chart")}
PAGES = {
    "Curves": ("Emergent-ability curves", CHART),
    "Verdicts": ("Verdicts", GRID),
    "Shots × scale": ("Shots × scale", CHART),
    "Leaderboard": ("Leaderboard", CHART),
    "Compare": ("Compare two models or settings", GRID),
    "Samples": ("Samples", GRID),
    "Runs": ("Runs", NUMBER),
    "Overview": ("Emergent abilities by model size", CHART),
}
"""Page, as its link has it -> its heading, and what comes last on it."""
FILTERS = {"Shots": "shots", "Tasks": "task"}
"""Filter in the sidebar -> its key in the address."""
FILTERED = tuple(f"{label.lower()} s" for label in FILTERS)
HEAD = ("store", "opened", "browser's cache", *(f"{name} s" for name in SEEN), "goal", "load")
TURNED = ("store", "page turned to", "first time s", "again s", "other axis s", *FILTERED, "goal", "load")
FIRST_GOALS = {"embedded": 2.0, "large": 4.0}
"""Seconds until the first view, by store: that is until its verdicts."""
GOAL = 1.0
"""Seconds of a page that is turned to, and of a change on it."""
EMPTY_PAGE = """
import plotly.graph_objects as go
import streamlit as st

st.title("Nothing")
st.metric("Number", 1)
st.plotly_chart(go.Figure(go.Bar(x=[1, 2], y=[2, 3])))
"""


def missing() -> str | None:
    """What to install before anything here can be timed; None when it is there."""
    try:
        import playwright.sync_api  # noqa: F401
    except ImportError:
        return "what a browser shows is not timed: pip install -e '.[browser]'"
    return None if CHROMIUM else "what a browser shows is not timed: apt-get install chromium, or set CHROMIUM"


def rows(made: Mapping[str, Path], folder: Path) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    """Seconds of the first view, and of turning to each page after it; the floor is written into `folder`."""
    (folder / "empty.py").write_text(EMPTY_PAGE)
    empty = [sys.executable, "-m", "streamlit", "run", str(folder / "empty.py"), "--server.address=127.0.0.1"]
    empty += ["--server.headless=true", "--browser.gatherUsageStats=false", "--server.port"]
    views, turns = [], []
    with chromium() as browser:
        for name, root in made.items():
            views += first_views(browser, name, lambda root=root: served(root), SEEN)
            turns += page_turns(browser, name, root)
        views += first_views(browser, "floor", lambda: serving(empty, folder), FLOOR)
    return views, turns


@contextmanager
def chromium() -> Iterator[Browser]:
    """Chromium without a window."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def first_views(
    browser: Browser, name: str, serve: Callable[[], AbstractContextManager[str]], seen: Mapping[str, str]
) -> list[tuple[object, ...]]:
    """With a server just started and an empty cache; then, the server settled, with an empty cache and a filled one."""
    at_once, empty, filled = [], [], []
    for left in reversed(range(ROUNDS)):
        with serve() as address:
            at_once.append(_view(_window(browser), address, seen))
            if left:
                continue
            time.sleep(SETTLED_S)
            for _ in range(ROUNDS):
                window = _window(browser)
                empty.append(_view(window, address, seen))
                filled.append(_view(window, address, seen))
    kinds = (("at once", "empty", at_once), ("later", "empty", empty), ("later", "filled", filled))
    return [(name, opened, cache, *_columns(of), FIRST_GOALS.get(name, "–"), load()) for opened, cache, of in kinds]


def page_turns(browser: Browser, name: str, root: Path) -> list[tuple[object, ...]]:
    """Each page by its link: for the first time, again, with another axis, and filtered; by one reader."""
    found = []
    with served(root) as address:
        page = _window(browser).new_page()
        page.goto(address)
        page.wait_for_selector(CHART)
        time.sleep(SETTLED_S)
        first = {title: _turn(page, title) for title in PAGES}
        for title, took in first.items():
            again = digits(_turn(page, title))
            axis, filtered = _axis(page, title), [_filtered(page, label) for label in FILTERS]
            found.append((name, title, digits(took), again, axis, *filtered, GOAL, load()))
    return found


def _columns(views: Sequence[Mapping[str, float]]) -> list[str]:
    return [str(spread([view[what] for view in views])) if what in views[0] else "–" for what in SEEN]


def _window(browser: Browser) -> BrowserContext:
    """A window with a cache of its own."""
    window = browser.new_context(viewport={"width": 1400, "height": 1000})
    window.set_default_timeout(TIMEOUT_MS)
    return window


def _view(window: BrowserContext, address: str, seen: Mapping[str, str]) -> dict[str, float]:
    """Seconds until each of `seen` is there."""
    page = window.new_page()
    start = time.perf_counter()
    page.goto(address, wait_until="commit")
    took = {}
    for what, selector in seen.items():
        page.wait_for_function(SHOWN, arg=selector)
        took[what] = time.perf_counter() - start
    page.close()
    return took


def _turn(page: Page, title: str) -> float:
    """Seconds from the click on a page's link until it is there and complete."""
    heading, last = PAGES[title]
    link = page.get_by_test_id("stSidebarNav").get_by_role("link", name=title)
    start = time.perf_counter()
    link.click()
    page.wait_for_function("heading => document.querySelector('h1')?.innerText === heading", arg=heading)
    _complete(page, last)
    return time.perf_counter() - start


def _axis(page: Page, title: str) -> str:
    """Seconds from the choice of another axis until the page is complete; and back again, which is not timed."""
    box = page.get_by_role("combobox", name="Scale axis")
    if not box.count():
        return "–"
    took = []
    for axis, address in (("flops", "scale=flops"), ("params", "")):
        box.click()
        option = page.get_by_role("option", name=axis, exact=True)
        option.wait_for()
        start = time.perf_counter()
        option.click()
        page.wait_for_function("asked => new URL(location).search.includes('scale=') === (asked !== '')", arg=address)
        _complete(page, PAGES[title][1])
        took.append(time.perf_counter() - start)
    return digits(took[0])


def _filtered(page: Page, label: str) -> str:
    """Seconds from the choice of one value of a filter until the page is complete; median over the first values.

    Each is taken back, which is not timed.
    """
    box, key = page.get_by_role("combobox", name=label), FILTERS[label]
    if not box.count():
        return "–"
    took = []
    for turn in range(ROUNDS):
        box.click()
        options = page.get_by_role("option")
        options.first.wait_for()
        option = options.nth(1 + turn % (options.count() - 1))  # the first option stands for all
        start = time.perf_counter()
        option.click()
        _chosen(page, key, 1)
        took.append(time.perf_counter() - start)
        page.keyboard.press("Escape")
        page.get_by_test_id("stMultiSelect").filter(has_text=label).get_by_role("button", name="Clear").first.click()
        _chosen(page, key, 0)
        time.sleep(PAUSE_S)
    return digits(statistics.median(took))


def _chosen(page: Page, key: str, values: int) -> None:
    """Wait until the address holds so many values of a filter, and the page is complete and painted."""
    page.wait_for_function(
        "([key, values]) => new URL(location).searchParams.getAll(key).length === values", arg=[key, values]
    )
    _complete(page)
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def _complete(page: Page, last: str = "h1") -> None:
    """Wait until the script has ended, what was there before is gone, and what comes last can be seen."""
    page.wait_for_function(COMPLETE, arg=last)
