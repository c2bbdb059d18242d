import pytest

from harness.wording import probability, score, size


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (7, "7"),
        (999, "999"),
        (1000, "1k"),
        (184_320, "184k"),
        (999_600, "1M"),
        (1_020_000, "1.02M"),
        (6_900_000_000, "6.9B"),
        (175e9, "175B"),
        (300e9, "300B"),
        (1.4e12, "1.4T"),
        (2.3e22, "2.3e22"),
        (1e15, "1.0e15"),
    ],
)
def test_sizes_read_like_model_names(value: float, text: str) -> None:
    assert size(value) == text


@pytest.mark.parametrize(("value", "text"), [(0.12345, "0.123"), (-1.0, "-1.000"), (None, "")])
def test_scores_have_three_decimals_and_absence_is_empty(value: float | None, text: str) -> None:
    assert score(value) == text


@pytest.mark.parametrize(("p", "text"), [(0.0, "< 0.001"), (0.00123, "= 0.001"), (0.0499, "= 0.050"), (0.66, "= 0.66")])
def test_probabilities_carry_their_relation(p: float, text: str) -> None:
    assert probability(p) == text
