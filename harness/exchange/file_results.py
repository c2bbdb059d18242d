"""The results in one file of another program, and what is wrong with it: what several processes can share."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from harness.errors import FaultsError, HarnessError
from harness.exchange.cells import FromFile
from harness.exchange.files import foreign_file
from harness.exchange.formats import READERS
from harness.exchange.types import Contents, ForeignFile, Published, PublishedScore, Remark
from harness.records import Sample
from harness.scoring.metrics import mean_stderr
from harness.wording import quoted

_SAME = 1e-6
"""How near the mean of the documents is to a score that was computed as their mean, and perhaps rounded."""
_LARGEST = 2**63 - 1
"""Largest number of a document: tables of documents have 64 bits for it."""


class FileResults(NamedTuple):
    """What came of reading one file."""

    found: tuple[FromFile, ...] = ()
    """Its results; none where it is something else, or is damaged."""
    files: tuple[ForeignFile, ...] = ()
    """The file, and others that were read with it; none where it is something else. Their bytes are left behind."""
    remarks: Mapping[Remark, int] = {}
    """What people are told -> number of times."""
    faults: tuple[str, ...] = ()
    """What is wrong with it."""


def file_results(form: str, options: Mapping[str, Any], path: Path, was_named: bool) -> FileResults:
    """Read one file.

    Args:
        form: name of the format, a key of `READERS`.
        options: what the reader of this format takes besides a file.
        path: the file.
        was_named: whether the user named the file, which must be of the format then.
    """
    reader = READERS[form]
    try:
        file = foreign_file(path)
        contents = partial(reader.load(), **options)(file)
        if contents is None and was_named:
            raise HarnessError(f"{path}: is no result file of {form}; expected {reader.holds}")
        if contents is None:
            return FileResults()
        files = tuple(replace(one, content=b"") for one in (file, *contents.beside))
        return FileResults(tuple(_results(contents, files[0])), files, contents.remarks)
    except FaultsError as error:
        return FileResults(faults=error.faults)
    except HarnessError as error:
        return FileResults(faults=(str(error),))


def _results(contents: Contents, file: ForeignFile) -> Iterator[FromFile]:
    name = contents.name or file.path.name
    for result in contents.results:
        yield FromFile(_with_answers(result), file, name)


def _with_answers(result: Published) -> Published:
    """The result with what its documents alone say: how many there are, the number of their options, and errors.

    They are read here in any case, so that nothing has been written when one of them turns out to be damaged.
    """
    if result.answers is None:
        return result
    samples = result.answers.samples()
    if samples and (last := max(sample.doc_id for sample in samples)) > _LARGEST:
        raise HarnessError(f"{result.answers.path}: a document has the number {quoted(last)}; expected one of 64 bits")
    options = {len(sample.options) for sample in samples}
    same = options.pop() if len(options) == 1 and max(options) > 1 else None
    n = result.n or len(samples) or None
    scores = tuple(_with_error(score, samples) if len(samples) == n else score for score in result.scores)
    return replace(result, n=n, options=result.options or same, scores=scores)


def _with_error(score: PublishedScore, samples: Sequence[Sample]) -> PublishedScore:
    """The score with the standard error of its documents, where it has none and is their mean."""
    values = [sample.scores[score.metric] for sample in samples if score.metric in sample.scores]
    if score.stderr is not None or not values or len(values) < len(samples):
        return score
    mean, stderr = mean_stderr(values)
    return replace(score, stderr=stderr) if math.isclose(mean, score.value, rel_tol=_SAME, abs_tol=_SAME) else score
