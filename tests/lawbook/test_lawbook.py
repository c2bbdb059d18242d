from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from harness.errors import HarnessError, PlanError, TableError
from harness.lawbook import BOOK, Choice, fitted


def over_compute(*, chance: float | None = 0.25, models: int = 20) -> pd.DataFrame:
    """Scores at chance up to 1e22 FLOPs and a tenth per decade beyond; every other model is 0.03 ahead."""
    rng = np.random.default_rng(0)
    log = np.linspace(20.5, 24.0, models)
    ahead = np.arange(models) % 2 == 1
    value = 0.25 + 0.1 * np.maximum(log - 22, 0) + 0.03 * ahead + rng.normal(0, 0.002, models)
    rows = pd.DataFrame({"model": [f"m{i}" for i in range(models)], "flops": 10**log, "value": value, "seen": ahead})
    rows = rows.assign(task="quiz", metric="acc", n_shot=5)
    return rows if chance is None else rows.assign(chance=chance)


def law(params: float, tokens: float) -> float:
    return 0.4 + (2e6 / params) ** 0.3 + (1e8 / tokens) ** 0.3


def trained() -> pd.DataFrame:
    """Four sizes on four amounts of data, each loss by a known law, and a score that is a sigmoid of the loss."""
    sizes = [(n, d) for n in (1e8, 3e8, 1e9, 3e9) for d in (2e9, 1e10, 5e10, 2e11)]
    rows = [{"model": f"{n / 1e6:.0f}m-{d / 1e9:.0f}b", "params": n, "tokens": d, "loss": law(n, d)} for n, d in sizes]
    frame = pd.DataFrame(rows)
    frame["value"] = 0.25 + 0.75 / (1 + np.exp(6 * (frame["loss"] - 0.95)))
    return frame.assign(task="quiz", metric="acc", n_shot=0, chance=0.25)


def by_document(rates: np.ndarray, samples: int) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    sizes = 10.0 ** np.arange(6, 6 + len(rates))
    rows = [
        {"model": f"m{i}", "params": size, "doc_id": f"d{j}", "k": int(rng.binomial(samples, p)), "n": samples}
        for i, (size, row) in enumerate(zip(sizes, rates, strict=True))
        for j, p in enumerate(row)
    ]
    return pd.DataFrame(rows).assign(task="proofs", metric="pass", n_shot=0)


def test_exposure_finds_where_scores_leave_chance_and_what_exposure_adds() -> None:
    (row,) = fitted("exposure", over_compute(), Choice(marked="seen")).rows
    assert np.log10(row["at"]) == pytest.approx(22, abs=0.1)
    assert row["low"] < row["at"] < row["high"]
    assert row["slope"] == pytest.approx(0.1, abs=0.01)
    assert row["theta_low"] < 0.03 < row["theta_high"]
    assert (row["models"], row["refusal"]) == (20, None)


def test_exposure_without_a_chance_level_says_what_is_missing_and_takes_it_from_the_user() -> None:
    (row,) = fitted("exposure", over_compute(chance=None), Choice()).rows
    assert (row["at"], row["refusal"]) == (None, "The chance level is not known: give a column chance, or --chance.")
    (told,) = fitted("exposure", over_compute(chance=None), Choice(chance=0.25)).rows
    assert told["at"] == pytest.approx(1e22, rel=1.0)


def test_conditions_of_a_table_are_fitted_apart() -> None:
    frame = pd.concat([over_compute().assign(condition=name) for name in ("base", "tuned")])
    assert [row["condition"] for row in fitted("exposure", frame, Choice()).rows] == ["base", "tuned"]


def test_loss_collapse_finds_that_the_loss_says_more_than_size() -> None:
    (row,) = fitted("loss-collapse", trained(), Choice()).rows
    assert row["r2_loss"] > 0.99
    assert row["gain"] == pytest.approx(row["r2_loss"] - max(row["r2_flops"], row["r2_params"], row["r2_tokens"]))
    assert (row["checkpoints"], row["runs"]) == (16, 16)
    assert row["threshold"] is not None


def test_the_loss_may_be_a_metric_of_the_table() -> None:
    frame = trained()
    as_metric = frame.assign(metric="bpb", value=frame["loss"])
    joined = pd.concat([frame, as_metric]).drop(columns="loss")
    (named,) = fitted("loss-collapse", joined, Choice(loss_from="bpb")).rows
    (column,) = fitted("loss-collapse", frame, Choice()).rows
    assert named == column
    perplexity = frame.assign(task="text", metric="ppl", value=np.exp(frame["loss"]))
    elsewhere = pd.concat([frame, perplexity]).drop(columns="loss")
    (of_task,) = fitted("loss-collapse", elsewhere, Choice(loss_from="text:ppl", tasks=("quiz",))).rows
    assert of_task["r2_loss"] == pytest.approx(column["r2_loss"])


def test_two_steps_foretell_the_largest_run_and_another_size() -> None:
    (row,) = fitted("two-step", trained(), Choice(at=(1e10, 1e12))).rows
    assert row["loss_law"] == "parameters and tokens"
    assert (row["alpha"], row["beta"], row["floor"]) == pytest.approx((0.3, 0.3, 0.4), abs=0.02)
    assert row["held_out"] == "3000m-200b"
    assert row["foretold"] == pytest.approx(row["measured"], abs=0.02)
    expected = law(1e10, 1e12)
    assert row["loss_at"] == pytest.approx(expected, abs=0.01)
    assert row["score_at"] == pytest.approx(0.25 + 0.75 / (1 + np.exp(6 * (expected - 0.95))), abs=0.02)


def test_runs_whose_data_grow_with_their_size_are_fitted_over_compute() -> None:
    frame = trained()
    together = frame[frame["model"].isin(["100m-2b", "300m-10b", "1000m-50b", "3000m-200b"])]
    (row,) = fitted("two-step", together, Choice()).rows
    assert (row["loss_law"], row["beta"]) == ("compute", None)


def test_an_observational_law_foretells_a_task_from_others() -> None:
    rng = np.random.default_rng(2)
    ability = np.linspace(-2, 2, 30)
    flops = 10 ** (21 + ability)
    rows = []
    for i, g in enumerate(ability):
        model = {"model": f"m{i}", "flops": flops[i], "n_shot": 0, "metric": "acc"}
        rows += [
            model | {"task": f"bench{j}", "value": 0.5 + 0.1 * g * weight + rng.normal(0, 0.005)}
            for j, weight in enumerate((1.0, 0.8, 0.5))
        ]
        rows.append(model | {"task": "riddles", "value": 1 / (1 + np.exp(-2 * (g - 0.3)))})
    frame = pd.DataFrame(rows)
    found = fitted("observational", frame, Choice(target="riddles", components=1, cut=1e22))
    (row,) = found.rows
    assert row["explained_1"] > 0.98
    assert row["r2"] > 0.98
    assert (row["models"], row["tested"]) == (int((flops <= 1e22).sum()), int((flops > 1e22).sum()))
    assert row["error"] < 0.005
    assert found.notes[0].startswith("First component: bench0 0.")


def test_rare_abilities_follow_a_law_that_single_samples_do_not_show() -> None:
    rates = np.exp(-(10.0 ** (1.0 - 0.15 * np.arange(5)))[:, None]) * np.ones((5, 60))
    found = fitted("pass-until", by_document(rates, 20_000), Choice())
    assert [row["model"] for row in found.rows] == [f"m{i}" for i in range(5)]
    assert found.rows[0]["pass_rate"] == pytest.approx(np.exp(-10), abs=3e-5)
    assert found.rows[0]["unseen"] > 0.9
    assert found.rows[0]["slope"] == pytest.approx(-0.15, abs=0.03)


def test_hard_documents_may_turn_where_easy_ones_rise() -> None:
    models = 12
    easy = np.linspace(0.6, 0.95, models)
    hard = 0.1 + 0.3 * np.abs(np.linspace(-1, 1, models))
    rates = np.repeat(np.stack([easy, hard], axis=1), 60, axis=1)
    found = fitted("difficulty", by_document(rates, 200).assign(metric="acc"), Choice(groups=2)).rows
    assert [row["group"] for row in found] == ["1 of 2", "2 of 2"]
    assert [row["turn"] for row in found] == [None, "falls, then rises"]
    assert found[1]["lowest"] < found[1]["smallest"]


@pytest.mark.parametrize(
    ("name", "frame", "choice", "expected"),
    [
        ("exposure", trained().drop(columns=["params", "tokens"]), Choice(), "no model has flops"),
        ("loss-collapse", over_compute(), Choice(), "column loss is missing or empty"),
        ("loss-collapse", trained(), Choice(loss_from="bpb"), "bpb"),
        ("two-step", over_compute(), Choice(), "column loss is missing or empty"),
        ("observational", trained(), Choice(), "--target TASK"),
        ("observational", trained(), Choice(target="quiz"), "no task beside quiz"),
        ("observational", trained(), Choice(target="quizz"), "quiz"),
        ("pass-until", trained(), Choice(), "columns doc_id, k"),
        ("difficulty", trained(), Choice(), "column doc_id is missing or empty"),
        ("exposure", over_compute(), Choice(tasks=("nothing",)), "nothing"),
        ("exposure", over_compute().drop(columns="task"), Choice(), "column task is missing"),
    ],
)
def test_what_a_table_lacks_is_said_in_one_line(name: str, frame: pd.DataFrame, choice: Choice, expected: str) -> None:
    with pytest.raises(TableError, match=expected) as caught:
        fitted(name, frame, choice, "t.csv")
    assert "\n" not in str(caught.value)


def test_too_few_shared_documents_are_refused() -> None:
    with pytest.raises(HarnessError, match=r"proofs: .*cannot be halved"):
        fitted("difficulty", by_document(np.full((4, 3), 0.5), 10), Choice(groups=3))


def test_an_unknown_law_lists_those_there_are() -> None:
    with pytest.raises(PlanError, match="exposure"):
        fitted("gravity", over_compute(), Choice())
    assert all(law.says and law.needs and law.source for law in BOOK.values())


PASSED = np.exp(-(10.0 ** (1.0 - 0.15 * np.arange(5)))[:, None]) * np.ones((5, 60))


def benchmarks() -> pd.DataFrame:
    """Thirty models whose scores on three benchmarks tell what they score on a fourth task."""
    rng = np.random.default_rng(2)
    ability = np.linspace(-2, 2, 30)
    scores = {f"bench{j}": 0.5 + 0.1 * ability * weight for j, weight in enumerate((1.0, 0.8, 0.5))}
    scores["riddles"] = 1 / (1 + np.exp(-2 * (ability - 0.3)))
    rows = [
        {"model": f"m{i}", "flops": 10 ** (21 + g), "task": task, "value": value[i] + rng.normal(0, 0.005)}
        for i, g in enumerate(ability)
        for task, value in scores.items()
    ]
    return pd.DataFrame(rows).assign(metric="acc", n_shot=0)


def test_a_figure_of_a_hinge_shows_models_fit_and_interval() -> None:
    found = fitted("exposure", over_compute(), Choice(marked="seen"))
    (row,), (picture,) = found.rows, found.pictures
    assert picture.strip == (row["low"], row["high"])
    assert [(dots.name, len(dots.x)) for dots in picture.dots] == [("exposed to the task", 10), ("models", 10)]
    (drawn,) = picture.lines
    assert np.interp(23.0, np.log10(drawn.x), drawn.y) == pytest.approx(0.35, abs=0.01)
    assert all(low < middle < high for low, middle, high in zip(drawn.low, drawn.y, drawn.high, strict=True))
    assert drawn.high[0] - drawn.low[0] == pytest.approx(4 * 0.002, rel=0.5)
    assert picture.says.startswith("The score leaves 0.250 at FLOPs ")
    assert "Models exposed to the task score 0.0" in picture.says


def test_a_law_that_must_not_be_read_has_no_interval_in_its_figure() -> None:
    falling = over_compute().assign(value=lambda frame: 1.0 - frame["value"])
    found = fitted("exposure", falling, Choice())
    assert found.rows[0]["refusal"]
    assert found.pictures[0].strip is None
    assert found.pictures[0].says.startswith(found.rows[0]["refusal"])


def test_a_figure_of_two_steps_shows_what_they_foretell() -> None:
    found = fitted("two-step", trained(), Choice(at=(1e10, 1e12)))
    (row,), (picture,) = found.rows, found.pictures
    assert picture.axis == "loss"
    models, foretold = picture.dots
    assert (len(models.x), foretold.foretold) == (16, True)
    assert foretold.models == ("10B on 1T tokens", "3000m-200b")
    assert foretold.y == (row["score_at"], row["foretold"])
    assert min(picture.lines[0].x) == pytest.approx(row["loss_at"])


def test_runs_with_several_checkpoints_are_told_apart_in_a_figure() -> None:
    frame = trained().assign(model=lambda some: "m" + some["params"].astype(str) + "@" + some["tokens"].astype(str))
    (picture,) = fitted("loss-collapse", frame, Choice()).pictures
    assert [(dots.name, dots.joined, len(dots.x)) for dots in picture.dots] == [
        ("m100000000.0", True, 4),
        ("m300000000.0", True, 4),
        ("m1000000000.0", True, 4),
        ("m3000000000.0", True, 4),
    ]
    assert picture.strip is not None
    assert picture.says.startswith("The loss explains 100% of the variance.")


@pytest.mark.parametrize(
    ("name", "frame", "choice"),
    [
        ("exposure", over_compute(), Choice()),
        ("loss-collapse", trained(), Choice()),
        ("two-step", trained(), Choice()),
        ("observational", benchmarks(), Choice(target="riddles", components=1, cut=1e22)),
        ("pass-until", by_document(PASSED, 20_000), Choice()),
        ("difficulty", by_document(PASSED, 2000), Choice(groups=2)),
    ],
)
def test_every_law_has_a_figure_of_its_scores_and_what_is_known_of_them(
    name: str, frame: pd.DataFrame, choice: Choice
) -> None:
    pictures = fitted(name, frame, choice).pictures
    assert len(pictures) == 1
    (picture,) = pictures
    assert picture.dots
    assert picture.says
    for dots in picture.dots:
        assert len(dots.x) == len(dots.y) == len(dots.models) > 0
        assert np.isfinite([*dots.x, *dots.y]).all()
        assert dots.error or picture.lines[0].low
