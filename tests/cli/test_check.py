from pathlib import Path

import pytest
import yaml

from harness.catalog import load_catalog
from tests.builders.commands import ROOT, Emergence


def change(path: Path, **keys: object) -> None:
    """Set keys at the top of a YAML file."""
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | keys, sort_keys=False))


def misspell(toy: Path) -> None:
    """A column that the documents of `jumps` do not have."""
    config = yaml.safe_load((toy / "jumps.yaml").read_text())["config"]
    change(toy / "jumps.yaml", config=config | {"doc_to_text": "{{qestion}}", "doc_to_target": "label"})


def test_check_counts_what_is_right(emergence: Emergence, toy: Path) -> None:
    done = emergence("check", toy)
    assert (done.code, done.out) == (0, "")
    assert done.err.startswith(f"all right: {len(load_catalog([toy]).families)} families, ")
    assert f", {len(load_catalog([toy]).suites)} suites, " in done.err


@pytest.mark.parametrize("verb", ["check", "plan", "run"])
def test_a_misspelt_column_is_refused_before_any_cell(
    emergence: Emergence, toy: Path, options: tuple[str, ...], verb: str
) -> None:
    misspell(toy)
    done = emergence(verb, *([toy] if verb == "check" else options))
    assert done.code == 2
    assert f"{toy / 'jumps.yaml'}: config.doc_to_text asks for 'qestion'" in done.err
    assert not Path("results").exists()


def test_a_mistake_in_another_task_does_not_stop_a_run(emergence: Emergence, toy: Path) -> None:
    misspell(toy)
    done = emergence("plan", "--task", "stays", "--family", "steps", "--engine", "simulated", "--include-path", toy)
    assert done.code == 0, done.err


def test_a_folder_without_yaml_is_not_all_right(emergence: Emergence, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = emergence("check", "empty")
    assert done.code == 2
    assert "empty: no *.yaml or *.yml in it" in done.err


def test_params_far_from_the_weights_are_warned_of(emergence: Emergence, toy: Path) -> None:
    weights = Path(__file__).parents[2] / "harness/ladder/weights/12k"
    models = [{"name": "small", "path": str(weights), "params": 70426624}]
    change(toy / "family.yaml", models=models)
    done = emergence("check", toy)
    assert done.code == 0
    assert f"warning: {toy / 'family.yaml'}: model small: params is 70,426,624; the weights in {weights}" in done.err
    done = emergence("plan", "--suite", "toy", "--family", "steps", "--engine", "simulated", "--include-path", toy)
    assert done.err.count("params is 70,426,624") == 1


def test_every_suite_named_must_exist(emergence: Emergence) -> None:
    done = emergence("plan", "--suite", "all,xx", "--engine", "simulated")
    assert done.code == 2
    assert "unknown suite 'xx'" in done.err


def test_a_model_of_another_family_is_told_where_it_is(emergence: Emergence) -> None:
    done = emergence("plan", "--suite", "qa", "--family", "pythia", "--model", "gpt2", "--engine", "simulated")
    assert done.code == 2
    assert "unknown model 'gpt2'; known: EleutherAI/pythia-" in done.err
    assert "gpt2 is in --family gpt2" in done.err


def test_a_suite_goes_by_its_own_name(emergence: Emergence, toy: Path) -> None:
    change(toy / "suite.yaml", suite="rainbow")
    done = emergence("plan", "--suite", "rainbow", "--family", "steps", "--engine", "simulated", "--include-path", toy)
    assert "rainbow" in done.out
    assert "toy" not in done.out


def test_a_family_says_where_its_models_are(emergence: Emergence, toy: Path) -> None:
    change(toy / "family.yaml", models=[{"name": "mine", "path": "mine", "params": 10}])
    lines = emergence("list", "families", "--include-path", toy).out.splitlines()
    where = {line.split()[0]: line for line in lines if line}
    assert where["steps"].endswith("local folders")
    assert where["embedded"].endswith("in this package")
    assert where["gpt2"].endswith("hub")


def test_a_folder_of_the_package_does_not_collide_with_itself(emergence: Emergence) -> None:
    done = emergence("check", ROOT / "tasks" / "qa", ROOT / "tasks" / "qa" / "suite.yaml")
    assert done.code == 0
    assert done.err.splitlines()[-1] == emergence("check").err.splitlines()[-1]  # none is counted twice


def test_a_family_is_checked_without_looking_through_lm_evals_tasks(
    emergence: Emergence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "family.yaml").write_text("family: mine\nmodels: [{name: my-org/one, params: 1M}]\n")
    done = emergence("check", tmp_path / "family.yaml")
    assert (done.code, "reading" in done.err) == (0, False)
    assert not (tmp_path / "cache").exists()
