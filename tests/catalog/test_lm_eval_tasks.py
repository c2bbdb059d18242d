"""Files in lm-eval's dialect are accepted as they are, and looked up by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.catalog import load_catalog, select
from harness.catalog.catalogue import Catalog
from harness.errors import CatalogError, HarnessError
from harness.plan import RunPlan
from harness.specs import TaskSpec
from tests.builders.lm_eval_files import FILES, write_lm_eval_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_lm_eval_folder(tmp_path / "theirs")


def chosen(folder: Path, *names: str, allow_code: bool = False) -> dict[str, TaskSpec]:
    catalog, stands_for = load_catalog([folder], allow_code=allow_code).with_others(names)
    found = {name: catalog.task(name) for some in stands_for.values() for name in some}
    catalog.check_templates(found)
    return found


def added(folder: Path, name: str, content: str) -> Path:
    (folder / name).write_text(content, encoding="utf-8")
    return folder


def planned(folder: Path, **options: object) -> RunPlan:
    return select(load_catalog([folder]), models=["ladder-12k"], **options)  # type: ignore[arg-type]


def test_a_file_is_taken_as_it_is(folder: Path) -> None:
    task = chosen(folder, "their_choice")["their_choice"]
    assert [(m.name, m.continuous) for m in task.metrics] == [
        ("acc", False),
        ("acc_norm", False),
        ("prob_correct", True),
        ("correct_bits_per_byte", True),
    ]
    assert (task.version, task.n_docs, task.shots_available, task.default_shots) == ("2.0", 8, 4, 2)
    assert task.chance_of_documents == ("acc", "acc_norm", "prob_correct")
    assert task.headline.chance is None  # two or three options: only the documents tell


def test_headline_and_partner_follow_from_the_output_type(folder: Path) -> None:
    found = chosen(folder, "their_text", "their_likelihood", "their_whole")
    assert {name: [m.name for m in task.metrics] for name, task in found.items()} == {
        "their_text": ["exact_match", "loglikelihood_per_byte"],
        "their_likelihood": ["acc", "perplexity", "loglikelihood_per_byte"],
        "their_whole": ["bits_per_byte", "byte_perplexity", "word_perplexity"],
    }
    assert [found[name].headline.chance for name in found] == [0.0, 0.0, None]
    assert all(any(metric.continuous for metric in task.metrics) for task in found.values())


def test_options_that_are_the_same_for_every_document_tell_the_chance_level(folder: Path) -> None:
    added(folder, "fixed.yaml", "include: choice.yaml\ntask: fixed\ndoc_to_choice: ['1', '2', '3', '4', '5']\n")
    assert chosen(folder, "fixed")["fixed"].headline.chance == 0.2


def test_a_task_that_lists_acc_norm_alone_has_it_for_its_headline(folder: Path) -> None:
    added(folder, "norm.yaml", "include: choice.yaml\ntask: norm\nmetric_list: [{metric: acc_norm}]\n")
    assert chosen(folder, "norm")["norm"].headline.name == "acc_norm"


def test_every_filter_has_its_own_score(folder: Path) -> None:
    filters = "[{name: strict, filter: [{function: take_first}]}, {name: loose, filter: [{function: take_first}]}]"
    added(folder, "two.yaml", f"include: text.yaml\ntask: two\nfilter_list: {filters}\n")
    names = [metric.name for metric in chosen(folder, "two")["two"].metrics]
    assert names == ["exact_match", "exact_match,loose", "loglikelihood_per_byte"]


def test_groups_and_tags_stand_for_their_tasks(folder: Path) -> None:
    assert [*chosen(folder, "their_tag")] == ["their_choice", "their_text"]
    found = chosen(folder, "their_group")
    assert [*found] == ["their_choice", "their_text", "their_likelihood"]
    assert found["their_likelihood"].default_shots == 1  # the group says so


def test_a_task_that_a_group_changes_is_not_mixed_with_the_plain_one(folder: Path) -> None:
    added(folder, "other.yaml", "group: other\ntask: [{task: their_text, doc_to_text: '{{question}}?'}]\n")
    plain, changed = chosen(folder, "their_text"), chosen(folder, "other")
    assert plain["their_text"].digest != changed["their_text"].digest
    with pytest.raises(CatalogError, match=r"their_text is asked for as it is in .* and as group other changes it"):
        chosen(folder, "their_text", "other")


def test_the_number_of_shots_does_not_make_another_task(folder: Path) -> None:
    added(folder, "five.yaml", "include: text.yaml\ntask: five\nnum_fewshot: 5\n")
    five, text = chosen(folder, "five")["five"], chosen(folder, "their_text")["their_text"]
    assert five.digest == text.digest


def test_the_tasks_own_shots_are_taken_where_none_are_asked_for(folder: Path) -> None:
    plan = planned(folder, tasks=["their_group"])
    assert {cell.task: cell.shots for cell in plan.cells} == {"their_choice": 2, "their_text": 0, "their_likelihood": 1}
    plan = planned(folder, tasks=["their_group"], shots=[0, 3])
    assert {(cell.task, cell.shots) for cell in plan.cells if cell.task != "their_likelihood"} == {
        *(("their_choice", n) for n in (0, 3)),
        *(("their_text", n) for n in (0, 3)),  # `num_fewshot: 0` forbids none
    }


def test_a_suite_may_name_tasks_and_groups_of_lm_eval(folder: Path) -> None:
    added(folder, "suite.yaml", "suite: mixed\ntasks: [their_group, add_2]\nshots: [1]\n")
    plan = planned(folder, suites=["mixed"])
    assert [cell.task for cell in plan.cells] == ["their_choice", "their_text", "their_likelihood", "add_2"]
    assert {cell.shots for cell in plan.cells} == {1}


def test_code_of_a_folder_needs_consent_and_is_named(folder: Path) -> None:
    with pytest.raises(CatalogError) as caught:
        chosen(folder, "their_functions")
    utils = folder / "utils.py"
    first = f"{folder}/functions.yaml: process_docs runs Python code that comes with the task, {utils}; agree with"
    assert str(caught.value).startswith(first)
    task = chosen(folder, "their_functions", allow_code=True)["their_functions"]
    assert task.code_files == (utils,)
    assert task.n_docs is None  # the function decides, in a worker


def test_an_edit_of_the_code_makes_another_task(folder: Path) -> None:
    before = chosen(folder, "their_functions", allow_code=True)["their_functions"].digest
    utils = folder / "utils.py"
    utils.write_text(utils.read_text() + "# changed\n")
    assert chosen(folder, "their_functions", allow_code=True)["their_functions"].digest != before


def test_the_place_of_a_folder_does_not_count(folder: Path, tmp_path: Path) -> None:
    copy = write_lm_eval_folder(tmp_path / "elsewhere")
    one, two = (chosen(place, "their_functions", allow_code=True) for place in (folder, copy))
    assert one["their_functions"].digest == two["their_functions"].digest


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            "task: x\nclass: !function utils.Task\n",
            "class is 'Task': a task written in Python cannot be evaluated here",
        ),
        ("include: text.yaml\ntask: x\ndoc_to_image: picture\n", "doc_to_image: the task shows pictures"),
        ("include: text.yaml\ntask: x\nunsafe_code: true\n", "unsafe_code: lm-eval would run programs"),
        ("include: text.yaml\ntask: x\nuse_prompt: all\n", "use_prompt is 'all'; expected doc_to_text"),
        ("include: text.yaml\ntask: x\nnum_fewshot: many\n", "num_fewshot is 'many'; expected"),
        ("include: text.yaml\ntask: x\nprocess_docs: !function gone.f\n", "is !function 'gone.f'; there is no"),
        ("include: text.yaml\ntask: x\ndoc_to_txt: '{{q}}'\n", "doc_to_txt: unknown key 'doc_to_txt'"),
        ("include: text.yaml\ntask: x\ndoc_to_text: '{{q}}'\n", "doc_to_text asks for 'q'; documents of test have"),
        ("include: text.yaml\ntask: x\noutput_type: free\n", "output_type is 'free'; expected"),
        ("include: /etc/hostname\ntask: x\n", "include is '/etc/hostname', outside the task's folder"),
        ("include: gone.yaml\ntask: x\n", "x.yaml: include: "),
    ],
)
def test_what_cannot_be_evaluated_is_one_clear_line(folder: Path, content: str, said: str) -> None:
    added(folder, "x.yaml", content)
    with pytest.raises(HarnessError) as caught:
        chosen(folder, "x")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_include_each_other_end(folder: Path) -> None:
    added(folder, "a.yaml", "include: b.yaml\ntask: a\n")
    added(folder, "b.yaml", "include: a.yaml\ntask: b\n")
    with pytest.raises(CatalogError, match="the files include each other"):
        load_catalog([folder])


def test_an_unknown_name_comes_with_near_ones(folder: Path) -> None:
    catalog: Catalog = load_catalog([folder])
    with pytest.raises(CatalogError, match=r"unknown task 'their_chioce'; did you mean their_choice"):
        catalog.with_others(["their_chioce"])


def test_files_of_ours_are_still_read_as_ours(folder: Path) -> None:
    added(folder, "ours.yaml", "task: ours\nkind: qa\nmetrics: []\nconfig: {output_type: generate_until}\n")
    with pytest.raises(CatalogError, match=r"ours\.yaml: metrics is"):
        load_catalog([folder])


def test_the_builder_names_each_kind_of_task() -> None:
    assert sum("output_type" in content for content in FILES.values()) == 5


WRAPPER = """
task: mine
lm_eval: their_choice
kind: arithmetic
metrics:
  - {name: acc_norm, chance: 0.4}
  - {name: brier, higher_is_better: false, chance: null, best: 0, continuous: true}
prompts: {terse: {doc_to_text: "{{question}}"}}
"""


def test_a_file_of_ours_may_say_otherwise(folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "ours"
    place.mkdir()
    (place / "mine.yaml").write_text(WRAPPER)
    catalog, _ = load_catalog([folder, place]).with_others(["mine"])
    task = catalog.task("mine")
    assert (task.kind, [m.name for m in task.metrics], [*task.prompts]) == (
        "arithmetic",
        ["acc_norm", "brier"],
        ["default", "terse"],
    )
    assert (task.headline.chance, task.chance_of_documents) == (0.4, ())  # the file's word counts
    assert (task.n_docs, task.default_shots) == (8, 2)
    plan = select(load_catalog([folder, place]), tasks=["mine"], models=["ladder-12k"], prompts=["terse"])
    assert [(cell.task, cell.shots, cell.prompt) for cell in plan.cells] == [("mine", 2, "terse")]


def test_a_file_that_includes_one_of_lm_eval_may_say_otherwise_too(folder: Path) -> None:
    added(folder, "mine.yaml", "include: choice.yaml\ntask: mine\nkind: arithmetic\n")
    task = chosen(folder, "mine")["mine"]
    assert (task.kind, task.headline.name, task.chance_of_documents[0]) == ("arithmetic", "acc", "acc")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("lm_eval: their_chioce", "mine.yaml: lm_eval: unknown task 'their_chioce'; did you mean their_choice"),
        ("lm_eval: their_tag", "mine.yaml: lm_eval is 'their_tag', which stands for 2 tasks; expected one"),
        ("lm_eval: their_choice\nknid: qa", "mine.yaml: unknown key `knid`; expected kind, metrics"),
        ("lm_eval: their_choice\nconfig: {doc_to_txt: x}", "mine.yaml: config.doc_to_txt: unknown key 'doc_to_txt'"),
        (
            "lm_eval: their_choice\nprompts: {a: {doc_to_text: '{{q}}'}}",
            "mine.yaml: prompts.a.doc_to_text asks for 'q'",
        ),
    ],
)
def test_a_mistake_in_such_a_file_is_named(folder: Path, change: str, said: str) -> None:
    added(folder, "mine.yaml", f"task: mine\n{change}\n")
    with pytest.raises(HarnessError) as caught:
        chosen(folder, "mine")
    assert said in str(caught.value)


def test_two_files_cannot_define_one_task(folder: Path) -> None:
    added(folder, "add.yaml", "include: text.yaml\ntask: add_2\n")
    with pytest.raises(CatalogError, match=r"add\.yaml: task add_2 is already defined in "):
        load_catalog([folder])


def test_files_of_a_data_set_on_the_hub_are_asked_of_it_by_its_name(folder: Path) -> None:
    files = "{test: 'hf://datasets/EleutherAI/arithmetic/data/x.jsonl'}"
    added(
        folder,
        "hub.yaml",
        f"include: text.yaml\ntask: hub\ntraining_split: null\ndataset_kwargs: {{data_files: {files}}}\n",
    )
    config = chosen(folder, "hub")["hub"].config
    assert config["dataset_path"] == "EleutherAI/arithmetic"
    assert config["dataset_kwargs"] == {"data_files": {"test": "data/x.jsonl"}}


@pytest.mark.parametrize("target", ["0", "'{{answer}}'"])
def test_a_number_that_only_a_function_reads_is_no_right_answer(folder: Path, target: str) -> None:
    content = f"include: functions.yaml\ntask: own\ndoc_to_target: {target}\n"
    added(folder, "own.yaml", content)
    names = [metric.name for metric in chosen(folder, "own", allow_code=True)["own"].metrics]
    assert names == (["begins"] if target == "0" else ["begins", "loglikelihood_per_byte"])


def test_filters_that_a_file_of_the_task_adds_are_left_to_the_worker(folder: Path) -> None:
    filters = "[{name: x, filter: [{function: of_their_own}]}]"
    added(folder, "own.yaml", f"include: functions.yaml\ntask: own\nfilter_list: {filters}\n")
    assert chosen(folder, "own", allow_code=True)["own"].config["filter_list"][0]["name"] == "x"
    added(folder, "own.yaml", f"include: text.yaml\ntask: own\nfilter_list: {filters}\n")
    with pytest.raises(CatalogError, match="unknown filter 'of_their_own'"):
        chosen(folder, "own")


@pytest.mark.parametrize(
    "content",
    [
        "include: text.yaml\ntask: x\nprocess_docs: !function lm_eval.tasks.hellaswag.utils.process_docs\n",
        "include: text.yaml\ntask: x\nprocess_results: !function subprocess.run\n",
        "include: text.yaml\ntask: x\ncustom_dataset: !function lm_eval.tasks._yaml_loader.load_yaml\n",
        "group: x\ntask: [{task: their_text, doc_to_text: !function utils.ask}]\n",
    ],
)
def test_a_file_of_others_asks_for_no_function_without_consent(folder: Path, content: str) -> None:
    added(folder, "x.yaml", content)
    with pytest.raises(CatalogError, match="agree with --allow-code"):
        chosen(folder, "x")


def test_a_task_of_lm_eval_asks_for_its_own_functions(folder: Path) -> None:
    task = chosen(folder, "hellaswag")["hellaswag"]
    function = task.config["process_docs"]
    assert (function.installed, function.label.partition("@")[0]) == (True, "lm_eval/tasks/hellaswag/utils.py")
    assert function.path.is_file()
    assert task.code_files == ()


def test_what_executes_programs_cannot_be_included_in_another_guise(folder: Path) -> None:
    added(folder, "base.yaml", "include: text.yaml\ntask: base\nunsafe_code: true\n")
    added(folder, "x.yaml", "include: base.yaml\ntask: x\nunsafe_code: false\n")
    with pytest.raises(CatalogError, match="unsafe_code: lm-eval would run programs"):
        chosen(folder, "x")


def test_files_and_groups_that_grow_without_end_are_ended(folder: Path) -> None:
    for i in range(8):
        added(folder, f"_i{i}", f"include: [{', '.join([f'_i{i + 1}'] * 30)}]\n" if i < 7 else "num_fewshot: 1\n")
        inside = f"g{i + 1}" if i < 7 else "their_text"
        added(folder, f"g{i}.yaml", f"group: g{i}\ntask: [{', '.join([inside] * 30)}]\n")
    added(folder, "x.yaml", "include: [text.yaml, _i0]\ntask: x\n")
    with pytest.raises(CatalogError, match="include: the task includes more than 200 files"):
        chosen(folder, "x")
    with pytest.raises(CatalogError, match=r"has more than 100,000 entries in all"):
        chosen(folder, "g0")


def test_a_pattern_stands_for_the_tasks_that_it_describes(folder: Path) -> None:
    assert [*chosen(folder, "their_*e*")] == ["their_choice", "their_likelihood", "their_text", "their_whole"]
    assert [*chosen(folder, "add_*")] == ["add_2", "add_3"]
    with pytest.raises(CatalogError, match=r"unknown task 'theirs_\*'"):
        chosen(folder, "theirs_*")


def test_a_file_in_place_of_a_name_is_answered_with_the_way(folder: Path) -> None:
    with pytest.raises(CatalogError, match="its file or folder with --include-path"):
        chosen(folder, "theirs/choice.yaml")
