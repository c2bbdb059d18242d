import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest

from harness.records import Weights
from harness.store import Store
from tests.builders import cell, counted, made_with, model, task
from tests.builders.commands import Emergence

SIZES = (1_000, 10_000)


@pytest.fixture(autouse=True)
def _results(tmp_path: Path) -> None:
    """Two sizes as they are and rounded; half of the energy was read by counters."""
    store = Store(tmp_path / "results")
    for params in SIZES:
        for variant, packed in ((None, 4 * params), ("int8", params)):
            of = counted(cell(of=task(), model=model(params, variant=variant)), 100 if variant else 150, 200)
            weights = Weights(number=params, dense_bytes=4 * params, memory_bytes=packed, packed_bytes=packed)
            wh = params / 10_000
            ran = made_with(
                of,
                seconds=params / 1_000,
                energy_wh=wh,
                energy_measured_wh=wh / 2,
                load_seconds=1.0,
                load_energy_wh=0.01,
                weights=weights,
            )
            store.write(replace(ran, samples=()))


def test_people_see_energy_co2_and_what_was_measured(emergence: Emergence) -> None:
    done = emergence("energy", "--region", "FRA")
    assert (done.code, done.err) == (0, "")
    lines = [" ".join(line.split()) for line in done.out.splitlines()]
    assert lines[2] == "toy-1000 plain 1 100 mWh 50% 5.6 mg 500 mWh 10 mWh 0.667 1.33k"
    assert "2.2 Wh in all, 123 mg: 56 g of CO2 per kWh (France 2023; Our World in Data and Ember" in done.out
    assert "Energy was recorded for 4 of 4 cells; counters (RAPL, NVML) gave 50% of it" in " ".join(lines)


def test_energy_by_treatment_is_csv_in_full_precision(emergence: Emergence) -> None:
    out = emergence("energy", "--by", "treatment", "--g-per-kwh", "500", "--format", "csv").out
    plain, treated = csv.DictReader(io.StringIO(out))
    assert (plain["variant"], treated["variant"], plain["cells"]) == ("", "int8", "2")
    assert float(plain["energy_wh"]) == pytest.approx(1.1)
    assert float(plain["co2_g"]) == pytest.approx(0.55)
    assert float(plain["making_wh"]) == pytest.approx(0.02)
    assert (plain["region"], plain["g_per_kwh"]) == ("own", "500.0")


@pytest.mark.parametrize(("by", "rows"), [("cell", 4), ("point", 4), ("model", 4), ("treatment", 2)])
def test_json_has_a_row_for_each_of_what_was_asked(emergence: Emergence, by: str, rows: int) -> None:
    found = json.loads(emergence("energy", "--by", by, "--json").out)
    assert len(found) == rows
    assert all(one["energy_measured_wh"] == pytest.approx(one["energy_wh"] / 2) for one in found)


def test_without_energy_it_can_be_estimated_from_time(emergence: Emergence, tmp_path: Path) -> None:
    Store(tmp_path / "others").write(replace(counted(cell(), 100, 200), samples=()))
    refused = emergence("energy", "--results", "others")
    assert (refused.code, refused.err.count("\n")) == (2, 1)
    assert "record it by `emergence run --energy`, or estimate it with --watts" in refused.err
    (one,) = json.loads(emergence("energy", "--results", "others", "--watts", "36", "--json").out)
    assert (one["energy_wh"], one["energy_measured_wh"]) == (pytest.approx(0.01), 0.0)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("energy --region Atlantis", "unknown region 'Atlantis'"),
        ("energy --region FRA --g-per-kwh 20", "--region and --g-per-kwh: expected one of them"),
        ("energy --g-per-kwh -1", "--g-per-kwh"),
        ("energy --task none", "unknown task 'none'"),
        ("costs --model toy-7", "unknown model 'toy-7'"),
    ],
)
def test_what_is_not_there_is_one_line(emergence: Emergence, typed: str, said: str) -> None:
    done = emergence(*typed.split())
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert said in done.err


def test_scores_stand_beside_sizes_and_times(emergence: Emergence) -> None:
    lines = [" ".join(line.split()) for line in emergence("costs").out.splitlines()]
    assert lines[2] == "toy-1000 plain 0.667 4 kB 4 kB 5 500 mWh 1 s"
    assert lines[4] == "toy-1000 int8 0.333 1 kB 1 kB 5 500 mWh 1 s"
    rows = list(csv.DictReader(io.StringIO(emergence("costs", "--format", "csv").out)))
    assert [int(row["weight_bytes"]) for row in rows] == [4_000, 40_000, 1_000, 10_000]


@pytest.mark.parametrize("typed", ["energy", "costs", "costs --x seconds", "costs --x memory", "costs --x energy"])
def test_figures_have_a_line_for_each_variant(emergence: Emergence, typed: str) -> None:
    done = emergence(*typed.split(), "--figure", "drawn.html")
    assert (done.code, done.err) == (0, "1 figure written to drawn.html\n")
    page = Path("drawn.html").read_text()
    assert "int8" in page
    assert "Bars: 95 % interval over documents." in page
