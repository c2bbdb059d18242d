import math
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from harness.analysis.costs import CostGroup, CostRow, cost_rows, electricity_of, regions
from harness.errors import PlanError
from harness.records import CellResult, Source, Tuning, Weights
from tests.builders import cell, counted, made_with, model, task

SIZES = (1_000, 10_000)


def ran(
    params: int = 1_000, right: int = 100, *, variant: str | None = None, name: str = "colours", **provenance
) -> CellResult:
    """200 documents in 4 seconds; a model that was loaded in one second."""
    of = counted(cell(of=task(name), model=model(params, variant=variant)), right, 200)
    return made_with(of, **{"seconds": 4.0, "load_seconds": 1.0, **provenance})


def row(results: list[CellResult], by: CostGroup = "model", **options: Any) -> CostRow:
    (found,) = cost_rows(results, by, **options)
    return found


def test_energy_is_added_up_by_cell_point_model_and_treatment() -> None:
    results = [
        ran(params, variant=variant, name=name, energy_wh=0.5)
        for params in SIZES
        for variant in (None, "int8")
        for name in ("colours", "shapes")
    ]
    counts = {by: len(cost_rows(results, by)) for by in ("cell", "point", "model", "treatment")}
    assert counts == {"cell": 8, "point": 8, "model": 4, "treatment": 2}
    plain, treated = cost_rows(results, "treatment")
    assert (plain.variant, plain.energy_wh, plain.cells, plain.documents) == (None, 2.0, 4, 800)
    assert (treated.variant, treated.model, treated.params, treated.task) == ("int8", None, None, None)


def test_seeds_of_a_point_share_a_row_and_its_score_is_their_mean() -> None:
    results = [counted(cell(seed=seed, shots=2), right, 200) for seed, right in ((0, 100), (1, 140))]
    one = row(results, "point")
    assert (one.cells, one.documents, one.settings) == (2, 400, 1)
    assert one.score == pytest.approx(((0.5 - 0.25) / 0.75 + (0.7 - 0.25) / 0.75) / 2)


def test_the_score_is_over_settings_that_all_models_have() -> None:
    results = [ran(1_000, 50), ran(1_000, 200, name="shapes"), ran(10_000, 200)]
    small, large = cost_rows(results, "model")
    assert (small.settings, small.score, large.score) == (1, 0.0, 1.0)
    assert large.score_stderr == 0.0


def test_score_per_kwh_divides_by_what_a_thousand_answers_take() -> None:
    one = row([ran(right=200, energy_wh=0.4)])
    assert one.wh_per_1000 == pytest.approx(2.0)
    assert one.score_per_kwh == pytest.approx(500.0)


def test_what_was_not_recorded_is_no_zero() -> None:
    one = row([ran()])
    assert (one.energy_wh, one.measured_wh, one.wh_per_1000, one.score_per_kwh, one.peak_bytes) == (None,) * 5
    assert row([made_with(ran(), load_seconds=None)]).making_seconds is None


def test_energy_can_be_estimated_from_time_where_it_was_not_recorded() -> None:
    one = row([ran(energy_wh=0.5, energy_measured_wh=0.3), ran(name="shapes")], watts=90.0)
    assert one.energy_wh == pytest.approx(0.5 + 0.1)
    assert one.measured_wh == pytest.approx(0.3)


def test_a_loading_counts_once_however_many_cells_tell_of_it() -> None:
    told = {"load_seconds": 3.0, "load_energy_wh": 0.2, "host": "a"}
    results = [ran(name=name, **told) for name in ("colours", "shapes")]
    one = row([*results, ran(name="letters", **{**told, "load_seconds": 2.0, "load_energy_wh": 0.1})])
    assert (one.making_seconds, one.making_wh) == pytest.approx((5.0, 0.3))


def test_a_training_counts_once_and_no_cell_has_its_energy() -> None:
    trained = Tuning(folder="a", documents=64, steps=10, seconds=20.0, energy_wh=1.5, parameters=5)
    told = {"load_energy_wh": 0.1, "energy_wh": 0.4, "tuning": trained}
    one = row([ran(variant="lora8", name=name, **told) for name in ("colours", "shapes")])
    assert (one.making_seconds, one.making_wh, one.energy_wh) == pytest.approx((21.0, 1.6, 0.8))
    unknown = ran(variant="lora8", **{**told, "tuning": replace(trained, energy_wh=None)})
    assert row([unknown]).making_wh is None


def test_sizes_are_those_of_the_weights() -> None:
    weights = Weights(number=10, dense_bytes=40, memory_bytes=20, packed_bytes=12)
    one = row([ran(weights=weights, peak_bytes=99), ran(name="shapes", weights=weights, peak_bytes=50)])
    assert (one.weight_bytes, one.memory_bytes, one.peak_bytes) == (12, 20, 99)
    assert one.seconds_per_document == pytest.approx(0.02)


def test_the_error_of_a_mean_over_settings_shrinks_with_their_number() -> None:
    alone, both = row([ran()]), row([ran(), ran(name="shapes")])
    assert alone.score_stderr is not None
    assert both.score_stderr == pytest.approx(alone.score_stderr / math.sqrt(2))


def test_results_of_other_programs_are_left_out() -> None:
    read = Source(tool="lm-eval", file="results.json", sha256="0" * 64, imported_at=datetime(2026, 1, 1, tzinfo=UTC))
    assert cost_rows([ran(source=read)], "model") == ()


def test_the_table_of_electricity_names_year_and_source() -> None:
    world = electricity_of()
    assert (world.code, world.year, len(regions()) > 200) == ("WORLD", 2023, True)
    assert 400 < world.g_per_kwh < 550
    assert "Ember" in world.label
    assert electricity_of("DEU") == electricity_of("germany")
    assert electricity_of(g_per_kwh=20.0).label == "20 g of CO2 per kWh, as it was given"
    assert all(0 <= one.g_per_kwh < 1500 and one.year and one.year >= 2021 for one in regions().values())


def test_an_unknown_region_is_refused() -> None:
    with pytest.raises(PlanError, match="unknown region 'Atlantis'"):
        electricity_of("Atlantis")
