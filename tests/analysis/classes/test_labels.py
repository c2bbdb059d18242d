import numpy as np
import pytest
from sklearn.metrics import classification_report, confusion_matrix

from harness.analysis.classes import ClassesError, ClassReport, class_report, class_reports
from harness.records import CellResult
from tests.builders.cells import sample
from tests.builders.classes import chosen, written

LABELS = ("glad", "sad", "cross")


def report(of: CellResult) -> ClassReport:
    assert of.samples
    return class_report(of, of.samples)


def drawn(n: int = 300, *, unnamed: float = 0.1) -> tuple[list[str], list[str]]:
    """Right and written labels of documents, of which some answers name none."""
    rng = np.random.default_rng(7)
    right = [str(one) for one in rng.choice(LABELS, n, p=[0.6, 0.3, 0.1])]
    other = [str(one) for one in rng.choice(LABELS, n)]
    kind = rng.random(n)
    return right, [
        "I cannot say" if at < unnamed else (a if at < 0.6 else b) for a, b, at in zip(right, other, kind, strict=True)
    ]


def test_the_report_of_labels_is_scikit_learns_own() -> None:
    right, answered = drawn()
    ours, names = report(written(right, answered)), sorted(LABELS)
    theirs = classification_report(right, answered, labels=names, output_dict=True, zero_division=0.0)
    for row in ours.rows:
        assert [row.precision, row.recall, row.f1, row.support] == pytest.approx([*theirs[row.name].values()])
    for one in ours.averages:
        assert [one.precision, one.recall, one.f1, one.support] == pytest.approx([*theirs[one.name].values()])
    assert ours.accuracy == pytest.approx(np.mean(np.array(right) == answered))
    assert [list(row) for row in ours.matrix or ()] == confusion_matrix(
        right, answered, labels=[*names, "I cannot say"]
    )[:3].tolist()


def test_with_a_label_for_every_answer_the_micro_average_is_the_accuracy() -> None:
    right, answered = drawn(unnamed=0.0)
    ours = report(chosen(right, answered))
    theirs = classification_report(right, answered, output_dict=True, zero_division=0.0)
    assert ours.averages[0].f1 == pytest.approx(theirs["accuracy"]) == pytest.approx(ours.accuracy or 0)


def test_answers_that_name_no_class_have_a_column_of_their_own() -> None:
    found = report(written(["glad", "glad", "sad", "sad"], ["glad", "", "who knows", "glad or sad"]))
    assert (found.names, found.matrix) == (("glad", "sad"), ((1, 0, 1), (0, 0, 2)))
    assert (found.unnamed, found.accuracy, found.n) == (3, 0.25, 4)
    assert [row.recall for row in found.rows] == [0.5, 0.0]


def test_capitals_and_signs_around_a_written_label_do_not_count_and_the_report_says_so() -> None:
    found = report(written(["glad", "sad", "sad"], [" Glad.", '"sad"', "sad\n"]))
    assert found.accuracy == 1.0
    assert found.note is not None
    assert "exact_match of the task is 0.000" in found.note


def test_labels_that_differ_in_capitals_alone_are_told_apart() -> None:
    found = report(written(["A", "a", "A", "a"], ["A", "a", "a", "A."]))
    assert found.matrix == ((1, 1, 0), (0, 1, 1))


def test_what_the_tasks_own_metric_takes_for_right_is_right() -> None:
    of = written(["glad", "sad"], ["glad", "the answer is sad"])
    samples = [
        sample(i, target=t, output=o, scores={"exact_match": 1.0})
        for i, (t, o) in enumerate([("glad", "glad"), ("sad", "the answer is sad")])
    ]
    assert class_report(of, samples).accuracy == 1.0


def test_a_class_that_no_answer_names_has_zeros_as_in_scikit_learn() -> None:
    row = report(written(["glad", "glad", "sad"], ["glad", "glad", "glad"])).rows[1]
    assert (row.name, row.precision, row.recall, row.f1, row.predicted, row.support) == ("sad", 0, 0, 0, 0, 1)


def test_the_error_of_f1_is_that_of_many_drawn_sets_of_documents() -> None:
    rng = np.random.default_rng(3)
    pairs = np.array(drawn(400)).T
    ours = report(written(*map(list, pairs.T)))
    redrawn = [report(written(*map(list, pairs[rng.integers(0, 400, 400)].T))) for _ in range(200)]
    for at, row in enumerate(ours.rows):
        assert row.stderr == pytest.approx(np.std([one.rows[at].f1 for one in redrawn]), rel=0.25)
    macro = np.std([one.averages[1].f1 for one in redrawn])
    assert ours.averages[1].stderr == pytest.approx(macro, rel=0.25)


@pytest.mark.parametrize(
    ("of", "message"),
    [
        (written(["x", "x"], ["x", "y"]), "all its documents have the same right answer"),
        (
            written([f"{i}" for i in range(9)], ["1"] * 9, kind="arithmetic"),
            "9 documents have 9 different right answers",
        ),
    ],
)
def test_what_has_no_classes_is_refused_in_one_sentence(of: CellResult, message: str) -> None:
    with pytest.raises(ClassesError, match=message):
        report(of)


def test_options_that_differ_from_document_to_document_are_no_classes() -> None:
    of = chosen(["a", "b"], ["a", "b"])
    samples = [
        sample(0, target="a", output="a", options=("a", "b")),
        sample(1, target="c", output="c", options=("c", "d")),
    ]
    with pytest.raises(ClassesError, match="its options differ from document to document"):
        class_report(of, samples)


def test_a_task_without_classes_is_named_once_and_read_once() -> None:
    said: list[str] = []
    read: list[str] = []
    cells = [written(["x", "x"], ["x", "y"], params=params) for params in (10, 20)]
    reports = class_reports(cells, lambda cell: read.append(cell.key) or cells[0].samples, said.append)
    assert [*reports] == []
    assert said == ["mood_written has no classes: all its documents have the same right answer"]
    assert len(read) == 1


def test_one_document_has_no_error() -> None:
    assert [row.stderr for row in report(chosen(["a"], ["b"])).rows] == [None, None]
