"""Templates and regular expressions that would run without end or fill the memory: each has to end in one sentence."""

from __future__ import annotations

import gc
import importlib
import json
import os
import pickle
import resource
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.scoring import limited, server
from harness.scoring.kernel import guards
from harness.scoring.limited import (
    Allowance,
    LimitedRendering,
    ask,
    chat,
    filtered,
    without,
    wrong_pattern_within_limits,
)
from tests.security import Case, NotHereError

SECONDS, BYTES = 10.0, 1_000_000_000
"""What the project promises: never more before the sentence."""

_LOOP = "{% for i in range(99999) %}"
_END = "{% endfor %}"
_DOUBLE = "{% set ns = namespace(x='a' * 100000) %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}"
_ONE = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"

TEMPLATES: Mapping[str, str] = {
    "loops in loops": _LOOP * 3 + _END * 3,
    "loops that write": _LOOP * 2 + "word " + _END * 2,
    "loops that compute": _LOOP * 2 + "{% set x = i ** 3 %}" + _END * 2,
    "a filter in loops": _LOOP * 2 + "{{ [3, 2, 1] | sort | join }}" + _END * 2,
    "a sorted product": "{{ range(99999) | map('string') | sort | join | list | sort | length }}" * 200,
    "a list of lists": _DOUBLE.replace("'a' * 100000", "[0]").replace("~", "+"),
    "a text doubled": _DOUBLE,
    "a text joined": "{{ range(99999) | join('a' * 100000) }}",
    "a text replaced": "{{ ('a' * 100000) | replace('a', 'b' * 100000) }}",
    "a text centred": "{{ 'a' | center(10 ** 10) }}",
    "a text indented": "{{ 'a' | indent(10 ** 10, true) }}",
    "a number padded": "{{ '%10000000000d' | format(1) }}",
    "a number formatted": "{{ '{:10000000000}'.format(1) }}",
    "a batch filled": "{{ [1] | batch(10 ** 9, 'x') | list }}",
    "slices": "{{ [1] | slice(10 ** 8, 'x') | list }}",
    "a product": "{{ 'a' * 10 ** 10 }}",
    "a product of a method": "{{ 'a'.ljust(10 ** 10) }}",
    "a power": "{{ 10 ** 10 ** 10 }}",
    "many powers": _LOOP + "{% set x = 7 ** 5000000 %}" + _END,
    "a shift by format": "{{ ('%s' * 100000) | format(*range(99999)) }}" * 100,
    "endless words": "{{ lipsum(n=10 ** 6) }}",
    "a macro that calls itself": "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "a macro that calls itself twice": (
        "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}"
    ),
    "a recursive loop": "{% for x in [[1]] * 3 recursive %}{{ loop([[1]] * 3) }}{% endfor %}",
    "deep brackets": "{{ " + "[" * 400 + "]" * 400 + " }}",
    "an expression in a filter": f"{{{{ '{_ONE}' | regex_replace('(a+)+$', '') }}}}",
    "an expression of alternatives": f"{{{{ '{_ONE}' | regex_replace('(a|a)*$', '') }}}}",
    "a broken expression": "{{ 'a' | regex_replace('(', '') }}",
    "a long urlize": "{{ ('http://a.' * 200000) | urlize }}" * 50,
    "wrapped words": "{{ ('a ' * 3000000) | wordwrap(3) }}" * 9,
    "a list written": "[" + _LOOP + "[" + _END,
    "brackets written": "{{ '[' * 3000 }}{{ ']' * 3000 }}",
}
PATTERNS: Mapping[str, str] = {
    "nested repeats": r"(a+)+$",
    "alternatives": r"(a|a)*$",
    "groups of groups": r"((a*)*)*$",
    "a back reference": r"(a+b?)*\1c$",
    "lazy repeats": r"(.*?a){25}$",
}
CHATS: Mapping[str, str] = {
    "loops in loops": TEMPLATES["loops in loops"],
    "a text doubled": _DOUBLE,
    "a text centred": TEMPLATES["a text centred"],
    "JSON of much": "{% for i in range(60) %}{% set messages = messages + messages %}{% endfor %}" + _DOUBLE,
}


def _split(pattern: str) -> dict[str, Any]:
    return {"pre_tokenizer": {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}}


def _replaced(n: int, old: str, new: str, key: str = "normalizer", kind: str = "String") -> dict[str, Any]:
    steps = [{"type": "Replace", "pattern": {kind: old}, "content": new}] * n
    return {key: {"type": "Sequence", f"{key}s": steps}}


TOKENIZERS: Mapping[str, dict[str, Any]] = {
    **{f"an expression with {name}": _split(pattern) for name, pattern in PATTERNS.items()},
    "an expression of many steps": _split("(?:a*)(?:a*)(?:a*)=") | {"text": "a" * 400 + "b="},
    "an expression that is long to read": _split("(?i:" + "[\u0100-\U0010ffff]" * 30_000 + ")"),
    "an expression in a normalizer": _replaced(1, "(a+)+$", "b", kind="Regex"),
    "doublings": _replaced(40, "a", "aa"),
    "replacements by much": _replaced(4, "a", "a" * 5_000),
    "something put between all characters": _replaced(3, "", "b" * 9_000, kind="Regex"),
    "doublings of an answer": _replaced(40, "a", "aa", key="decoder"),
    "pieces of no length": {"pre_tokenizer": {"type": "FixedLength", "length": 0}},
    "padding without end": {
        "padding": {
            "strategy": {"Fixed": 10**11},
            "direction": "Right",
            "pad_to_multiple_of": None,
            "pad_id": 0,
            "pad_type_id": 0,
            "pad_token": "a",
        }
    }
    | _split("(?=a)b"),
    "a million special tokens": {
        "post_processor": {
            "type": "TemplateProcessing",
            "pair": [],
            "special_tokens": {"<bos>": {"id": "<bos>", "ids": [1] * 1_000_000, "tokens": ["<bos>"] * 1_000_000}},
            "single": [{"SpecialToken": {"id": "<bos>", "type_id": 0}}] * 50_000,
        }
    },
    "added tokens without end": {
        "added_tokens": [
            {
                "id": i + 900,
                "content": f"<{i}>",
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": True,
                "special": False,
            }
            for i in range(200_000)
        ]
    },
    "an added token of a large number": {"added_tokens": [{"id": 2**31, "content": "<z>"}]},
    "a value of deep lists": {"padding": json.loads("[" * 500 + "]" * 500)},
    "millions of values": {"truncation": [0] * 4_000_000},
    "a word of any length": {
        "model": {
            "type": "WordPiece",
            "unk_token": "a",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 10**9,
            "vocab": {"a": 0, "##a": 1, "##b": 2},
        },
        "text": "a" * 60_000 + "c",
    },
}
"""Keys of a tokenizer.json, and with `text` what is encoded, that would take for ever or end the process."""
_MODEL = Path(__file__).parents[2] / "harness/ladder/weights/12k"


def tokenizers() -> Iterator[Case]:
    """Every tokenizer, loaded as engines do; an ordinary text and its tokens go through it."""
    importlib.import_module("transformers").AutoTokenizer.from_pretrained(_MODEL)  # which takes seconds the first time
    for name, keys in TOKENIZERS.items():
        yield Case("tokenizers", name, "", lambda it=keys: ends(lambda: _tokens(it), refused=False))


def _tokens(keys: Mapping[str, Any]) -> object:
    from transformers import AutoTokenizer  # takes seconds, which templates do not need

    from harness.engines.tried_tokenizer import check_before_loading, tried

    with tempfile.TemporaryDirectory() as made:
        folder = Path(made) / "theirs"
        shutil.copytree(_MODEL, folder)
        path = folder / "tokenizer.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {k: v for k, v in keys.items() if k != "text"}))
        check_before_loading(str(folder), None)
        try:
            tokenizer = AutoTokenizer.from_pretrained(folder)
        except HarnessError:
            raise
        except Exception as error:  # as where a model is loaded, which gives it a sentence
            raise HarnessError(type(error).__name__) from error
        tried(tokenizer)
        return tokenizer.decode(tokenizer.encode(keys.get("text", _ONE)))


ESCAPES: Mapping[str, str] = {
    "read a file": "open({secret!r}).read()",
    "list a folder": "__import__('os').listdir({folder!r})",
    "write a file": "open({folder!r} + '/new', 'w').write('x')",
    "empty a file": "__import__('os').truncate({secret!r}, 0)",
    "delete a file": "__import__('os').unlink({secret!r})",
    "rename a file": "__import__('os').rename({secret!r}, {secret!r} + '2')",
    "a link": "__import__('os').symlink('/', {folder!r} + '/link')",
    "permissions": "__import__('os').chmod({secret!r}, 0o777)",
    "the accounts of this machine": "open('/etc/passwd').read()",
    "the environment of the harness": "open('/proc/{parent}/environ').read()",
    "the memory of the harness": "open('/proc/{parent}/mem', 'rb').read(1)",
    "a child process": "__import__('os').fork()",
    "a command": "__import__('subprocess').run(['/bin/true'])",
    "another program in its place": "__import__('os').execv('/bin/true', ['true'])",
    "a thread": "__import__('threading').Thread(target=print).start()",
    "the harness killed": "__import__('os').kill({parent}, 0)",
    "a connection": "__import__('socket').create_connection(('127.0.0.1', 1), 1)",
    "a datagram": "__import__('socket').socket(2, 2).sendto(b'x', ('127.0.0.1', 9))",
    "a socket of this machine": "__import__('socket').socket(1, 2).sendto(b'x', '/dev/log')",
}
"""What code in that process could try, had a template broken out of jinja: an expression, and it must not succeed."""


def escapes() -> Iterator[Case]:
    """Every expression, computed in the process that renders templates."""
    for name, expression in ESCAPES.items():
        yield Case("code beside templates", name, "", lambda it=expression: _escape(it))


class _Code:
    """An object that computes an expression where it is unpickled."""

    def __init__(self, expression: str) -> None:
        self._expression = expression

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return eval, (self._expression,)


def _escape(expression: str) -> str | None:
    """What happened where the kernel ought to have refused it."""
    if len(guards()) < 2:
        raise NotHereError("this kernel lacks Landlock or seccomp")
    with tempfile.TemporaryDirectory() as folder:
        secret = os.path.join(folder, "secret")
        with open(secret, "w") as file:
            file.write("precious")
        filled = expression.format(secret=secret, folder=folder, parent=os.getpid())
        document = pickle.dumps({"x": _Code(filled)})
        came = ask("render", [("{{ x }}", False)], [document], 1_000, n=1, allowance=Allowance())
        told = came.replies[0].get("error", "") if came.replies else f"the process {came.stopped}"
        left = {path.name: path.is_file() and path.read_text() for path in Path(folder).iterdir()}
    if left != {"secret": "precious"}:
        return f"it changed the folder: {left}"
    refused = told.startswith(("PermissionError", "RuntimeError: can't start new thread"))
    return None if refused else f"it was not refused: {came.replies or told}"


def ends(compute: Callable[[], object], *, refused: bool = True) -> str | None:
    """None when it ended in a sentence, or in a small result where it need not be refused, in time and memory."""
    _end_process()
    started, before = _processor(), _most()
    try:
        compute()
        said = None
    except (HarnessError, ValueError) as error:
        said = str(error)
    _end_process()
    took, most = _processor() - started, _most()
    if took > SECONDS:
        return f"it took {took:.1f} s"
    # the system counts for a process what the one that starts it holds at that moment
    if most > max(BYTES, before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024):
        return f"it took {most / 1e6:.0f} MB"
    if said is not None and ("\n" in said or len(said) > 700):
        return "its message is no short sentence"
    return "it was computed" if refused and said is None else None


def _end_process() -> None:
    """End the process with limits, since the system counts what it took when it has ended."""
    if limited._Process._current is not None:
        limited._Process._current.end()


def _end_sandboxes() -> None:
    """End what hostile programs were tried in before, so that its time is not counted as that of a template."""
    if (last := getattr(server._here, "server", None)) is not None:
        last.end()
    gc.collect()  # those of threads that have ended


def _processor() -> float:
    """Seconds on the processor, which do not depend on what else the machine does."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


def _most() -> int:
    """Most bytes of any process that was started and has ended, those of others who tried something before included."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024


def cases() -> Iterator[Case]:
    """Every template, expression and chat template, each in the process with limits."""
    _end_sandboxes()
    for name, template in TEMPLATES.items():
        yield Case("templates of tasks", name, "", lambda it=template: ends(lambda: _values(it), refused=False))
    for name, pattern in PATTERNS.items():
        steps = [("regex", {"regex_pattern": pattern})]
        yield Case("regular expressions", name, "filter", lambda it=steps: ends(lambda: filtered(it, [[_ONE]], [{}])))
        yield Case(
            "regular expressions", name, "metric", lambda it=pattern: ends(lambda: without([it], [_ONE], Allowance()))
        )
    wide = "(?i)" + "[\0-\U0010ffff]" * 4000
    yield Case("regular expressions", "thousands of ranges", "check", lambda: ends(lambda: _read(wide)))
    for name, template in CHATS.items():
        asked = {"conversations": [[{"role": "user", "content": "hi"}]], "chat_template": template}
        yield Case("chat templates", name, "", lambda it=asked: ends(lambda: chat(it)))
    yield from escapes()
    yield from tokenizers()


def _read(pattern: str) -> object:
    return wrong_pattern_within_limits(pattern, Allowance())


def _values(template: str) -> object:
    rendering = LimitedRendering()
    return rendering.text(template, {}), rendering.value(template, {})
