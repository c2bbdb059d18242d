"""How a task asks about one document, without a model: its fields, question, options and right answers.

What a run would fail on is an error; a value that makes a text that nobody would write is a doubt.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from harness.catalog.tasks.config import Variant
from harness.errors import ComputationError, HarnessError
from harness.scoring import templates
from harness.scoring.questions import Questions, Right
from harness.scoring.rendering import Rendering
from harness.wording import quoted

_SHOWN = ("doc_to_text", "doc_to_target", "doc_to_choice")
"""Templates of an example, which may be the bare name of a field."""
_OTHERS = ("gen_prefix", "description")
"""Further templates of a document that is evaluated."""


class Trouble(NamedTuple):
    """Something about a document that is wrong, or seems so."""

    where: str
    """Key in the task's file."""
    what: str
    """What it is, in words."""
    kind: str = ""
    """What it has in common with the same in other documents; empty for its words."""
    is_error: bool = True
    """Whether a run would fail on it."""


class Answered(NamedTuple):
    """What a document's answer is chosen from."""

    right: Right
    """The right answers."""
    options: tuple[str, ...]
    """All options; none for a task without."""


class _Use(NamedTuple):
    """A template that asks for a field."""

    where: str
    """Its key in the task's file."""
    template: str
    """The template; empty for the bare name of the field."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """The templates of one prompt variant, or those of its examples."""

    questions: Questions
    """Question, options and right answers by these templates."""
    needed: Mapping[str, tuple[_Use, ...]]
    """Field -> all that asks for it."""
    written: Mapping[str, _Use]
    """Field that the question writes as it is -> the template of the question."""
    answers: Mapping[str, _Use]
    """Field that is an answer, or is written as it is into one -> the template."""
    where: Mapping[str, str]
    """Name of a template -> its key in the task's file."""
    tried: Mapping[str, str]
    """Name of a template that more than puts fields together -> the template; without those of answers."""

    def learn(self, documents: Sequence[Mapping[str, Any]]) -> None:
        """Render the templates for all these documents in one go."""
        self.questions.learn(documents)
        self.questions.rendering.learn(self.tried.values(), documents)

    def by(self, rendering: Rendering) -> Way:
        """The same, with templates rendered by another renderer."""
        return replace(self, questions=replace(self.questions, rendering=rendering))

    def misses(self, fields: Mapping[str, Any]) -> list[Trouble]:
        """The fields that a document lacks, and that a template cannot do without."""
        if self.needed.keys() <= fields.keys():
            return []
        uses = [(name, use) for name, some in self.needed.items() if name not in fields for use in some]
        return [
            Trouble(use.where, f"there is no field {quoted(name)}", f"no {name}")
            for name, use in uses
            if not use.template or self._fails(use.template, fields)
        ]

    def _fails(self, template: str, fields: Mapping[str, Any]) -> bool:
        try:
            self.questions.rendering.text(template, fields)
        except ComputationError:
            raise
        except HarnessError:
            return True
        return False

    def failures(self, fields: Mapping[str, Any]) -> Iterator[Trouble]:
        """Templates of which nothing can be made, beside those of the answers.

        Raises:
            ComputationError: one takes too long or too much memory; its `key` is the key in the task's file.
        """
        for name, template in self.tried.items():
            try:
                self.questions.rendering.text(template, fields)
            except ComputationError as error:
                error.key = self.where[name]
                raise
            except HarnessError as error:
                yield Trouble(self.where[name], str(error), "template fails")

    def doubts(self, fields: Mapping[str, Any]) -> Iterator[Trouble]:
        """Fields without a value, and lists where a text belongs."""
        for name, use in self.written.items():
            value = fields.get(name, "")
            if isinstance(value, str | int) or (isinstance(value, float) and not math.isnan(value)):
                continue
            what = "is null" if not isinstance(value, dict | list) else f"is {quoted(value)}"
            yield Trouble(use.where, f"{name} {what}; expected a text", f"{name} {what[:6]}", is_error=not use.template)
        for name, use in self.answers.items():
            value = fields.get(name, "")
            if value is None or (isinstance(value, float) and math.isnan(value)):
                yield Trouble(use.where, f"{name} is null; expected an answer", f"{name} is null")

    def answer(self, fields: Mapping[str, Any]) -> Answered | Trouble:
        """The right answers to a document and its options, or why there are none.

        Raises:
            ComputationError: a template takes too long or too much memory; its `key` is the key in the task's file.
        """
        try:
            options = self.questions.options(fields)
            return Answered(self.questions.right(fields, options), options)
        except ComputationError as error:
            error.key = self.where.get(error.key or "", error.key)
            raise
        except HarnessError as error:
            named = next((name for name in _SHOWN if str(error).startswith(name)), "doc_to_target")
            return Trouble(self.where[named], str(error), "no right answer")

    def doubts_of(self, answered: Answered) -> Iterator[Trouble]:
        """Right answers and options that are hardly meant as they are."""
        right, options = answered
        if right.doubt is not None:
            yield Trouble(self.where["doc_to_target"], right.doubt, "two readings", is_error=False)
        if not all(map(str.strip, right.texts)):
            yield Trouble(self.where["doc_to_target"], "a right answer is empty", is_error=False)
        if options and len({*options}) < len(options):
            yield Trouble(self.where["doc_to_choice"], "two options are the same", is_error=False)


def way_of(variant: Variant, columns: frozenset[str], rendering: Rendering) -> Way:
    """How a variant asks about the documents that are evaluated, whose fields are `columns`."""
    return _way(variant.config, {name: variant.key(name) for name in (*_SHOWN, *_OTHERS)}, columns, rendering)


def way_of_examples(variant: Variant, columns: frozenset[str], rendering: Rendering) -> Way:
    """How a variant shows examples; `columns` are the fields of the documents that are evaluated."""
    own = variant.config.get("fewshot_config") or {}
    names = (*_SHOWN, "gen_prefix")
    config = {name: own.get(name, variant.config.get(name)) for name in names}
    section = variant.key("fewshot_config")
    where = {name: f"{section}.{name}" if name in own else variant.key(name) for name in names}
    return _way(config, where, columns, rendering)


def _way(config: Mapping[str, Any], where: Mapping[str, str], columns: frozenset[str], rendering: Rendering) -> Way:
    needed: dict[str, tuple[_Use, ...]] = {}
    written: dict[str, _Use] = {}
    answers: dict[str, _Use] = {}
    tried: dict[str, str] = {}
    for name, key in where.items():
        template = config.get(name)
        if not isinstance(template, str):
            continue
        alone = name in _SHOWN and template in columns
        use = _Use(key, "" if alone else template)
        if name in ("doc_to_text", *_OTHERS) and template not in columns and templates.plain_parts(template) is None:
            tried[name] = template
        for one in (template,) if alone else templates.asked(template):
            needed[one] = (*needed.get(one, ()), use)
        shown = (template,) if alone else templates.written_fields(template)
        if name in _SHOWN:
            (written if name == "doc_to_text" else answers).update(dict.fromkeys(shown, use))
    questions = Questions(
        text=config.get("doc_to_text"),
        target=config.get("doc_to_target"),
        choice=config.get("doc_to_choice"),
        columns=columns,
        rendering=rendering,
    )
    return Way(questions=questions, needed=needed, written=written, answers=answers, where=where, tried=tried)
