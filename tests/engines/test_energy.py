from __future__ import annotations

import logging
import os
import socket
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.engines.energy import Meter, Reading, check_installed
from harness.errors import MachineError

LARGE = 170.0
"""Watt hours: ten kilowatts for a minute."""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home folder; the working folder is another."""
    pytest.importorskip("codecarbon")
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    work.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(work)
    return home


def taken(meter: Meter, *, work: int = 10**6) -> Reading | None:
    """What so many additions take."""
    meter.start()
    sum(range(work))
    return meter.stop()


def watt_hours(meter: Meter, *, work: int = 10**6) -> float | None:
    """The same, in watt hours."""
    return None if (reading := taken(meter, work=work)) is None else reading.wh


def test_each_piece_of_work_has_an_energy_of_its_own(home: Path) -> None:
    meter = Meter("cpu")
    much, little = watt_hours(meter, work=3 * 10**7), watt_hours(meter, work=1)
    assert much is not None
    assert little is not None
    assert 0.0 < little < much < LARGE


def test_nothing_is_written_asked_or_left_running(
    home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    asked: list[object] = []
    monkeypatch.setattr(socket.socket, "connect", lambda _, address: asked.append(address))
    before = set(threading.enumerate())
    assert watt_hours(Meter("cpu"))
    assert (os.listdir(home), os.listdir()) == ([], [])
    assert asked == []
    assert all(thread.daemon for thread in set(threading.enumerate()) - before)
    assert capfd.readouterr() == ("", "")


def test_files_and_variables_for_codecarbon_are_not_read(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = "[codecarbon]\npue = 1000000\nforce_cpu_power = 1000000000\n"
    for folder in (home, Path()):
        (folder / ".codecarbon.config").write_text(config)
    monkeypatch.setenv("CODECARBON_FORCE_RAM_POWER", "1000000000")
    wh = watt_hours(Meter("cpu"))
    assert wh is not None
    assert wh < LARGE


def test_a_meter_that_cannot_be_made_says_so_and_measures_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "codecarbon", None)
    monkeypatch.setitem(sys.modules, "codecarbon.emissions_tracker", None)
    with caplog.at_level(logging.WARNING):
        assert watt_hours(Meter("cpu")) is None
    assert "energy is not measured: ModuleNotFoundError" in caplog.text


def test_a_missing_codecarbon_is_named_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "codecarbon", None)
    with pytest.raises(MachineError, match=r"pip install codecarbon$"):
        check_installed()


@pytest.mark.parametrize(
    ("mode", "measured"), [("intel_rapl", 0.004), ("windows_emi", 0.004), ("constant", 0.001), ("cpu_load", 0.001)]
)
def test_what_counters_gave_is_told_apart_from_what_is_estimated(mode: str, measured: float) -> None:
    meter = Meter("cpu")
    meter._tracker = _Tracker(mode)  # type: ignore[assignment]  # no machine here has every kind of counter
    reading = taken(meter)
    assert reading is not None
    assert (reading.wh, reading.measured_wh) == pytest.approx((0.006, measured))


def test_work_in_the_middle_of_a_cell_is_measured_apart() -> None:
    meter = Meter("cpu")
    meter._tracker = _Tracker("constant")  # type: ignore[assignment]
    meter.start()
    done, training = meter.apart(lambda: "trained")
    rest = meter.stop()
    assert (done, training) == ("trained", Reading(0.006, 0.001))
    assert rest == pytest.approx(Reading(0.012, 0.002))  # before and after it


class _Processor:
    def __init__(self, mode: str) -> None:
        self._mode = mode


class _Tracker:
    """One that gives the same energy for every piece of work."""

    def __init__(self, mode: str) -> None:
        self._hardware = (_Processor(mode),)

    def start_task(self) -> None: ...

    def stop_task(self) -> SimpleNamespace:
        return SimpleNamespace(energy_consumed=6e-6, cpu_energy=3e-6, gpu_energy=1e-6, ram_energy=2e-6)
