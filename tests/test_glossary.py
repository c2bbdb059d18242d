"""The glossary explains every word that tables, figures and verdicts use, and its page is what the module says."""

from pathlib import Path
from typing import get_args

import pytest

from harness import glossary
from harness.analysis.verdict import Label
from harness.scoring.metrics import CORPUS_METRICS, SAMPLE_METRICS

PAGE = Path(__file__).parent.parent / "docs" / "glossary.md"


def test_the_page_of_the_documentation_is_the_glossary() -> None:
    assert PAGE.read_text(encoding="utf-8") == glossary.glossary_page(), "python -m harness.glossary > docs/glossary.md"


def test_every_label_and_qualifier_is_explained() -> None:
    assert glossary.VERDICTS.keys() == set(get_args(Label))
    from harness.analysis.verdict import types

    named = {types.FORMAT_ARTEFACT, types.FORMAT_ROBUST, types.ABOVE_CHANCE, types.NOT_ABOVE_CHANCE}
    assert glossary.QUALIFIER_TEXTS.keys() >= named | {"sharp", "apparent", "metric-robust", "unconfirmed", "rough"}


@pytest.mark.parametrize("name", [*SAMPLE_METRICS, *CORPUS_METRICS, "pass_at_3"])
def test_every_metric_of_ours_has_a_unit(name: str) -> None:
    found = glossary.metric_of(name)
    assert found is not None
    assert found.text.endswith(".")


def test_units_say_what_is_counted() -> None:
    units = {
        name: glossary.metric_of(name) for name in ("acc", "token_f1", "loglikelihood_per_token", "chance-centred acc")
    }
    assert [one and one.unit for one in units.values()] == [
        "share of documents",
        "F1",
        "nats per token",
        "0 is chance, 1 perfect",
    ]


@pytest.mark.parametrize(
    "heading", ["Family", "Task", "Setting", "Threshold", "q", "n", "rank", "mean_normalized", "acc"]
)
def test_headings_of_tables_have_an_explanation(heading: str) -> None:
    assert (glossary.explained(heading) or "").endswith((".", ")"))


def test_what_nobody_explained_has_none() -> None:
    assert glossary.explained("colours 0-shot (acc)") is None
