"""`emergence export`: what is written for other programs can be read again, by them and here."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from lm_eval.utils import get_latest_filename, get_results_filenames, get_sample_results_filenames, make_table

from harness.exchange import latex_table
from harness.records import CellResult
from harness.specs import MetricSpec
from harness.store import Store
from tests.builders import PROB, cell, model, result, task
from tests.builders.commands import Emergence
from tests.builders.published import lm_eval_file, option_row, sample_file, text_row

METRICS = (MetricSpec(name="acc", chance=0.25), PROB)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Two sizes on two tasks and two numbers of shots."""
    made = Store(tmp_path / "results")
    for params in (1000, 4000):
        for name in ("colours", "shapes"):
            for shots in (0, 2):
                asked = cell(of=task(name, metrics=METRICS), model=model(params), shots=shots)
                made.write(result(asked, values=[1.0, 0.0, 1.0, 1.0]))
    return made


def exported(emergence: Emergence, store: Store, tmp_path: Path) -> Path:
    done = emergence("export", "lm-eval", "--results", store.root, "-o", tmp_path / "out")
    assert (done.code, done.out) == (0, "")
    assert "8 cells written to 12 files" in done.err
    return tmp_path / "out"


def test_a_file_holds_one_model_and_one_number_of_shots(emergence: Emergence, store: Store, tmp_path: Path) -> None:
    files = sorted(exported(emergence, store, tmp_path).rglob("results_*.json"))
    raw = [json.loads(file.read_text()) for file in files]
    assert sorted((one["model_name"], *one["n-shot"].values()) for one in raw) == [
        ("toy-1000", 0, 0),
        ("toy-1000", 2, 2),
        ("toy-4000", 0, 0),
        ("toy-4000", 2, 2),
    ]
    assert raw[0]["results"]["colours"]["acc,none"] == 0.75
    assert raw[0]["n-samples"]["colours"] == {"original": 4, "effective": 4}
    assert raw[0]["config"]["model_num_parameters"] in (1000, 4000)


def test_lm_eval_finds_the_files_and_prints_the_table(emergence: Emergence, store: Store, tmp_path: Path) -> None:
    names = [str(path) for path in exported(emergence, store, tmp_path).rglob("*") if path.is_file()]
    assert len(get_results_filenames(names)) == 4
    assert len(get_sample_results_filenames(names)) == 8
    table = make_table(json.loads(Path(get_latest_filename(get_results_filenames(names))).read_text()))
    assert "|colours|" in table.replace(" ", "")
    assert "0.75" in table


@pytest.mark.parity
def test_lm_eval_makes_the_card_of_a_hub_repository_of_the_files(
    emergence: Emergence, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """lm-eval's tracker lists result and sample files, loads the latest, and writes down where each stands."""
    evaluation_tracker = pytest.importorskip("lm_eval.loggers.evaluation_tracker")
    out, cards = exported(emergence, store, tmp_path), []

    class Repository:
        def list_repo_files(self, **_: str) -> list[str]:
            return [path.relative_to(out).as_posix() for path in sorted(out.rglob("*")) if path.is_file()]

    monkeypatch.setattr("huggingface_hub.hf_hub_url", lambda filename, **_: str(out / filename))
    monkeypatch.setattr("huggingface_hub.DatasetCard.push_to_hub", lambda card, *_, **__: cards.append(card))
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    tracker = evaluation_tracker.EvaluationTracker(output_path=str(out))
    tracker.api, tracker.details_repo, tracker.public_repo = Repository(), "lab/details", True
    tracker.recreate_metadata_card()
    (card,) = cards
    configs = {config["config_name"]: config["data_files"] for config in card.data.to_dict()["configs"]}
    # of no result file, its own neither: lm-eval 0.4.13 takes the ending .json for a part of their dates
    assert configs.keys() == {f"toy-{params}__{name}" for params in (1000, 4000) for name in ("colours", "shapes")}
    assert {one["split"] for files in configs.values() for one in files} >= {"latest"}
    assert '"acc,none": 0.75' in card.text


def facts(found: CellResult) -> tuple[object, ...]:
    asked = found.cell
    return (
        (asked.model.name, asked.model.params, asked.model.revision, asked.model.dtype),
        (asked.task, asked.task_version, asked.shots, asked.kind, asked.limit, asked.seed),
        tuple((score.metric, score.value, score.stderr, score.n) for score in found.scores),
        tuple((metric.name, metric.chance, metric.continuous, metric.higher_is_better) for metric in asked.metrics),
        found.n_expected,
    )


def test_what_was_exported_and_imported_again_says_the_same(emergence: Emergence, store: Store, tmp_path: Path) -> None:
    out = exported(emergence, store, tmp_path)
    assert emergence("import", "lm-eval", out, "--results", tmp_path / "again").code == 0
    assert {facts(one) for one in Store(tmp_path / "again").results()} == {facts(one) for one in store.results()}
    first = store.results()[0].cell
    (same,) = [
        one.cell
        for one in Store(tmp_path / "again").results()
        if (one.cell.model.name, one.cell.task, one.cell.shots) == (first.model.name, first.task, first.shots)
    ]
    before, after = store.samples(first), Store(tmp_path / "again").samples(same)
    for name in ("doc_id", "doc_hash", "prompt_hash", "prompt", "target", "output", "scores"):
        assert [getattr(one, name) for one in after] == [getattr(one, name) for one in before]


def test_import_export_and_import_is_the_identity(emergence: Emergence, tmp_path: Path) -> None:
    lm_eval_file(tmp_path / "files")
    sample_file(tmp_path / "files", "colours", [option_row(i, [-3.0, -1.0, -2.0, -4.0], right=1) for i in range(4)])
    filters = ("strict-match", "flexible-extract")
    texts = [text_row(i, "7", "7", chosen=name, right="7") for i in range(4) for name in filters]
    sample_file(tmp_path / "files", "sums", texts)
    emergence("import", "lm-eval", tmp_path / "files", "--results", tmp_path / "a")
    emergence("export", "lm-eval", "--results", tmp_path / "a", "-o", tmp_path / "out")
    emergence("import", "lm-eval", tmp_path / "out", "--results", tmp_path / "b")
    a, b = Store(tmp_path / "a"), Store(tmp_path / "b")
    assert {one.cell.key: facts(one) for one in a.results()} == {one.cell.key: facts(one) for one in b.results()}
    for one in a.results():
        assert a.samples(one.cell) == b.samples(one.cell)


def test_prompts_engines_and_unfinished_cells_stay_apart_and_come_back_as_they_were(
    emergence: Emergence, tmp_path: Path
) -> None:
    made = Store(tmp_path / "results")
    asked = cell(of=task("colours", metrics=METRICS))
    whole = result(asked, values=[1.0, 0.0, 1.0, 1.0])
    for other in (asked, replace(asked, prompt="terse"), replace(asked, engine="tree"), replace(asked, docs="0-3")):
        made.write(replace(whole, cell=other))
    short = replace(asked, seed=7)
    scores = tuple(replace(score, n=3) for score in whole.scores)
    made.write(replace(whole, cell=short, scores=scores, samples=whole.samples and whole.samples[:3]))
    emergence("export", "lm-eval", "--results", made.root, "-o", tmp_path / "out")
    done = emergence("import", "lm-eval", tmp_path / "out", "--results", tmp_path / "again")
    assert "imported 5 cells" in done.err
    found = {
        replace(one.cell, engine=one.cell.engine.removeprefix("imported:emergence-harness:")): one
        for one in Store(tmp_path / "again").results()
    }
    assert {key: (one.scores, one.n_expected) for key, one in found.items()} == {
        one.cell: (one.scores, one.n_expected) for one in made.results()
    }


def test_tables_for_papers_escape_what_latex_obeys(emergence: Emergence, store: Store) -> None:
    done = emergence("export", "latex", "--results", store.root)
    assert done.code == 0
    lines = done.out.splitlines()
    assert r"setting & toy-1000 & toy-4000 \\" in lines
    assert r"mean\_normalized & 0.667 & 0.667 \\" in lines
    assert r"\begin{tabular}{lrr}" in lines
    assert latex_table(["a_b"], [["50 % & more"]], "x").splitlines()[6:9] == [
        r"a\_b \\",
        r"\midrule",
        r"50 \% \& more \\",
    ]


def test_verdicts_are_a_table_too(emergence: Emergence, store: Store, tmp_path: Path) -> None:
    done = emergence("export", "markdown", "--table", "verdicts", "--results", store.root, "-o", tmp_path / "v.md")
    assert (done.code, done.out) == (0, "")
    assert (tmp_path / "v.md").read_text().startswith("| family | task | shots |")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("lm-eval",), "lm-eval has several files: expected --output FOLDER"),
        (("latex", "--task", "nothing"), "nothing to export: no result of these families and tasks"),
        (("word",), "unknown format 'word'; known: every-eval-ever, "),
    ],
)
def test_wrong_commands_are_one_line(emergence: Emergence, store: Store, arguments: tuple[str, ...], said: str) -> None:
    done = emergence("export", *arguments, "--results", store.root)
    assert done.code == 2
    assert said in done.err
