import base64
import gzip
import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml

from harness.analysis.verdict import study
from harness.figures import heading
from harness.records import Weights
from harness.report.citation import AUTHORS, TITLE, bibtex
from harness.report.report import report_page
from harness.specs import MetricSpec
from harness.store import Problem
from harness.task_cards import task_cards
from tests.builders import SIZES, cell, counted, failed, grown, made_with, model, sample, task
from tests.builders.classes import chosen

RISE = (50, 52, 75, 90, 110, 125, 140, 160)
MADE_AT = datetime(2026, 2, 3, 4, 5, tzinfo=UTC)


class Outline(HTMLParser):
    """What a browser would see, scripts and styles aside."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text = ""
        self.ids: list[str] = []
        self.links: list[str] = []
        self.loads: list[str] = []
        self._hidden = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self._hidden = tag in {"script", "style"}
        self.ids += [given["id"]] if "id" in given else []
        self.links += [given["href"]] if tag == "a" else []
        self.loads += [given[name] for name in ("src", "href") if name in given and tag != "a"]

    def handle_endtag(self, tag: str) -> None:
        self._hidden = False

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.text += data


@pytest.fixture(scope="module")
def page() -> str:
    results = [r for name in ("colours", "shapes") for shots in (0, 2) for r in grown(RISE, of=task(name), shots=shots)]
    lost = results.pop()
    wrong = failed(lost.cell, error="ValueError", message="<img src=x onerror=alert(1)> is no answer")
    problem = Problem(path=Path("results/toy/cell.json"), message="is damaged: not JSON")
    return report_page(study(results, [wrong], [problem]), made_at=MADE_AT)


def test_the_page_loads_nothing_from_elsewhere(page: str) -> None:
    assert Outline(page).loads == []
    assert "@import" not in page.partition("<script>")[0]


def test_every_link_leads_to_a_place_on_the_page(page: str) -> None:
    outline = Outline(page)
    assert len(outline.links) > 10
    assert {link.removeprefix("#") for link in outline.links} <= set(outline.ids)


def packed(page: str, name: str) -> str:
    """What the page has packed under a name."""
    found = re.search(f'<script type="text/plain" id="{name}">(.*?)</script>', page)
    assert found is not None
    return gzip.decompress(base64.b64decode(found[1])).decode()


def test_plotly_is_inlined_once_and_the_page_stays_small(page: str) -> None:
    assert len(re.findall(r"plotly\.js v\d", packed(page, "plotly"))) == 1
    assert len(page.encode()) < 3e6


def test_every_figure_is_a_still_picture_too(page: str) -> None:
    stills = re.findall(r'<div class="still">(<svg .*?</svg>)</div>', page)
    assert len(stills) == len(json.loads(packed(page, "figures"))) == page.count("<figure data-figure=") == 5
    for still in stills:
        root = ET.fromstring(still)
        assert root.get("viewBox", "").startswith("0 0 800 ")
        assert len(list(root.iter("{http://www.w3.org/2000/svg}text"))) > 5
    outline = Outline(page)
    assert all(f"{name}" in outline.text for name in ("colours", "shapes", "acc", "Parameters"))


def test_reasons_are_open_until_a_script_folds_them(page: str) -> None:
    assert page.count('<details class="reasons" open>') == page.count("<details") == 4
    assert (
        "Without JavaScript every figure stays a picture" in page.partition("<noscript>")[2].partition("</noscript>")[0]
    )


def test_the_page_begins_with_how_to_read_it_and_ends_with_how_to_cite_it(page: str) -> None:
    ids = Outline(page).ids
    headings = ["reading", "verdicts", "overview", "tasks", "leaderboard", "provenance", "citation"]
    assert [name for name in ids if name in headings] == headings
    assert "@software{emergence_harness," in Outline(page).text


def test_the_citation_is_that_of_the_citation_file() -> None:
    told = yaml.safe_load((Path(__file__).parents[2] / "CITATION.cff").read_text(encoding="utf-8"))
    (author,) = told["authors"]
    assert (told["title"], author["name"], told["license"]) == (TITLE, AUTHORS, "Apache-2.0")
    assert f"version = {{{told['version']}}}" in bibtex()
    assert TITLE in bibtex()


def test_tables_are_as_wide_as_a_sheet_of_paper() -> None:
    results = [r for i in range(15) for r in grown(RISE[:3], of=task(f"t{i:02}"))]
    page = report_page(study(results))
    board = page[page.index('id="leaderboard"') : page.index('id="failures"')]
    heads = re.findall(r"<thead>(.*?)</thead>", board, re.DOTALL)
    assert len(heads) > 2
    assert all(head.count("<th ") <= 12 for head in heads)
    named = " ".join(re.sub(r"<.*?>", " ", head) for head in heads)
    assert all(f"t{i:02}" in named for i in range(15))
    assert "@page { size: A4" in page


def test_the_page_begins_with_the_answer(page: str) -> None:
    text = " ".join(Outline(page).text.split())
    assert "Of 4 abilities 4 rise. 2 tasks; an ability is a task in one setting" in text
    assert text.index("Of 4 abilities") < text.index("How to read it")
    assert "Rises from 0.250 to 0.800 (chance 0.250); sets in at" in text
    assert "Provisional" not in text
    made = report_page(study(grown(RISE)), to_come={"toy": 2})
    assert "Provisional: a run goes on, and 2 cells of this family are still to come." in Outline(made).text


def test_every_task_shows_what_it_asks_and_an_example(page: str) -> None:
    said = sample(prompt="<b>the sky?</b>", options=("red", "blue"), target="blue")
    cards = task_cards(grown(RISE), first=lambda _: [said])
    text = " ".join(Outline(report_page(study(grown(RISE)), cards=cards)).text.split())
    assert "Chance 0.25" in text.replace("Chance0.25", "Chance 0.25")
    assert "<b>the sky?</b>" in text
    assert "Options: red / blue. Right: blue" in text
    assert "An example: no document is kept." in Outline(page).text


def test_the_leaderboard_of_the_page_has_ranges_of_ranks_and_intervals(page: str) -> None:
    board = page[page.index('id="leaderboard"') : page.index('id="failures"')]
    cells = [re.sub(r"<.*?>", "", cell) for cell in re.findall(r"<td.*?</td>", board, re.DOTALL)]
    assert cells[:3] == ["1–2", "toy-4096000", "4.1M"]
    assert any(re.fullmatch(r"0\.\d{3} to 0\.\d{3}", cell) for cell in cells)


def test_the_words_of_the_page_are_explained_on_it(page: str) -> None:
    text = page[page.index('id="glossary"') :]
    assert "<dt>cell</dt>" in text
    assert "<dt>acc</dt><dd>The right option has the highest likelihood. (share of documents)</dd>" in text


def test_every_task_has_a_figure_and_a_verdict(page: str) -> None:
    outline = Outline(page)
    assert {"task-toy-colours", "task-toy-shapes"} <= set(outline.ids)
    assert page.count("<figure data-figure=") == len(("overview", "colours", "shapes", "heat map", "power"))
    assert outline.text.count("Rises with scale") == 2 * len(("colours 0", "colours 2", "shapes 0", "shapes 2"))


def test_each_setting_of_a_task_has_its_verdict_beside_the_figure(page: str) -> None:
    words = " ".join(Outline(page).text.split())
    assert "0-shot: rises Rises with scale" in words
    assert "2-shot: rises Rises with scale" in words


def test_failures_are_listed_and_what_a_model_wrote_is_never_markup(page: str) -> None:
    assert "ValueError: <img src=x onerror=alert(1)> is no answer" in Outline(page).text
    assert "<img" not in page


def test_unreadable_files_are_listed(page: str) -> None:
    assert "results/toy/cell.json: is damaged: not JSON" in Outline(page).text


def test_provenance_names_versions_and_how_to_do_it_again(page: str) -> None:
    text = Outline(page).text
    sizes = ",".join(f"toy-{size}" for size in SIZES)
    asked = f"--model {sizes} --task colours,shapes --shots 0,2 --seeds 1"
    assert f"emergence run --family toy --dtype float32 --engine simulated {asked}\n" in text
    assert "torch" in text
    assert "2026-02-03 04:05 UTC" in text


def test_mixed_provenance_is_shown() -> None:
    first, second = grown((50, 60))
    other = replace(second.provenance, device="cuda", versions={"harness": "0.1"}, git_commit="abc", git_dirty=True)
    text = Outline(report_page(study([first, replace(second, provenance=other)]))).text
    assert "mixed: cpu (1), cuda (1)" in text
    assert "abc with uncommitted changes (1)" in text
    assert "not recorded (1)" in text


def test_unequal_fences_around_programs_are_shown() -> None:
    ran = cell(of=task(metrics=(MetricSpec(name="pass_at_1", chance=0.0, best=1.0),)))
    results = [counted(replace(ran, seed=seed), 10, 40) for seed in range(3)]
    fences = ("landlock+seccomp", "landlock+seccomp", None)
    held = [
        replace(each, provenance=replace(each.provenance, fence=fence))
        for each, fence in zip(results, fences, strict=True)
    ]

    assert "mixed: landlock+seccomp (2), not recorded (1)" in Outline(report_page(study(held))).text
    assert "Fence around programs" not in Outline(report_page(study([counted(cell(), 10, 40)]))).text


def test_code_of_others_that_ran_is_shown() -> None:
    plain, made = grown((50, 60))
    ran = replace(made, provenance=replace(made.provenance, foreign_code=("modeling_theirs.py@1f0c9d3e5a7b",)))

    assert "modeling_theirs.py@1f0c9d3e5a7b (1 result)" in Outline(report_page(study([plain, ran]))).text
    assert "Code of others" not in Outline(report_page(study([plain, made]))).text


def test_missing_documents_and_cut_prompts_are_listed() -> None:
    partial = replace(counted(cell(), 10, 40), n_expected=50, n_truncated=3)
    text = Outline(report_page(study([partial]))).text
    assert "toy-1000 colours 0-shot default seed 0: 40 of 50 documents" in text
    assert "3 prompts did not fit" in text


def test_a_page_without_results_says_what_to_do() -> None:
    text = Outline(report_page(study([]))).text
    assert "There are no results yet. `emergence run` makes some." in text
    assert "What is missing" in text


def test_a_scale_that_no_model_has_says_so() -> None:
    unknown = [counted(cell(model=model(n, tokens=None)), 60, 200) for n in (1000, 2000)]
    assert "No model has a known place on the axis" in Outline(report_page(study(unknown, scale="flops"))).text


def test_two_families_are_told_apart() -> None:
    other = [counted(cell(model=model(n, family="other", name=f"o-{n}")), 60, 200) for n in (1000, 2000, 3000)]
    outline = Outline(report_page(study([*grown(RISE), *other])))
    assert {"task-toy-colours", "task-other-colours"} <= set(outline.ids)
    assert "Family" in outline.text


@pytest.mark.parametrize(
    "names", [("a-b", "a.b", "a b", "a/b"), ("数学", "語彙"), ("!", "?", "..."), ("a", "a-2", "a!", "a?")]
)
def test_tasks_that_differ_in_any_letter_have_places_of_their_own(names: tuple[str, ...]) -> None:
    results = [r for name in names for r in grown(RISE[:4], of=task(name))]
    outline = Outline(report_page(study(results)))
    places = [name for name in outline.ids if name.startswith("task-")]
    assert len(set(places)) == len(places) == len(names)
    assert not any(re.search(r"\s", place) for place in places)
    assert {link.removeprefix("#") for link in outline.links} <= set(outline.ids)


def test_families_and_tasks_that_make_one_name_have_places_of_their_own() -> None:
    results = [
        replace(r, cell=replace(r.cell, model=replace(r.cell.model, family=family)))
        for family, name in (("a-b", "c"), ("a", "b-c"))
        for r in grown(RISE[:4], of=task(name))
    ]
    places = [name for name in Outline(report_page(study(results))).ids if name.startswith("task-")]
    assert sorted(places) == ["task-a-b-c", "task-a-b-c-2"]


def test_one_name_in_two_suites_is_two_tasks() -> None:
    theirs = grown(RISE[::-1][:4], of=task(suite="other", digest="1" * 12))
    page = report_page(study([*grown(RISE[:4]), *theirs]))
    assert [name for name in Outline(page).ids if name.startswith("task-")] == [
        "task-toy-colours",
        "task-toy-colours-2",
    ]
    assert page.count('<details class="reasons"') == 2


def test_three_hundred_cells_fit_in_three_megabytes() -> None:
    results = [r for i in range(19) for shots in (0, 2) for r in grown(RISE, of=task(f"t{i:02}"), shots=shots)]
    assert len(results) > 300
    assert len(report_page(study(results)).encode()) < 3e6


def test_tasks_with_classes_have_figures_of_them() -> None:
    right = ["glad", "sad"] * 20
    results = [chosen(right, right if params > 1_000 else ["glad"] * 40, params=params) for params in SIZES]
    answers = {one.cell.key: one.samples for one in results}
    drawn: list[str] = []
    report_page(
        study(results),
        answers=lambda cell: answers[cell.key],
        each_figure=lambda _, figure: drawn.append(heading(figure)),
    )
    assert {"mood by class, toy, 0-shot", f"mood, toy-{SIZES[-1]}, 0-shot"} <= {*drawn}


def test_what_models_took_stands_beside_their_scores() -> None:
    weights = Weights(number=10, dense_bytes=40, memory_bytes=40, packed_bytes=12_000)
    known = {"weights": weights, "energy_wh": 0.5, "energy_measured_wh": 0.25, "load_seconds": 2.0}
    drawn: list[str] = []
    page = Outline(
        report_page(
            study([made_with(one, **known) for one in grown(RISE)]),
            each_figure=lambda _, figure: drawn.append(heading(figure)),
        )
    )
    assert "What it took" in page.text
    assert "12 kB" in page.text
    assert "Energy: 4 Wh in 8 of 8 cells; counters gave 50%, the rest is an estimate. That is 1.92 g at" in page.text
    assert {"Score for each kilowatt hour", "Score against bytes of the weights on disk"} <= {*drawn}
