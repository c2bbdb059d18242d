"""What the result files of other programs say, in one form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from harness.bounded.json_text import parsed_json, written_values
from harness.bounded.limits import RESULT_VALUES, UnreadableError
from harness.errors import HarnessError
from harness.plan import Cell
from harness.records import Sample
from harness.specs import Dtype, Kind, MetricSpec


@dataclass(frozen=True, kw_only=True, slots=True)
class ForeignFile:
    """A file of another program."""

    path: Path
    """Where it lies."""
    content: bytes
    """Its bytes."""
    sha256: str
    """Their hash, in 64 hex digits."""
    modified: float
    """When it was written, in seconds since 1970."""

    def json(self) -> Any:
        """The JSON value in it.

        Raises:
            HarnessError: it is no JSON, or has more values than allowed.
        """
        try:
            RESULT_VALUES.check(written_values(self.content))
            return parsed_json(self.content)
        except UnreadableError as error:
            raise HarnessError(f"{self.path}: {error}") from error


class ExportedFile(NamedTuple):
    """A file to be written."""

    path: Path
    """Where, below the folder of the export."""
    content: bytes
    """What."""

    @classmethod
    def of_text(cls, path: Path, text: str) -> ExportedFile:
        """A file with this text as UTF-8, which half a pair of surrogates does not have."""
        return cls(path, text.encode("utf-8", "backslashreplace"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Answers:
    """Answers to the single documents of a result, in a file that is read when they are asked for."""

    path: Path
    """The file."""
    samples: Callable[[], tuple[Sample, ...]]
    """The documents, ascending by number; a damaged file is refused by a `HarnessError`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishedScore:
    """One metric of a published result."""

    metric: str
    """Name of the metric; the name of a filter other than `none` stands behind a comma."""
    value: float
    """The score, in the metric's own unit."""
    stderr: float | None
    """Standard error; None where the file gives none."""
    higher_is_better: bool | None = None
    """Whether more is better; None where the file does not say it."""
    best: float | None = None
    """Score of a perfect answer; None where the file does not say it."""
    n: int | None = None
    """Number of documents that it is computed from; None for all of the result."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Published:
    """What one file says of one model on one task."""

    model: str
    """Name of the model, of the hub or as the file has it."""
    revision: str = "main"
    """Branch, tag or commit of the model."""
    dtype: Dtype | None = None
    """Number format of the weights; None where the file does not say it."""
    variant: str | None = None
    """Adapter on top of the model, by its name; None for the plain model."""
    params: int | None = None
    """Parameters of the model; None where the file does not say it."""
    task: str
    """Name of the task."""
    version: str | None
    """Version of the task; None where the file does not say it."""
    asked: Mapping[str, object]
    """What else decides the score, such as the prompt where there is no version: results in which it differs are never
    joined."""
    shots: int
    """Demonstrations before the question."""
    seed: int = 0
    """Few-shot seed; 0 is the program's own default."""
    limit: int | None = None
    """Number of documents asked, from the first on; None for all."""
    chat: str | None = None
    """`template` when the prompt was wrapped in the turns of a chat."""
    system: str | None = None
    """System instruction; None for none."""
    scores: tuple[PublishedScore, ...]
    """Its metrics, the one that the task names first being the first."""
    n: int | None
    """Number of documents; None where the file does not say it."""
    has_options: bool | None = None
    """Whether the documents have options to choose from; None where the file does not say it."""
    kind: Kind | None = None
    """Kind of ability; None where the file does not say it, as only files that were exported here do."""
    metrics: tuple[MetricSpec, ...] = ()
    """How its metrics are to be read; empty where the file does not say it, as only exported files do."""
    options: int | None = None
    """Number of options of each document; None where the file does not say it, or it is not the same for all."""
    tool: str
    """Program that evaluated, such as `lm-eval`."""
    tool_version: str | None = None
    """Its version; None where the file does not say it."""
    date: datetime | None = None
    """When it was evaluated (UTC); None where the file does not say it."""
    licence: str | None = None
    """Licence of the result; None where the file does not say it."""
    seconds: float = 0.0
    """Wall time of the evaluation; 0 where the file does not say it, or says it of several tasks together."""
    cell: Cell | None = None
    """The cell as it was, but for its engine; None where the file does not say it, as only exported files do."""
    answers: Answers | None = None
    """Answers to its documents; None where the files have none."""


class Remark(NamedTuple):
    """What people are told of some results, together with their number."""

    what: str
    """What they are, in the singular, such as `row`."""
    text: str
    """What follows, such as `of groups left out, which are means over other rows`."""


SHOTS_NOT_SAID = Remark("result", "without a number of demonstrations: filed under 0-shot")
"""A remark that several formats need."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Contents:
    """What one file says."""

    results: tuple[Published, ...]
    """Its results."""
    remarks: Mapping[Remark, int] = field(default_factory=dict)
    """What people are told, such as what was left out -> number of times."""
    name: str | None = None
    """What the file is called in tables; None for its own name, which says enough for most programs."""
    beside: tuple[ForeignFile, ...] = ()
    """Other files that were read with it, of which copies are kept too."""
