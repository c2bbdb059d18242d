import csv
import io
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from harness.analysis.curves import Curve, Scale, curves
from harness.analysis.curves.table import table_curves
from harness.analysis.verdict import judge
from harness.cli.leaderboard import command
from harness.leaderboard import (
    MODEL_COLUMNS,
    across,
    as_text,
    centred_table,
    for_people,
    left_out,
    ranked_table,
    tidy_table,
    to_csv,
    to_json,
    to_markdown,
    wide_table,
)
from harness.reading import read_table
from harness.records import CellFailure, CellResult, Source, Weights
from harness.report.board import text_tables
from harness.specs import MetricSpec
from harness.store import Store
from harness.wording import defused
from tests.builders import PROB, SIZES, cell, counted, failed, grown, made_with, model, task
from tests.builders.hostile import HARMLESS, NAMES

CONTRACT = (
    "family,model,revision,variant,params,tokens,flops,suite,task,task_version,kind,shots,prompt,seed,metric,value,"
    "stderr,ci_low,ci_high,n,n_expected,chance,best,normalized,status,engine,dtype,seconds,energy_wh,key,"
    "harness_version,date,higher_is_better,continuous,metric_rank,loss,task_digest,limit,n_truncated,chat,system,run,docs,"
    "format,generation,params_non_embedding,params_active,source,weight_bytes,peak_bytes,memory_bytes,"
    "energy_measured_wh,load_seconds,load_energy_wh"
)


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_the_tidy_header_is_the_contract() -> None:
    assert to_csv(tidy_table(grown((50,)))).split("\n")[0] == CONTRACT


def test_csv_keeps_full_precision() -> None:
    (result,) = grown((67,), n=201)
    first = rows(to_csv(tidy_table([result])))[0]
    assert float(first["value"]) == 67 / 201
    assert float(first["stderr"]) == result.scores[0].stderr
    assert (first["params"], first["flops"], first["seed"]) == ("1000", "120000000.0", "0")


def test_a_failure_is_a_row_with_empty_values_never_zero() -> None:
    (first, _) = rows(to_csv(tidy_table((), [failed()])))
    assert first["status"] == "failed"
    assert {first[name] for name in ("value", "stderr", "n", "normalized", "variant", "seconds")} == {""}


def test_names_with_commas_and_umlauts_survive() -> None:
    named = counted(cell(model=model(name='Größe, "klein"')), 10, 40)
    assert rows(to_csv(tidy_table([named])))[0]["model"] == 'Größe, "klein"'


def a_varied_store() -> list[CellResult]:
    """Headers that differ in whatever keeps curves apart, and metrics that do not show in their names what they are."""
    rise = (50, 52, 75, 90, 110, 125, 140, 160)
    rate = MetricSpec(name="acc", higher_is_better=False, chance=None, best=0.0)
    odd = task("odd", metrics=(MetricSpec(name="never scored"), replace(PROB, best=None, continuous=False), rate))
    retrained = [
        counted(replace(r.cell, model=replace(r.cell.model, tokens=None, revision="0123456789ab")), 180, 200)
        for r in grown(rise, shots=3)
    ]
    return [
        *grown(rise, shots=1, seed=0),
        *grown([k + 9 for k in rise], shots=1, seed=1),
        *grown(rise, of=odd, smooth=[0.1 * step for step in range(8)]),
        *grown(rise[::-1], task_digest="1" * 12),
        *grown(rise, limit=4, n=200),
        *grown(rise, engine="tree"),
        *(replace(r, n_expected=300, n_truncated=7) for r in grown(rise, shots=2)),
        *retrained,
        *(
            replace(r, cell=replace(r.cell, model=replace(r.cell.model, tokens=None, loss=2.5)))
            for r in later(grown(rise, shots=3))
        ),
    ]


@pytest.mark.parametrize("scale", ["params", "flops", "tokens", "loss"])
def test_a_leaderboard_that_is_read_back_gives_the_same_curves_and_labels(tmp_path: Path, scale: Scale) -> None:
    results, gone = a_varied_store(), failed(cell(model=model(9_000_000)))
    (tmp_path / "leaderboard.csv").write_text(to_csv(tidy_table(results, [gone])), encoding="utf-8")
    ours = curves(results, [gone], scale=scale)
    theirs = table_curves(read_table(tmp_path / "leaderboard.csv"), scale)
    assert [without_reasons(c) for c in theirs] == [without_reasons(c) for c in ours]
    labels = [[(row.verdict.label, row.verdict.qualifier) for row in judge(drawn, draws=0)] for drawn in (ours, theirs)]
    assert labels[0] == labels[1]


@pytest.mark.parametrize("name", [name for name in (*NAMES, *HARMLESS) if "\ud83d" not in name], ids=ascii)
def test_a_hostile_name_starts_no_formula_and_reads_back_the_same(tmp_path: Path, name: str) -> None:
    results = grown((50, 90), of=task(name), prompt=name)
    text = to_csv(tidy_table(results))
    assert [(row["task"], row["prompt"]) for row in rows(text)] == [(defused(name), defused(name))] * 4
    (tmp_path / "board.csv").write_bytes(text.encode())
    table = read_table(tmp_path / "board.csv")
    assert set(table["task"]) == set(table["prompt"]) == {name}
    assert {curve.task for curve in table_curves(table)} == {name.strip()}  # as of every table
    assert f"{defused(name)} 0-shot" in rows(to_csv(wide_table(results)))[0].popitem()[0]


def without_reasons(curve: Curve) -> Curve:
    """A curve as the tidy table knows it: that a cell failed, and not why."""
    return replace(curve, gaps=tuple(gap._replace(reason="") for gap in curve.gaps))


def test_wide_has_a_row_per_model_and_a_column_per_setting() -> None:
    table = wide_table([*grown((50, 100)), *grown((60, 120), shots=5)])
    assert list(table["model"]) == ["toy-1000", "toy-4000"]
    assert list(table["colours 5-shot (acc)"]) == pytest.approx([0.3, 0.6])
    assert list(table["mean_normalized"]) == pytest.approx([(0 + 0.05 / 0.75) / 2, (0.25 + 0.35) / 0.75 / 2])


def test_wide_averages_seeds() -> None:
    table = wide_table([*grown((50,), shots=2, seed=0), *grown((70,), shots=2, seed=1)])
    assert list(table["colours 2-shot (acc)"]) == pytest.approx([0.3])


def test_a_model_without_every_score_has_no_average() -> None:
    complete, partial = grown((50, 100)), grown((60,), shots=5)
    table = wide_table([*complete, *partial], [failed(grown((0, 0), shots=5)[1].cell)])
    assert list(table["mean_normalized"].isna()) == [False, True]
    assert pd.isna(table["colours 5-shot (acc)"][1])


def test_a_model_that_only_failed_still_has_a_row() -> None:
    table = wide_table(grown((50,)), [failed(cell(model=model(9000)))])
    assert list(table["model"]) == ["toy-1000", "toy-9000"]


def test_metrics_without_chance_stay_out_of_the_average() -> None:
    free = task("free", metrics=(MetricSpec(name="prob_correct", chance=None, best=None), PROB))
    table = wide_table([*grown((100,)), *grown((100,), of=free, smooth=[-3.0])])
    assert list(table["mean_normalized"]) == pytest.approx([1 / 3])
    assert list(table["free 0-shot (prob_correct)"]) == [-3.0]


def later(results: Iterable[CellResult]) -> list[CellResult]:
    """The same, evaluated a day later."""
    return [
        replace(r, provenance=replace(r.provenance, started_at=r.provenance.started_at + timedelta(days=1)))
        for r in results
    ]


def test_texts_of_a_task_are_columns_of_their_own_that_say_which_is_newest() -> None:
    table = wide_table([*later(grown((50,))), *grown((100,), task_digest="1" * 12)])
    assert [c for c in table.columns if c.startswith("colours")] == [
        "colours 0-shot 000000000000 newest (acc)",
        "colours 0-shot 111111111111 older (acc)",
    ]
    assert list(table["mean_normalized"]) == [0.0]


def averages(results: Iterable[CellResult], failures: Iterable[CellFailure] = ()) -> dict[str, float]:
    """Model -> average, of those that have one; with the engine where it is another than usual."""
    table = wide_table(results, failures)
    names = [f"{m} {e}".removesuffix(" simulated") for m, e in zip(table["model"], table["engine"], strict=True)]
    return dict(pd.Series(list(table["mean_normalized"]), index=names).dropna().items())


SWEEP = (*grown((50, 100, 125)), *grown((60, 120, 130), shots=5))
TRIAL = grown((1,), shots=3, limit=4, n=4)


@pytest.mark.parametrize(
    "trial",
    [
        grown((10,), shots=3),
        TRIAL,
        grown((1, 2, 3), limit=4, n=4),
        grown((1,), engine="tree"),
        grown((10, 10, 10), shots=3, engine="tree"),
        [replace(r, n_expected=300) for r in grown((10, 20, 30), shots=3)],
        [*grown((1,), shots=1), *grown((0, 2), shots=2)[1:], *grown((0, 0, 3), shots=3)[2:]],
        grown((10, 20, 30), task_digest="1" * 12)[:1],
        grown((10, 20, 30), of=task("free", metrics=(replace(PROB, name="acc", chance=None),))),
    ],
    ids=["shots", "limit", "limit-for-all", "engine", "engine-for-all", "partial", "one-each", "older", "no-chance"],
)
def test_a_trial_takes_the_average_from_nobody(trial: Sequence[CellResult]) -> None:
    sweep = later(SWEEP)
    assert averages([*trial, *sweep]) == averages(sweep)
    assert len(averages(sweep)) == 3


def test_a_model_that_was_asked_less_has_no_average_and_takes_it_from_nobody() -> None:
    less = grown((0, 0, 0, 150))[3:]
    assert averages([*SWEEP, *less]) == averages(SWEEP)


def test_a_model_that_failed_in_one_setting_has_no_average_and_takes_it_from_nobody() -> None:
    gone = failed(SWEEP[-1].cell)
    without = averages(SWEEP[:-1], [gone])
    assert without == {name: value for name, value in averages(SWEEP).items() if name != gone.cell.model.name}
    # a failure that was made good is none
    assert averages(SWEEP, [gone]) == averages(SWEEP)


def test_an_average_is_of_limited_documents_where_all_are() -> None:
    assert averages(grown((1, 2), limit=4, n=4)) == averages(grown((50, 100)))


def test_models_that_share_few_settings_are_averaged_over_these_when_they_are_many() -> None:
    others = [r for shots in (0, 1, 2) for r in grown([90] * 5, shots=shots)[3:]]
    assert set(averages([*SWEEP, *others])) == {f"toy-{size}" for size in SIZES[:5]}


def test_models_that_share_no_setting_leave_the_average_to_the_larger_sweep() -> None:
    others = grown([90] * 5, of=task("shapes"))[3:]
    assert averages([*SWEEP, *others]) == averages(SWEEP)


def test_what_the_average_leaves_out_is_one_sentence() -> None:
    assert left_out(SWEEP) is None
    assert left_out((), [failed()]) is None
    assert left_out([*SWEEP, *TRIAL, *grown((0, 0, 0, 150))[3:]]) == (
        "mean_normalized is over 2 of 3 settings; left out: colours 3-shot first 4 (acc); 1 of 4 models lack some "
        "of these and have none"
    )
    trials = [r for shots in (6, 7, 8, 9, 10) for r in grown((1,), shots=shots)]
    assert "6-shot (acc), colours 7-shot (acc), colours 8-shot (acc) and 2 more" in str(left_out([*SWEEP, *trials]))


def test_the_command_says_beside_the_wide_table_what_its_average_leaves_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for one in [*SWEEP, *TRIAL]:
        Store(tmp_path).write(replace(one, samples=()))
    command(profile="wide", results=tmp_path)
    shown = capsys.readouterr()
    assert shown.out == to_csv(wide_table([*SWEEP, *TRIAL]))
    assert shown.err == "mean_normalized is over 2 of 3 settings; left out: colours 3-shot first 4 (acc)\n"
    command(profile="tidy", results=tmp_path)
    assert capsys.readouterr().err == ""


def test_the_ranked_table_begins_with_the_best_and_has_one_score_per_task() -> None:
    shapes = task("shapes")
    table = ranked_table([*grown((50, 180, 60)), *grown((60, 190, 70), shots=5), *grown((20, 190, 25), of=shapes)])
    assert list(table["model"]) == ["toy-4000", "toy-16000", "toy-1000"]
    assert list(table["colours (acc)"]) == pytest.approx([0.925, 0.325, 0.275])
    assert list(table["shapes (acc)"]) == pytest.approx([0.95, 0.125, 0.1])
    # each task counts once, and not colours twice
    assert table["mean_normalized"][0] == pytest.approx(((0.925 - 0.25) / 0.75 + (0.95 - 0.25) / 0.75) / 2)
    assert [tuple(row) for row in table[["rank_best", "rank_last"]].itertuples(index=False)] == [(1, 1), (2, 3), (2, 3)]
    assert (table["mean_low"] < table["mean_normalized"]).all()
    shown = for_people(table)
    assert list(shown["rank"]) == ["1", "2–3", "2–3"]
    assert list(shown.columns[:2]) == ["rank", "family"]


def test_equal_scores_share_their_places_and_what_has_no_mean_has_none() -> None:
    table = ranked_table([*grown((200, 200, 100)), *grown((150, 150), shots=5)[:1]], [failed(cell(model=model(9)))])
    assert list(for_people(table)["rank"]) == ["1–2", "1–2", "3", ""]
    assert table["mean_high"].max() == 1.0
    assert pd.isna(table["mean_low"][3])


def test_ranks_are_exported_and_shown_on_a_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for one in grown((200, 100)):
        Store(tmp_path).write(replace(one, samples=()))
    command(profile="ranked", results=tmp_path)
    (best, last) = rows(capsys.readouterr().out)
    assert [(row["rank_best"], row["rank_last"], row["model"]) for row in (best, last)] == [
        ("1", "1", "toy-1000"),
        ("2", "2", "toy-4000"),
    ]
    command(profile="ranked", output_format="text", results=tmp_path)
    assert capsys.readouterr().out.splitlines()[2].split()[:4] == ["1", "toy-1000", "1k", "1.000"]


def test_the_order_of_results_does_not_matter() -> None:
    store = a_varied_store()
    pd.testing.assert_frame_equal(wide_table(store[::-1]), wide_table(store))


def test_centred_scores_are_indexed_by_model() -> None:
    table = centred_table([*grown((50, 100)), *grown((60,), shots=5)])
    assert list(table.index) == ["toy-1000", "toy-4000"]
    assert list(table["colours 0-shot (acc)"]) == pytest.approx([0.0, 1 / 3])
    assert pd.isna(table["colours 5-shot (acc)"]["toy-4000"])


def test_equal_model_names_are_told_apart() -> None:
    plain = grown((50,))
    int8 = [counted(replace(r.cell, model=replace(r.cell.model, variant="int8")), 60, 200) for r in plain]
    assert list(centred_table([*plain, *int8]).index) == [
        "toy-1000",
        "toy-1000 int8",
    ]
    engines = [*plain, *grown((60,), engine="tree")]
    assert across(wide_table(engines))[0] == ["", "toy-1000 simulated", "toy-1000 tree"]
    families = [*plain, *(replace(r, cell=replace(r.cell, model=model(family="mine"))) for r in plain)]
    assert across(wide_table(families))[0] == ["", "toy-1000 mine", "toy-1000 toy"]


def test_markdown_is_rounded_and_escapes_bars() -> None:
    text = to_markdown(wide_table([counted(cell(model=model(name="a|b")), 67, 201)]))
    assert text.split("\n")[2].startswith("| toy | a\\|b | main |  | 1000 |")
    assert "| 0.333 |" in text


def test_json_has_null_for_missing_and_full_precision() -> None:
    first = json.loads(to_json(tidy_table([counted(cell(), 67, 201)], [failed(cell(shots=1))])))[0]
    assert first["value"] == 67 / 201
    assert first["variant"] is None
    assert json.loads(to_json(tidy_table((), [failed()])))[0]["value"] is None


def test_the_size_of_the_weights_stands_beside_the_score_and_plain_models_have_no_variant() -> None:
    plain, other = grown((50, 60))
    size = Weights(number=10, dense_bytes=40, memory_bytes=12, packed_bytes=11, treated=10, change=0.01)
    treated = replace(
        other,
        cell=replace(other.cell, model=replace(other.cell.model, variant="int8")),
        provenance=replace(other.provenance, weights=size, peak_bytes=99),
    )
    sizes = [
        (row["variant"], row["weight_bytes"], row["peak_bytes"]) for row in rows(to_csv(tidy_table([plain, treated])))
    ]
    assert set(sizes) == {("", "", ""), ("int8", "11", "99")}
    head, _, *lines = to_markdown(wide_table([plain, treated])).splitlines()
    at = head.split(" | ").index("variant")
    assert [line.split(" | ")[at].strip() for line in lines] == ["", "int8"]


def test_no_results_give_a_header_and_nothing_else() -> None:
    assert to_csv(tidy_table(())) == CONTRACT + "\n"
    assert len(wide_table(())) == 0


def test_for_a_terminal_settings_go_down_and_models_across() -> None:
    head, rows = across(wide_table([*grown((50, 100))]))
    assert len(head) == 3
    assert all(len(row) == 3 for row in rows)
    assert [row[0] for row in rows[:2]] == ["params", "mean_normalized"]
    assert rows[2][1:] == ["0.250", "0.500"]


def test_for_a_terminal_training_runs_of_a_size_share_a_column_of_means() -> None:
    def trained(run: str, rights: tuple[int, ...]) -> list[CellResult]:
        named = [(r, replace(r.cell.model, name=f"{r.cell.model.name}-run{run}", run=run)) for r in grown(rights)]
        return [replace(r, cell=replace(r.cell, model=own)) for r, own in named]

    table = wide_table([*trained("1", (50, 100)), *trained("2", (100, 150)), *trained("3", (150,))])
    head, rows = across(table)
    assert head == ["", "toy-1000-run1", "toy-4000-run1"]
    assert [row[0] for row in rows[:3]] == ["params", "trainings", "mean_normalized"]
    assert rows[1][1:] == ["3", "2"]
    assert rows[3][1:] == ["0.500", "0.625"]
    assert "trainings" not in table.columns
    assert [row[0] for row in across(wide_table(trained("1", (50,))))[1]][:2] == ["params", "mean_normalized"]


def test_training_runs_of_a_size_have_a_row_each_that_names_them() -> None:
    runs = [
        replace(r, cell=replace(r.cell, model=replace(r.cell.model, run=run)))
        for run in ("0", "1")
        for r in grown((50,))
    ]
    assert wide_table(runs)["run"].tolist() == ["0", "1"]
    assert list(centred_table(runs).index) == ["toy-1000 run 0", "toy-1000 run 1"]
    assert tidy_table(runs)["run"].unique().tolist() == ["0", "1"]


READ = Source(
    tool="lm-eval", tool_version="0.4.9", file="a.json", sha256="a" * 64, imported_at=datetime(2026, 1, 1, tzinfo=UTC)
)


class TestTheSource:
    """Each row says where its scores come from."""

    def results(self) -> list[CellResult]:
        here = grown((50, 100))
        read = [made_with(one, source=READ) for one in grown((60, 120), engine="imported:lm-eval")]
        read += [
            made_with(one, source=replace(READ, sha256="b" * 64))
            for one in grown((60, 120), engine="imported:lm-eval", shots=5)
        ]
        return [*here, *read]

    def test_stands_in_every_table_for_programs(self) -> None:
        for table in (wide_table(self.results()), ranked_table(self.results())):
            of = dict(zip(zip(table["engine"], table["params"], strict=True), table["source"], strict=True))
            assert of["imported:lm-eval", 1000] == "lm-eval 0.4.9 (2 files)"
            assert pd.isna(of["simulated", 1000])
        assert to_csv(wide_table(grown((50,)))).splitlines()[0].split(",")[len(MODEL_COLUMNS)] == "source"

    def test_stands_in_tables_for_people_where_it_tells_something(self) -> None:
        shown = for_people(ranked_table(self.results()))
        assert set(shown["source"]) == {"lm-eval 0.4.9 (2 files)", "evaluated here"}
        assert "source" not in for_people(ranked_table(grown((50, 100))))
        head, rows = across(wide_table(self.results()))
        assert ["source", *(("lm-eval 0.4.9 (2 files)", "evaluated here") * 2)] in rows, head
        assert "source" in as_text(ranked_table(self.results()))[0]
        (sheet,) = text_tables(ranked_table(self.results()))
        place = sheet.columns.index("source")
        assert {row[place] for row in sheet.rows} == {"lm-eval 0.4.9 (2 files)", "evaluated here"}
        assert "source" not in text_tables(ranked_table(grown((50, 100))))[0].columns


def test_every_csv_file_is_written_where_formulas_are_defused() -> None:
    root = Path(__file__).parent.parent
    writers = re.compile(r"csv\.(writer|DictWriter)|(?<!leaderboard)\.to_csv\(")
    sources = [*(root / "harness").rglob("*.py"), *(root / "dashboards").rglob("*.py")]
    found = {path.name for path in sources if writers.search(path.read_text(encoding="utf-8"))}
    # the last two defuse each cell too, see their tests
    assert found == {"text.py", "open_llm_writing.py", "write.py"}
