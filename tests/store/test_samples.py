from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from harness.errors import StoreError
from harness.plan import Cell
from harness.store import SAMPLES, Store
from harness.store.samples import RIGHT, ChangingDocument, Query, answer_changes, page, sample_of
from tests.builders import SIZES, cell, model, result, sample


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "results")


def answered(store: Store, right: Sequence[float], *, step: int = 0, outputs: Sequence[str] = ()) -> Cell:
    """A cell of the size `step` whose documents scored `right` and were answered `outputs`."""
    asked = cell(model=model(SIZES[step]))
    written = result(asked, values=right)
    assert written.samples is not None
    texts = outputs or [s.output for s in written.samples]
    store.write(
        replace(written, samples=tuple(replace(s, output=o) for s, o in zip(written.samples, texts, strict=True)))
    )
    return asked


def places(found: Sequence[tuple[Cell, object]]) -> list[tuple[int, int]]:
    """Size and document of each row."""
    return [(SIZES.index(row.cell.model.params), row.sample.doc_id) for row in found]


def test_a_page_holds_whole_samples_in_the_order_of_cells_and_documents(store: Store) -> None:
    cells = [answered(store, [1, 0], step=step) for step in range(3)][::-1]
    found = page(store, cells)
    assert places(found.rows) == [(2, 0), (2, 1), (1, 0), (1, 1), (0, 0), (0, 1)]
    assert (found.total, found.searched, found.problems) == (6, 3, ())
    assert found.rows[2].sample == store.samples(cells[1])[0]


def test_pages_follow_each_other_without_gap_or_repetition(store: Store) -> None:
    cells = [answered(store, [1, 0, 1, 1, 0][: step + 1], step=step) for step in range(5)]
    wrong = Query(metric="acc", below=RIGHT)
    whole = places(page(store, cells, wrong).rows)
    assert whole == [(1, 1), (2, 1), (3, 1), (4, 1), (4, 4)]
    for limit in (1, 2, 3, 5, 9):
        pages = [
            page(store, cells, wrong, offset=offset, limit=limit) for offset in range(0, len(whole) + limit, limit)
        ]
        assert [place for part in pages for place in places(part.rows)] == whole
        assert {part.total for part in pages} == {len(whole)}
    assert page(store, cells, wrong, limit=0).rows == ()


@pytest.mark.parametrize(
    ("query", "documents"),
    [
        (Query(), [0, 1, 2]),
        (Query(metric="acc", at_least=RIGHT), [0, 2]),
        (Query(metric="acc", below=RIGHT), [1]),
        (Query(metric="acc", at_least=0.0, below=1.0), [1, 2]),
        (Query(documents=("doc2", "doc0")), [0, 2]),
        (Query(text="QUESTION 1"), [1]),
        (Query(text="red"), [0, 1, 2]),
        (Query(text="grün"), [1]),
        (Query(text="100%"), [2]),
        (Query(text="1_0"), []),
        (Query(text="' OR 1=1 --"), []),
        (Query(text="$limit"), []),
        (Query(text="grün", metric="acc", at_least=RIGHT), []),
    ],
)
def test_a_query_means_samples_by_words_scores_and_documents(store: Store, query: Query, documents: list[int]) -> None:
    asked = answered(store, [1.0, 0.0, 0.75], outputs=["red", "GRÜN", "100% sure"])
    found = page(store, [asked], query)
    assert [row.sample.doc_id for row in found.rows] == documents
    assert (found.total, found.problems) == (len(documents), ())


def test_what_a_model_wrote_comes_back_letter_by_letter(store: Store) -> None:
    wrote = "<script>alert(1)</script> $x$ :material/x: **b** \x00 ' \" ; DROP TABLE samples"
    asked = answered(store, [1.0, 0.0], outputs=["red", wrote])
    (row,) = page(store, [asked], Query(text=wrote)).rows
    assert row.sample.output == wrote


def test_a_metric_is_found_by_its_whole_name_whatever_that_is(store: Store) -> None:
    name = 'a"b; DROP'
    odd = replace(cell().metrics[0], name=name)
    asked = cell(metrics=(odd,))
    store.write(result(asked, values=(1.0, 0.0)))
    assert places(page(store, [asked], Query(metric=name, below=RIGHT)).rows) == [(0, 1)]


def test_a_cell_without_the_metric_holds_none_of_the_samples(store: Store) -> None:
    plain, other = answered(store, [1, 0]), cell(shots=2, metrics=(replace(cell().metrics[0], name="f1"),))
    store.write(result(other, values=(1.0, 1.0)))
    found = page(store, [plain, other], Query(metric="acc", at_least=RIGHT))
    assert (len(found.rows), found.total, found.searched, found.problems) == (1, 1, 2, ())


def test_files_that_cannot_be_read_are_named_and_cost_only_their_rows(store: Store) -> None:
    cells = [answered(store, [1, 0], step=step) for step in range(6)]
    cut, gone, foreign, odd = (store.path(cells[i]) / SAMPLES for i in (0, 2, 3, 4))
    cut.write_bytes(cut.read_bytes()[:100])
    gone.unlink()
    foreign.write_text("not Parquet")
    parquet.write_table(pa.table({"doc_id": [0]}), odd)
    found = page(store, cells)
    assert places(found.rows) == [(1, 0), (1, 1), (5, 0), (5, 1)]
    assert [problem.path for problem in found.problems] == [cut, gone, foreign, odd]
    assert "cannot be read: no such file" in str(found.problems[1])
    assert "column doc_hash is missing" in str(found.problems[3])


def test_files_from_before_a_column_was_added_are_read_beside_newer_ones(store: Store) -> None:
    cells = [answered(store, [1, 0], step=step) for step in range(2)]
    old = store.path(cells[0]) / SAMPLES
    before = store.samples(cells[0])
    parquet.write_table(parquet.read_table(old).drop_columns(["outputs", "truncated"]), old)
    for asked in (cells, cells[::-1], cells[:1]):
        found = page(store, asked)
        assert found.problems == ()
        assert tuple(row.sample for row in found.rows if row.cell == cells[0]) == before


def test_a_file_without_rows_is_no_problem(store: Store) -> None:
    empty = cell(shots=2)
    store.write(result(empty, samples=()))
    query = Query(text="red", metric="acc", at_least=RIGHT, documents=("doc0",))
    for cells in ([empty], [empty, answered(store, [1.0])]):
        found = page(store, cells, query)
        assert (found.total, found.problems) == (len(cells) - 1, ())


def test_no_cells_give_an_empty_page(store: Store) -> None:
    assert page(store, []) == ((), 0, 0, ())


def test_signs_that_are_patterns_elsewhere_may_stand_in_the_path_of_the_results(tmp_path: Path) -> None:
    store = Store(tmp_path / "[a-z]*?" / "b=c" / "'quoted'")
    other = Store(tmp_path / "a" / "b=c" / "'quoted'")
    asked = answered(store, [1, 0])
    answered(other, [1, 0])
    assert places(page(store, [asked]).rows) == [(0, 0), (0, 1)]


def test_a_search_without_patience_left_says_how_far_it_came(store: Store) -> None:
    cells = [cell(seed=seed, shots=1) for seed in range(101)]
    for asked in cells:
        store.write(result(asked, values=(1.0, 0.0)))
    short = page(store, cells, patience=0.0)
    assert (short.searched, short.total) == (100, 200)
    assert page(store, cells, patience=None)[1:3] == (202, 101)


def test_one_answer_is_found_by_the_hash_of_its_document(store: Store) -> None:
    asked = answered(store, [1, 0])
    assert sample_of(store, asked, "doc1") == store.samples(asked)[1]
    assert sample_of(store, asked, "unknown") is None
    (store.path(asked) / SAMPLES).unlink()
    with pytest.raises(StoreError, match=r"samples\.parquet: cannot be read"):
        sample_of(store, asked, "doc1")


def test_flips_are_documents_that_change_between_neighbouring_sizes(store: Store) -> None:
    cells = [answered(store, right, step=step) for step, right in enumerate(([0, 0, 1, 1], [0, 1, 0, 1], [1, 0, 1, 1]))]
    found = answer_changes(store, cells, "acc")
    assert [(s.smaller, s.larger, s.gained, s.lost, s.n) for s in found.steps] == [
        (cells[0], cells[1], 1, 1, 4),
        (cells[1], cells[2], 2, 1, 4),
    ]
    assert found.items == (
        ChangingDocument("doc1", (False, True, False), 2),
        ChangingDocument("doc2", (True, False, True), 2),
        ChangingDocument("doc0", (False, False, True), 1),
    )
    assert found.problems == ()


def test_a_document_that_a_size_was_not_asked_counts_for_no_step_there(store: Store) -> None:
    cells = [answered(store, right, step=step) for step, right in enumerate(([0, 0], [0], [1, 1]))]
    found = answer_changes(store, cells, "acc")
    assert [(s.gained, s.lost, s.n) for s in found.steps] == [(0, 0, 1), (1, 0, 1)]
    assert found.items == (
        ChangingDocument("doc0", (False, False, True), 1),
        ChangingDocument("doc1", (False, None, True), 1),
    )


def test_a_size_that_cannot_be_read_is_left_out_of_the_flips(store: Store) -> None:
    cells = [answered(store, right, step=step) for step, right in enumerate(([0], [1], [1]))]
    (store.path(cells[1]) / SAMPLES).unlink()
    found = answer_changes(store, cells, "acc")
    assert found.cells == (cells[0], cells[2])
    assert [(s.gained, s.n) for s in found.steps] == [(1, 1)]
    assert [problem.path for problem in found.problems] == [store.path(cells[1]) / SAMPLES]
    assert answer_changes(store, cells, "unknown").cells == ()


def test_samples_without_a_needed_column_are_named(store: Store) -> None:
    asked = answered(store, [1, 0])
    path = store.path(asked) / SAMPLES
    parquet.write_table(parquet.read_table(path).drop_columns(["prompt"]), path)
    with pytest.raises(StoreError, match=r"samples\.parquet: is damaged: column prompt is missing"):
        store.samples(asked)


def test_a_sample_is_the_same_however_it_is_read(store: Store) -> None:
    written = sample(0, options=("red", "blue"), option_loglikelihoods=(-0.1, -2.0), outputs=("a", "b"), truncated=True)
    store.write(result(samples=(written,)))
    assert sample_of(store, cell(), "doc0") == written


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("file_index", [0, 0, 0], "has a column 'file_index'; expected none of this name"),
        ("file_row_number", [0, 0, 0], "has a column 'file_row_number'; expected none of this name"),
        ("filename", ["x", "x", "x"], "has a column 'filename'; expected none of this name"),
        ("score:acc", ["1", "1", "1"], "column 'score:acc' holds string; expected numbers or texts"),
    ],
)
def test_columns_that_mislead_cost_only_the_rows_of_their_file(
    store: Store, column: str, values: list[object], message: str
) -> None:
    cells = [answered(store, [1, 0, 1], step=step) for step in range(3)]
    path = store.path(cells[1]) / SAMPLES
    table = parquet.read_table(path)
    table = table.drop_columns([column]) if column in table.column_names else table
    parquet.write_table(table.append_column(column, pa.array(values)), path, compression="zstd")
    found = page(store, cells, Query(text="e", metric="acc", at_least=RIGHT))
    assert places(found.rows) == [(0, 0), (0, 2), (2, 0), (2, 2)]
    (problem,) = found.problems
    assert problem.path == path
    assert message in problem.message


def test_answers_that_unpack_to_more_than_a_gigabyte_are_left_out(store: Store) -> None:
    cells = [answered(store, [1.0] * 60, step=step) for step in range(2)]
    path = store.path(cells[0]) / SAMPLES
    table = parquet.read_table(path).drop_columns(["output"])
    output = pa.DictionaryArray.from_arrays([0] * 60, ["x" * 20_000_000])
    parquet.write_table(table.append_column("output", output), path, compression="zstd", store_schema=False)
    assert path.stat().st_size < 100_000
    found = page(store, cells, limit=100)
    assert {row.cell for row in found.rows} == {cells[1]}
    (problem,) = found.problems
    assert "Out of Memory Error" in problem.message
