"""F1 of words where SQuAD's rule goes wrong: `token_f1` keeps it, `token_f1_unicode` gives what a reader would."""

from __future__ import annotations

import pytest

from harness.scoring.metrics import Answer, sample_metric

CASES: dict[str, tuple[str, str, float, float]] = {
    "an empty answer to an article": ("", "A", 1.0, 0.0),
    "one article for another": ("the", "A", 1.0, 0.0),
    "an article where nothing else is left": ("a.", "A", 1.0, 1.0),
    "a number without its point": ("314", "3.14", 1.0, 0.0),
    "a number and a leading point": (".5", "5", 1.0, 0.0),
    "a leading point and a zero": (".5", "0.5", 0.0, 1.0),
    "a fraction": ("1/2", "12", 1.0, 0.0),
    "a fraction in one character": ("½", "1/2", 0.0, 1.0),
    "a whole number before a fraction": ("5½", "51/2", 0.0, 0.0),
    "a power": ("10²", "102", 0.0, 0.0),
    "thousands": ("1,000", "1000", 1.0, 1.0),
    "a minus sign": ("−5", "-5", 0.0, 1.0),
    "a full-width minus sign": ("－５", "-5", 0.0, 1.0),
    "a number without its sign": ("5", "-5", 1.0, 0.0),
    "a sign in brackets": ("(-5)", "−5", 0.0, 1.0),
    "a range with another dash": ("1990–1995", "1990-1995", 0.0, 1.0),
    "a range and its digits": ("19901995", "1990-1995", 1.0, 0.0),
    "one end of a range": ("1990", "1990–1995", 0.0, 2 / 3),
    "an ideographic full stop": ("北京。", "北京", 0.0, 1.0),
    "one character of two": ("北", "北京", 0.0, 2 / 3),
    "Chinese with and without spaces": ("北京 市", "北京市", 0.0, 1.0),
    "Japanese": ("東京タワー！", "東京タワー", 0.0, 1.0),
    "a Korean particle": ("서울은", "서울", 0.0, 0.8),
    "full-width digits": ("１９９０", "1990", 0.0, 1.0),
    "Arabic digits": ("٣٫١٤", "3.14", 0.0, 1.0),
    "an Arabic comma": ("نعم،", "نعم", 0.0, 1.0),
    "curly quotes": ("“yes”", "yes", 0.0, 1.0),
    "another apostrophe": ("don’t", "don't", 0.0, 1.0),
    "a dash between words": ("well-known", "well–known", 0.0, 1.0),
    "a letter in two characters": ("cafe\u0301", "caf\u00e9", 0.0, 1.0),
    "vowel signs": ("हिन्दी।", "हिन्दी", 0.0, 1.0),
    "an invisible character": ("\ufeffyes\u200b", "yes", 0.0, 1.0),
    "operators": ("+", "-", 1.0, 0.0),
    "two empty texts": ("", " ", 1.0, 1.0),
    "words in another order": ("blue dark", "The dark blue.", 1.0, 1.0),
}


@pytest.mark.parametrize(("output", "target", "squad", "unicode"), CASES.values(), ids=CASES)
def test_word_f1(output: str, target: str, squad: float, unicode: float) -> None:
    """SQuAD's script drops ASCII punctuation and articles alone (rajpurkar/SQuAD-explorer; MLQA, arXiv 1910.07475)."""
    answer = Answer(doc={}, target=target, output=output)
    turned = Answer(doc={}, target=output, output=target)
    for metric, due in (("token_f1", squad), ("token_f1_unicode", unicode)):
        assert sample_metric(metric)(answer) == pytest.approx(due)
        assert sample_metric(metric)(turned) == pytest.approx(due)
