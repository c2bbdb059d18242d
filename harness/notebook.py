"""What a notebook needs to read results: curves, comparisons, a leaderboard and a report, from a folder or a table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harness.analysis import laws
from harness.analysis.compare import Comparisons, choose_side, compare_pairs, noise_from, pair_up
from harness.analysis.curves import Curve, Scale, curves
from harness.analysis.verdict import study
from harness.reading import document_reader, read_outcomes, read_table
from harness.store import Store

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["compare", "laws", "leaderboard_table", "read_curves", "report_html"]


def read_curves(
    source: str | Path | pd.DataFrame = "results", *, scale: Scale = "params", documents: bool = True
) -> tuple[Curve, ...]:
    """Every curve of a results folder, or of a table with anybody's results.

    Args:
        source: a results folder; a CSV or Parquet file; or a table in memory, with the columns that `--table` takes.
        scale: the axis: `params`, `flops`, `tokens` or `loss`.
        documents: read the score of every document of a folder, so that thresholds and comparisons rest on documents
            and not on the scores of cells alone; it takes longer.

    Raises:
        HarnessError: there is nothing to read, or it cannot be read.

    >>> import pandas as pd
    >>> table = pd.DataFrame({"family": "mine", "task": "sums", "metric": "acc", "n_shot": 0, "chance": 0.25, "n": 200,
    ...     "model": ["1m", "4m", "16m"], "params": [1e6, 4e6, 1.6e7], "k": [51, 90, 160]})
    >>> [curve] = read_curves(table)
    >>> curve.models, curve.y
    (('1m', '4m', '16m'), (0.255, 0.45, 0.8))
    """
    if not isinstance(source, str | Path):
        return _table_curves(source, scale, "table")
    path = Path(source)
    if path.is_file():
        return _table_curves(read_table(path), scale, str(path))
    outcomes = read_outcomes(path)
    items = document_reader(Store(path)) if documents else None
    return curves(outcomes.results, outcomes.failures, scale=scale, items=items)


def _table_curves(table: pd.DataFrame, scale: Scale, name: str) -> tuple[Curve, ...]:
    from harness.analysis.curves.table import table_curves

    return table_curves(table, scale, name)


def compare(
    a: str, b: str, *, results: str | Path = "results", every_metric: bool = False, run_sd: float | None = None
) -> Comparisons:
    """Paired differences of two models or settings, the second less the first, on the documents both answered.

    Args:
        a: a model, or terms such as `model=pythia-70m,shots=0`; what both sides name may differ, all else is equal.
        b: the other side.
        results: the results folder.
        every_metric: compare all metrics, and not the headline of each task alone.
        run_sd: standard deviation of a score of one half between two training runs of one model, counted where no size
            has several runs that show it; None counts none there.

    Raises:
        HarnessError: a side names nothing that is there, or the folder cannot be read.

    >>> compare("ladder-12k", "ladder-26k", results="no/such/folder")
    Traceback (most recent call last):
    ...
    harness.errors.StoreError: no/such/folder: no results; expected a folder that `emergence run` wrote to
    """
    done, failures, _ = read_outcomes(Path(results))
    cells = [*(result.cell for result in done), *(failure.cell for failure in failures)]
    pairing = pair_up(choose_side(a, cells), choose_side(b, cells), done, failures)
    read = document_reader(Store(Path(results)))
    return compare_pairs(pairing.pairs, read, every_metric=every_metric, noise=noise_from(done), run_sd=run_sd)


def leaderboard_table(results: str | Path = "results", *, wide: bool = False) -> pd.DataFrame:
    """The leaderboard as a table: a row per cell and metric, or per model.

    Args:
        results: the results folder.
        wide: a row per model and a column per setting, with their common average.

    Raises:
        StoreError: nothing is there to show.

    >>> leaderboard_table("no/such/folder")
    Traceback (most recent call last):
    ...
    harness.errors.StoreError: no/such/folder: no results; expected a folder that `emergence run` wrote to
    """
    from harness.leaderboard import tidy_table, wide_table

    outcomes = read_outcomes(Path(results))
    return (wide_table if wide else tidy_table)(outcomes.results, outcomes.failures)


def report_html(results: str | Path = "results", *, scale: Scale = "params", title: str | None = None) -> str:
    """Everything the results show, as one HTML page that works offline; the caller writes the file.

    Args:
        results: the results folder.
        scale: the axis of the curves.
        title: heading of the page; None takes the usual one.

    Raises:
        StoreError: nothing is there to show.

    >>> report_html("no/such/folder")
    Traceback (most recent call last):
    ...
    harness.errors.StoreError: no/such/folder: no results; expected a folder that `emergence run` wrote to
    """
    from harness.catalog import load_catalog
    from harness.report import report_page
    from harness.task_cards import first_samples, task_cards

    folder = Path(results)
    outcomes, store = read_outcomes(folder), Store(folder)
    documents = document_reader(store)
    made = study(*outcomes, scale=scale, items=documents)
    cards = task_cards([*made.results, *made.failures], first=first_samples(store), catalog=load_catalog())
    if title is None:
        return report_page(made, cards=cards, documents=documents)
    return report_page(made, title=title, cards=cards, documents=documents)
