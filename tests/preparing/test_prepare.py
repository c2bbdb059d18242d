import errno
import json
import os
import shutil
from collections import namedtuple
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.catalog.manifest import FILE
from harness.store import Store
from tests.builders.commands import Done, Emergence
from tests.builders.hub_server import FakeHub, card_of, fake_hub
from tests.builders.mirrors import SUMS, task_of, write_card, write_data_set

SHIPPED = Path(__file__).parents[2] / "harness/ladder/weights"
WEIGHTS = "org/small/resolve"
Prepare = Callable[..., Done]


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """A hub with a model and a data set."""
    with fake_hub(monkeypatch, tmp_path / "cache") as hub:
        model = shutil.copytree(SHIPPED / "12k", tmp_path / "on_hub/model")
        for name in ("pytorch_model.bin", "tf_model.h5", "modeling_own.py"):
            (model / name).write_bytes(b"not wanted")
        (model / "onnx").mkdir()
        (model / "onnx/model.onnx").write_bytes(b"not wanted")
        hub.add("models", "org/small", model, card={"license": "apache-2.0"})
        hub.add("datasets", "org/sums", write_data_set(tmp_path / "on_hub/sums"))
        yield hub


@pytest.fixture
def prepare(tmp_path: Path, hub: FakeHub, emergence: Emergence) -> Prepare:
    """`emergence prepare` of the model and the data set into `mirror`."""
    task = tmp_path / "sums.yaml"
    task.write_text(yaml.safe_dump(task_of("org/sums")))

    def call(*more: str, model: str = "org/small", output: str = "mirror") -> Done:
        options = ("--task", "sums", "--include_path", task, "--model", model, "--output", output)
        return emergence("prepare", *options, *more)

    return call


def manifest(tmp_path: Path) -> list[dict[str, Any]]:
    content: list[dict[str, Any]] = json.loads((tmp_path / "mirror" / FILE).read_text())["repositories"]
    return content


def files(tmp_path: Path) -> list[str]:
    mirror = tmp_path / "mirror"
    return sorted(str(path.relative_to(mirror)) for path in mirror.rglob("*") if path.is_file())


def test_what_is_downloaded_is_enough_for_a_run_without_the_hub(
    tmp_path: Path, hub: FakeHub, prepare: Prepare, emergence: Emergence
) -> None:
    done = prepare()
    assert (done.code, done.out) == (0, ""), done.err
    assert "to download: 2 repositories, 5" in done.err
    hub.stop()
    task = ("--task", "sums", "--include_path", tmp_path / "sums.yaml", "--shots", "1", "--limit", "2")
    where = ("--mirror", "mirror", "--results", "results", "--executor", "inline")
    done = emergence("run", *task, "--model", "org/small", *where)
    assert done.code == 0, done.err
    [result] = Store(tmp_path / "results").results()
    assert (result.cell.model.name, result.cell.model.revision) == ("org/small", manifest(tmp_path)[1]["revision"])


def test_the_manifest_says_what_lies_there(tmp_path: Path, hub: FakeHub, prepare: Prepare) -> None:
    assert prepare().code == 0
    data, model = manifest(tmp_path)
    assert [(each["kind"], each["name"], each["asked"], each["folder"]) for each in (data, model)] == [
        ("data set", "org/sums", "main", "datasets/org/sums"),
        ("model", "org/small", "main", "org/small"),
    ]
    assert model["revision"] == hub.held["models", "org/small"].commit
    assert (model["licence"], data["parts"]) == ("apache-2.0", [None])
    wanted = ["config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]
    assert [file["path"] for file in model["files"]] == wanted
    assert {file["path"]: file["bytes"] for file in model["files"]}["config.json"] == os.path.getsize(
        tmp_path / "on_hub/model/config.json"
    )
    assert files(tmp_path) == sorted(
        [".lock", FILE, *(f"org/small/{name}" for name in wanted), *(f"datasets/org/sums/{s}.jsonl" for s in SUMS)]
    )


def test_a_second_call_verifies_every_byte_and_asks_nothing_of_the_hub(
    tmp_path: Path, hub: FakeHub, prepare: Prepare
) -> None:
    prepare()
    hub.asked.clear()
    done = prepare()
    assert (done.code, hub.asked) == (0, [])
    assert "model org/small: verified, 5 files, at commit" in done.err
    weights = tmp_path / "mirror/org/small/model.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + b"\0")
    done = prepare()
    assert (done.code, weights.read_bytes()) == (0, content)
    assert "model org/small: model.safetensors is not as it was downloaded: downloaded again" in done.err
    assert [path for _, path, _ in hub.requests_for(WEIGHTS)] == [hub.requests_for("model.safetensors")[0][1]]


def test_a_commit_stays_until_an_update_is_asked_for(tmp_path: Path, hub: FakeHub, prepare: Prepare) -> None:
    prepare()
    before = manifest(tmp_path)[1]["revision"]
    shutil.copytree(SHIPPED / "26k", tmp_path / "on_hub/newer")
    after = hub.add("models", "org/small", tmp_path / "on_hub/newer")
    assert (prepare().code, manifest(tmp_path)[1]["revision"]) == (0, before)
    assert (prepare("--update").code, manifest(tmp_path)[1]["revision"]) == (0, after)
    assert (tmp_path / "mirror/org/small/model.safetensors").stat().st_size == os.path.getsize(
        SHIPPED / "26k/model.safetensors"
    )


def test_another_revision_lies_beside_the_first(tmp_path: Path, hub: FakeHub, prepare: Prepare) -> None:
    shutil.copytree(SHIPPED / "26k", tmp_path / "on_hub/step")
    hub.add("models", "org/small", tmp_path / "on_hub/step", revision="step1000")
    assert prepare(model="org/small,org/small@step1000").code == 0
    assert {(each["asked"], each["folder"]) for each in manifest(tmp_path)[1:]} == {
        ("main", "org/small"),
        ("step1000", "org/small@step1000"),
    }


def test_only_the_parts_of_a_data_set_that_are_asked_for_are_downloaded(
    tmp_path: Path, hub: FakeHub, prepare: Prepare
) -> None:
    folder = tmp_path / "on_hub/parts"
    for name in ("easy", "hard"):
        write_data_set(folder / name)
    configs = [{"config_name": name, "data_files": f"{name}/*"} for name in ("easy", "hard")]
    write_card(folder, {"configs": configs, "license": ["mit", "cc-by-4.0"]})
    hub.add("datasets", "org/parts", folder, card=card_of(folder))
    (tmp_path / "parts.yaml").write_text(yaml.safe_dump({**task_of("org/parts", dataset_name="hard"), "task": "parts"}))
    assert prepare("--task", "parts", "--include_path", str(tmp_path / "parts.yaml")).code == 0
    [entry] = [each for each in manifest(tmp_path) if each["name"] == "org/parts"]
    assert [file["path"] for file in entry["files"]] == ["README.md", "hard/test.jsonl", "hard/train.jsonl"]
    assert (entry["parts"], entry["licence"]) == (["hard"], "mit, cc-by-4.0")
    hub.asked.clear()
    (tmp_path / "parts.yaml").write_text(yaml.safe_dump({**task_of("org/parts", dataset_name="easy"), "task": "parts"}))
    assert prepare("--task", "parts", "--include_path", str(tmp_path / "parts.yaml")).code == 0
    [entry] = [each for each in manifest(tmp_path) if each["name"] == "org/parts"]
    assert len(entry["files"]) == 5
    assert entry["parts"] == ["hard", "easy"]
    assert not hub.requests_for("hard/test.jsonl")


def test_files_that_a_task_of_lm_eval_names_itself_are_downloaded_and_read(
    tmp_path: Path, hub: FakeHub, emergence: Emergence
) -> None:
    folder = tmp_path / "on_hub/tables"
    for name in ("virology", "physics"):
        (folder / "tests").mkdir(parents=True, exist_ok=True)
        (folder / f"tests/{name}.csv").write_text("question,answer\nWhat is it?,0\nWhy?,1\n")
    hub.add("datasets", "org/tables", folder)
    task = {
        "task": "virology",
        "dataset_path": "org/tables",
        "dataset_kwargs": {"data_files": {"test": "tests/virology.csv"}},
        "output_type": "multiple_choice",
        "test_split": "test",
        "doc_to_text": "{{question}}",
        "doc_to_choice": ["yes", "no"],
        "doc_to_target": "answer",
    }
    (tmp_path / "virology.yaml").write_text(yaml.safe_dump(task))
    options = ("--task", "virology", "--include_path", tmp_path / "virology.yaml", "--model", "org/small")
    options = (*options, "--mirror", "mirror")
    done = emergence("prepare", *options)
    assert done.code == 0, done.err
    assert "datasets/org/tables/tests/virology.csv" in files(tmp_path)
    assert "datasets/org/tables/tests/physics.csv" not in files(tmp_path)
    assert emergence("prepare", *options).err.count("verified") == 2
    hub.stop()
    done = emergence("run", *options, "--executor", "inline")
    assert done.code == 0, done.err
    [result] = Store(tmp_path / "results").results()
    assert {score.n for score in result.scores} == {2}
    assert emergence("doctor", *options).out.splitlines()[-1] == (
        "ok        data set org/tables of virology: in the mirror: 2 in test"
    )


def test_many_parts_of_a_data_set_cost_no_more_questions_than_one(
    tmp_path: Path, hub: FakeHub, emergence: Emergence
) -> None:
    folder = tmp_path / "on_hub/parts"
    names = [f"subject_{i}" for i in range(12)]
    for name in names:
        write_data_set(folder / name, {"test": [{"q": name, "a": "b"}], "train": [{"q": "c", "a": "d"}]})
    write_card(folder, {"configs": [{"config_name": name, "data_files": f"{name}/*"} for name in names]})
    hub.add("datasets", "org/parts", folder)
    for name in names:
        task = {**task_of("org/parts", dataset_name=name), "task": name}
        (tmp_path / "tasks").mkdir(exist_ok=True)
        (tmp_path / f"tasks/{name}.yaml").write_text(yaml.safe_dump(task))
    options = ("--include_path", tmp_path / "tasks", "--model", "org/small", "--mirror", "mirror", "--shots", "0")
    done = emergence("prepare", "--task", ",".join(names), *options)
    assert done.code == 0, done.err
    questions = [asked for asked in hub.asked if "org/parts" in asked[1] and "/resolve/" not in asked[1]]
    assert len(questions) < 30, questions
    [entry] = [each for each in manifest(tmp_path) if each["name"] == "org/parts"]
    assert len(entry["files"]) == 25
    assert emergence("plan", "--task", ",".join(names), *options).code == 0


def test_a_cut_connection_is_tried_again_from_where_it_was_cut(
    tmp_path: Path, hub: FakeHub, prepare: Prepare, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 1000)
    hub.fails("model.safetensors", cut_after=10_000, method="GET")
    assert prepare().code == 0
    assert [asked[2] for asked in hub.requests_for("model.safetensors")] == [None, "bytes=10000-"]
    weights = tmp_path / "mirror/org/small/model.safetensors"
    assert weights.read_bytes() == (SHIPPED / "12k/model.safetensors").read_bytes()


def test_a_later_call_goes_on_where_an_earlier_one_gave_up(
    tmp_path: Path, hub: FakeHub, prepare: Prepare, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 1000)
    hub.fails("model.safetensors", cut_after=10_000, method="GET")
    hub.fails("model.safetensors", times=999, status=503)
    assert prepare().code == 1
    hub.faults.clear()
    hub.asked.clear()
    assert prepare().code == 0
    assert [asked[2] for asked in hub.requests_for("model.safetensors")] == ["bytes=10000-"]
    weights = tmp_path / "mirror/org/small/model.safetensors"
    assert weights.read_bytes() == (SHIPPED / "12k/model.safetensors").read_bytes()


def test_spoilt_bytes_are_found_by_their_hash_and_asked_for_again(
    tmp_path: Path, hub: FakeHub, prepare: Prepare
) -> None:
    hub.fails("model.safetensors", spoilt=True, method="GET")
    done = prepare()
    assert done.code == 0
    assert "model org/small: 'model.safetensors' came with other bytes than the hub has; try 2 of 5 in" in done.err


@pytest.mark.parametrize(
    ("status", "code", "exit_code", "line"),
    [
        (
            403,
            "GatedRepo",
            2,
            "its authors ask for an agreement first; give it on https://huggingface.co/org/small, and",
        ),
        (
            404,
            "RepoNotFound",
            2,
            "the hub has no such model, or a private one; log in (`hf auth login`) if it is yours",
        ),
        (401, "", 2, "the hub refuses it (401); log in (`hf auth login`) with an account that may read https://"),
        (403, "", 2, "the hub refuses it (403); log in (`hf auth login`) with an account that may read https://"),
        (429, "", 1, "the hub answers that this machine asked too often (429); try again later"),
        (503, "", 1, "the hub answers with 503; try again later"),
    ],
)
def test_a_refusal_of_the_hub_is_one_line_and_the_others_are_downloaded(
    tmp_path: Path, hub: FakeHub, prepare: Prepare, status: int, code: str, exit_code: int, line: str
) -> None:
    hub.fails("org/small", times=999, status=status, code=code)
    done = prepare()
    assert done.code == exit_code, done.err
    assert f"failed: model org/small: {line}" in done.err
    assert done.err.splitlines()[-1] == "1 repository of 2 could not be had; the same command goes on from there"
    assert "Traceback" not in done.err
    assert [each["name"] for each in manifest(tmp_path)] == ["org/sums"]
    assert not (tmp_path / "mirror/org").exists()


def test_a_refusal_in_the_middle_leaves_nothing_half_written(tmp_path: Path, hub: FakeHub, prepare: Prepare) -> None:
    hub.fails("model.safetensors", times=999, status=500)
    done = prepare()
    assert (done.code, (tmp_path / "mirror/org").exists()) == (1, False)
    assert "failed: model org/small: the hub answers with 500; try again later" in done.err
    hub.faults.clear()
    hub.asked.clear()
    assert prepare().code == 0
    assert not hub.requests_for("resolve", "GET")[1:], "only the weights were missing"
    assert not (tmp_path / "mirror/.partial").exists()


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("org/small@nightly", "the hub has no revision 'nightly' of it; expected a branch, tag or commit"),
        ("org/none", "the hub has no such model, or a private one; log in (`hf auth login`) if it is yours"),
    ],
)
def test_what_the_hub_does_not_have_is_named(hub: FakeHub, prepare: Prepare, model: str, said: str) -> None:
    done = prepare(model=model)
    assert (done.code, done.err.splitlines()[0]) == (2, f"failed: model {model}: {said}"), done.err


def test_without_a_network_each_is_one_line(hub: FakeHub, prepare: Prepare) -> None:
    hub.stop()
    done = prepare()
    assert done.code == 1
    lines = done.err.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["failed", "failed", lines[-1]]
    assert lines[0].startswith(f"failed: model org/small: no answer from {hub.address}: ")


def test_offline_mode_is_named(hub: FakeHub, prepare: Prepare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    done = prepare()
    line = "failed: model org/small: HF_HUB_OFFLINE is set, which keeps from the hub; expected it unset to prepare"
    assert (done.code, done.err.splitlines()[0]) == (2, line)


def test_pickles_are_refused_unless_agreed_to(tmp_path: Path, hub: FakeHub, prepare: Prepare) -> None:
    os.unlink(tmp_path / "on_hub/model/model.safetensors")
    hub.add("models", "org/small", tmp_path / "on_hub/model")
    done = prepare()
    line = "failed: org/small: its weights are no safetensors but pickles, which can run code when they are read; agree"
    assert (done.code, line in done.err) == (2, True)
    assert prepare("--allow-pickle").code == 0
    assert "org/small/pytorch_model.bin" in files(tmp_path)


def test_python_files_come_where_they_were_agreed_to(tmp_path: Path, hub: FakeHub, prepare: Prepare) -> None:
    assert prepare("--trust-remote-code").code == 0
    assert "org/small/modeling_own.py" in files(tmp_path)


def test_a_data_set_that_is_read_by_a_script_is_refused(tmp_path: Path, hub: FakeHub, prepare: Prepare) -> None:
    (tmp_path / "on_hub/sums/sums.py").write_text("open('canary', 'w')")
    hub.add("datasets", "org/sums", tmp_path / "on_hub/sums")
    done = prepare()
    assert (done.code, "data set org/sums: is read by a script, sums.py, which is not run" in done.err) == (2, True)


def test_too_little_room_is_told_before_anything_is_downloaded(
    tmp_path: Path, hub: FakeHub, prepare: Prepare, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("harness.preparing.prepare.shutil.disk_usage", lambda _: usage(10, 0, 10))
    done = prepare()
    assert done.code == 2
    assert done.err.splitlines()[-1].startswith(f"error: {tmp_path}/mirror: has 10 bytes free, and 5")
    assert files(tmp_path) == [".lock"]


def test_a_disk_that_fills_up_is_one_line(
    tmp_path: Path, hub: FakeHub, prepare: Prepare, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("huggingface_hub.file_download.http_get", full)
    done = prepare()
    assert done.code == 2
    told = "mirror/.partial: cannot be written: No space left on device; give another --output"
    assert done.err.splitlines()[-1].endswith(told)
    assert not (tmp_path / "mirror" / FILE).exists()


def test_a_folder_that_somebody_filled_is_left_alone(tmp_path: Path, hub: FakeHub, prepare: Prepare) -> None:
    shutil.copytree(SHIPPED / "26k", tmp_path / "mirror/org/small")
    done = prepare()
    assert done.code == 0
    assert f"model org/small: left as it is, since somebody filled {tmp_path}/mirror/org/small" in done.err
    assert [each["name"] for each in manifest(tmp_path)] == ["org/sums"]


def test_a_plan_of_this_machine_needs_nothing(emergence: Emergence) -> None:
    done = emergence("prepare", "--task", "add_3", "--workers", "3")
    assert (done.code, done.out) == (0, "")
    assert done.err == "nothing to download: every model and data set of this plan is on this machine\n"


def test_the_mirror_of_a_run_is_the_folder_that_is_filled(tmp_path: Path, hub: FakeHub, emergence: Emergence) -> None:
    (tmp_path / "sums.yaml").write_text(yaml.safe_dump(task_of("org/sums")))
    options = ("--task", "sums", "--include_path", tmp_path / "sums.yaml", "--model", "org/small", "--mirror", "here")
    assert emergence("prepare", *options).code == 0
    assert emergence("plan", *options).code == 0


def test_a_model_that_others_are_to_learn_from_is_downloaded_with_them(
    tmp_path: Path, hub: FakeHub, prepare: Prepare, emergence: Emergence
) -> None:
    hub.add("models", "org/large", shutil.copytree(SHIPPED / "43k", tmp_path / "on_hub/large"))
    (tmp_path / "sums.yaml").write_text(yaml.safe_dump(task_of("org/sums", training_split="train")))
    sizes = {"org/small": 11568, "org/large": 43320}
    family = {"family": "mine", "models": [{"name": name, "params": params} for name, params in sizes.items()]}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(family))
    done = prepare("--include_path", tmp_path / "mine.yaml", "--family", "mine", "--treatment", "distill:large")
    assert done.code == 0, done.err
    assert [one["name"] for one in manifest(tmp_path) if one["kind"] == "model"] == ["org/large", "org/small"]
