from pathlib import Path

import pytest

from harness.catalog import load_catalog, select
from harness.catalog.catalogue import load_file
from harness.errors import CatalogError, HarnessError
from harness.specs import Family, ModelSpec
from tests.builders.headers import write_headers

FAMILY = """
family: toys
tokens: 4000
tokens_per_step: 2
revisions: ["step{0,1,2}", "step{1000..2000..500}"]
models:
  - {name: org/toy-1m, params: 1M, loss: 3.5}
  - {name: org/toy-2m, params: 2M}
  - {name: "org/toy-1m-seed{7,8}", params: 1M}
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    return tmp_path


def chosen(*words: str, families: tuple[str, ...] = ("toys",), text: str = FAMILY) -> list[ModelSpec]:
    Path("toys.yaml").write_text(text, encoding="utf-8")
    plan = select(
        load_catalog([Path("toys.yaml")]),
        tasks=["add_2"],
        families=families,
        models=words,
        shots=[0],
        engine="simulated",
    )
    return [cell.model for cell in plan.cells]


def loaded(text: str) -> Family:
    Path("toys.yaml").write_text(text, encoding="utf-8")
    found = load_file(Path("toys.yaml"))
    assert isinstance(found, Family)
    return found


def test_a_checkpoint_of_a_model_has_the_tokens_of_its_step() -> None:
    (model,) = chosen("toy-1m@step1500")
    assert (model.name, model.revision, model.tokens, model.params) == ("org/toy-1m", "step1500", 3000, 10**6)
    assert model.loss is None


@pytest.mark.parametrize("families", [("toys",), ()])
def test_a_pattern_stands_for_all_checkpoints_that_fit(families: tuple[str, ...]) -> None:
    models = chosen("toy-?m@step1*00", "org/toy-2m", families=families)
    assert [(m.name, m.revision) for m in models] == [
        ("org/toy-1m", "step1000"),
        ("org/toy-1m", "step1500"),
        ("org/toy-2m", "step1000"),
        ("org/toy-2m", "step1500"),
        ("org/toy-2m", "main"),
    ]


def test_all_checkpoints_are_cells_of_a_plan_each() -> None:
    models = chosen("toy-1m@step*")
    assert [m.tokens for m in models] == [0, 2, 4, 2000, 3000, 4000]
    assert [m.revision for m in chosen("toy-1m@main")] == ["main"]


def test_the_family_without_a_word_is_its_last_checkpoints() -> None:
    assert {m.revision for m in chosen()} == {"main"}
    assert [(m.name, m.run) for m in chosen("toy-1m-seed*")] == [("org/toy-1m-seed7", "7"), ("org/toy-1m-seed8", "8")]


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("toy-1m@step3", "the family has no such checkpoint; expected one of 6 from step0 to step2000, or a pattern"),
        ("toy-1m@nothing*", "--model org/toy-1m@nothing\\*: the family has no such checkpoint"),
        ("toy-9m@step1", "unknown model 'toy-9m@step1'; known: org/toy-1m"),
        ("toy-1m@", "expected one of 6"),
    ],
)
def test_a_checkpoint_that_is_not_there_is_refused(word: str, message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        chosen(word)


def test_a_family_without_a_list_takes_any_branch_and_knows_no_tokens() -> None:
    text = "{family: toys, tokens: 9, models: [{name: org/a, params: 1M}]}"
    assert [(m.revision, m.tokens) for m in chosen("a@stage1-step5", text=text)] == [("stage1-step5", None)]
    with pytest.raises(HarnessError, match=r"--model org/a@\.\./x: .* expected a branch or tag"):
        chosen("a@../x", text=text)


def test_a_commit_is_the_checkpoint_that_the_cache_says_it_is(place: Path) -> None:
    references = place / "hub" / "models--org--toy-1m" / "refs"
    references.mkdir(parents=True)
    (references / "step1000").write_text("c0ffee1")
    assert [(m.revision, m.tokens) for m in chosen("toy-1m@c0ffee1")] == [("c0ffee1", 2000)]
    assert [m.tokens for m in chosen("toy-1m@c0ffee2")] == [None]
    assert [(m.revision, m.tokens) for m in chosen("toy-1m@step1000")] == [("c0ffee1", 2000)]


def test_a_local_model_has_no_revisions(place: Path) -> None:
    write_headers(place / "a")
    with pytest.raises(HarnessError, match="--model a@step1: a is a folder; expected its name alone"):
        chosen("a@step1", text="{family: toys, models: [{name: a, path: a}]}")


def test_a_folder_comes_before_a_model_of_its_name(place: Path) -> None:
    write_headers(place / "toy-1m")
    assert [m.path for m in chosen("toy-1m", families=())] == [str(place / "toy-1m")]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("kind: rnn", "kind is 'rnn'; expected 'decoder', 'encoder' or 'seq2seq'"),
        ("revisions: ['step{1..']", "revisions.0. is 'step{1..'; expected one pair of braces with a list"),
        ("models: [{name: 'a{1}b{2}', params: 1}]", r"models.0..name is 'a\{1\}b\{2\}'; expected one pair of braces"),
        ("models: [{name: 'a{1,2}', params: 1, run: 3}]", "models.0..run: the braces in its name say the run"),
        ("models: [{name: 'a{1,2}', params: 1, path: a}]", "models.0..path: expected none"),
    ],
)
def test_a_wrong_key_of_a_family_is_named(change: str, message: str) -> None:
    rest = "" if change.startswith("models") else "\nmodels: [{name: a, params: 1M}]"
    with pytest.raises(CatalogError, match=message):
        loaded(f"family: toys\n{change}{rest}")


def test_revisions_without_steps_have_no_tokens() -> None:
    found = loaded("{family: toys, revisions: ['v{1,2}', last], models: [{name: a, params: 1M}]}")
    assert found.revisions == {"v1": None, "v2": None, "last": None}
