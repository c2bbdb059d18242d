"""Files of OLMES and olmo-eval become cells, with their documents where these lie beside them."""

import json
import math
from pathlib import Path

import pytest

from harness.exchange import Import, Sizes, import_files
from harness.records import CellResult
from harness.store import Store
from tests.builders.commands import Emergence
from tests.builders.olmes import olmes_file, olmo_eval_file, prediction, request, rows_file, written

SIZE = ("--params", "small=70M")


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """The file of one task, imported."""
    folder = tmp_path_factory.mktemp("olmes")
    path, store = olmes_file(folder / "a"), Store(folder / "r")
    import_files("olmes", [path], store, Import(sizes=Sizes(told={"small": 70_000_000})))
    return store


def only(store: Store) -> CellResult:
    (result,) = store.results()
    return result


class TestTheFileOfOneTask:
    """As `OUTPUT_FORMATS.md` of allenai/olmes describes it."""

    def test_says_model_task_and_setting(self, imported: Store) -> None:
        cell = only(imported).cell
        assert (cell.model.name, cell.model.revision, cell.model.params) == ("lab/small", "step2000", 70_000_000)
        assert (cell.task, cell.task_version, cell.shots, cell.seed, cell.limit) == ("colours", "0", 5, 0, None)
        assert cell.engine == "imported:olmes"

    def test_has_the_metric_first_that_the_task_names_first(self, imported: Store) -> None:
        metrics = only(imported).cell.metrics
        assert metrics[0].name == "acc_uncond"
        assert "primary_score" not in {metric.name for metric in metrics}

    def test_gives_standard_errors_of_metrics_that_are_right_or_wrong(self, imported: Store) -> None:
        scores = {score.metric: score for score in only(imported).scores}
        assert scores["acc_uncond"].value == 0.75
        assert scores["acc_uncond"].stderr == pytest.approx(math.sqrt(0.75 * 0.25 / 3))
        assert scores["bits_per_byte_corr"].stderr is None
        assert {score.n for score in scores.values()} == {4}

    def test_tells_which_metrics_are_smooth_and_which_are_losses(self, imported: Store) -> None:
        metrics = {metric.name: metric for metric in only(imported).cell.metrics}
        smooth = {name for name, metric in metrics.items() if metric.continuous}
        assert smooth == {"sum_logits_corr", "logits_per_token_corr", "logits_per_char_corr", "bits_per_byte_corr"}
        assert not metrics["bits_per_byte_corr"].higher_is_better
        assert not metrics["no_answer"].higher_is_better

    def test_says_when_and_how_long(self, imported: Store) -> None:
        provenance = only(imported).provenance
        assert provenance.started_at.isoformat() == "2024-07-30T20:24:33+00:00"
        assert provenance.seconds == 90.5
        assert provenance.source is not None
        assert (provenance.source.tool, provenance.source.file) == ("olmes", "task-000-colours-metrics.json")

    def test_is_kept_with_all_its_keys(self, imported: Store) -> None:
        (copy,) = (imported.root / ".imported").iterdir()
        assert json.loads(copy.read_text())["something_new"] == {"kept": True}


def test_documents_come_with_prompts_and_options_from_the_requests(emergence: Emergence, tmp_path: Path) -> None:
    olmes_file(tmp_path / "a")
    rows = [prediction(number, (-3.0, -1.0), right=int(number > 0)) for number in range(4)]
    rows_file(tmp_path / "a" / "task-000-colours-predictions.jsonl", rows)
    asked = [request(number, option, text) for number in range(4) for option, text in enumerate((" red", " green"))]
    rows_file(tmp_path / "a" / "task-000-colours-requests.jsonl", asked)
    emergence("import", "olmes", tmp_path / "a", "--results", tmp_path / "r", *SIZE)
    store = Store(tmp_path / "r")
    result = only(store)
    assert result.cell.metrics[0].chance == 0.5  # of two options
    first, second, *_ = store.samples(result.cell)
    assert (first.prompt, first.target, first.output) == ("Question: 0\nAnswer:", " red", " green")
    assert (second.options, second.option_loglikelihoods) == ((" red", " green"), (-3.0, -1.0))
    assert (first.scores["acc_uncond"], second.scores["acc_uncond"]) == (0.0, 1.0)
    assert len({sample.doc_hash for sample in store.samples(result.cell)}) == 4


def test_files_of_datadecide_have_no_number_and_no_requests(emergence: Emergence, tmp_path: Path) -> None:
    olmes_file(tmp_path / "a", "colours")
    rows = [prediction(number, (-3.0, -1.0), right=int(number > 0)) for number in range(4)]
    rows_file(tmp_path / "a" / "colours-predictions.jsonl", rows)
    emergence("import", "olmes", tmp_path / "a", "--results", tmp_path / "r", *SIZE)
    store = Store(tmp_path / "r")
    first, *_ = store.samples(only(store).cell)
    assert (first.prompt, first.options, first.output, first.target) == ("", (), "1", "0")
    assert first.scores["acc_raw"] == 0.0


def test_answers_in_words_are_read(emergence: Emergence, tmp_path: Path) -> None:
    olmes_file(tmp_path / "a", metrics={"exact_match": 0.5}, num_instances=2, asked_primary_metric="exact_match")
    rows = [written(0, " 7", right="7"), written(1, " 8", right="9")]
    rows_file(tmp_path / "a" / "task-000-colours-predictions.jsonl", rows)
    emergence("import", "olmes", tmp_path / "a", "--results", tmp_path / "r", *SIZE)
    store = Store(tmp_path / "r")
    assert [(one.output, one.target, one.scores) for one in store.samples(only(store).cell)] == [
        (" 7", "7", {"exact_match": 1.0}),
        (" 8", "9", {"exact_match": 0.0}),
    ]


def test_the_file_of_a_run_has_a_cell_for_each_task(emergence: Emergence, tmp_path: Path) -> None:
    path = olmo_eval_file(tmp_path / "a")
    done = emergence("import", "olmes", path, "--results", tmp_path / "r", *SIZE)
    assert (done.code, "imported 2 cells from 1 file of olmes" in done.err) == (0, True)
    found = {result.cell.task: result for result in Store(tmp_path / "r").results()}
    colours = found["colours"]
    assert [(s.metric, s.value) for s in colours.scores] == [("accuracy,exact_match", 0.75), ("bpb,logprob", 1.5)]
    assert (colours.cell.shots, colours.cell.model.dtype, colours.provenance.seconds) == (5, "bfloat16", 12.5)
    assert colours.cell.engine == "imported:olmo-eval"
    assert (found["sums:3shot"].cell.shots, found["sums:3shot"].scores[0].metric) == (3, "pass_at_1,code")


def test_documents_of_a_run_lie_in_folders_of_their_own(emergence: Emergence, tmp_path: Path) -> None:
    path = olmo_eval_file(tmp_path / "a")
    rows = [
        {
            "doc_id": number,
            "native_id": f"d{number}",
            "model_output": [
                {"text": f" {option}", "sum_logits": -option - 1.0, "num_chars": 2} for option in range(3)
            ],
            "instance_metrics": {"accuracy": {"exact_match": float(number > 0)}},
            "label": 0,
        }
        for number in range(4)
    ]
    asked = [
        {"doc_id": number, "idx": 0, "request": {"context": f"Q{number}", "continuations": [" 0", " 1", " 2"]}}
        for number in range(4)
    ]
    for kind, content in (("predictions", rows), ("requests", asked)):
        rows_file(path.parent / kind / "lab_small" / f"colours_mc_543210-{kind}.jsonl", content)
    emergence("import", "olmes", path.parent, "--results", tmp_path / "r", *SIZE)
    store = Store(tmp_path / "r")
    cell = next(result.cell for result in store.results() if result.cell.task == "colours")
    first, *_ = store.samples(cell)
    assert (first.prompt, first.options, first.output, first.target) == ("Q0", (" 0", " 1", " 2"), " 0", " 0")
    assert first.scores == {"accuracy,exact_match": 0.0}
    assert cell.metrics[0].chance == pytest.approx(1 / 3)


def test_what_is_asked_otherwise_is_never_joined(emergence: Emergence, tmp_path: Path) -> None:
    olmes_file(tmp_path / "a" / "1")
    olmes_file(tmp_path / "a" / "2", asked_fewshot_source="other")
    olmes_file(tmp_path / "a" / "3", asked_limit=1000)
    done = emergence("import", "olmes", tmp_path / "a", "--results", tmp_path / "r", *SIZE)
    assert "1 task kept apart by version or prompt, which differ between the files: colours" in done.err
    assert len({result.cell.task_digest for result in Store(tmp_path / "r").results()}) == 3


def test_standard_errors_follow_from_the_documents_whose_mean_a_score_is(emergence: Emergence, tmp_path: Path) -> None:
    olmes_file(tmp_path / "a", metrics={"f1": 0.5, "bleu": 0.9}, asked_primary_metric="f1")
    rows = [{"doc_id": n, "metrics": {"f1": value, "bleu": value}} for n, value in enumerate((0.0, 0.5, 0.5, 1.0))]
    rows_file(tmp_path / "a" / "task-000-colours-predictions.jsonl", rows)
    emergence("import", "olmes", tmp_path / "a", "--results", tmp_path / "r", *SIZE)
    scores = {score.metric: score.stderr for score in only(Store(tmp_path / "r")).scores}
    assert scores == {"f1": pytest.approx(math.sqrt(0.5 / 3 / 4)), "bleu": None}


def test_means_over_several_tasks_are_left_out_and_counted(emergence: Emergence, tmp_path: Path) -> None:
    olmes_file(tmp_path / "a" / "1")
    olmes_file(
        tmp_path / "a" / "2", "task-001-all", asked_metadata={"num_tasks": 57, "description": "Aggregate metric"}
    )
    done = emergence("import", "olmes", tmp_path / "a", "--results", tmp_path / "r", *SIZE)
    assert "1 file left out, which has means over several tasks" in done.err
    assert "imported 1 cell from 1 file of olmes" in done.err


def test_shots_that_no_file_says_are_said(emergence: Emergence, tmp_path: Path) -> None:
    olmes_file(tmp_path / "a", asked_num_shots=None)
    done = emergence("import", "olmes", tmp_path / "a", "--results", tmp_path / "r", *SIZE)
    assert "1 result without a number of demonstrations: filed under 0-shot" in done.err


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"metrics": {}}, "metrics: has no score; expected a metric with a number"),
        ({"metrics": [1]}, "metrics is [1]; expected keys and values"),
        ({"model_config": {"model": 3}}, "model_config: model is 3; expected a text"),
        ({"model_config": {"model": "/"}}, "model_config: model is '/'; expected a name"),
        ({"asked_num_shots": 1.5}, "task_config: num_shots is 1.5; expected a whole number"),
        ({"num_instances": "many"}, "num_instances is 'many'; expected a whole number"),
        ({"task_name": ["x"]}, "task_name is ['x']; expected a text"),
    ],
)
def test_damage_is_one_line_and_nothing_is_written(
    emergence: Emergence, tmp_path: Path, changes: dict[str, object], said: str
) -> None:
    path = olmes_file(tmp_path / "a", **changes)
    done = emergence("import", "olmes", path, "--results", tmp_path / "r", *SIZE)
    assert (done.code, done.out) == (2, "")
    assert f"{path}: {said}" in done.err
    assert len(done.err.splitlines()) == 1
    assert not [path for path in (tmp_path / "r").rglob("*") if path.is_file()]


@pytest.mark.parametrize("row", [{"native_id": "x"}, {"doc_id": -1}, {"doc_id": 0, "model_output": 5}])
def test_damaged_documents_stop_the_import(emergence: Emergence, tmp_path: Path, row: dict[str, object]) -> None:
    olmes_file(tmp_path / "a")
    path = rows_file(tmp_path / "a" / "task-000-colours-predictions.jsonl", [row])
    done = emergence("import", "olmes", tmp_path / "a", "--results", tmp_path / "r", *SIZE)
    assert done.code == 2
    assert f"{path}: row 1: " in done.err
    assert not [path for path in (tmp_path / "r").rglob("*") if path.is_file()]
