"""Options of writing texts that a user asks for beside those of a task: `--gen-kwargs temperature=0.7,max_gen_toks=64`.

They replace `generation_kwargs` of each task that has texts written, as lm-eval's option of that name does. What would
change nothing is left out, so that such cells are those that were evaluated without the option.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from harness.bounded.json_text import parsed_json
from harness.bounded.limits import UnreadableError
from harness.errors import PlanError
from harness.specs import TaskSpec
from harness.wording import cut, quoted

_NAMES = {"stop": "until"}
"""Other names of options -> the one of lm-eval's tasks."""
_GREEDY = {"do_sample": False, "temperature": 0.0}
_WORDS = {"true": True, "false": False, "none": None, "null": None}
_PAIR = re.compile(r"\s*([A-Za-z_]\w*)\s*=(.*)", re.DOTALL)


def generation_options(text: str) -> dict[str, Any]:
    r"""The options in a text: `name=value,name=value`, with values as Python or JSON writes them, or a JSON object.

    Raises:
        PlanError: it is neither.

    >>> generation_options('temperature=0.7,do_sample=true,stop=["Q:", "\\n"]')
    {'temperature': 0.7, 'do_sample': True, 'until': ['Q:', '\n']}
    """
    if text.lstrip().startswith("{"):
        try:
            found = json.loads(text)
        except ValueError as error:
            raise PlanError(f"--gen-kwargs {cut(text)}: is no JSON: {error}") from error
    else:
        found = dict(_pair(part) for part in _parts(text) if part.strip())
    return {_NAMES.get(name, name): value for name, value in found.items()}


def _pair(part: str) -> tuple[str, Any]:
    pair = _PAIR.fullmatch(part)
    if pair is None:
        raise PlanError(f"--gen-kwargs {quoted(part)}: expected name=value, such as temperature=0.7,max_gen_toks=64")
    return pair[1], _value(pair[2].strip())


def _value(text: str) -> Any:
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text


def _parts(text: str) -> Iterator[str]:
    """The text cut at commas that stand in no brackets and no quotes."""
    depth, quote, begun = 0, "", 0
    for place, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote and text[place - 1] != "\\" else quote
        elif letter in "\"'" and text[:place].rstrip()[-1:] in "=[(,":
            quote = letter
        elif letter in "[(":
            depth += 1
        elif letter in "])":
            depth -= 1
        elif letter == "," and depth == 0:
            yield text[begun:place]
            begun = place + 1
    yield text[begun:]


def generation_of(task: TaskSpec, prompt: str, asked: Mapping[str, Any] | None) -> str | None:
    """What is asked for beyond the task's own options, as a cell keeps it: JSON by sorted names.

    None where nothing changes: the task scores options, or says the same already.

    >>> from harness.specs import TaskSpec
    >>> config = {"output_type": "generate_until", "generation_kwargs": {"until": ["A"]}}
    >>> task = TaskSpec(name="t", kind="qa", suite="s", metrics=(), config=config)
    >>> generation_of(task, "default", {"temperature": 0, "do_sample": False, "until": ["A"]}) is None
    True
    >>> generation_of(task, "default", {"max_gen_toks": 8, "until": ["A"]})
    '{"max_gen_toks":8}'
    """
    config = {**task.config, **task.prompts[prompt]}
    if not asked or config.get("output_type") != "generate_until":
        return None
    own = config.get("generation_kwargs") or {}
    changed = {name: value for name, value in asked.items() if name not in own or own[name] != value}
    if not task.draws(prompt) and all(name in _GREEDY and _GREEDY[name] == value for name, value in changed.items()):
        return None
    return json.dumps(changed, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def asked_generation(written: str | None) -> dict[str, Any]:
    """The options that a cell keeps beyond those of its task; nothing for None."""
    options: dict[str, Any] = {} if written is None else json.loads(written)
    return options


def generation_text(written: str) -> str:
    """The options of a cell in words, as far as a stored cell holds some.

    >>> generation_text('{"max_gen_toks":64,"until":["x"]}'), generation_text("9")
    ('max_gen_toks=64, until=["x"]', '9')
    """
    try:
        options = parsed_json(written)
    except UnreadableError:
        return written
    if not isinstance(options, dict):
        return written
    return ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in options.items())
