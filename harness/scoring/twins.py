"""The questions of a task in its other format: options answered by letter, or not listed and scored as texts.

Both are made of what a document's own templates give, whatever these are (columns, templates or functions):

* letters (`mc`): the options are listed below the question, `A. text` on a line each. A last line such as `Answer:`
  stays the last one; where there is none, `Answer:` is added.
* texts (`cloze`): the list is taken out of the question, and the options are the texts beside its letters.

Examples are asked in the same way as the document.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from string import ascii_uppercase
from typing import Any, Literal, NamedTuple

from harness.errors import HarnessError
from harness.plan.formats import are_letters
from harness.scoring.questions import Questions, Right
from harness.wording import quoted

_CUE = re.compile(r"\n[ \t]*(?:\w[\w' ]{0,30})?:[ \t]*\Z")
"""The last line of a question, where it only says that the answer follows: `Answer:`."""
_CUE_BEHIND = re.compile(r"[ \t]+(?:\w[\w']{0,20} ?){1,3}:[ \t]*\Z")
"""The same at the end of the line of the last option."""
_HEADING = re.compile(
    r"(?:\A|(?<=[\n.?!:;]))[ \t]*(?:\w+ ){0,2}(?:choices|options|answers|alternatives)[ \t]*:\s*\Z", re.I
)
"""What a list is headed by: `Answer choices:`."""
_MARKS = ("({})", "[{}]", "{}.", "{})", "{}:")
"""How the letters of a list are written."""


class Unlisted(NamedTuple):
    """A question from which the list of options was taken out."""

    question: str
    """The question without the list."""
    options: tuple[str, ...]
    """The texts of the options."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Twin:
    """Questions in the other format; used in place of the `Questions` that they are made of."""

    own: Questions
    """The questions as the task's author wrote them."""
    format: Literal["mc", "cloze"]
    """The format in which they are asked."""
    delimiter: str = " "
    """What stands between an option that is a question of its own and its continuation."""

    @property
    def asks_options(self) -> bool:
        """False: no option is a whole question here."""
        return False

    def learn(self, docs: Iterable[Mapping[str, Any]]) -> None:
        """Render the templates for all these documents in one go."""
        self.own.learn(docs)

    def by(self, *, text: Any, target: Any, choice: Any) -> Twin:
        """The twin of other templates, such as those of examples."""
        return replace(self, own=self.own.by(text=text, target=target, choice=choice))

    def question(self, doc: Mapping[str, Any]) -> str:
        """The question in the other format.

        Raises:
            HarnessError: it cannot be derived.
        """
        said = self.own.question(doc)
        if self.format == "cloze":
            return self._unlisted(doc, said).question
        options = self._own_options(doc)
        if isinstance(said, int):
            options = tuple(f"{option}{self.delimiter}{self.own.continuation(doc)}" for option in options)
            said = ""
        return with_list(said, options)

    def options(self, doc: Mapping[str, Any]) -> tuple[str, ...]:
        """The letters, or the texts that the question lists."""
        if self.format == "mc":
            return tuple(ascii_uppercase[: len(self._own_options(doc))])
        return self._unlisted(doc, self.own.question(doc)).options

    def continuation(self, doc: Mapping[str, Any]) -> str:
        """What is written after each of the options, where these are the questions, which they are not here."""
        return self.own.continuation(doc)

    def right(self, doc: Mapping[str, Any], options: Sequence[str] | None = None) -> Right:
        """Every right answer: the same options as in the task's own format, by their letters or texts."""
        positions, doubt = self.own.right(doc, self._own_options(doc))[1:]
        options = self.options(doc) if options is None else options
        return Right(tuple(options[position] for position in positions), positions, doubt)

    def _own_options(self, doc: Mapping[str, Any]) -> tuple[str, ...]:
        options = self.own.options(doc)
        if not options:
            raise HarnessError(f"comes without options, so that it cannot be asked in the format {self.format}")
        if self.format == "mc" and are_letters(options):
            raise HarnessError(f"has the letters {quoted(list(options))} for options already: its own format is mc")
        if len(options) > len(ascii_uppercase):
            raise HarnessError(f"has {len(options)} options; expected at most {len(ascii_uppercase)} for letters")
        return options

    def _unlisted(self, doc: Mapping[str, Any], question: str | int) -> Unlisted:
        return unlisted("" if isinstance(question, int) else question, self._own_options(doc))


def with_list(question: str, options: Sequence[str]) -> str:
    r"""The question with its options listed by letter.

    >>> print(with_list("What is the capital of Peru?\nAnswer:", ["Quito", "Lima"]))
    What is the capital of Peru?
    A. Quito
    B. Lima
    Answer:
    """
    cue = _CUE.search(question)
    head, last = (question[: cue.start()], cue[0].rstrip()) if cue else (question.rstrip(), "\nAnswer:")
    lines = "\n".join(f"{letter}. {text.strip()}" for letter, text in zip(ascii_uppercase, options, strict=False))
    return f"{head}\n{lines}{last}" if head else f"{lines}{last}"


@lru_cache(maxsize=2048)
def unlisted(question: str, labels: tuple[str, ...]) -> Unlisted:
    r"""The question without its list of options, and their texts.

    Args:
        question: with a list of all options.
        labels: the letters that the list begins its options with, in their order.

    Raises:
        HarnessError: it has no such list.

    >>> unlisted("Capital of Peru?\nA. Quito\nB. Lima\nAnswer:", ("A", "B"))
    Unlisted(question='Capital of Peru?\nAnswer:', options=('Quito', 'Lima'))
    """
    bare = [label.strip(" ()[].:") for label in labels]
    for begins in (r"(?:\A|(?<=\n))[ \t]*", r"(?:\A|(?<=\s))"):  # each on a line of its own, or all in one line
        for mark in _MARKS:
            if found := _places(question, [begins + re.escape(mark.format(letter)) + r"[ \t]*" for letter in bare]):
                return _cut_out(question, found)
    shown = " and ".join(f"`{letter}. text`" for letter in bare[:2])
    raise HarnessError(
        f"has no cloze twin: doc_to_text does not list the texts of the options {quoted(list(labels))}; expected lines "
        f"such as {shown}"
    )


def _places(question: str, patterns: Sequence[str]) -> list[tuple[int, int]]:
    """Beginning and end of each label of the last list in the question; empty where there is none."""
    for first in reversed(list(re.finditer(patterns[0], question))):
        found = [first.span()]
        for pattern in patterns[1:]:
            match = re.compile(pattern).search(question, found[-1][1])
            if match is None or not question[found[-1][1] : match.start()].strip():
                break
            found.append(match.span())
        if len(found) == len(patterns) and question[found[-1][1] :].strip():
            return found
    return []


def _cut_out(question: str, places: Sequence[tuple[int, int]]) -> Unlisted:
    texts = [question[end:start] for (_, end), (start, _) in pairwise(places)]
    rest = question[places[-1][1] :]
    cue = _CUE.search(rest) or _CUE_BEHIND.search(rest)
    # an option of several lines can only be told from what follows it by the cue
    ends = cue.start() if cue and any("\n" in text.strip() for text in texts) else rest.find("\n")
    if ends < 0:
        ends = cue.start() if cue else len(rest)
    last, tail = rest[:ends], rest[ends:]
    if cue and cue.start() < ends:
        last, tail = rest[: cue.start()], rest[cue.start() :]
    head = _HEADING.sub("", question[: places[0][0]].rstrip()).rstrip()
    tail = f"\n{tail.strip()}" if tail.strip() else "\nAnswer:"
    options = tuple(text.strip().rstrip(",;").rstrip() for text in (*texts, last))
    return Unlisted((head + tail).lstrip(), options)
