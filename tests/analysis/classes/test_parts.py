import numpy as np
import pytest

from harness.analysis.classes import ClassReport, class_report
from harness.records import CellResult
from tests.builders.classes import found, related

TEXTS = ["Tom lives in Tibi .", "Ann works for Sola Bank in Rome .", "it rained .", "Bo hired Cy and Di ."]
RIGHT = ["Tom PER ; Tibi LOC", "Ann PER ; Sola Bank ORG ; Rome LOC", "none", "Bo ORG ; Cy PER ; Di PER"]
ANSWERED = ["Tom PER ; Tibi ORG", "Ann PER ; Sola ORG ; Rome LOC ; for ORG", "none", "Bo PER ; Cy PER ; and so on"]


def report(of: CellResult) -> ClassReport:
    assert of.samples
    return class_report(of, of.samples)


def tags(text: str, entities: str) -> list[str]:
    """What taggers write: B- and I- and O."""
    words = text.split()
    found = ["O"] * len(words)
    for name, _, kind in (piece.strip().rpartition(" ") for piece in entities.split(";")):
        parts = name.split()
        for at in range(len(words) if parts else 0):
            if words[at : at + len(parts)] == parts:
                found[at : at + len(parts)] = [f"B-{kind}", *[f"I-{kind}"] * (len(parts) - 1)]
                break
    return found


# seqeval 1.2.2, classification_report(mode="strict", scheme=IOB2): precision, recall, F1, support
SEQEVAL = {
    "LOC": (1.0, 0.5, 2 / 3, 2),
    "ORG": (0.0, 0.0, 0.0, 2),
    "PER": (0.75, 0.75, 0.75, 4),
    "micro avg": (0.5, 0.5, 0.5, 8),
    "macro avg": (0.5833333333333334, 0.4166666666666667, 0.47222222222222215, 8),
    "weighted avg": (0.625, 0.5, 0.5416666666666666, 8),
}


def test_strict_scores_by_type_are_those_of_seqeval() -> None:
    ours = report(found(TEXTS, RIGHT, [one.replace(" ; and so on", "") for one in ANSWERED]))
    scores = {
        row.name: (row.precision, row.recall, row.f1, row.support) for row in (*ours.rows[:3], *ours.averages[:3])
    }
    assert scores.keys() == SEQEVAL.keys()
    for name, known in SEQEVAL.items():
        assert scores[name] == pytest.approx(known)


def test_seqeval_itself_says_the_same_of_drawn_answers() -> None:
    metrics, schemes = pytest.importorskip("seqeval.metrics"), pytest.importorskip("seqeval.scheme")
    rng = np.random.default_rng(5)
    names, types = ("Tom", "Tibi", "Sola Bank", "Ann"), ("PER", "ORG", "LOC")
    texts = [" met ".join(rng.permutation(names)) for _ in range(40)]
    right, answered = (
        [" ; ".join(f"{name} {rng.choice(types)}" for name in names if rng.random() < 0.7) for _ in texts]
        for _ in range(2)
    )
    theirs = metrics.classification_report(
        [tags(*pair) for pair in zip(texts, right, strict=True)],
        [tags(*pair) for pair in zip(texts, answered, strict=True)],
        mode="strict",
        scheme=schemes.IOB2,
        output_dict=True,
        zero_division=0,
    )
    ours = report(found(texts, [one or "none" for one in right], answered))
    for row in (*ours.rows[:3], *ours.averages[:3]):
        assert [row.precision, row.recall, row.f1, row.support] == pytest.approx([*theirs[row.name].values()])


def test_partial_scores_give_half_for_an_overlap_of_the_same_type() -> None:
    ours = {(row.scheme, row.name): row for row in report(found(TEXTS, RIGHT, ANSWERED)).rows}
    assert (ours["strict", "ORG"].right, ours["partial", "ORG"].right) == (0.0, 0.5)  # Sola of Sola Bank
    assert ours["partial", "LOC"].right == 1.0  # Tibi is there, but as an ORG


def test_the_micro_averages_are_the_scores_of_the_cell() -> None:
    of = found(TEXTS, RIGHT, ANSWERED)
    ours = report(of)
    micro = {one.scheme: one.f1 for one in ours.averages if one.name == "micro avg"}
    assert micro == pytest.approx({"strict": of.scores[0].value, "partial": of.scores[1].value})
    assert [one.stderr for one in ours.averages if one.name == "micro avg"] == pytest.approx(
        [one.stderr for one in of.scores]
    )
    assert (ours.note, ours.unnamed, ours.accuracy, ours.matrix) == (None, 1, None, None)


def test_names_are_looked_for_in_the_text_and_not_in_the_demonstrations() -> None:
    ours = report(found(["Tom met Bo ."], ["Bo PER"], ["Tom PER"]))  # Tom stands in the example above too
    assert {row.scheme: row.right for row in ours.rows} == {"strict": 0.0, "partial": 0.0}


def test_relations_by_name_are_whole_or_half_right() -> None:
    right = ["Tibi employer Nora ; Suka home Melo", "Kado home Vimu", "none"]
    answered = ["Tibi employer Suka ; Suka home Melo", "Vimu home Kado ; and so on", "none"]
    ours = report(related(right, answered))
    rows = {(row.scheme, row.name): (row.right, row.predicted, row.support) for row in ours.rows}
    assert rows == {
        ("strict", "employer"): (0.0, 1, 1),
        ("strict", "home"): (1.0, 2, 2),
        ("partial", "employer"): (0.5, 1, 1),
        ("partial", "home"): (1.0, 2, 2),  # both parts the wrong way round is nothing
    }
    assert ours.unnamed == 1
    assert ours.averages[0].precision == pytest.approx(1 / 4)
