import pytest

from harness.errors import HarnessError
from harness.scoring.rendering import rendered


@pytest.mark.parametrize("template", ["{{ 'a' * 10**10 }}", "{{ 10**9 * [1] }}", "{{ 10**(10**10) }}"])
def test_a_template_that_would_fill_the_memory_is_refused(template: str) -> None:
    with pytest.raises(HarnessError, match="would fill the memory"):
        rendered(template, {})


def test_products_of_usual_size_are_computed() -> None:
    assert rendered("{{ 'ab' * 2 }} {{ 3 * x }} {{ 2**10 }} {{ x * 0.5 }}", {"x": 2}) == "abab 6 1024 1.0"
