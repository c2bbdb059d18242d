"""`emergence report`: one self-contained page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import Results, Scale
from harness.cli.output import say
from harness.cli.read import read_store
from harness.cli.write import write_text

if TYPE_CHECKING:
    from harness.analysis.curves import Curve
    from harness.analysis.verdict import Verdict


def command(
    output: Annotated[Path, typer.Option("-o", "--output", help="HTML file.")] = Path("report.html"),
    png_dir: Annotated[
        Path | None, typer.Option("--png-dir", help="Also write the curves of each family as curves-FAMILY.png here.")
    ] = None,
    results: Results = Path("results"),
    scale: Scale = "params",
) -> None:
    """Write one HTML page with curves, verdicts, leaderboard and provenance; it works offline."""
    from harness.analysis.curves import curves
    from harness.analysis.verdict import judge
    from harness.report import write_report

    done, failures, problems = read_store(results)
    write_text(output, write_report(done, failures, problems, scale=scale))
    say(f"report written to {output} ({output.stat().st_size / 1e6:.1f} MB)")
    if png_dir is not None:
        drawn = curves(done, failures, scale=scale)
        _write_pictures(png_dir, drawn, judge(drawn))


def _write_pictures(folder: Path, drawn: Sequence[Curve], verdicts: Sequence[Verdict]) -> None:
    from harness.figures import overview, to_png

    folder.mkdir(parents=True, exist_ok=True)
    for family in dict.fromkeys(curve.family for curve in drawn):
        members = [curve for curve in drawn if curve.family == family]
        path = folder / f"curves-{family}.png"
        to_png(overview(members, [v for v in verdicts if v.curve.family == family]), path, width=1200)
        say(f"picture written to {path}")
