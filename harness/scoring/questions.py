"""The question of a document and its right answers: lm-eval's rules, for every engine and for `emergence check`.

A template that is the bare name of a field gives what the document has there; any other is rendered. Where options are
given, the right one is named by its number or by its text, and lm-eval takes rendered digits for a number. Three rules
differ from lm-eval's (`docs/known-traps.md`):

* a label of digits that is not the number of an option is looked up among the texts of the options;
* a label that is neither an option nor its number is an error in the task, and is not scored as a wrong answer;
* whether there is one right answer or several is decided for each document, not by the first document for all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from harness.errors import HarnessError
from harness.scoring.rendering import Rendering
from harness.wording import cut, quoted

_NUMBER = re.compile(r"0|[1-9][0-9]{0,8}")
"""Digits that lm-eval reads as the number of an option, the first being 0."""


class Right(NamedTuple):
    """The right answers to one document."""

    texts: tuple[str, ...]
    """Their texts, beginning with the one that an example shows; at least one."""
    positions: tuple[int, ...] = ()
    """Their places among the options, in the same order; empty where there are no options."""
    doubt: str | None = None
    """Both readings of a label that is the number of one option and the text of another; None for a clear one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Questions:
    """The templates of a task, or those of its examples, which may differ."""

    text: Any
    """Template of the question, or a function of the document; None when there is none."""
    target: Any
    """Template of the right answer, a list of several, a function, or the number of an option."""
    choice: Any = None
    """Template of the options, or the options; None for a task without."""
    columns: Collection[str] = ()
    """Fields that a template can name alone: those of the evaluated documents."""
    asks_options: bool = True
    """True when digits of a question may be the number of an option that is the question."""
    takes_anything: bool = False
    """True for a task whose own function scores, so that a right answer without options may be anything: its text is
    what Python writes for it."""
    rendering: Rendering = field(compare=False)
    """What renders the templates: `limited.rendering_for`, since they may come from others."""

    def by(self, *, text: Any, target: Any, choice: Any) -> Questions:
        """The same with other templates, such as those of examples."""
        return replace(self, text=text, target=target, choice=choice)

    def learn(self, docs: Iterable[Mapping[str, Any]]) -> None:
        """Render the templates for all these documents in one go."""
        written = [template for template in (self.text, self.target) if self._is_written(template)]
        options = [self.choice] if self._is_written(self.choice) else []
        self.rendering.learn(written, docs, literals=options)

    def question(self, doc: Mapping[str, Any]) -> str | int:
        """The question; where the options are questions and the answer is given, the number of the right one.

        Raises:
            HarnessError: it is no text.
        """
        said = self._value("doc_to_text", self.text, doc)
        if isinstance(said, int) and not isinstance(said, bool) and self.choice is not None and self.asks_options:
            return said
        if self.choice is not None and self.asks_options and self._is_written(self.text) and _NUMBER.fullmatch(said):
            return int(said)
        return _text(said, "doc_to_text")

    def options(self, doc: Mapping[str, Any]) -> tuple[str, ...]:
        """The options; none where the task has none.

        Raises:
            HarnessError: they are no list of texts.
        """
        if self.choice is None:
            return ()
        if self._is_written(self.choice):
            said = told("doc_to_choice", self.rendering.value, self.choice, doc)
        else:
            said = self._value("doc_to_choice", self.choice, doc)
        if isinstance(self.choice, Mapping):
            said = list(self.choice.values())
        if not isinstance(said, list | tuple) or not said:
            raise HarnessError(f"doc_to_choice gives {quoted(said)}; expected a list of options")
        if {*map(type, said)} == {str}:
            return tuple(said)
        return tuple(_text(option, f"doc_to_choice[{i}]") for i, option in enumerate(said))

    def continuation(self, doc: Mapping[str, Any]) -> str:
        """What is written after each of the options, where these are the questions.

        Raises:
            HarnessError: it is no text.
        """
        return _text(self._value("doc_to_target", self.target, doc), "doc_to_target")

    def right(self, doc: Mapping[str, Any], options: Sequence[str] | None = None) -> Right:
        """Every right answer.

        Args:
            doc: the document.
            options: its options, where they are known already.

        Raises:
            HarnessError: there is none, or one that is no option and no number of an option.
        """
        if self.choice is None:
            return Right(self._texts(doc))
        options = self.options(doc) if options is None else options
        asked = self.question(doc) if self.text is not None and self.asks_options else ""
        if isinstance(asked, int):
            position, _ = _position(asked, options, True)
            return Right((options[position],), (position,))
        said = self._value("doc_to_target", self.target, doc)
        written = self._is_written(self.target)
        several = self._listed(said, doc)
        if not isinstance(several, list | tuple):
            position, doubt = _position(said, options, written)
            return Right((options[position],), (position,), doubt)
        named = _unmarked(several, options)
        positions = tuple(dict.fromkeys(_position(one, options, False)[0] for one in named))
        if not positions:
            raise HarnessError(f"the right answer is {quoted(said)}, which names no option")
        return Right(tuple(options[position] for position in positions), positions)

    def _texts(self, doc: Mapping[str, Any]) -> tuple[str, ...]:
        """Right answers of a task without options; a text that writes a list of texts gives several answers."""
        said = self._value("doc_to_target", self.target, doc)
        several = self._listed(said, doc)
        if self._is_written(self.target) and not (
            isinstance(several, list) and several and all(isinstance(one, str) for one in several)
        ):
            return (said,)
        if self.takes_anything:
            listed = several if isinstance(several, list | tuple) else [several]
            return tuple(dict.fromkeys(map(str, listed))) or ("",)
        if not isinstance(several, list | tuple):
            return (_text(several, "doc_to_target"),)
        if not several:
            raise HarnessError("doc_to_target gives an empty list; expected at least one right answer")
        return tuple(dict.fromkeys(_text(one, f"doc_to_target[{i}]") for i, one in enumerate(several)))

    def _listed(self, said: Any, doc: Mapping[str, Any]) -> Any:
        """The list that a rendered answer writes; the answer itself where it writes none."""
        if not self._is_written(self.target) or said[:1] != "[":
            return said
        return told("doc_to_target", self.rendering.value, self.target, doc)

    def _value(self, key: str, template: Any, doc: Mapping[str, Any]) -> Any:
        if callable(template):
            said = template(doc)
            return said.tolist() if hasattr(said, "tolist") else said  # a number or an array of numpy
        if not isinstance(template, str):
            return template
        if template not in self.columns:
            return told(key, self.rendering.text, template, doc)
        if template not in doc:
            raise HarnessError(f"there is no field {quoted(template)}")
        return doc[template]

    def _is_written(self, template: Any) -> bool:
        """True for a template that is rendered, whose digits and brackets are those of a text."""
        return isinstance(template, str) and template not in self.columns


def told(key: str, render: Callable[[str, Mapping[str, Any]], Any], template: str, doc: Mapping[str, Any]) -> Any:
    """What `render` makes of a template; an error tells the key under which the template stands."""
    try:
        return render(template, doc)
    except HarnessError as error:
        error.key = key
        raise


def settled(questions: Questions, documents: Iterable[Mapping[str, Any]]) -> Questions:
    """The templates, after deciding from every document whether the options are the questions of the task.

    lm-eval looks at the first document alone, and takes a question of digits for the number of an option.

    Raises:
        HarnessError: a document has no question or no options; `item` is its position.
    """
    if questions.choice is None or all(_is_number(questions, doc, i) for i, doc in enumerate(documents)):
        return questions
    return replace(questions, asks_options=False)


def _is_number(questions: Questions, doc: Mapping[str, Any], place: int) -> bool:
    try:
        question = questions.question(doc)
        return isinstance(question, int) and question < len(questions.options(doc))
    except HarnessError as error:
        error.item = place
        raise


def _position(said: Any, options: Sequence[str], written: bool) -> tuple[int, str | None]:
    """The position of the option that a label names, and the reason to doubt it, if there is one.

    Args:
        said: the label.
        options: the options.
        written: digits are a number before they are a text, by lm-eval's rule for templates.
    """
    number = word = None
    if isinstance(said, str):
        word = options.index(said) if said in options else None
        if _NUMBER.fullmatch(said) and int(said) < len(options) and (written or not any(map(str.isdigit, options))):
            number = int(said)
    elif isinstance(said, int) and 0 <= said < len(options):
        number = int(said)
    found = word if number is None else number
    if found is None:
        raise HarnessError(f"the right answer is {quoted(said)}, no option and no number of one; {_shown(options)}")
    if number is None or word is None or number == word:
        return found, None
    return found, (
        f"the right answer {quoted(said)} is taken for option number {number}, {quoted(options[number])} "
        f"(the first is number 0), and could be the option {quoted(options[word])}"
    )


def _shown(options: Sequence[str]) -> str:
    return f"the options are {cut(', '.join(map(quoted, options)))}"


def _unmarked(several: Sequence[Any], options: Sequence[str]) -> Sequence[Any]:
    """Numbers or texts of right options, also where a list marks each option with 1 or 0, as TruthfulQA's does."""
    marks = len(several) == len(options) > 1 and all(isinstance(one, int) and one in (0, 1) for one in several)
    return [i for i, mark in enumerate(several) if mark] if marks else several


def _text(said: Any, where: str) -> str:
    """A text, or the text of a number."""
    if isinstance(said, str):
        return said
    if isinstance(said, int | float):
        return str(said)
    raise HarnessError(f"{where} gives {quoted(said)}; expected a text")
