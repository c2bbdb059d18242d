import time

import pytest

from harness.bounded.limits import SETTING, UnreadableError
from harness.bounded.yaml_text import parsed_yaml


def alias_bomb(levels: int, more: int = 9) -> str:
    lines = ["a0: &a0 [x]"] + [f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * more)}]" for i in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (alias_bomb(9), "has more than 200,000 values"),
        ("b0: &b0 {x: 1}\n" + "\n".join(f"b{i}: &b{i} {{<<: [{','.join([f'*b{i - 1}'] * 9)}]}}" for i in range(1, 9)),
         "has more than 200,000 values"),
        (f'a: &a "{"x" * 10**5}"\nb: [{",".join(["*a"] * 200)}]', "has more than 10,000,000 bytes"),
        ("a: &a [*a]", "line 1: *a refers to a list or mapping that contains it"),
        ("a: &a\n  b: {c: *a}", "line 2: *a refers to a list or mapping that contains it"),
        ("a: *b", "line 1: *b has no anchor"),
        ("[" * 100_000, "has more than 100 levels"),
        ("{a: " * 100_000, "has more than 100 levels"),
        ("- " * 100_000, "has more than 100 levels"),
        ("? " * 100_000, "has more than 100 levels"),
        ("".join(" " * i + "a:\n" for i in range(1500)), "has more than 100 levels"),
        ("[" + "1," * 300_000 + "]", "has more than 200,000 values"),
        ("a: 0x_", "line 1: '0x_' is no int"),
        ('a: !!int ""', "line 1: '' is no int"),
        ("a: !!int x", "line 1: 'x' is no int"),
        ("a: !!bool maybe", "line 1: 'maybe' is no bool"),
        ("a: !!float [1]", "line 1: expected a scalar node, but found sequence"),
        ("a: !!map x", "line 1: expected keys and values"),
        ("a: !!timestamp [1]", "line 1: expected a scalar node, but found sequence"),
        ("a: !!binary x", "line 1: !!binary; expected texts, numbers, lists, keys and values"),
        ("a: !!set {x}", "line 1: !!set; expected texts, numbers, lists, keys and values"),
        ("a: !!omap [{x: 1}]", "line 1: !!omap; expected texts"),
        ("a: !!python/object/apply:os.system [ls]", "line 1: could not determine a constructor for the tag"),
        ("a: " + "1" * 10**6, "line 1: a number of 1,000,000 characters"),
        ("a: 1" + ":01" * 10**5, "line 1: a number of 300,001 characters"),
        ("{a: 1, a: 2}", "line 1: key 'a' stands twice"),
        ("~: 1", "line 1: a key is empty; expected a name"),
        ("{1: 1, true: 2}", "line 1: key True stands twice"),
        ("{[a]: 1}", "line 1: a key is a mapping or a list"),
        (f"{{{2**61}: 1}}", f"line 1: key {2**61} is a number; expected quotes"),
        ("{0.5: 1}", "line 1: key 0.5 is a number; expected quotes"),
        ("{<<: 3}", "line 1: expected a mapping or list of mappings for merging"),
        ('a: "\\ud800"', "line 1: found invalid Unicode character escape code"),
        ("\t", "line 1: found character that cannot start any token"),
    ],
)  # fmt: skip
def test_yaml_that_cannot_be_had_is_refused_in_a_second(text: str, message: str) -> None:
    begun = time.monotonic()
    with pytest.raises(UnreadableError) as caught:
        parsed_yaml(text)
    assert str(caught.value).startswith(message)
    assert len(str(caught.value)) < 400
    assert time.monotonic() - begun < 3


def test_keys_may_be_merged_and_yield_to_those_that_stand_there() -> None:
    text = "base: &base {x: 1, y: 2}\nother: &other {z: 3, y: 4}\nall:\n  <<: [*base, *other]\n  x: 5\n"
    assert parsed_yaml(text)["all"] == {"x": 5, "y": 2, "z": 3}


def test_anchors_that_stay_small_may_be_used_again() -> None:
    assert parsed_yaml(alias_bomb(3))["a2"] == [[["x"]] * 9] * 9


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2001-02-30", "2001-02-30"),
        ("2001-02-03", "2001-02-03"),
        ("0x", "0x"),
        ("0x1F", 31),
        ("=", "="),
        ("{=: 1}", {"=": 1}),
        ("1e3", "1e3"),
        ("~", None),
    ],
)
def test_plain_values_are_what_they_look_like(text: str, value: object) -> None:
    assert parsed_yaml(text) == value


def test_the_limits_can_be_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "[" * 150 + "]" * 150
    with pytest.raises(UnreadableError, match=f"{SETTING}=10 in the environment allows ten times as much"):
        parsed_yaml(text)
    monkeypatch.setenv(SETTING, "2")
    assert parsed_yaml(text)
    monkeypatch.setenv(SETTING, "1000")
    with pytest.raises(UnreadableError, match="levels"):
        parsed_yaml("[" * 3000 + "]" * 3000)
