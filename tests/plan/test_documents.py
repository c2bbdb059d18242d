from __future__ import annotations

import pytest

from harness.errors import PlanError
from harness.plan import Sweep, expand
from harness.plan.documents import chosen_documents, written_documents
from harness.records import implausible
from harness.specs import Suite
from tests.builders import cell, model, result, task


@pytest.mark.parametrize(
    ("text", "numbers", "written"),
    [
        ("17", (17,), "17"),
        ("17,19-21", (17, 19, 20, 21), "17,19-21"),
        (" 3-3 , 1,2,3", (1, 2, 3), "1-3"),
        ("0", (0,), "0"),
    ],
)
def test_documents_are_chosen_by_numbers_and_ranges(text: str, numbers: tuple[int, ...], written: str) -> None:
    assert chosen_documents(text) == numbers
    assert written_documents(text) == written


@pytest.mark.parametrize("text", ["", "x", "1,,2", "-3", "3-1", "1-", "1.5", "10000000000", "0-9999999", "1;2"])
def test_what_chooses_no_documents_is_refused(text: str) -> None:
    with pytest.raises(PlanError, match="--docs"):
        written_documents(text)


def test_a_choice_of_too_many_pieces_is_refused() -> None:
    with pytest.raises(PlanError, match=r"--docs has 500 ranges of documents; expected fewer"):
        written_documents(",".join(str(2 * i) for i in range(500)))


def test_chosen_documents_are_a_trial_with_a_key_of_its_own() -> None:
    whole = cell()
    cells = [whole, cell(docs="17"), cell(docs="17-18"), cell(limit=1)]
    assert len({each.key for each in cells}) == 4
    assert len({each.setting() for each in cells}) == 4
    assert cell(docs=None).key == whole.key
    assert cell(docs="1,3-9").positions(5) == [1, 3, 4]
    assert (cell(docs="1,3-9").n_asked(5), cell(limit=3).n_asked(5), whole.n_asked(None)) == (3, 3, None)


def expanded(**sweep: object) -> list[str | None]:
    suite = Suite(name="s", tasks=("qa",), limit=50)
    plan = expand([suite], {"qa": task("qa", n_docs=100)}, [model()], sweep=Sweep(**sweep))  # type: ignore[arg-type]
    assert [each.limit for each in plan.cells] == [None if "docs" in sweep else 50]
    return [each.docs for each in plan.cells]


def test_a_choice_is_written_in_one_way_and_sets_a_suites_limit_aside() -> None:
    assert expanded(docs="99,3,2") == ["2-3,99"]
    assert expanded() == [None]


@pytest.mark.parametrize(
    ("sweep", "message"),
    [
        ({"docs": "3,100"}, "--docs 3,100: task qa has 100 documents, the first is 0"),
        ({"docs": "3", "limit": 5}, "--docs and --limit: expected one of them"),
        ({"docs": "three"}, "--docs 'three': expected numbers of documents such as 17,19-25, the first being 0"),
    ],
)
def test_documents_that_are_not_there_are_refused(sweep: dict[str, object], message: str) -> None:
    with pytest.raises(PlanError) as caught:
        expanded(**sweep)
    assert str(caught.value) == message


@pytest.mark.parametrize("docs", ["x", "1,1", "9,3", "0-99999999"])
def test_a_stored_result_of_no_documents_is_implausible(docs: str) -> None:
    assert implausible(result(cell(docs="1-3,9"))) is None
    assert implausible(result(cell(docs=docs)))
