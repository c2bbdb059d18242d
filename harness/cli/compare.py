"""`emergence compare`: two models or settings, on the documents that both answered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from harness.cli.option_groups import Drawing, with_groups
from harness.cli.output import print_json, print_line, print_paragraph, say, table
from harness.cli.result_options import Json, Results
from harness.errors import HarnessError, PlanError
from harness.plan import Cell
from harness.reading import document_reader, read_outcomes
from harness.store import Store
from harness.wording import interval, p_value, percent, percent_change, score, signed

if TYPE_CHECKING:
    from harness.analysis.compare import Comparison, Unpaired
    from harness.analysis.costs import CostRatios

_SIDE = "model, MODEL@REVISION, or terms such as model=pythia-70m,shots=0"


@with_groups
def command(
    *,
    a: Annotated[str, typer.Argument(metavar="A", help=f"First side: {_SIDE}.")],
    b: Annotated[str, typer.Argument(metavar="B", help="Second side; a term that only one side has applies to both.")],
    results: Results = Path("results"),
    metric: Annotated[
        Literal["headline", "all"], typer.Option(help="Metrics to compare: the headline of each task, or all.")
    ] = "headline",
    run_sd: Annotated[
        float | None,
        typer.Option(
            "--run-sd",
            help="Standard deviation of a score of one half between two training runs of one model, counted where no "
            "size has several runs that show it; not counted unless told.",
        ),
    ] = None,
    drawing: Drawing,
    as_json: Json = False,
) -> None:
    """Show the differences of two sides on the same documents: B minus A, corrected for the number of tasks.

    Terms can name task, suite, family, model, revision, variant (`plain` or `none` for models as they are), dtype,
    engine, shots, prompt and seed. The sides may differ in what both of them name. In everything else they are equal,
    or are not compared.

    Columns: B/=/A, documents on which B scored more, both the same, and A more; corr., correlation of the two scores;
    pairing, by how much the standard error changes because the documents are the same; detectable, the smallest true
    difference that would be found 4 times in 5. Errors are over documents and few-shot seeds. How much other training
    runs of the same recipe would differ is counted where sizes of the family have several, and with --run-sd.
    """
    from harness.analysis.compare import choose_side, compare_pairs, noise_from, pair_up, summary
    from harness.analysis.costs import cost_ratios

    if run_sd is not None and not 0 <= run_sd < 0.5:
        raise PlanError(f"--run-sd {run_sd}: expected 0 or more, and less than 0.5")
    drawing.check()
    done, failures, _ = read_outcomes(results, say)
    cells = [*(r.cell for r in done), *(f.cell for f in failures)]
    pairing = pair_up(choose_side(a, cells), choose_side(b, cells), done, failures)
    compared = compare_pairs(
        pairing.pairs,
        document_reader(Store(results), say),
        every_metric=metric == "all",
        noise=noise_from(done),
        run_sd=run_sd,
    )
    unpaired = (*pairing.unpaired, *compared.unpaired)
    if not compared.comparisons:
        raise HarnessError("; ".join([f"{a} and {b} have no document in common", *_not_compared(unpaired)]))
    if drawing.figure is not None:
        from harness.figures import comparison_figure

        drawing.write([comparison_figure(compared.comparisons, a=a, b=b)], f"{b} compared with {a}")
    counted = summary(compared.comparisons)
    costs = cost_ratios([both for pair in pairing.pairs for both in zip(pair.a, pair.b, strict=False)])
    if as_json:
        comparisons = [_object(one) for one in compared.comparisons]
        left = [one._asdict() for one in unpaired]
        print_json(
            {"a": a, "b": b, "comparisons": comparisons, "unpaired": left, "summary": counted._asdict()}
            | {"costs": costs._asdict()}
        )
        return
    print_line(f"A {a}, B {b}")
    print_line()
    print(table(_HEAD, [_row(one) for one in compared.comparisons]))
    print_line()
    for line in (*_notes(compared.comparisons), *_said_of(costs), *_not_compared(unpaired)):
        print_paragraph(line)
    print_line(
        f"B is better on {counted.better}, worse on {counted.worse}, with no clear difference on {counted.unclear} "
        f"of {sum(counted)} (q < 0.05)"
    )


_HEAD = (
    "task",
    "setting",
    "metric",
    "docs",
    "A",
    "B",
    "B - A",
    "95 % interval",
    "p",
    "q",
    "better",
    "B/=/A",
    "corr.",
    "pairing",
    "detectable",
)


def _row(one: Comparison) -> tuple[object, ...]:
    found = one.scores
    return (
        one.task,
        one.setting,
        one.metric.name
        + ("*" if one.by_document else "")
        + ("" if one.metric.higher_is_better else " (less is better)"),
        found.n,
        score(found.mean_a),
        score(found.mean_b),
        signed(found.difference),
        interval(found.low, found.high, signed),
        p_value(found.p),
        p_value(one.q),
        one.better or "-",
        f"{found.higher_b}/{found.equal}/{found.higher_a}",
        score(found.correlation),
        percent_change(found.stderr / found.stderr_unpaired - 1) if found.stderr and found.stderr_unpaired else None,
        score(found.detectable),
    )


def _said_of(costs: CostRatios) -> Iterator[str]:
    """What B takes of what A takes, where their weights differ in size."""
    if costs.weight_bytes is None or abs(costs.weight_bytes - 1) < 0.001:
        return
    named = (("bytes on disk", costs.weight_bytes), ("time for each document", costs.seconds), ("energy", costs.energy))
    known = [f"{percent(ratio)} of the {name}" for name, ratio in named if ratio is not None]
    yield f"B takes {', '.join(known)} of A; `emergence costs` shows both beside their scores."


def _notes(comparisons: Iterable[Comparison]) -> Iterator[str]:
    """Sentences that a reader needs beside the numbers."""
    comparisons = tuple(comparisons)
    for one in comparisons:
        if one.headline and (one.only_a or one.only_b):
            yield (
                f"{one.task} {one.setting}: left out {one.only_a} documents that only A has "
                f"and {one.only_b} that only B has"
            )
    yield from _runs(comparisons)
    if any(one.by_document for one in comparisons):
        yield "* a score of all documents together; compared are the means of the documents' own scores"


def _runs(comparisons: Iterable[Comparison]) -> Iterator[str]:
    """What errors count of the noise between training runs."""
    counted = [one for one in comparisons if one.headline and one.run_sd is not None]
    if not counted:
        return
    if several := sorted({(one.runs_a, one.runs_b) for one in counted if one.runs_a > 1 or one.runs_b > 1}):
        yield "means over training runs: " + ", ".join(f"{a} of A, {b} of B" for a, b in several)
    estimated = sorted(one.run_sd for one in counted if one.run_sd is not None and one.run_freedom is not None)
    if estimated:
        shown = " to ".join(dict.fromkeys(score(sd) or "" for sd in (estimated[0], estimated[-1])))
        yield f"errors count the noise between training runs, estimated where sizes have several (SD {shown})"
    if len(estimated) < len(counted):
        sd = next(one.run_sd for one in counted if one.run_freedom is None)
        yield f"errors count an assumed noise between training runs (SD {score(sd)})"


def _not_compared(unpaired: Iterable[Unpaired]) -> list[str]:
    """One line for each reason why something was not compared."""
    settings: dict[str, list[str]] = {}
    for one in unpaired:
        settings.setdefault(one.reason, []).append(f"{one.task} {one.setting}".strip())
    return [f"not compared, {reason}: {'; '.join(dict.fromkeys(names))}" for reason, names in settings.items()]


def _object(one: Comparison) -> dict[str, Any]:
    """A comparison as JSON."""
    found = one.scores
    return {
        "task": one.task,
        "setting": one.setting,
        "metric": one.metric.name,
        "headline": one.headline,
        "higher_is_better": one.metric.higher_is_better,
        "by_document": one.by_document,
        "a": _cells(one.a),
        "b": _cells(one.b),
        "n": found.n,
        "only_a": one.only_a,
        "only_b": one.only_b,
        "mean_a": found.mean_a,
        "mean_b": found.mean_b,
        "difference": found.difference,
        "stderr": found.stderr,
        "stderr_unpaired": found.stderr_unpaired,
        "ci_low": found.low,
        "ci_high": found.high,
        "p": found.p,
        "q": one.q,
        "better": one.better,
        "correlation": found.correlation,
        "higher_b": found.higher_b,
        "equal": found.equal,
        "higher_a": found.higher_a,
        "mde": found.detectable,
        "runs_a": one.runs_a,
        "runs_b": one.runs_b,
        "run_sd": one.run_sd,
        "run_freedom": one.run_freedom,
    }


def _cells(cells: Sequence[Cell]) -> dict[str, Any]:
    """One side of a comparison as JSON: its model and setting, and the keys of its cells."""
    first = cells[0]
    return {
        "family": first.model.family,
        "model": first.model.name,
        "revision": first.model.revision,
        "variant": first.model.variant,
        "dtype": first.model.dtype,
        "engine": first.engine,
        "shots": first.shots,
        "prompt": first.prompt,
        "seeds": sorted({cell.seed for cell in cells}),
        "keys": list(dict.fromkeys(cell.key for cell in cells)),
    }
