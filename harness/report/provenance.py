"""How the results of a report were made, and what is missing in them, in lines of text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from harness.records import CellResult, Source
from harness.runs import fence_of, foreign_code
from harness.wording import count, counted, duration, energy, moment


def missing_documents(results: Sequence[CellResult]) -> list[str]:
    """A line for each cell of which documents are missing, cut, or not as they should be."""
    found = []
    for result in results:
        fewest = min((s.n for s in result.scores), default=0)
        if fewest < result.n_expected:
            found.append(f"{result.cell.label}: {fewest} of {result.n_expected} documents")
        if result.n_truncated:
            found.append(f"{result.cell.label}: {result.n_truncated} prompts did not fit and lost their beginning")
        if result.n_copies:
            copies = f"{result.n_copies} of {result.n_expected} documents had a copy among the demonstrations"
            found.append(f"{result.cell.label}: {copies}, which was left out for them")
        if result.n_ambiguous:
            labels = f"{result.n_ambiguous} of {result.n_expected} labels are the number of one option"
            found.append(f"{result.cell.label}: {labels}, and read so, and the text of another")
    return found


def how_made(results: Sequence[CellResult]) -> list[tuple[str, str]]:
    """How the results were made; where they were not made alike, with the number of results for each value."""
    if not results:
        return []
    runs = [r.provenance for r in results]
    started = sorted(p.started_at for p in runs)
    measured = [p.energy_wh for p in runs if p.energy_wh is not None]
    foreign = [f"{ran.code} ({counted(ran.cells, 'result')})" for ran in foreign_code(results)]
    fences = [fence for fence in map(fence_of, results) if fence is not None]
    sources = [_source(p.source) for p in runs if p.source is not None]
    packages = sorted({package for p in runs for package in p.versions})
    rows = [
        ("Evaluated", f"{moment(started[0], 'minutes')} to {moment(started[-1], 'minutes')}"),
        ("Engine", _mixture(r.cell.engine for r in results)),
        ("Number format", _mixture(r.cell.model.dtype for r in results)),
        ("Device", _mixture(p.device for p in runs)),
        ("Code version", _mixture(_code(p.git_commit, p.git_dirty) for p in runs)),
        *((package, _mixture(p.versions.get(package, "not recorded") for p in runs)) for package in packages),
        *([("Read from files of", _mixture(sources))] if sources else []),
        *([("Fence around programs", _mixture(fences))] if fences else []),
        *([("Code of others that ran", ", ".join(foreign))] if foreign else []),
        ("Evaluation time", f"{duration(sum(p.seconds for p in runs))}, summed over {counted(len(runs), 'result')}"),
    ]
    if measured:
        of = f"{count(len(measured))} of {counted(len(runs), 'result')}"
        rows.append(("Energy", f"{energy(sum(measured))}, measured for {of}"))
    return rows


def _source(source: Source) -> str:
    licence = f", {source.licence}" if source.licence else ""
    return f"{source.tool} {source.tool_version or '(version not said)'}{licence}"


def _code(commit: str | None, dirty: bool | None) -> str:
    if commit is None:
        return "outside a repository"
    return commit[:12] + (" with uncommitted changes" if dirty else "")


def _mixture(values: Iterable[str]) -> str:
    counts = Counter(values)
    if len(counts) == 1:
        return next(iter(counts))
    return "mixed: " + ", ".join(f"{value} ({count})" for value, count in counts.most_common())
