"""Templates and regular expressions of others end, whatever they compute; usual ones give what they always gave."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any

import pytest

from harness.errors import ComputationError, HarnessError
from harness.scoring import limited
from harness.scoring.limited import Allowance, LimitedRendering, filtered, without, wrong_pattern_within_limits
from harness.scoring.rendering import RenderingHere

pytestmark = pytest.mark.processes

USUAL = [
    ("{{ q }}: {{ a | join(', ') }}", {"q": "Who?", "a": ["x", "y"]}),
    ("{{ a }}", {"a": ["x", 1, 2.5, None]}),
    ("['{{ a }}', 'b']", {"a": "é\ud800\n"}),
    ("[{{ a }}", {"a": "no list"}),
    ("{{ q | regex_replace('[0-9]+', '#') }}", {"q": "12 and 7"}),
    ("{{ {'a': 1} }}", {}),
    ("", {}),
]


@pytest.fixture
def tight(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fifth of the usual time and memory, so that tests are quick."""
    monkeypatch.setenv("EMERGENCE_LIMITS", "0.2")


@pytest.mark.parametrize(("template", "doc"), USUAL)
def test_a_usual_template_gives_what_it_gives_in_this_process(template: str, doc: Mapping[str, Any]) -> None:
    apart, here = LimitedRendering(), RenderingHere()
    assert apart.text(template, doc) == here.text(template, doc)
    assert apart.value(template, doc) == here.value(template, doc)


def test_many_documents_are_rendered_at_a_time_and_keep_their_order() -> None:
    docs = [{"q": i, "pad": "x" * 5000} for i in range(700)]
    rendering = LimitedRendering()
    rendering.learn(["{{ q + 0 }}", "{{ missing + 0 }}"], docs, literals=["{{ [q] }}"])
    process = limited._Process.running()
    process.answer = None  # type: ignore[method-assign]  # nothing more is asked
    try:
        assert [rendering.text("{{ q + 0 }}", doc) for doc in docs] == [str(i) for i in range(700)]
        assert [rendering.value("{{ [q] }}", doc) for doc in docs] == [[i] for i in range(700)]
        with pytest.raises(HarnessError, match="template fails: 'missing' is undefined"):
            rendering.text("{{ missing + 0 }}", docs[3])
    finally:
        del process.answer


@pytest.mark.usefixtures("tight")
@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}", r"takes more than 0\.2 s"),
        ("{{ ('a' * 40) | regex_replace('(a+)+$b', '') }}", r"takes more than 0\.2 s"),
        ("{{ 'a' | center(10**9) }}", "needs more than 100,000,000 bytes of memory"),
        ("{{ [1] | batch(10**9, 'x') | list }}", "needs more than 100,000,000 bytes of memory"),
        ("{{ 'a' * 3000000 }}", "gives 3,000,000 characters; expected at most 2,000,000"),
    ],
    ids=["loop", "expression", "text", "list", "long"],
)
def test_a_template_over_a_limit_is_one_sentence_for_its_document_and_the_others_are_rendered(
    template: str, why: str
) -> None:
    guarded = "{% if bad %}" + template + "{% else %}{{ i }}{% endif %}"
    docs = [{"i": i, "bad": i == 2} for i in range(4)]
    rendering = LimitedRendering()
    rendering.learn([guarded], docs)
    for i in (0, 1, 3):
        assert rendering.text(guarded, docs[i]) == str(i)
    with pytest.raises(ComputationError, match=f"template {why}") as raised:
        rendering.text(guarded, docs[2])
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 500


@pytest.mark.usefixtures("tight")
def test_many_slow_documents_do_not_add_up_to_hours() -> None:
    slow = "{% for i in range(90000) %}{{ i ~ 'x' }}{% endfor %}"  # some hundredths of a second
    docs = [{"i": i} for i in range(200)]
    rendering = LimitedRendering()
    rendering.learn([slow], docs)
    started = time.monotonic()
    with pytest.raises(ComputationError, match="takes more than"):
        [rendering.text(slow, doc) for doc in docs]
    assert time.monotonic() - started < 0.5  # they were rendered before, up to the one for which no time was left


def test_expressions_are_read_and_applied_under_the_same_limits(tight: None) -> None:
    assert wrong_pattern_within_limits("a+", Allowance()) is None
    assert "unterminated subpattern" in str(wrong_pattern_within_limits("(", Allowance()))
    with pytest.raises(ComputationError, match=r"takes more than 0\.2 s"):
        wrong_pattern_within_limits("(?i)" + "[\0-\U0010ffff]" * 2000, Allowance())
    assert without(["[0-9]", "b"], ["1a2b", "c"], Allowance()) == ["a", "c"]
    with pytest.raises(ComputationError, match=r"regexes_to_ignore takes more than 0\.2 s") as raised:
        without(["(a+)+$"], ["b", "a" * 40 + "b"], Allowance())
    assert raised.value.item == 1


def test_filters_give_what_lm_eval_gives_and_name_the_document_that_hangs(tight: None) -> None:
    steps = [("regex", {"regex_pattern": "([0-9]+)|(x)", "group_select": -1}), ("take_first", {})]
    assert filtered(steps, [["1 and 2"], ["no", "x"], [""]], [{}, {}, {}]) == ["2", "[invalid]", "[invalid]"]
    choices = [("multi_choice_regex", {"regex_pattern": r"#(\w)"}), ("take_first", {})]
    assert filtered(choices, [["red it is"]], [{"choices": ["blue", "red"]}]) == ["(B)"]
    hangs = [("take_first_k", {"k": 1}), ("regex", {"regex_pattern": "(a+)+$"})]
    with pytest.raises(ComputationError, match=r"filter takes more than 0\.2 s") as raised:
        filtered(hangs, [["b"], ["c"], ["a" * 40 + "b"], ["d"]], [{}] * 4)
    assert raised.value.item == 2
    with pytest.raises(HarnessError, match="filter fails: KeyError: 'choices'"):
        filtered(choices, [["red"]], [{}])


def test_only_the_fields_that_a_template_names_are_sent() -> None:
    doc = {"q": "x", "picture": threading.Lock(), "range": "mine"}
    assert LimitedRendering().text("{{ q }}{{ none is defined }}", doc) == "xTrue"
    assert LimitedRendering().text("{{ range }}{{ other | default('?') }}", doc) == "mine?"


def test_the_process_loads_no_large_library_and_ends_with_the_harness() -> None:
    code = (
        "import sys, harness.scoring.limited as limited\n"
        "print(limited.LimitedRendering().text('{{ x + 0 }}', {'x': 7}))\n"
        "print(limited._Process._current._popen.pid)\n"
        "print([m for m in ('torch', 'lm_eval', 'pandas', 'transformers', 'numpy') if m in sys.modules])"
    )
    text, pid, loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert (text, loaded) == ("7", "[]")
    assert subprocess.run(["ps", "-p", pid], capture_output=True, check=False).returncode == 1


def test_a_loop_ends_where_the_signal_of_its_timer_is_held_back(tight: None) -> None:
    code = (
        "import signal; signal.signal(signal.SIGPROF, signal.SIG_IGN)\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGPROF])\n"
        "from harness.scoring.limited import LimitedRendering\n"
        "import time; started = time.monotonic()\n"
        "template = '{% for i in range(99999) %}' * 2 + '{% endfor %}' * 2\n"
        "try: LimitedRendering().text(template, {})\n"
        "except Exception as error: print(type(error).__name__, time.monotonic() - started < 25)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "ComputationError True\n"


@pytest.mark.skipif(os.geteuid() == 0 and shutil.which("setpriv") is None, reason="root can raise its own limits")
def test_it_starts_where_the_user_may_have_little_memory() -> None:
    code = "from harness.scoring.limited import LimitedRendering as R; print(R().text('{{ x | upper }}', {'x': 'a'}))"
    python = shlex.quote(sys.executable)
    # root could raise its own limits, unless it has lost the right to
    alone = f"setpriv --bounding-set -sys_resource {python}" if os.geteuid() == 0 else python
    within = f"ulimit -v 3000000; exec {alone} -c {shlex.quote(code)}"
    done = subprocess.run(["bash", "-c", within], capture_output=True, text=True, check=False)
    assert done.stdout == "A\n", done.stderr


def test_the_environment_of_the_user_is_not_in_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "secret")
    limited._Process.running().end()
    LimitedRendering().text("{{ 1 }}", {})
    with open(f"/proc/{limited._Process.running()._popen.pid}/environ") as environment:
        assert "secret" not in environment.read()
