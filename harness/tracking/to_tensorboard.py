"""TensorBoard: event files in a folder, one run of TensorBoard per family, whose steps are parameters or tokens.

TensorBoard draws the points of a curve in the order of its file, and a run evaluates the largest models first. So the
files are written once more, in the order of the steps, when the run ends.
https://www.tensorflow.org/tensorboard/scalars_and_keras
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from harness.tracking.messages import EndOfTracking, ProgressOfTracking, Scored, StartOfTracking
from harness.wording import file_name

if TYPE_CHECKING:
    import pandas as pd

_RUN = ""
"""Name of the run of TensorBoard with the progress and the texts: the folder itself, as those of families lie in it."""


class _Point(NamedTuple):
    """A number of a curve."""

    tag: str
    step: int
    value: float
    at: float
    """When it came, in seconds since 1970."""


class ToTensorBoard:
    """Event files of one run, in a folder of its own."""

    def __init__(self, where: str) -> None:
        """`where`: folder that `tensorboard --logdir` is given."""
        self._logdir = Path(where)
        self._writers: dict[str, EventFileWriter] = {}
        self._points: dict[str, list[_Point]] = {}

    def start(self, message: StartOfTracking) -> str:
        """Write what the run is."""
        self._folder = self._logdir / file_name(message.name)
        facts = {"results": message.results, **message.config}
        self._text("run", "\n".join(["| | |", "|---|---|", *(f"| {key} | {value} |" for key, value in facts.items())]))
        return f"run {message.name}: tensorboard --logdir {self._logdir}"

    def score(self, messages: Sequence[Scored]) -> None:
        """Write the scores at once, in the order in which they come."""
        now = time.time()
        for one in messages:
            above = "tokens/" if one.over == "tokens" else ""
            for name, value in one.scores.items():
                point = _Point(f"{above}{one.curve}/{name}", one.at, value, now)
                self._points.setdefault(one.family, []).append(point)
                self._write(self._writer(one.family), point)
        for writer in self._writers.values():
            writer.flush()

    def progress(self, message: ProgressOfTracking) -> None:
        """Write counts over the seconds since the run began."""
        counts = {"done": message.done, "failed": message.failed, "total": message.total}
        for name, count in counts.items():
            point = _Point(f"progress/{name}", int(message.seconds), float(count), time.time())
            self._write(self._writer(_RUN), point)
        self._writer(_RUN).flush()

    def end(self, message: EndOfTracking, leaderboard: pd.DataFrame | None) -> None:
        """Write the leaderboard, and the scores of each family again in the order of the axis."""
        from harness.leaderboard import to_markdown

        self._text("ending", message.ending)
        if leaderboard is not None:
            self._text("leaderboard", to_markdown(leaderboard))
        for writer in self._writers.values():
            writer.close()
        for family, points in self._points.items():
            before = [*self._place(family).iterdir()]
            writer = EventFileWriter(str(self._place(family)), filename_suffix=".sorted")
            for point in sorted(points, key=lambda one: (one.tag, one.step)):
                self._write(writer, point)
            writer.close()
            for file in before:
                file.unlink()

    def _place(self, name: str) -> Path:
        return self._folder / file_name(name) if name else self._folder

    def _writer(self, name: str) -> EventFileWriter:
        if name not in self._writers:
            self._writers[name] = EventFileWriter(str(self._place(name)))
        return self._writers[name]

    @staticmethod
    def _write(writer: EventFileWriter, point: _Point) -> None:
        summary = Summary(value=[Summary.Value(tag=point.tag, simple_value=point.value)])
        writer.add_event(Event(wall_time=point.at, step=point.step, summary=summary))

    def _text(self, tag: str, text: str) -> None:
        """A text that TensorBoard shows as Markdown."""
        shown = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="text"))
        shape = TensorShapeProto(dim=[TensorShapeProto.Dim(size=1)])
        tensor = TensorProto(dtype="DT_STRING", string_val=[text.encode()], tensor_shape=shape)
        summary = Summary(value=[Summary.Value(tag=tag, metadata=shown, tensor=tensor)])
        self._writer(_RUN).add_event(Event(wall_time=time.time(), step=0, summary=summary))
