import time

import pytest

from harness.errors import CatalogError
from harness.scoring.templates import asked


def test_fields_are_those_that_must_be_there() -> None:
    template = (
        "{{a.x}} {{b|default('')}} {% if c is defined %}{{c}}{% endif %}{% for d in e %}{{d}}{% endfor %}{{range(2)}}"
    )
    assert asked(template) == {"a", "e"}


@pytest.mark.parametrize(
    "template",
    [
        "{{ 'a' * 10**10 }}",
        "{{ 'a' | center(10**10) }}",
        "{{ 'a' | center(10000000000) }}",
        "{{ '%10000000000d' % 3 }}",
        "{{ '%10000000000d' | format(3) }}",
        "{{ 10**10**10 }}",
        "{{ lipsum(n=10**9) }}",
        "{% for i in range(10**9) %}{% endfor %}",
        "{{ 'a' | regex_replace('(a|a)*b', '') }}",
    ],
)
def test_nothing_is_computed_to_find_fields(template: str) -> None:
    begun = time.monotonic()
    assert asked(template) == frozenset()
    assert time.monotonic() - begun < 1


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{", "is no template: unexpected 'end of template'"),
        ("{{ x | nope }}", "is no template: No filter named 'nope'"),
        ("{{ " + "[" * 3000 + "]" * 3000 + " }}", "is no template: it is nested too deep"),
        ("{{ a" + ".b" * 5000 + " }}", "is no template: it is nested too deep"),
        ("{% if a %}" * 3000, "is no template: it is nested too deep"),
        ("{{ " + "9" * 5000 + " }}", "is no template: Exceeds the limit"),
        ("{{ " + "x" * 5000 + " y }}", "is no template: expected token"),
        ("x" * 100_001, "has 100,001 characters; expected at most 100,000"),
    ],
)
def test_a_damaged_template_is_said_in_one_line(template: str, message: str) -> None:
    with pytest.raises(CatalogError) as caught:
        asked(template)
    assert str(caught.value).startswith(message)
    assert len(str(caught.value)) < 400
