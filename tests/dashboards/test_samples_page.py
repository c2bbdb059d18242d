"""The Samples page: answers one by one, and how they change between sizes."""

from pathlib import Path

import pytest

from harness.plan import Cell
from harness.records import CellResult
from harness.store import SAMPLES, Store
from tests.builders import cell, failed, model, result, sample, task
from tests.builders.dashboards import HOSTILE, column, markup, opened, texts

SIZES = (1000, 4000, 16000)
EXAMPLES = "an example\n" * 30
FLIPS = "Changes between sizes"


@pytest.fixture
def store(store: Store) -> Store:
    """Three sizes that learn two of three documents, the first for good, and a second task."""
    for size, values in zip(SIZES, ((0.0, 0.0, 1.0), (1.0, 1.0, 1.0), (1.0, 0.0, 1.0)), strict=True):
        store.write(answered(cell(model=model(size)), values))
        store.write(answered(cell(model=model(size), of=task("shapes")), values))
    return store


def answered(of: Cell, values: tuple[float, ...]) -> CellResult:
    answers = tuple(
        sample(
            i,
            prompt=EXAMPLES + f"{of.task} question {i}",
            output="red" if value else "blue",
            scores={"acc": value, "prob_correct": 0.5},
            options=("red", "blue"),
            option_loglikelihoods=(-0.1, -2.0) if value else (-2.0, -0.1),
        )
        for i, value in enumerate(values)
    )
    return result(of, values=values, samples=answers)


@pytest.mark.usefixtures("store")
def test_the_answers_of_the_first_setting_are_listed() -> None:
    app = opened("samples")
    assert app.selectbox(key="setting").options == ["All settings", "colours, 0-shot", "shapes, 0-shot"]
    assert "9 answers in 3 of 3 cells" in texts(app)
    assert column(app, "Model") == [f"toy-{size}" for size in SIZES for _ in range(3)]
    assert column(app, "Right") == list("✗✗✓✓✓✓✓✗✓")
    # a prompt ends with its question, and begins with examples
    assert column(app, "End of the prompt")[0].endswith("colours question 0")


@pytest.mark.usefixtures("store")
def test_a_word_is_searched_in_all_settings() -> None:
    app = opened("samples", setting="All settings", text="SHAPES question 2")
    assert column(app, "Task") == ["shapes"] * 3
    app.text_input(key="text").set_value("100%_of nothing").run()
    assert "No answer fits" in texts(app)


@pytest.mark.usefixtures("store")
def test_wrong_answers_of_one_model_can_be_asked_for() -> None:
    app = opened("samples", right="Wrong answers")
    assert column(app, "Answer") == ["blue"] * 3
    app.multiselect(key="models").select("toy-1000").run()
    assert column(app, "Document") == [0, 1]


@pytest.mark.usefixtures("store")
def test_the_shared_filters_narrow_the_samples() -> None:
    assert opened("samples", task="shapes").selectbox(key="setting").options == ["All settings", "shapes, 0-shot"]


def test_many_answers_are_read_page_by_page(store: Store) -> None:
    many = cell(of=task("many"))
    store.write(answered(many, (1.0,) * 60))
    app = opened("samples", task="many")
    assert column(app, "Document") == list(range(50))
    app.number_input[0].set_value(2).run()
    assert column(app, "Document") == list(range(50, 60))


@pytest.mark.usefixtures("store")
def test_changes_are_counted_between_neighbouring_sizes() -> None:
    app = opened("samples", show=FLIPS)
    assert column(app, "Wrong to right") == [2, 0]
    assert column(app, "Right to wrong") == [0, 1]
    assert column(app, "Changes") == [2, 1]
    assert [column(app, f"toy-{size}") for size in SIZES] == [["✗", "✗"], ["✓", "✓"], ["✗", "✓"]]


@pytest.mark.usefixtures("store")
def test_changes_need_one_setting() -> None:
    assert "Choose one task and setting" in texts(opened("samples", show=FLIPS, setting="All settings"))


def test_one_size_has_no_neighbours(store: Store) -> None:
    store.write(answered(cell(of=task("alone")), (1.0, 0.0)))
    assert "Only one size has answered" in texts(opened("samples", show=FLIPS, task="alone"))


@pytest.mark.usefixtures("store")
def test_a_document_opens_with_every_size_and_its_probabilities() -> None:
    app = opened("samples", document=f"{cell(model=model(4000)).key} doc0")
    assert [code.value for code in app.code] == [EXAMPLES + "colours question 0", "red", "red"]
    assert "Answer of toy-4000" in texts(app)
    sizes, options = app.dataframe[-2].value, app.dataframe[-1].value
    assert list(sizes["Model"]) == [f"toy-{size}" for size in SIZES]
    assert list(sizes["acc"]) == [0.0, 1.0, 1.0]
    assert list(options) == ["Model", "✓ red", "blue"]
    assert [round(p, 2) for p in options["✓ red"]] == [0.13, 0.87, 0.87]


def test_options_that_read_alike_are_numbered(store: Store) -> None:
    twins = cell(of=task("twins"))
    answer = sample(0, options=("red", "red", "Model"), option_loglikelihoods=(-1.0, -1.0, -9.0), scores={"acc": 1.0})
    store.write(result(twins, values=(1.0,), samples=(answer,)))
    app = opened("samples", task="twins", document=f"{twins.key} doc0")
    assert list(app.dataframe[-1].value)[1:3] == ["✓ red (1)", "✓ red (2)"]


def test_every_text_of_a_document_is_shown_when_there_are_several(store: Store) -> None:
    code = cell(of=task("programs"))
    store.write(result(code, values=(1.0,), samples=(sample(0, output="a", outputs=("a", "b"), scores={"acc": 1.0}),)))
    app = opened("samples", task="programs", document=f"{code.key} doc0")
    assert [block.value for block in app.code] == ["question 0", "red", "a", "b"]


def test_a_prompt_that_was_cut_is_marked(store: Store) -> None:
    cut = cell(of=task("long"))
    store.write(result(cut, values=(1.0,), samples=(sample(0, truncated=True, scores={"acc": 1.0}),)))
    assert column(opened("samples", task="long", document=f"{cut.key} doc0"), "Prompt cut") == ["cut"]


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("address", ["nonsense", "0123456789abcdef doc0", ""])
def test_a_link_to_what_is_not_there_opens_nothing(address: str) -> None:
    assert "One document" not in texts(opened("samples", document=address))


def test_a_link_to_a_document_that_was_not_asked_says_so(store: Store) -> None:
    address = f"{store.results()[0].cell.key} doc99"
    assert "is not among these answers" in texts(opened("samples", document=address))


def test_what_a_model_wrote_is_never_markdown(store: Store) -> None:
    asked = cell(model=model(1000, name=HOSTILE), of=task(HOSTILE), prompt=HOSTILE)
    answer = sample(0, prompt=HOSTILE, target=HOSTILE, output=HOSTILE, options=(HOSTILE,), scores={"acc": 1.0})
    store.write(result(asked, values=(1.0,), samples=(answer,)))
    app = opened("samples", task=HOSTILE, document=f"{asked.key} doc0")
    assert [code.value for code in app.code] == [HOSTILE] * 3
    assert "script" not in markup(app)


def test_a_damaged_file_costs_only_its_own_answers(store: Store) -> None:
    broken = store.results()[0].cell
    (store.path(broken) / SAMPLES).write_bytes(b"not PAR1")
    app = opened("samples")
    assert set(column(app, "Model")) == {f"toy-{size}" for size in SIZES if size != broken.model.params}
    assert "Some files cannot be read" in texts(app)


def test_a_store_without_results_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Store(tmp_path).write(failed())
    monkeypatch.setenv("EMERGENCE_RESULTS", str(tmp_path))
    assert "There are no results yet" in texts(opened("samples"))
