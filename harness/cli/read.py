"""Reading what verbs present: the results folder, or a table of anybody's results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.output import say
from harness.errors import PlanError, StoreError, TableError, unknown
from harness.plan import Cell
from harness.store import DocumentScores, Outcomes, Store
from harness.wording import as_written

if TYPE_CHECKING:
    import pandas as pd

    from harness.analysis.curves import Curve, Scale


def read_store(root: Path) -> Outcomes:
    """Results, failures and skipped files below `root`; the last are also reported on stderr.

    Raises:
        StoreError: nothing is there to present.
    """
    held = Store(root).outcomes()
    for problem in held.problems:
        say(f"skipped {problem}")
    if not held.results and not held.failures:
        raise StoreError(f"{root}: no results; expected a folder that `emergence run` wrote to")
    return held


def read_curves(
    results: Path | None, table: Path | None, scale: Scale = "params", *, items: bool = False
) -> tuple[Curve, ...]:
    """Every curve of the results folder or of the table; what was skipped or cannot be judged is said on stderr.

    Args:
        results: folder of results; None takes `results/` when there is no table.
        table: file with anybody's results; None reads the folder.
        scale: the x axis.
        items: fill `Curve.items` from the samples below the folder; documents of a table are always kept.

    Raises:
        HarnessError: both were given, or there is nothing to read, or it cannot be read.
    """
    if table is not None:
        if results is not None:
            raise TableError(f"--results {results} and --table {table}: expected one of them")
        from harness.analysis.curves.table import missing_information, table_curves

        drawn = table_curves(read_table(table), scale, str(table))
        for sentence in missing_information(drawn):
            say(sentence)
    else:
        from harness.analysis.curves import curves

        root = results or Path("results")
        done, failures, _ = read_store(root)
        drawn = curves(done, failures, scale=scale, items=read_documents(Store(root)) if items else None)
    if not drawn:
        say(f"nothing to draw: every cell failed, or no model has a known place on the axis of {scale}")
    return drawn


def choose(
    drawn: Sequence[Curve],
    *,
    families: Sequence[str] = (),
    tasks: Sequence[str] = (),
    shots: Sequence[int] | None = None,
    metric: str = "all",
) -> tuple[Curve, ...]:
    """The curves asked for, in their order; what is not named is not asked about.

    Args:
        drawn: all curves.
        families: names of families.
        tasks: names of tasks.
        shots: numbers of demonstrations.
        metric: `all`, `headline` for that of each task, or a name.

    Raises:
        PlanError: no curve has such a name.
    """
    for what, asked, known in (
        ("family", families, {c.family for c in drawn}),
        ("task", tasks, {c.task for c in drawn}),
        ("shot count", [str(n) for n in shots or ()], {str(c.shots) for c in drawn}),
        ("metric", [metric], {"headline", "all", *(c.metric.name for c in drawn)}),
    ):
        for name in asked:
            if name not in known:
                raise PlanError(unknown(what, name, known))
    return tuple(
        c
        for c in drawn
        if (not families or c.family in families)
        and (not tasks or c.task in tasks)
        and (not shots or c.shots in shots)
        and (metric in ("all", c.metric.name) or (metric == "headline" and c.rank == 0))
    )


def read_table(path: Path) -> pd.DataFrame:
    """A CSV file, compressed or not, or a Parquet file, as it is.

    Raises:
        TableError: it is not there, is neither, or cannot be read.
    """
    import pandas as pd

    from harness.analysis.curves.table import TEXT_COLUMNS

    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        if ".csv" in path.suffixes[-2:]:
            return _as_written(pd.read_csv(path, dtype=dict.fromkeys(TEXT_COLUMNS, "string")))
    except FileNotFoundError:
        raise TableError(f"{path}: no such file") from None
    except (
        OSError,
        ValueError,
    ) as error:  # whatever is wrong with a file's content is a ValueError of pandas' or Arrow's
        raise TableError(f"{path}: cannot be read: {str(error).strip().splitlines()[0]}") from error
    raise TableError(f"{path}: expected a file named .csv or .parquet")


def _as_written(table: pd.DataFrame) -> pd.DataFrame:
    """The table without the apostrophes that keep spreadsheets from taking names for formulas."""
    for name in table.columns:
        texts = table[name]
        if texts.dtype in ("object", "string", "str") and texts.str.startswith("'", na=False).any():
            table[name] = texts.map(as_written, na_action="ignore")
    return table.rename(columns=lambda name: as_written(str(name)))


def read_documents(store: Store) -> Callable[[Cell], DocumentScores | None]:
    """Reads the scores of a cell's documents; a file that cannot be read is reported and costs only these."""

    def read(cell: Cell) -> DocumentScores | None:
        try:
            return store.scores(cell)
        except StoreError as error:
            say(f"skipped {error}")
            return None

    return read
