import pytest

from harness.analysis.growth import RUN_SD, assumed_run_sd, counts_of, rerun_of
from harness.analysis.growth.counts import effective_documents
from harness.analysis.verdict import judge
from tests.builders.curves import RISE, curve


@pytest.mark.parametrize(
    ("task", "run_sd"),
    [
        ("piqa", 0.006),
        ("PIQA", 0.006),
        ("arc:challenge", 0.009),
        ("ARC-Easy", 0.006),
        ("arc_challenge_test_rc_5shot", 0.009),
        ("lambada_openai", 0.010),
        ("sciq", 0.015),
        ("mmlu_astronomy", 0.028),
        ("hendrycksTest-professional_law", 0.028),
        ("mmlu_high_school_mathematics", 0.028),
        ("wsc273", 0.037),
        ("boolq_val_rc_5shot", 0.034),
        ("blimp_wh_island", 0.062),
        ("mmlu", RUN_SD),
        ("mmlu_stem", RUN_SD),
        ("mmlu_social_sciences", RUN_SD),
        ("mmlu_micro57", RUN_SD),
        ("colours", RUN_SD),
        ("notpiqa", RUN_SD),
    ],
)
def test_the_noise_between_runs_follows_the_task(task: str, run_sd: float) -> None:
    assert assumed_run_sd(task) == run_sd


def test_what_is_assumed_names_its_source() -> None:
    rerun = rerun_of("sciq")
    assert rerun is not None
    assert rerun.source == "Pythia and Pythia-deduped"
    assert rerun_of("colours") is None


def test_counts_are_discounted_by_the_noise_of_their_task_unless_told() -> None:
    noisy, told = curve(RISE, n=1000, name="wsc"), curve(RISE, n=1000)
    assert counts_of([noisy], run_sd=None).n[0, 0] == pytest.approx(effective_documents(1000.0, 0.037))
    assert counts_of([told], run_sd=None).n[0, 0] == pytest.approx(effective_documents(1000.0, RUN_SD))
    assert counts_of([noisy], run_sd=0.0).n[0, 0] == 1000


def test_a_verdict_says_which_noise_it_assumed_and_why() -> None:
    (noisy, other) = judge([curve(RISE, name="wsc"), curve(RISE)], draws=0)
    assert (noisy.verdict.evidence.run_sd, other.verdict.evidence.run_sd) == (0.037, RUN_SD)
    told = "a standard deviation of 0.037 at a score of one half, as reruns of Pythia and Pythia-deduped show"
    assert any(told in sentence for sentence in noisy.verdict.reasons)
    assert not any("Assumed noise" in sentence for sentence in other.verdict.reasons)
    (overridden,) = judge([curve(RISE, name="wsc")], draws=0, run_sd=0.01)
    assert overridden.verdict.evidence.run_sd == 0.01
    assert not any("Assumed noise" in sentence for sentence in overridden.verdict.reasons)
