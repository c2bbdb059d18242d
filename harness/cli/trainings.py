"""What `emergence list trainings` shows: the trainings that a results folder keeps, with their loss curves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.cli.output import print_json, print_line, say, table, telling
from harness.cli.write import write_figures
from harness.store.trainings import KeptTraining, trainings
from harness.wording import count, duration, number

_BARS = "▁▂▃▄▅▆▇█"
_WIDTH = 16
"""Most bars of a curve."""
_HEAD = tuple("model variant task prompt seed documents steps rate loss from to best took".split())
_OPTIONAL = ("task", "prompt", "seed")


def list_trainings(results: Path, figure: Path | None, *, as_json: bool) -> None:
    """Print the trainings of a results folder, and draw their loss curves into a file if one is named.

    Raises:
        HarnessError: the file cannot be written, or there is nothing to draw.
    """
    found, problems = trainings(results)
    for problem in problems:
        say(f"skipped {problem}")
    if as_json:
        print_json([_data(one) for one in found])
    elif found:
        head, rows = telling(_HEAD, [_row(one) for one in found], _OPTIONAL)
        print(table(head, rows))
        print_line(
            "loss in nats per token of the answers, or per class, from the first look to the last; best: development"
        )
    else:
        say(f"{results}: no model was trained there; emergence run --treatment finetune trains")
    if figure is not None:
        from harness.figures import loss_figure

        write_figures(figure, [loss_figure(found)] if found else [], "Loss of trainings")


def _data(one: KeptTraining) -> dict[str, Any]:
    return {**asdict(one), "started_at": one.started_at.isoformat()}


def _row(one: KeptTraining) -> tuple[object, ...]:
    losses = [value for _, value in one.loss]
    best = min((value for _, value in one.development_loss), default=None)
    return (
        one.model,
        one.variant,
        one.task,
        one.prompt,
        one.seed,
        count(one.documents),
        count(one.steps),
        number(one.learning_rate, 2),
        bars_of(losses),
        f"{losses[0]:.3f}" if losses else None,
        f"{losses[-1]:.3f}" if losses else None,
        None if best is None else f"{best:.3f}",
        duration(one.seconds),
    )


def bars_of(values: Sequence[float]) -> str:
    """A curve as small bars from 0 to its largest value; of many values those at even distances.

    >>> bars_of([2.0, 1.0, 0.5, 0.1])
    '█▅▃▁'
    """
    shown = [values[round(i * (len(values) - 1) / (_WIDTH - 1))] for i in range(_WIDTH)]
    shown = shown if len(values) > _WIDTH else list(values)
    most = max(shown, default=0.0)
    return "".join(_BARS[round((len(_BARS) - 1) * max(0.0, value) / most)] if most > 0 else _BARS[0] for value in shown)
