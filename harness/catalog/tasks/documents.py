"""Checks of every document of a task's local data: what a run would fail on, and what would make its numbers wrong.

A missing field, a label that is no option or a reference that cannot be scored is an error. What can be meant as it is
is a warning: copies, words for nothing, answers without text. Each is counted, and the first document is named.
Templates that only put fields together are not rendered by jinja, so that a million documents take seconds.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from harness.bounded.documents import Document
from harness.catalog.functions import functions_in
from harness.catalog.tasks.config import (
    Variant,
    chosen_examples,
    evaluated_split,
    example_split,
    variants,
    written_examples,
)
from harness.catalog.tasks.data import named_files, read_split
from harness.catalog.tasks.ways import Answered, Trouble, Way, way_of, way_of_examples
from harness.errors import CatalogError, ComputationError, HarnessError
from harness.scoring.copies import Asked, Pool, asked_by
from harness.scoring.limited import rendering_for
from harness.scoring.metrics import programs_needed
from harness.scoring.questions import settled
from harness.scoring.rendering import Rendering
from harness.specs import MetricSpec, TaskSpec
from harness.wording import count, counted, quoted

Told = Callable[[str], None]
"""Called every few seconds with how far a long look has come."""

_SECONDS = 3.0
_BATCH, _BATCH_CHARACTERS = 500, 5_000_000
_GUESSED = frozenset({"acc", "acc_norm", "acc_bytes", "exact_match", "prob_correct"})
"""Metrics of options whose chance level is the share of right answers among guesses."""
_TOLERANCE = 0.01
"""How far the chance level of a file may be from that of its documents."""


class Doubts(NamedTuple):
    """What is wrong with the documents of a task; each line names the file and the key."""

    errors: tuple[str, ...]
    """What a run would fail on."""
    warnings: tuple[str, ...]
    """What can be meant as it is."""


def look_at_documents(
    task: TaskSpec,
    fields: Mapping[str, frozenset[str]],
    path: Path,
    *,
    asked: Sequence[int] | None = None,
    shots: int | None = None,
    told: Told | None = None,
) -> Doubts:
    """What is wrong with the documents of a task; of data on the hub only metrics are looked at.

    Args:
        task: the task, whose templates have passed `task_config.check_templates`.
        fields: split -> names of the fields of its documents.
        path: its file, for messages.
        asked: positions of the documents that are evaluated, ascending; None for all.
        shots: largest number of examples that are shown; None where it is not known.
        told: called every few seconds with how far the look has come.

    Raises:
        CatalogError: a file cannot be read any more, or a template takes too long or too much memory; the documents
            after it are not looked at, as each might take as long.
    """
    if any(functions_in((task.config, *task.prompts.values()))):
        return Doubts((), ())  # which run in a worker alone
    files = named_files(task.config)
    evaluated, shown = str(evaluated_split(task.config)), example_split(task.config)
    look = _Look(task, fields.get(evaluated, frozenset()), path)
    if evaluated not in files:
        return look.doubts(None)
    read = _Reader(files, task.config.get("dataset_path"), told)
    look.settle(evaluated, lambda: read.documents(evaluated))
    from_pool = shots != 0 and task.demonstrations == "pool"
    if from_pool and shown != evaluated:
        samples = written_examples(task.config)
        if shown in files:
            look.at_examples(str(shown), read.documents(str(shown)))
        elif samples is not None:
            look.at_examples("fewshot_config.samples", (Document(0, dict(sample)) for sample in samples))
    found: Iterator[tuple[int, Document]] = enumerate(read.documents(evaluated))
    if asked is not None:
        wanted = asked if isinstance(asked, range) else frozenset(asked)
        found = ((number, document) for number, document in islice(found, asked[-1] + 1) if number in wanted)
    look.own_examples = shots != 0 and task.demonstrations == "document"
    own = from_pool and shown == evaluated and (asked is None or isinstance(asked, range))
    look.at_evaluated(evaluated, found, own=own)
    return look.doubts(shots)


class _Reader:
    """Reads the splits of a task, and says how far it is."""

    def __init__(self, files: Mapping[str, tuple[str, ...]], named: str | None, told: Told | None) -> None:
        self._files, self._named, self._told = files, named, told
        self._next = time.monotonic() + _SECONDS

    def documents(self, split: str) -> Iterator[Document]:
        """The documents of a split."""
        for number, document in enumerate(read_split(map(Path, self._files[split]), self._named)):
            if self._told is not None and not number % 1000 and time.monotonic() > self._next:
                self._next = time.monotonic() + _SECONDS
                self._told(f"{self._files[split][0]}: looked at {count(number)} documents")
            yield document


class _Tally:
    """What was found about the documents of a split, each with the number of documents that it is true of."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[tuple[str, str, bool, str], list[int]] = {}
        self._first: dict[tuple[str, str, bool, str], str] = {}

    def note(self, found: Trouble, split: str, number: int) -> None:
        """Count a document."""
        key = (found.where, found.kind or found.what, found.is_error, split)
        known = self._known.setdefault(key, [0, number, -1])
        self._first.setdefault(key, found.what)
        if known[2] != number:  # several prompts may say the same of one document
            known[0], known[2] = known[0] + 1, number

    def lines(self, *, errors: bool) -> tuple[str, ...]:
        """One line for each thing that was found."""
        made = []
        for key, (number, first, _) in self._known.items():
            where, _, is_error, split = key
            more = f" and {count(number - 1)} more" if number > 1 else ""
            place = f"{self._path}: {where}" if where else str(self._path)
            if is_error == errors:
                made.append(f"{place}: document {first} of {split}{more}: {self._first[key]}")
        return tuple(made)


class _LeftOut(NamedTuple):
    """Examples that are not shown to a document, as they would give its answer away."""

    number: int
    """Their number, without the document itself."""
    examples: int
    """Number of all its examples."""
    document: int
    """The document, of which fewest are left."""


class _Look:
    """What is known about a task's documents while they are read."""

    def __init__(self, task: TaskSpec, columns: frozenset[str], path: Path) -> None:
        self._task, self._columns, self._path = task, columns, path
        self._tally = _Tally(path)
        self._variants: tuple[Variant, ...] = tuple(variants(task))
        self._ways: list[Way] = [way_of(variant, columns, self._rendering()) for variant in self._variants]
        self._pool: Pool | None = None
        self.own_examples = False
        """True when each document brings its examples along, and some are shown."""
        self._chosen = chosen_examples(task.config)
        self._left_out: _LeftOut | None = None
        self._measures = _Measures(task)
        self._places: dict[int, int] = {}
        # two documents are one when all that is asked of them is the same
        asked = {name for way in self._ways for name in way.needed}
        self._compared = sorted({*asked, "entities", "tests", "examples"}) if asked else None

    def settle(self, split: str, documents: Callable[[], Iterator[Document]]) -> None:
        """Decide from the documents whether the options are the questions; most often the first one tells."""
        for i, way in enumerate(self._ways):
            try:
                asked = settled(way.by(self._rendering()).questions, (document.fields for document in documents()))
            except ComputationError as error:
                error.key = way.where.get(error.key or "", error.key)
                raise self._endless(error, split, error.item or 0) from error
            except HarnessError:  # the document will be found
                asked = replace(way.questions, asks_options=False)
            self._ways[i] = replace(way, questions=asked)

    def at_examples(self, split: str, documents: Iterable[Document]) -> None:
        """Look at the examples."""
        ways = [way_of_examples(variant, self._columns, self._rendering()) for variant in self._variants]
        shown: list[Asked | None] = []
        for number, fields, now in self._batches(enumerate(documents), [*ways, self._ways[0]]):
            answers = [self._answer(way, fields, split, number) for way in now[:-1]]
            shown.append(self._asked(now[-1], fields, answers[0], split, number))
        self._pool = Pool(shown)

    def at_evaluated(self, split: str, documents: Iterable[tuple[int, Document]], *, own: bool) -> None:
        """Look at the documents that are evaluated, each with its position in the split.

        `own`: they are their own examples too, so that copies are counted among them.
        """
        shown: list[Asked | None] = []
        for number, fields, ways in self._batches(documents, self._ways):
            answers = [self._answer(way, fields, split, number) for way in ways]
            if (answered := answers[0]) is not None:
                for found in self._measures.at(ways[0], fields, answered):
                    self._tally.note(found, split, number)
                self._compare(ways[0], fields, answered, split, number)
            if self.own_examples:
                brought = self._at_own_examples(ways[0].questions.rendering, fields, split, number)
                if answered is not None:
                    self._compare_with_own(ways[0], fields, answered, brought, split, number)
            if own:
                shown.append(self._asked(ways[0], fields, answered, split, number))
        pool = Pool(shown)
        for number, asked in enumerate(shown):
            self._leave_out(pool.copies(asked) - {number} if asked else frozenset(), number)

    def _at_own_examples(
        self, rendering: Rendering, fields: Mapping[str, Any], split: str, number: int
    ) -> list[tuple[Mapping[str, Any], Answered | None]]:
        """Look at the examples that a document brings along; each of them with its right answers."""
        ways = [way_of_examples(variant, self._columns, rendering) for variant in self._variants]
        brought: list[tuple[Mapping[str, Any], Answered | None]] = []
        for place, example in enumerate(fields["examples"]):
            if not isinstance(example, Mapping):
                what = f"example {place} is {quoted(example)}; expected a document with its fields"
                self._tally.note(Trouble("", what, "no example"), split, number)
                continue
            try:
                looks = [_answered(way, example) for way in ways]
            except ComputationError as error:
                raise self._endless(error, split, number) from error
            brought.append((example, looks[0][0]))
            for found in (one for _, some in looks for one in some if one.is_error):
                said = found._replace(
                    what=f"example {place}: {found.what}", kind=f"example: {found.kind or found.what}"
                )
                self._tally.note(said, split, number)
        return brought

    def _batches(
        self, documents: Iterable[tuple[int, Document]], ways: Sequence[Way]
    ) -> Iterator[tuple[int, Mapping[str, Any], Sequence[Way]]]:
        """Each document with its number and the ways to ask about it; templates are rendered for many at a time."""
        left = iter(documents)
        while batch := _next_batch(left):
            rendering = self._rendering()
            now = [way.by(rendering) for way in ways]
            for way in now:
                way.learn([each.fields for _, each in batch if way.needed.keys() <= each.fields.keys()])
            yield from ((number, each.fields, now) for number, each in batch)

    def _rendering(self) -> Rendering:
        return rendering_for(trusted=self._task.trusted)

    def doubts(self, shots: int | None) -> Doubts:
        """Everything that was found, and whether so many examples can be shown to each document."""
        general = tuple(f"{self._path}: {line}" for line in self._measures.lines())
        few = () if shots is None else tuple(self._too_few(shots))
        return Doubts((*self._tally.lines(errors=True), *few), (*self._tally.lines(errors=False), *general))

    def _too_few(self, shots: int) -> Iterator[str]:
        if self._left_out is None:
            return
        number, examples, document = self._left_out
        if examples - number < shots <= (self._task.shots_available or 0):
            among = "its" if self._task.demonstrations == "document" else "the"
            yield (
                f"{self._path}: {shots} shots are asked for; document {document} stands {counted(number, 'time')} "
                f"among {among} {examples} examples, so that {examples - number} can be shown to it"
            )

    def _leave_out(self, copies: frozenset[int], number: int, examples: int | None = None) -> None:
        """Remember the document of whose examples fewest are left; None takes the number of the pool."""
        left_out = len(copies if self._chosen is None else copies.intersection(self._chosen))
        of = (self._task.shots_available or 0) if examples is None else examples
        known = self._left_out
        if left_out and (known is None or of - left_out < known.examples - known.number):
            self._left_out = _LeftOut(left_out, of, number)

    def _answer(self, way: Way, fields: Mapping[str, Any], split: str, number: int) -> Answered | None:
        """The right answers to a document; None where something about it is wrong."""
        try:
            answered, found = _answered(way, fields)
        except ComputationError as error:
            raise self._endless(error, split, number) from error
        for one in found:
            self._tally.note(one, split, number)
        return answered

    def _asked(
        self, way: Way, fields: Mapping[str, Any], answered: Answered | None, split: str, number: int
    ) -> Asked | None:
        """Question and answers, by which a document is recognised; None for one that cannot be compared."""
        if answered is None or way.questions.text is None:
            return None
        try:
            return asked_by(way.questions.question(fields), answered.options, answered.right)
        except ComputationError as error:
            error.key = way.where["doc_to_text"]
            raise self._endless(error, split, number) from error
        except HarnessError:
            return None

    def _endless(self, error: ComputationError, split: str, number: int) -> CatalogError:
        place = f"{self._path}: {error.key}" if error.key else str(self._path)
        return CatalogError(f"{place}: document {number} of {split}: {error}")

    def _compare(self, way: Way, fields: Mapping[str, Any], answered: Answered, split: str, number: int) -> None:
        """Look for the document among those before it, and among the examples."""
        compared = fields if self._compared is None else [fields.get(name) for name in self._compared]
        before = self._places.setdefault(hash(repr(compared)), number)
        if before != number:
            what = f"is document {before} once more; each copy counts"
            self._tally.note(Trouble("", what, "copy", is_error=False), split, number)
        asked = None if self._pool is None else self._asked(way, fields, answered, split, number)
        if self._pool is not None and asked is not None and (copies := self._pool.copies(asked)):
            self._leave_out(copies, number)
            what = f"stands among the examples too (example {min(copies)}), which is not shown to it"
            self._tally.note(Trouble("", what, "example", is_error=False), split, number)

    def _compare_with_own(
        self,
        way: Way,
        fields: Mapping[str, Any],
        answered: Answered,
        brought: Sequence[tuple[Mapping[str, Any], Answered | None]],
        split: str,
        number: int,
    ) -> None:
        """Look for the document among the examples that it brings along."""
        pool = Pool(self._asked(way, example, its, split, number) for example, its in brought)
        asked = self._asked(way, fields, answered, split, number)
        if asked is not None and (copies := pool.copies(asked)):
            self._leave_out(copies, number, len(brought))
            what = f"stands among its own examples (example {min(copies)}), which is not shown to it"
            self._tally.note(Trouble("", what, "example", is_error=False), split, number)


def _next_batch(documents: Iterator[tuple[int, Document]]) -> list[tuple[int, Document]]:
    """As many of the next documents as may be in memory together, one at least; none at the end."""
    batch: list[tuple[int, Document]] = []
    characters = 0
    for number, document in islice(documents, _BATCH):
        batch.append((number, document))
        characters += document.characters
        if characters > _BATCH_CHARACTERS:
            break
    return batch


def _answered(way: Way, fields: Mapping[str, Any]) -> tuple[Answered | None, list[Trouble]]:
    """The right answers to a document, and what was found on the way; None where something about it is wrong."""
    found = [*way.misses(fields), *way.doubts(fields)]
    if any(one.is_error for one in found):
        return None, found
    found += way.failures(fields)
    # a task of the simulated engine alone need not say what the right answer is
    if way.questions.target is None or any(one.is_error for one in found):
        return None, found
    answered = way.answer(fields)
    if isinstance(answered, Trouble):
        return None, [*found, answered]
    return answered, [*found, *way.doubts_of(answered)]


class _Measures:
    """What the metrics of a task ask of its documents."""

    def __init__(self, task: TaskSpec) -> None:
        self._task = task
        self._documents = 0
        self._guess = 0.0
        self._options: Counter[int] = Counter()
        self._positions: Counter[int] = Counter()
        names = [metric.name for metric in task.metrics]
        self._entities: int | None = 0 if any(name.startswith("entity_f1") for name in names) else None
        self._triples: int | None = 0 if "triple_f1" in names else None
        self._programs = any(programs_needed(name) for name in names)

    def at(self, way: Way, fields: Mapping[str, Any], answered: Answered) -> Iterator[Trouble]:
        """What a document lacks."""
        self._documents += 1
        if options := len(answered.options):
            positions = answered.right.positions
            self._guess += len(positions) / options
            self._options[options] += 1
            self._positions[positions[0]] += 1
        try:
            if self._entities is not None:
                from harness.scoring.spans import check_entities

                self._entities += check_entities(fields, answered.right.texts[0])
            if self._triples is not None:
                from harness.scoring.triples import check_triples

                self._triples += check_triples(fields)
            if self._programs:
                from harness.scoring.programs import check_tests

                check_tests(fields, str(way.questions.question(fields)))
        except HarnessError as error:
            yield Trouble("", str(error), "no reference")

    def lines(self) -> Iterator[str]:
        """What is wrong with the metrics, given all documents."""
        if self._entities == 0 and self._documents:
            yield "no document has an entity; expected some in `entities`, or a metric of something else"
        if self._triples == 0 and self._documents:
            yield "no document has a triple; expected some in `triples`, or a metric of something else"
        for i, metric in enumerate(self._task.metrics):
            if metric.name.startswith("loglikelihood") and (metric.best or 0) > 0:
                yield f"metrics[{i}].best is {quoted(metric.best)}; a log-likelihood is at most 0"
            of_file = metric.name not in self._task.chance_of_documents
            if of_file and self._options and metric.name.partition(",")[0] in _GUESSED:
                yield from self._chance(f"metrics[{i}].chance", metric)

    def _chance(self, where: str, metric: MetricSpec) -> Iterator[str]:
        """Whether the chance level is that of a guess, or of always taking the option that is right most often."""
        guess = self._guess / self._documents
        usual = max(self._positions.values()) / self._documents
        least, most = guess - _TOLERANCE, max(guess, usual) + _TOLERANCE
        if metric.chance is None or not least <= metric.chance <= most:
            options = " or ".join(str(number) for number in sorted(self._options)[:5])
            yield (
                f"{where} is {quoted(metric.chance)}; of {options} options a guess is right in {guess:.3g} of the "
                "documents"
            )
