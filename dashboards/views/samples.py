"""Samples: what the models were asked and what they answered, document by document.

There are two tables: the answers of a setting, which can be searched, and the documents whose answers change from one
size to the next. A row of either opens one document over all sizes. Prompts and answers are shown as plain text, never
as markdown, and only those on the page that is shown are read from disk.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd
import streamlit as st
from harness.dashboards import address, state, tables

from harness.plan import Cell, ModelId, by_size, labels, model_id, model_names, size_setting
from harness.scoring.likelihood import softmax
from harness.specs import MetricSpec
from harness.store import Problem, samples
from harness.store.samples import RIGHT, AnswerChanges, Page, Query, StoredSample
from harness.wording import count, counted

# Comments and not docstrings, because Streamlit would show strings that stand alone in a page.
ANSWERS_A_PAGE = 50  # Answers on one page.
MOST_FLIPS = 200  # Documents listed among those that change.
SHOWN = 60  # Characters of a text that a table shows.
LONG = 1500  # Characters from which a text gets a box of its own to scroll in.
EVERYTHING = "All settings"
ANSWERS, FLIPS = "Answers", "Changes between sizes"
ANY, CORRECT, WRONG = "All answers", "Right answers", "Wrong answers"
PAGE = "answers-page"  # Key in the address: page of answers.
OPENED = "document"  # Key in the address: cell and document that are open.


class Opened(NamedTuple):
    """The document that is open, and the cell it was opened from."""

    cell: Cell
    doc_hash: str


# Caches the answers of the reader's last clicks, so that opening a document does not search again. `keys` stand for the
# cells, which are not hashed.
@st.cache_resource(max_entries=32, show_spinner="Searching")
def find(
    version: state.Version, keys: tuple[str, ...], _cells: tuple[Cell, ...], query: Query, offset: int, patient: bool
) -> Page:
    """One page of answers; `patient` searches all cells however long it takes."""
    patience = None if patient else samples.PATIENCE
    return samples.page(state.store(), _cells, query, offset=offset, limit=ANSWERS_A_PAGE, patience=patience)


@st.cache_resource(max_entries=8, show_spinner="Comparing sizes")
def compare_sizes(
    version: state.Version, keys: tuple[str, ...], _cells: tuple[Cell, ...], metric: str
) -> AnswerChanges:
    """The documents that one size answers right and a neighbouring size wrong."""
    return samples.answer_changes(state.store(), _cells, metric)


def cache_key(cells: Sequence[Cell]) -> tuple[state.Version, tuple[str, ...], tuple[Cell, ...]]:
    """The first arguments of both functions that cache: state of the folder, keys of the cells, cells."""
    return state.version(), tuple(cell.key for cell in cells), tuple(cells)


def main() -> None:
    """The whole page."""
    st.title("Samples")
    outcomes = state.outcomes()
    state.require_results(outcomes)
    cells = [result.cell for result in state.filters(outcomes).cells(outcomes.results)]
    if not cells:
        st.info("No result fits the filters. Take one out in the sidebar.")
        return
    settings = by_size(cells)
    # Named to be told from all settings of the store, so that a link keeps its meaning when a filter is changed.
    names = labels(size_setting(result.cell) for result in outcomes.results)
    by_name = {names[setting]: setting for setting in settings}
    head = st.container(horizontal=True, vertical_alignment="top")  # no column cuts the words to choose from
    show = address.choose_one(head.segmented_control, "Show", [ANSWERS, FLIPS], "show", required=True, width="content")
    label = address.choose_one(head.selectbox, "Task and setting", [EVERYTHING, *by_name], "setting", first=1)
    chosen = cells if label == EVERYTHING else settings[by_name[label]]
    if show == ANSWERS:
        opened = answers(chosen)
    elif label == EVERYTHING:
        st.info("Choose one task and setting: sizes are compared within it.")
        opened = None
    else:
        opened = show_changes(settings[by_name[label]])
    opened = still_open(opened, chosen)
    if opened is not None:
        document(opened, settings[size_setting(opened.cell)])


def still_open(opened: Opened | None, cells: Sequence[Cell]) -> Opened | None:
    """The document opened just now, which goes into the address; if none was, the one that the address names."""
    if opened is not None:
        address.keep(OPENED, [f"{opened.cell.key} {opened.doc_hash}"])
        return opened
    asked = address.text_of(OPENED) or ""
    address.keep(OPENED, [asked] if asked else [])
    key, _, doc_hash = asked.partition(" ")
    return next((Opened(cell, doc_hash) for cell in cells if cell.key == key), None)


def answers(cells: Sequence[Cell]) -> Opened | None:
    """The search form and the answers found; gives the one that the reader chose."""
    names = model_names(cell.model for cell in cells)
    text_box, model_box, right_box, metric_box = st.columns([3, 3, 2, 2], vertical_alignment="bottom")
    text = address.type_text(
        text_box.text_input, "Search in prompts, targets and answers", "text", placeholder="any text"
    )
    models = address.several(model_box.multiselect, "Models", list(names.values()), "models")
    right = address.choose_one(right_box.selectbox, "Right or wrong", [ANY, CORRECT, WRONG], "right")
    metrics = list(dict.fromkeys(metric.name for cell in cells for metric in judging_metrics(cell)))
    metric = address.choose_one(metric_box.selectbox, "By metric", metrics, "by", disabled=right == ANY)
    query = Query(
        text=text,
        metric=None if right == ANY else metric,
        at_least=RIGHT if right == CORRECT else None,
        below=RIGHT if right == WRONG else None,
    )
    of_models = [cell for cell in cells if not models or names[model_id(cell.model)] in models]
    return answer_table(of_models, query, names)


def judging_metrics(cell: Cell) -> list[MetricSpec]:
    """The metrics that tell right from wrong, headline first."""
    return [m for m in cell.metrics if m.higher_is_better and not m.continuous] or [cell.metrics[0]]


def answer_table(cells: Sequence[Cell], query: Query, names: dict[ModelId, str]) -> Opened | None:
    """The answers that fit the query, page by page; gives the one that the reader chose."""
    search = f"{hash((query, tuple(cell.key for cell in cells)))}"  # another search begins at its first page
    status = st.container()
    at = page_of(search)
    patient = st.session_state.get(f"patient {search}", False)
    page = find(*cache_key(cells), query, (at - 1) * ANSWERS_A_PAGE, patient)
    problems(page.problems)
    pages = max(1, math.ceil(page.total / ANSWERS_A_PAGE))
    with status:
        at_least = "At least " if page.searched < len(cells) else ""
        where = f"{count(page.searched)} of {counted(len(cells), 'cell')}"
        st.caption(f"{at_least}{counted(page.total, 'answer')} in {where}. Choose a row to open its document.")
        if page.searched < len(cells):
            st.button("Search all cells", key=f"ask {search}", on_click=wait_for_all, args=(f"patient {search}",))
    if not page.rows:
        part = " in the cells looked through" if page.searched < len(cells) else ""
        st.info(f"No answer fits{part}. Try fewer letters, other models, or all settings.")
        return None
    table = pd.DataFrame([answer_row(found, names) for found in page.rows])
    if len({size_setting(cell) for cell in cells}) == 1:
        table = table.drop(columns=["Task", "Shots"])
    if len({judging_metrics(cell)[0].name for cell in cells}) == 1:
        metric = table["Metric"][0]
        table = table.drop(columns="Metric").rename(columns={} if metric in table else {"Score": metric})
    chosen = choose_row(table, f"answers {search} {at}", "Answers, a row each")
    if pages > 1:
        st.number_input(f"Page, of {count(pages)}", 1, pages, key=f"page {search}", width=160)
    address.keep(PAGE, [str(at)] if at > 1 else [])
    return None if chosen is None else Opened(page.rows[chosen].cell, page.rows[chosen].sample.doc_hash)


def page_of(search: str) -> int:
    """The page of answers that the address names, or else the one that the reader turned to in this search."""
    asked = address.asks_for(PAGE) or ""
    if asked.isdecimal() and len(asked) < 9 and int(asked) > 0:
        st.session_state[f"page {search}"] = int(asked)
    return int(st.session_state.get(f"page {search}", 1))


def wait_for_all(key: str) -> None:
    """Remember that the reader wants to wait until all cells have been searched."""
    st.session_state[key] = True


def answer_row(found: StoredSample, names: dict[ModelId, str]) -> dict[str, object]:
    """One answer in a table."""
    headline = judging_metrics(found.cell)[0].name
    score = found.sample.scores.get(headline)
    return {
        "Model": names[model_id(found.cell.model)],
        "Task": found.cell.task,
        "Shots": found.cell.shots,
        "Document": found.sample.doc_id,
        "End of the prompt": brief(found.sample.prompt, end=True),
        "Target": brief(found.sample.target),
        "Answer": brief(found.sample.output),
        "Right": mark(None if score is None else score >= RIGHT),
        "Score": score,
        "Metric": headline,
    }


def show_changes(cells: Sequence[Cell]) -> Opened | None:
    """What changes from one size to the next in one setting; gives the document that the reader chose."""
    if len(cells) < 2:
        st.info("Only one size has answered this setting. Run more sizes of the family to see what changes.")
        return None
    metric = address.choose_one(
        st.selectbox, "Right or wrong by metric", [m.name for m in judging_metrics(cells[-1])], "by"
    )
    found = compare_sizes(*cache_key(cells), metric)
    problems(found.problems)
    names = model_names(cell.model for cell in found.cells)
    steps = [
        (names[model_id(s.smaller.model)], names[model_id(s.larger.model)], s.gained, s.lost, s.gained - s.lost, s.n)
        for s in found.steps
    ]
    headings = ["From", "To", "Wrong to right", "Right to wrong", "Net", "Documents"]
    st.dataframe(pd.DataFrame(steps, columns=headings), hide_index=True, key="steps", alt="Changes by size")
    if not found.items:
        st.info("No document is answered right by one size and wrong by another.")
        return None
    items = found.items[:MOST_FLIPS]
    st.caption(
        f"{count(len(found.items))} documents change at least once; below the {count(len(items))} that change most. "
        "✓ right, ✗ wrong, – not asked. Choose a row to open the document."
    )
    # The texts of the documents are the same in all files; they are read from one.
    query = Query(documents=tuple(item.doc_hash for item in items))
    texts = {
        row.sample.doc_hash: row.sample for row in samples.page(state.store(), cells[-1:], query, limit=len(items)).rows
    }
    rows = [
        {
            "End of the prompt": brief(texts[item.doc_hash].prompt, end=True) if item.doc_hash in texts else "",
            "Target": brief(texts[item.doc_hash].target) if item.doc_hash in texts else "",
            "Changes": item.changes,
            **{names[model_id(cell.model)]: mark(right) for cell, right in zip(found.cells, item.right, strict=True)},
        }
        for item in items
    ]
    chosen = choose_row(
        pd.DataFrame(rows),
        f"items {hash(tuple(cell.key for cell in cells))} {metric}",
        "Documents that change, a column per size",
    )
    return None if chosen is None else Opened(found.cells[-1], items[chosen].doc_hash)


def document(opened: Opened, sizes: Sequence[Cell]) -> None:
    """One document: what was asked, and what every size answered."""
    found = samples.page(state.store(), sizes, Query(documents=(opened.doc_hash,)), limit=len(sizes))
    problems(found.problems)
    if not found.rows:
        st.info("The document that was open is not among these answers.")
        return
    names = model_names(cell.model for cell in sizes)
    first = next((row for row in found.rows if row.cell.key == opened.cell.key), found.rows[0])
    st.subheader("One document")
    st.text(f"{first.cell.label}, document {first.sample.doc_id}")
    left, right = st.columns([3, 2])
    with left:
        whole_text("Prompt", first.sample.prompt)
    with right:
        whole_text("Target", first.sample.target)
        for text in first.sample.outputs or (first.sample.output,):
            whole_text(f"Answer of {names[model_id(first.cell.model)]}", text)
    st.caption("Answers by size")
    table = pd.DataFrame([size_row(row, names) for row in found.rows])
    if not any(row.sample.truncated for row in found.rows):
        table = table.drop(columns="Prompt cut")
    shown = tables.written(table, tables.scores(table))
    st.dataframe(shown, hide_index=True, key="sizes", alt="Answers, a row per size")
    options(found.rows, names)


def size_row(found: StoredSample, names: dict[ModelId, str]) -> dict[str, object]:
    """What one size answered, with every score of the answer."""
    score = found.sample.scores.get(judging_metrics(found.cell)[0].name)
    return {
        "Model": names[model_id(found.cell.model)],
        "Right": mark(None if score is None else score >= RIGHT),
        "Answer": brief(found.sample.output),
        **found.sample.scores,
        "Prompt cut": "cut" if found.sample.truncated else "",
    }


def options(rows: Sequence[StoredSample], names: dict[ModelId, str]) -> None:
    """The probability that each size gives to each option, as bars; nothing when the task has no options."""
    choices = rows[0].sample.options
    with_options = [
        row for row in rows if row.sample.options == choices and len(row.sample.option_loglikelihoods) == len(choices)
    ]
    if not choices or not with_options:
        return
    st.caption("Probability of each option, among the options; ✓ is the target")
    target = rows[0].sample.target
    # Options that read alike are numbered, because every column needs a name of its own.
    headings = [f"{'✓ ' * (option == target)}{brief(option)}" for option in choices]
    taken = ["Model", *headings]
    headings = [name if taken.count(name) == 1 else f"{name} ({i})" for i, name in enumerate(headings, 1)]
    table = pd.DataFrame([softmax(row.sample.option_loglikelihoods) for row in with_options], columns=headings)
    table.insert(0, "Model", [names[model_id(row.cell.model)] for row in with_options])
    bars = {name: st.column_config.ProgressColumn(format="%.3f", min_value=0, max_value=1) for name in headings}
    st.dataframe(
        table, hide_index=True, column_config=bars, key="options", alt="Probability of each option, a row per size"
    )


def whole_text(title: str, text: str) -> None:
    """A text with all its spaces and line breaks."""
    st.text(title)
    st.code(text, language=None, wrap_lines=True, height=300 if len(text) > LONG else "content")


def choose_row(table: pd.DataFrame, key: str, alt: str) -> int | None:
    """Show a table and let the reader choose one row.

    Args:
        table: one or more rows.
        key: name of the widget.
        alt: name of the table for screen readers.

    Returns:
        Index of the row; None when none is chosen.
    """
    shown = tables.written(table, tables.scores(table))
    event = st.dataframe(shown, hide_index=True, on_select="rerun", selection_mode="single-row", key=key, alt=alt)
    return next(iter(event.selection.rows), None)


def problems(of: Sequence[Problem]) -> None:
    """Warn of files that cannot be read, and name them."""
    if of:
        st.warning("Some files cannot be read; their answers are missing here.")
        st.text("\n".join(str(problem) for problem in of))


def brief(text: str, *, end: bool = False) -> str:
    """A text on one short line: its beginning or, with `end`, its end, where a prompt has its question."""
    line = text.strip().replace("\n", " ⏎ ")
    if len(line) <= SHOWN:
        return line
    return f"…{line[-SHOWN:]}" if end else f"{line[:SHOWN]}…"


def mark(right: bool | None) -> str:
    """A sign for right, wrong, or (None) not asked."""
    return "–" if right is None else "✓" if right else "✗"


main()
