from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import ttest_rel

from harness.analysis.compare import Comparisons, Pairing, choose_side, compare_pairs, pair_up, paired_scores, summary
from harness.analysis.stats import benjamini_hochberg, paired_difference
from harness.errors import HarnessError
from harness.plan import Cell
from harness.records import CellFailure, CellResult
from harness.specs import MetricSpec
from harness.store import DocumentScores
from tests.builders import cell, failed, model, result, task

SMALL, LARGE = model(1000), model(4000)


def answered(of: Cell, values: Sequence[float], *, hashes: Sequence[str] | None = None) -> CellResult:
    """A result whose documents have the given hashes, d0 d1 ... by default."""
    made = result(of, values=values)
    names = hashes or [f"d{i}" for i in range(len(values))]
    samples = tuple(replace(s, doc_hash=name) for s, name in zip(made.samples or (), names, strict=True))
    return replace(made, samples=samples)


def documents(results: Sequence[CellResult]) -> Callable[[Cell], DocumentScores]:
    """What a store would read of these results."""
    read = {}
    for one in results:
        samples = one.samples or ()
        scores = {m.name: np.array([s.scores[m.name] for s in samples]) for m in one.cell.metrics}
        read[one.cell.key] = DocumentScores(tuple(s.doc_hash for s in samples), scores)
    return lambda of: read[of.key]


def pairing(a: str, b: str, results: Sequence[CellResult], failures: Sequence[CellFailure] = ()) -> Pairing:
    cells = [r.cell for r in results] + [f.cell for f in failures]
    return pair_up(choose_side(a, cells), choose_side(b, cells), results, failures)


def compared(a: str, b: str, results: Sequence[CellResult], *, every_metric: bool = False) -> Comparisons:
    return compare_pairs(pairing(a, b, results).pairs, documents(results), every_metric=every_metric)


def row(*scores: float) -> NDArray[np.float64]:
    return np.array([scores])


# --- the paired difference


def test_one_seed_of_partial_credit_is_the_paired_t_test() -> None:
    rng = np.random.default_rng(0)
    a = rng.random((1, 40))
    b = np.clip(a + rng.normal(0.05, 0.2, a.shape), 0.0, 1.0)
    found, theirs = paired_scores(a, b), ttest_rel(b[0], a[0])
    low, high = theirs.confidence_interval(0.95)
    assert found.p == pytest.approx(theirs.pvalue)
    assert (found.low, found.high) == pytest.approx((low, high))


def test_zeros_and_ones_of_one_seed_are_counted() -> None:
    # 6 documents only b solves, 1 only a: McNemar, twice P(at most 1 of 7) = 16 / 128
    a, b = row(*[0] * 6, 1, *[1] * 13), row(*[1] * 6, 0, *[1] * 13)
    found = paired_scores(a, b)
    assert (found.higher_b, found.equal, found.higher_a) == (6, 13, 1)
    assert found.p == pytest.approx(0.125)
    # Agresti and Min's own R function: diffpropci(b=1, c=6, n=20, 0.95)
    centre, spread = 5 / 22, np.sqrt(8 - 25 / 22) / 22
    assert (found.low, found.high) == pytest.approx((centre - 1.959964 * spread, centre + 1.959964 * spread), abs=1e-6)


def test_pairing_takes_out_what_both_sides_find_hard() -> None:
    rng = np.random.default_rng(1)
    ease = rng.random(200)
    a, b = (ease + rng.normal(0, 0.05, 200) for _ in range(2))
    found = paired_scores(a[None], b[None])
    assert found.stderr == pytest.approx(paired_difference(b, a).stderr)
    assert found.stderr_unpaired == pytest.approx(np.hypot(a.std(ddof=1), b.std(ddof=1)) / np.sqrt(200))
    assert found.stderr is not None
    assert found.stderr_unpaired is not None
    assert found.correlation is not None
    assert found.stderr < 0.25 * found.stderr_unpaired
    assert found.correlation > 0.9


def test_a_difference_as_large_as_the_detectable_one_is_found_4_times_in_5() -> None:
    rng = np.random.default_rng(2)
    ease = rng.normal(0, 1, 400)
    b = ease + rng.normal(0, 1, (500, 400))
    effect = paired_scores(ease[None], b[:1]).detectable
    assert effect == pytest.approx((1.96 + 0.84) / 20, rel=0.1)
    found = [p for row in b + (effect or 0.0) if (p := paired_scores(ease[None], row[None]).p) is not None and p < 0.05]
    assert 0.7 < len(found) / 500 < 0.9


def test_two_seeds_that_disagree_can_show_large_differences_only() -> None:
    rng = np.random.default_rng(6)
    a, b = rng.normal(0, 0.1, (2, 2, 200))
    b[1] += 0.4
    found = paired_scores(a, b)
    assert found.detectable is not None
    assert found.low is not None
    assert found.high is not None
    assert found.low < 0 < found.high
    assert found.detectable > (found.high - found.low) / 2


def test_seeds_that_ask_the_same_documents_are_no_further_documents() -> None:
    rng = np.random.default_rng(3)
    a, b = rng.random((1, 30)), rng.random((1, 30))
    once, thrice = paired_scores(a, b), paired_scores(np.repeat(a, 3, axis=0), np.repeat(b, 3, axis=0))
    assert thrice.n == 30
    assert (thrice.difference, thrice.stderr, thrice.p) == pytest.approx((once.difference, once.stderr, once.p))


@pytest.mark.parametrize("between_seeds", [0.0, 0.1])
def test_no_difference_is_rarely_called_one_even_when_examples_suit_a_side(between_seeds: float) -> None:
    rng = np.random.default_rng(4)

    def side(ease: NDArray[np.float64]) -> NDArray[np.float64]:
        return (
            ease + rng.normal(0, 0.3, ease.shape) + rng.normal(0, between_seeds, (3, 1)) + rng.normal(0, 0.5, (3, 100))
        )

    alarms = []
    over_documents = []
    for _ in range(400):
        ease = rng.normal(0, 1, 100)
        a, b = side(ease), side(ease)
        p, naive = paired_scores(a, b).p, paired_difference(b.mean(axis=0), a.mean(axis=0)).p
        assert p is not None
        assert naive is not None
        alarms.append(p < 0.05)
        over_documents.append(naive < 0.05)
    assert np.mean(alarms) < 0.08
    if between_seeds:
        assert np.mean(over_documents) > 0.2


def test_the_same_answers_everywhere_are_no_difference() -> None:
    counted, smooth = paired_scores(row(0, 1, 1), row(0, 1, 1)), paired_scores(row(0.1, 0.7, 0.5), row(0.1, 0.7, 0.5))
    assert (counted.p, smooth.p) == (1.0, 1.0)
    assert counted.high is not None
    assert 0.2 < counted.high < 1.0, "three documents do not show that there is none"
    assert smooth.low is smooth.high is smooth.detectable is None


def test_a_difference_without_spread_has_no_p() -> None:
    found = paired_scores(row(0.1, 0.2, 0.3), row(0.35, 0.45, 0.55))
    assert found.difference == pytest.approx(0.25)
    assert found.p is None
    assert found.low is None


def test_one_document_tells_nothing() -> None:
    found = paired_scores(row(0.2), row(0.9))
    assert (found.n, found.stderr, found.p, found.correlation) == (1, None, None, None)
    assert paired_scores(row(0), row(1)).p == 1.0


def test_rounding_wins_no_documents() -> None:
    found = paired_scores(row(0.1 + 0.2, 0.5), row(0.3, 0.9))
    assert (found.higher_b, found.equal, found.higher_a) == (1, 1, 0)
    assert paired_scores(row(0.1 + 0.2, 0.5), row(0.3, 0.5)).p == 1.0


# --- documents, tasks and metrics


def test_documents_are_paired_by_hash_and_the_others_counted() -> None:
    results = [
        answered(cell(model=SMALL), [1, 0, 0], hashes=["x", "y", "z"]),
        answered(cell(model=LARGE), [1, 1, 0, 1], hashes=["w", "z", "y", "v"]),
    ]
    (one,) = compared("toy-1000", "toy-4000", results).comparisons
    assert (one.scores.n, one.only_a, one.only_b) == (2, 1, 2)
    assert (one.scores.mean_a, one.scores.mean_b) == (0.0, 0.5)


def test_documents_of_one_hash_are_paired_in_their_order() -> None:
    results = [
        answered(cell(model=SMALL), [1, 0, 1], hashes=["same", "same", "other"]),
        answered(cell(model=LARGE), [1, 1, 0, 1], hashes=["other", "same", "same", "same"]),
    ]
    (one,) = compared("toy-1000", "toy-4000", results).comparisons
    assert (one.scores.n, one.only_b, one.scores.equal) == (3, 1, 3)


def test_without_a_shared_document_there_is_nothing_to_compare() -> None:
    results = [answered(cell(model=SMALL), [1], hashes=["x"]), answered(cell(model=LARGE), [1], hashes=["y"])]
    found = compared("toy-1000", "toy-4000", results)
    assert found.comparisons == ()
    assert [left.reason for left in found.unpaired] == ["no document is in both"]


def test_samples_that_cannot_be_read_cost_their_pair_alone() -> None:
    results = [
        answered(cell(of=task(name), model=size), [1, 0]) for name in ("colours", "shapes") for size in (SMALL, LARGE)
    ]
    read = documents(results)
    found = compare_pairs(
        pairing("toy-1000", "toy-4000", results).pairs,
        lambda of: None if (of.task, of.model) == ("shapes", LARGE) else read(of),
    )
    assert [one.task for one in found.comparisons] == ["colours"]
    assert found.unpaired == (("shapes", "0-shot", "the samples cannot be read"),)


def test_q_is_over_the_headline_metrics_whatever_else_is_shown() -> None:
    rng = np.random.default_rng(5)
    results = [
        answered(cell(of=task(f"task{i}"), model=size), list((rng.random(40) < 0.4 + lift * i / 10).astype(float)))
        for i in range(6)
        for size, lift in ((SMALL, 0), (LARGE, 1))
    ]
    few = compared("toy-1000", "toy-4000", results).comparisons
    many = compared("toy-1000", "toy-4000", results, every_metric=True).comparisons
    assert [one.q for one in few] == list(benjamini_hochberg([one.scores.p for one in few]))
    assert [one.q for one in many if one.headline] == [one.q for one in few]
    assert len(many) == 2 * len(few)


def test_a_smaller_loss_is_better() -> None:
    loss = task(metrics=(MetricSpec(name="brier", chance=0.75, best=0.0, higher_is_better=False),))
    lower, higher = list(np.linspace(0.1, 0.3, 40)), list(np.linspace(0.5, 0.8, 40))
    results = [answered(cell(of=loss, model=SMALL), higher), answered(cell(of=loss, model=LARGE), lower)]
    found = compared("toy-1000", "toy-4000", results).comparisons
    assert found[0].scores.difference < 0
    assert found[0].better == "B"
    assert summary(found) == (1, 0, 0)
    assert summary(compared("toy-4000", "toy-1000", results).comparisons) == (0, 1, 0)


def test_a_score_of_all_documents_together_is_compared_by_document_and_marked() -> None:
    results = [answered(cell(model=size), [1, 0, 1, 1]) for size in (SMALL, LARGE)]
    micro = tuple(replace(score, value=0.6) for score in results[0].scores)
    (plain,) = compared("toy-1000", "toy-4000", results).comparisons
    (marked,) = compared("toy-1000", "toy-4000", [replace(results[0], scores=micro), results[1]]).comparisons
    assert (plain.by_document, marked.by_document) == (False, True)
    assert marked.scores.mean_a == 0.75


def test_a_metric_without_scores_of_documents_is_named() -> None:
    results = [answered(cell(model=size), [1, 0]) for size in (SMALL, LARGE)]
    read = documents(results)

    def without_acc(of: Cell) -> DocumentScores:
        scores = read(of)
        return scores._replace(scores={"prob_correct": scores.scores["prob_correct"]})

    found = compare_pairs(pairing("toy-1000", "toy-4000", results).pairs, without_acc, every_metric=True)
    assert [one.metric.name for one in found.comparisons] == ["prob_correct"]
    assert [left.reason for left in found.unpaired] == ["acc has no scores of single documents"]


# --- which cells are paired


def test_models_are_paired_task_by_task_and_shot_by_shot() -> None:
    results = [result(cell(model=size, shots=shots)) for shots in (10, 2) for size in (SMALL, LARGE)]
    found = pairing("toy-1000", "toy-4000", results)
    assert [pair.setting for pair in found.pairs] == ["2-shot", "10-shot"]
    assert all((p.a[0].cell.model, p.b[0].cell.model) == (SMALL, LARGE) for p in found.pairs)
    assert found.unpaired == ()


def test_settings_are_paired_model_by_model() -> None:
    results = [result(cell(model=size, shots=shots)) for shots in (0, 5) for size in (SMALL, LARGE)]
    found = pairing("shots=0", "shots=5", results)
    assert [pair.setting for pair in found.pairs] == ["toy-1000", "toy-4000"]


def test_what_one_side_names_holds_for_both() -> None:
    results = [result(cell(model=size, shots=shots)) for shots in (0, 5) for size in (SMALL, LARGE)]
    assert [p.setting for p in pairing("toy-1000,shots=5", "toy-4000", results).pairs] == ["5-shot"]
    assert len(pairing("model=toy-1000,shots=0", "shots=5", results).pairs) == 1


def test_models_go_by_the_last_part_of_their_name_and_revisions_by_their_beginning() -> None:
    old, new = (model(name="org/toy", revision=revision) for revision in ("3f1cab", "9d00ef"))
    results = [result(cell(model=one)) for one in (old, new)]
    (pair,) = pairing("toy@3f", "toy@9d", results).pairs
    assert (pair.a[0].cell.model, pair.b[0].cell.model) == (old, new)
    assert pairing("org/toy@3f", "revision=9d", results).pairs == (pair,)


def test_another_model_is_not_asked_for_the_revision_of_the_first() -> None:
    results = [result(cell(model=model(name=name, revision=name * 2))) for name in ("x", "y")]
    assert len(pairing("x@xx", "y", results).pairs) == 1


def test_several_results_where_one_is_needed_are_refused_with_what_to_add() -> None:
    results = [result(cell(model=model(name="toy", revision=r))) for r in ("3f", "9d")] + [result(cell(model=LARGE))]
    with pytest.raises(HarnessError, match=r"toy: results of colours that differ in revision \(3f, 9d\); .*=3f"):
        pairing("toy", "toy-4000", results)


def test_of_results_that_differ_in_their_limit_the_larger_is_taken() -> None:
    results = [
        result(cell(model=SMALL, limit=2), values=(1, 0)),
        result(cell(model=SMALL), values=(1, 0, 1)),
        result(cell(model=LARGE, limit=2), values=(1, 1)),
    ]
    (pair,) = pairing("toy-1000", "toy-4000", results).pairs
    assert (pair.a[0].cell.limit, pair.b[0].cell.limit) == (None, 2)


def test_seeds_are_paired_with_themselves_and_others_told() -> None:
    results = [result(cell(model=SMALL, shots=2, seed=seed)) for seed in (0, 1, 2)]
    results += [result(cell(model=LARGE, shots=2, seed=seed)) for seed in (2, 1)]
    found = pairing("toy-1000", "toy-4000", results)
    assert [[r.cell.seed for r in side] for side in (found.pairs[0].a, found.pairs[0].b)] == [[1, 2], [1, 2]]
    assert found.unpaired == (("colours", "2-shot", "seed 0 in A alone"),)


def test_one_seed_without_demonstrations_stands_for_all() -> None:
    results = [result(cell())] + [result(cell(shots=2, seed=seed)) for seed in (0, 1, 2)]
    for a, b in (("shots=0", "shots=2"), ("shots=2", "shots=0")):
        found = pairing(a, b, results)
        assert [len(found.pairs[0].a), len(found.pairs[0].b)] == [3, 3]
        assert found.unpaired == ()


def test_seeds_can_be_what_is_compared() -> None:
    results = [result(cell(shots=2, seed=seed)) for seed in (0, 1)]
    (pair,) = pairing("seed=0", "seed=1", results).pairs
    assert (pair.a[0].cell.seed, pair.b[0].cell.seed) == (0, 1)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"task_digest": "1" * 12}, f"task digest {'0' * 12} in A, {'1' * 12} in B"),
        ({"engine": "lm-eval"}, "engine simulated in A, lm-eval in B"),
        ({"model": model(4000, dtype="bfloat16")}, "dtype float32 in A, bfloat16 in B"),
        ({"model": model(4000, variant="int8")}, "variant plain in A, int8 in B"),
        ({"prompt": "terse"}, None),
    ],
)
def test_circumstances_that_differ_unasked_are_not_compared_but_told(change: dict[str, object], reason: str) -> None:
    found = pairing("toy-1000", "toy-4000", [result(cell(model=SMALL)), result(cell(**{"model": LARGE, **change}))])
    assert found.pairs == ()
    assert [u.reason for u in found.unpaired] == ([reason] if reason else ["in A alone", "in B alone"])


def test_circumstances_that_both_sides_name_are_compared() -> None:
    results = [result(cell(model=SMALL)), result(cell(model=model(4000, dtype="bfloat16")))]
    assert len(pairing("toy-1000,dtype=float32", "toy-4000,dtype=bfloat16", results).pairs) == 1


@pytest.mark.parametrize(
    ("side", "variant"), [("none", None), ("plain", None), ("int8", "int8"), ("mine", "mine@f9ac24")]
)
def test_a_variant_is_named_as_its_treatment_is(side: str, variant: str | None) -> None:
    results = [result(cell(model=model(1000, variant=name))) for name in (None, "int8", "mine@f9ac24", "other")]
    (pair,) = pairing(f"variant={side}", "variant=other", results).pairs
    assert (pair.a[0].cell.model.variant, pair.b[0].cell.model.variant) == (variant, "other")


def test_a_partner_that_failed_is_told_with_its_error() -> None:
    results = [result(cell(model=SMALL)), result(cell(model=SMALL, shots=2)), result(cell(model=LARGE))]
    found = pairing("toy-1000", "toy-4000", results, [failed(cell(model=LARGE, shots=2))])
    assert found.unpaired == (("colours", "2-shot", "failed in B: ValueError: no answer"),)


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        ("toy-1", "toy-4000", "unknown model 'toy-1'; known: toy-1000, toy-4000"),
        (
            "size=3",
            "toy-4000",
            "size=3: unknown field 'size'; known: chat, docs, dtype, engine, family, format, generation",
        ),
        ("shots=7", "shots=0", "unknown shots '7'; known: 0"),
        ("shots=0,shots=0", "toy-4000", "shots stands twice"),
        (" ", "toy-4000", "an empty side"),
        ("toy-1000", "toy-1000", "choose the same cells"),
        ("toy-1000", "shots=0", "choose the same cells"),
        ("toy-1000", "toy-4000,task=shapes", "toy-1000: no results of task shapes, model toy-1000"),
    ],
)
def test_what_cannot_be_meant_is_one_line(a: str, b: str, message: str) -> None:
    results = [result(cell(model=SMALL)), result(cell(model=LARGE)), result(cell(of=task("shapes"), model=LARGE))]
    with pytest.raises(HarnessError) as error:
        pairing(a, b, results)
    assert message in str(error.value)
