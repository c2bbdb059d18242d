import json
from pathlib import Path

import pytest

from harness.plan import Cell
from harness.specs import MetricSpec
from harness.store import Store
from tests.builders import cell, failed, model, result, task
from tests.builders.commands import Emergence

ALL = 400


def asked(params: int, name: str = "colours", **changes: object) -> Cell:
    return cell(of=task(name), model=model(params), **changes)


def answers(right: int, of: int = ALL) -> list[float]:
    return [1.0] * right + [0.0] * (of - right)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "results")


def judged(
    emergence: Emergence, store: Store, small: list[float], large: list[float], *more: str
) -> tuple[int, dict[str, object]]:
    store.write(result(asked(1000), values=small))
    store.write(result(asked(4000), values=large))
    sides = ("--baseline", "toy-1000", "--candidate", "toy-4000")
    done = emergence("gate", *sides, "--results", store.root, "--json", *more)
    return done.code, json.loads(done.out)


@pytest.mark.parametrize(
    ("large", "margin", "code", "answer"),
    [
        (220, "0.02", 0, "pass"),  # better
        (200, "0.02", 0, "pass"),  # the same answers
        (180, "0.02", 1, "fail"),  # 5 points worse on the same documents
        (196, "0.02", 3, "cannot tell"),
        (180, "0.10", 0, "pass"),  # a loss that does not matter
    ],
)
def test_the_interval_of_the_difference_decides(
    emergence: Emergence, store: Store, large: int, margin: str, code: int, answer: str
) -> None:
    found, said = judged(emergence, store, answers(200), answers(large), "--margin", margin)
    assert (found, said["answer"]) == (code, answer)


def test_documents_without_a_score_are_allowed_for_on_both_ends(emergence: Emergence, store: Store) -> None:
    code, said = judged(emergence, store, answers(200), answers(200)[:360])
    assert (code, said["answer"]) == (3, "cannot tell")
    (check,) = said["checks"]  # type: ignore[misc]
    assert (check["n"], check["ungraded"]) == (360, 40)
    assert check["low"] == pytest.approx(-0.1, abs=0.02)
    assert check["high"] == pytest.approx(0.1, abs=0.02)


def test_a_cell_that_failed_is_neither_passed_nor_failed(emergence: Emergence, store: Store) -> None:
    store.write(result(asked(1000, "words"), values=answers(200)))
    store.write(failed(asked(4000, "words")))
    code, said = judged(emergence, store, answers(200), answers(210))
    assert code == 3
    assert said["missing"] == ["words 0-shot: failed in B: ValueError: no answer"]


def test_one_failed_task_fails_all(emergence: Emergence, store: Store) -> None:
    store.write(result(asked(1000, "words"), values=answers(300)))
    store.write(result(asked(4000, "words"), values=answers(100)))
    code, said = judged(emergence, store, answers(200), answers(210))
    assert code == 1
    assert {check["task"]: check["answer"] for check in said["checks"]} == {"colours": "pass", "words": "fail"}  # type: ignore[attr-defined]


@pytest.mark.parametrize(("least", "code"), [("0.4", 0), ("0.6", 1), ("0.5", 3)])
def test_a_least_score_is_held_against_the_interval(emergence: Emergence, store: Store, least: str, code: int) -> None:
    store.write(result(asked(4000), values=answers(200)))
    done = emergence("gate", "--candidate", "toy-4000", "--min", f"colours={least}", "--results", store.root)
    assert done.code == code
    assert f"at least {float(least):.3f}" in done.out


def test_losses_are_to_be_at_most(emergence: Emergence, store: Store) -> None:
    loss = (MetricSpec(name="loss", higher_is_better=False, chance=None, best=None, continuous=True),)
    store.write(result(cell(of=task("text", metrics=loss), model=model(4000)), values=[2.0, 2.1, 2.2] * 30))
    good = emergence("gate", "--candidate", "toy-4000", "--min", "text=3", "--results", store.root)
    bad = emergence("gate", "--candidate", "toy-4000", "--min", "text=1", "--results", store.root)
    assert (good.code, bad.code) == (0, 1)
    assert "at most 3.000" in good.out


def test_a_least_score_is_asked_of_each_setting_by_itself(emergence: Emergence, store: Store) -> None:
    store.write(result(asked(4000), values=answers(390)))
    store.write(result(asked(4000, chat="template"), values=answers(100)))
    gate = ("gate", "--candidate", "toy-4000", "--min", "colours=0.5", "--results", store.root, "--json")
    done = emergence(*gate)
    found = {check["setting"]: (check["value"], check["answer"]) for check in json.loads(done.out)["checks"]}
    assert found == {
        "0-shot, default, plain text": (0.975, "pass"),
        "0-shot, default, chat template": (0.25, "fail"),
    }
    assert done.code == 1


def test_few_shot_seeds_of_a_setting_count_together_for_a_least_score(emergence: Emergence, store: Store) -> None:
    for seed in (0, 1):
        store.write(result(asked(4000, shots=5, seed=seed), values=answers(300)))
    done = emergence("gate", "--candidate", "toy-4000", "--min", "colours=0.5", "--results", store.root, "--json")
    assert [check["setting"] for check in json.loads(done.out)["checks"]] == ["5-shot, default"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--candidate", "toy-4000"), "nothing to check: expected --baseline, or --min TASK=SCORE"),
        (("--candidate", "nobody", "--min", "colours=0.5"), "unknown model 'nobody'"),
        (("--candidate", "toy-4000", "--min", "colours"), "--min is 'colours'; expected TASK=SCORE, such as add_3=0.6"),
        (("--candidate", "toy-4000", "--min", "colours=nan"), "--min is 'colours=nan'; expected TASK=SCORE"),
        (("--candidate", "toy-4000", "--min", "colours=1e400"), "--min is 'colours=1e400'; expected TASK=SCORE"),
        (("--candidate", "toy-4000", "--min", "sounds=0.5"), "--min sounds: the candidate has no result of it"),
        (("--candidate", "toy-4000", "--baseline", "toy-4000"), "choose the same cells"),
        (("--candidate", "toy-4000", "--baseline", "toy-1000", "--margin", "1"), "--margin is 1.0; expected 0 or more"),
    ],
)
def test_a_wrong_command_is_neither_pass_nor_fail(
    emergence: Emergence, store: Store, arguments: tuple[str, ...], said: str
) -> None:
    store.write(result(asked(1000), values=answers(200)))
    store.write(result(asked(4000), values=answers(200)))
    done = emergence("gate", *arguments, "--results", store.root)
    assert done.code == 2
    assert said in done.err


def test_people_get_a_table_and_one_line(emergence: Emergence, store: Store) -> None:
    store.write(result(asked(1000), values=answers(200)))
    store.write(result(asked(4000), values=answers(230)))
    done = emergence("gate", "--baseline", "toy-1000", "--candidate", "toy-4000", "--results", store.root)
    assert done.out.splitlines()[-1] == "pass: 1 of 1 check passed"
    assert "no worse by 0.020" in done.out
