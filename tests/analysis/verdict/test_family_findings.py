"""The answer in short: how many abilities of a family do what, and which matter most."""

from __future__ import annotations

from collections.abc import Sequence

from harness.analysis.curves import curves
from harness.analysis.verdict import FamilyFindings, findings, judge, study
from tests.builders import grown, task
from tests.builders.curves import EARLY, FALL, FLAT, RISE, STEP, TWO

SHOWN: dict[str, Sequence[int]] = {
    "rising": RISE,
    "jumping": TWO,
    "single": STEP,
    "falling": (160, 150, 140, 130, 120, 110, 105, 100),
    "lost": FALL,
    "level": FLAT,
    "poor": (30, 31, 33, 35, 38, 40, 43, 46),
}


def found(shown: dict[str, Sequence[int]] = SHOWN, **to_come: int) -> FamilyFindings:
    drawn = curves([r for name, right in shown.items() for r in grown(right, n=200, of=task(name))])
    (family,) = findings(judge(drawn, draws=0), to_come=to_come)
    return family


def test_one_sentence_says_how_many_abilities_do_what() -> None:
    assert found().sentence == (
        "Of 7 abilities 2 appear abruptly (1 of them by a single training run), 1 rises, 1 rises without getting above "
        "chance, 1 falls but is still above chance, 1 falls and 1 stays flat."
    )
    assert found({"rising": RISE}).sentence == "Of 1 ability 1 rises."


def test_what_matters_comes_first_and_flat_abilities_do_not_come_at_all() -> None:
    assert [one.judged.curve.task for one in found().matters] == [
        "jumping",
        "single",
        "lost",
        "falling",
        "rising",
        "poor",
    ]
    assert found({"level": FLAT}).matters == ()


def test_each_finding_is_one_sentence_with_the_scores_it_is_about() -> None:
    said = {one.judged.curve.task: one.sentence for one in found().matters}
    assert said["jumping"].startswith(
        "Absent in the smaller sizes, 0.800 at toy-16384000 (chance 0.250), and not foreseen"
    )
    assert said["falling"] == "Falls from 0.800 to 0.500, still above chance (chance 0.250)."
    assert said["poor"] == "Rises from 0.150 to 0.230, never above chance (chance 0.250)."
    assert "sets in at" in said["rising"]


def test_a_task_is_found_once_by_the_setting_that_shows_most_and_says_in_how_many_settings() -> None:
    drawn = curves([*grown(RISE, n=200), *grown(TWO, n=200, shots=2), *grown(TWO, n=200, shots=5)])
    (family,) = findings(judge(drawn, draws=0))
    (one,) = family.matters
    assert (one.does, one.settings, one.of_settings, one.judged.curve.shots) == ("emerges", 2, 3, 2)
    assert (family.abilities, family.tasks) == (3, 1)
    assert family.counts_what.startswith("1 task; an ability is a task in one setting")


def test_an_artefact_names_the_metric_that_grew_before() -> None:
    (family,) = findings(judge(curves(grown(STEP, smooth=EARLY)), draws=0))
    assert (
        family.groups[0].text
        == "1 only seems to jump or to stay flat, by the way it is measured (by a single training run)"
    )
    assert "prob_correct of the same answers already improved before" in family.matters[0].sentence


def test_what_the_format_makes_is_no_ability_that_appears() -> None:
    both = [*grown(TWO, n=200), *grown(RISE, n=200, format="cloze")]
    (family,) = findings(judge(curves(both), draws=0))
    assert [group.does for group in family.groups] == ["rises", "artefact"]
    (letters,) = (one for one in family.matters if one.does == "artefact")
    assert letters.sentence.endswith("while the same documents asked in the other format show it earlier.")


def test_findings_are_provisional_while_cells_are_to_come() -> None:
    assert found(toy=3).provisional == ("Provisional: a run goes on, and 3 cells of this family are still to come.")
    assert found(other=3).provisional == ""


def test_every_family_has_findings_of_its_own() -> None:
    assert [one.family for one in findings(study(grown(RISE)).judged)] == ["toy"]
    assert findings([]) == ()
